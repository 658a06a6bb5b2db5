"""Text recognition: the letters of one line or word, and how many are read exactly."""

from __future__ import annotations

from fqbench.tasks.record import Task
from fqbench.tasks.text_recognition.answers import WORDS
from fqbench.tasks.text_recognition.dataset import TRANSCRIPTS
from fqbench.tasks.text_recognition.decode import CTC
from fqbench.tasks.text_recognition.drawing import draw
from fqbench.tasks.text_recognition.examining import EXAMINATION
from fqbench.tasks.text_recognition.metric import EDITS, EXACT
from fqbench.tasks.text_recognition.recognition import RECOGNITION

TASK = Task(
    decoders=(CTC,),
    datasets=(TRANSCRIPTS,),
    answers=WORDS,
    metric=EXACT,
    further=(EDITS,),
    draw=draw,
    examination=EXAMINATION,
    recognition=RECOGNITION,
)
