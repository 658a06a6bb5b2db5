"""Detection: boxes with classes and scores, COCO's mAP."""

from __future__ import annotations

from fqbench.tasks.detection.answers import BOXES
from fqbench.tasks.detection.columns import YOLOV8
from fqbench.tasks.detection.decode import PP_YOLOE, YOLOV5, YOLOX
from fqbench.tasks.detection.distances import NANODET
from fqbench.tasks.detection.drawing import draw
from fqbench.tasks.detection.end_to_end import DETR, RT_DETR, YOLOV10
from fqbench.tasks.detection.examining import EXAMINATION
from fqbench.tasks.detection.metric import MAP
from fqbench.tasks.detection.recognition import RECOGNITION
from fqbench.tasks.record import Task

TASK = Task(
    decoders=(YOLOV5, YOLOX, PP_YOLOE, YOLOV8, YOLOV10, DETR, RT_DETR, NANODET),
    datasets=("coco",),
    answers=BOXES,
    metric=MAP,
    further=(),
    draw=draw,
    examination=EXAMINATION,
    recognition=RECOGNITION,
)
