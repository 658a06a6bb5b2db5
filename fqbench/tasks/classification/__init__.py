"""Classification: one class an image, top-1."""

from __future__ import annotations

from fqbench.tasks.classification.answers import CLASSES
from fqbench.tasks.classification.decode import LOGITS
from fqbench.tasks.classification.drawing import draw
from fqbench.tasks.classification.examining import EXAMINATION
from fqbench.tasks.classification.metric import TOP1
from fqbench.tasks.classification.recognition import RECOGNITION
from fqbench.tasks.record import Task

TASK = Task(
    decoders=(LOGITS,),
    datasets=("imagenet",),
    answers=CLASSES,
    metric=TOP1,
    further=(),
    draw=draw,
    examination=EXAMINATION,
    recognition=RECOGNITION,
)
