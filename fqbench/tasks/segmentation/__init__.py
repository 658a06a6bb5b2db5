"""Semantic segmentation: a class for each pixel, mIoU."""

from __future__ import annotations

from fqbench.tasks.record import Task
from fqbench.tasks.segmentation.answers import CLASS_MAP
from fqbench.tasks.segmentation.dataset import LABEL_MAPS
from fqbench.tasks.segmentation.decode import SEMANTIC
from fqbench.tasks.segmentation.drawing import draw
from fqbench.tasks.segmentation.examining import EXAMINATION
from fqbench.tasks.segmentation.metric import MIOU
from fqbench.tasks.segmentation.recognition import RECOGNITION

TASK = Task(
    decoders=(SEMANTIC,),
    datasets=(LABEL_MAPS,),
    answers=CLASS_MAP,
    metric=MIOU,
    further=(),
    draw=draw,
    examination=EXAMINATION,
    recognition=RECOGNITION,
)
