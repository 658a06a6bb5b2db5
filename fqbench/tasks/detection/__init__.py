"""Detection: boxes with classes and scores, COCO's mAP."""

from __future__ import annotations

from fqbench.tasks.detection.answers import BOXES
from fqbench.tasks.detection.decode import PP_YOLOE, YOLOV5, YOLOX
from fqbench.tasks.detection.metric import MAP
from fqbench.tasks.record import Task

TASK = Task(
    decoders=(YOLOV5, YOLOX, PP_YOLOE),
    datasets=("coco",),
    answers=BOXES,
    metric=MAP,
)
