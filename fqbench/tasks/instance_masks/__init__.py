"""Instance segmentation: a mask for each object, COCO's mAP of masks and of boxes."""

from __future__ import annotations

from fqbench.tasks.detection.metric import MAP
from fqbench.tasks.instance_masks.answers import INSTANCES
from fqbench.tasks.instance_masks.decode import YOLO_SEG
from fqbench.tasks.instance_masks.drawing import draw
from fqbench.tasks.instance_masks.examining import EXAMINATION
from fqbench.tasks.instance_masks.metric import MASK_MAP
from fqbench.tasks.instance_masks.recognition import RECOGNITION
from fqbench.tasks.record import Task

TASK = Task(
    decoders=(YOLO_SEG,),
    datasets=("coco",),
    answers=INSTANCES,
    metric=MASK_MAP,
    further=(MAP,),
    draw=draw,
    examination=EXAMINATION,
    recognition=RECOGNITION,
)
