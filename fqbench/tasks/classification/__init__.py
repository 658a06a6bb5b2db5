"""Classification: one class an image, top-1."""

from __future__ import annotations

from fqbench.tasks.classification.decode import LOGITS
from fqbench.tasks.classification.drawing import draw
from fqbench.tasks.classification.metric import CLASS, TOP1
from fqbench.tasks.classification.recognition import RECOGNITION
from fqbench.tasks.record import Task

TASK = Task(
    decoders=(LOGITS,),
    datasets=("imagenet",),
    answers=CLASS,
    metric=TOP1,
    further=(),
    draw=draw,
    recognition=RECOGNITION,
)
