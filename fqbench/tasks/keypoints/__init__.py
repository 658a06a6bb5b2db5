"""Keypoints: places of joints of each person, COCO's average precision by OKS."""

from __future__ import annotations

from fqbench.tasks.keypoints.answers import POSES
from fqbench.tasks.keypoints.dataset import COCO_PERSONS
from fqbench.tasks.keypoints.drawing import draw
from fqbench.tasks.keypoints.examining import EXAMINATION
from fqbench.tasks.keypoints.metric import OKS_AP
from fqbench.tasks.keypoints.recognition import RECOGNITION
from fqbench.tasks.keypoints.rows import YOLO_POSE
from fqbench.tasks.keypoints.top_down import HEATMAPS, SIMCC
from fqbench.tasks.record import Task

TASK = Task(
    decoders=(HEATMAPS, SIMCC, YOLO_POSE),
    datasets=("coco", COCO_PERSONS),
    answers=POSES,
    metric=OKS_AP,
    further=(),
    draw=draw,
    examination=EXAMINATION,
    recognition=RECOGNITION,
)
