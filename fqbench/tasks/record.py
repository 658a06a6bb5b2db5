"""What a task is: one record, with all that the rest of fqbench needs to know of it.

- Every field is given when a record is made: none has a default, which would be some task's.
- ``Any`` stands for a task's own answers and for its decoders' own settings.
- What is expensive to import (pycocotools, ONNX) is imported by the functions when they run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from fqbench.tasks.examination import Examination
from fqbench.vision.geometry import Geometry
from fqbench.vision.image import Pixels

if TYPE_CHECKING:
    from fqbench.data import EvaluationSet
    from fqbench.tasks.recognition import Recognition

Size = tuple[int, int]
"""Height, width in pixels."""

Shape = Sequence[int]
"""Of an output as a model's file has it; ``fqbench.tasks.shapes.FREE`` where it is left open."""

Outputs = Sequence[NDArray[Any]]
"""A model's outputs for one image."""

DecodeFunction = Callable[[Outputs, Geometry], Any]
"""Turns outputs into an answer. Raises StepError for outputs that it cannot read."""

Answers = Sequence[Any]
"""One an image."""

Weights = NDArray[np.float64]
"""[resamples, images]: how often each image counts, images as in the data set."""


class DecoderSettings(BaseModel):
    """The mapping ``decode`` of a spec. Each decoder's has a field ``kind`` of a literal type."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    if TYPE_CHECKING:
        kind: str


class DatasetSettings(BaseModel):
    """The mapping ``dataset`` of a spec. Each kind's has a field ``kind`` of a literal type.

    ``images``: their folder; of those that are listed, ``count`` (None: all) from ``start`` on are
    evaluated, each ``every``-th where there is such a field. Fields of type ``Path`` but ``images``
    are files or folders that must be there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    if TYPE_CHECKING:
        kind: str
        images: Path
        start: int
        count: int | None

    @property
    def truth(self) -> Path:
        """The file or the folder that says what is in the images."""
        return self.images


@dataclass(frozen=True)
class DatasetKind:
    """A kind of data sets that a task brings."""

    settings: type[DatasetSettings]
    """What a spec may set."""

    read: Callable[[Any], EvaluationSet]
    """From settings, all images that are listed, with what is in them. Raises UsageError naming
    the file and what is wrong in it. Scores are kept by the samples' labels and the files
    ``truth``: what is in the images stands in one of these."""

    def __post_init__(self) -> None:
        _require_kind(self.settings)
        for name in ("images", "start", "count"):
            if name not in self.settings.model_fields:
                raise TypeError(f"{self.settings.__name__} needs a field {name}")

    @property
    def kind(self) -> str:
        """What specs call it: ``dataset.kind``."""
        return _kind_of(self.settings)

    @property
    def paths(self) -> tuple[str, ...]:
        """Fields that hold a path."""
        fields = self.settings.model_fields.items()
        return tuple(name for name, field in fields if field.annotation in (Path, Path | None))


@dataclass(frozen=True)
class RowScores:
    """Decoded outputs as rows, one for each place where a model may find something."""

    axes: Callable[[Sequence[tuple[int, ...]]], tuple[int, ...] | None]
    """Of outputs of these shapes, which axis of each is that of its rows; None for shapes that it
    does not know."""

    scores: Callable[[Outputs], NDArray[Any]]
    """The best score [rows] of each row; what is not from 0 to 1 is cut."""


@dataclass(frozen=True)
class AnswerComparison:
    """How far a quantized model's answers are from FP32's."""

    settings: Callable[[Any], DecoderSettings]
    """The decoder's settings, as answers are compared."""

    informative: Callable[[Answers], bool]
    """Whether FP32's answers hold anything that others could differ from."""

    error: Callable[[Answers, Answers], float]
    """Of FP32's answers and the quantized model's for the same images: the relative squared error
    of raw outputs that costs as much as what differs."""


@dataclass(frozen=True)
class Decoder:
    """One way to read a model's outputs."""

    settings: type[DecoderSettings]
    """What a spec may set."""

    function: Callable[[Any, Size], DecodeFunction] | None
    """From settings and the input's size, the function that decodes. None: nothing is read."""

    imports: Callable[[Any], str] | None
    """The ``module:function`` that settings name to be imported, which runs code of the spec's
    choice. None: nothing is imported."""

    classes_of: Callable[[Any, Size, Sequence[Shape]], int | None] | None
    """How many classes outputs of these shapes have, None where the file leaves it open. Raises
    UsageError for shapes that it cannot read. None: shapes tell nothing."""

    recognizes: Callable[[Size, Sequence[Shape]], bool] | None
    """Whether outputs of these shapes, of an input of this size, look as only few decoders' do, it
    among them: a spec whose decoder is none of these is refused. None: shapes never tell."""

    inputs: frozenset[str]
    """Inputs that a model may have beside the image."""

    with_nms: Callable[[Mapping[str, float]], DecoderSettings] | None
    """Settings that do what a model's own non-maximum suppression does, from those of its
    ``score``, ``iou`` and ``max_boxes`` that it has. Raises pydantic's ValidationError. None: no
    such models are read."""

    completed: Callable[[Any, Mapping[str, str]], DecoderSettings] | None
    """Settings with what a model's file notes beside its graph (ONNX's metadata), from those of the
    spec. Raises UsageError where something is missing in both. None: notes are not read."""

    comparison: AnswerComparison | None
    """How INT8 is chosen by answers. None: it is chosen by raw outputs."""

    rows: RowScores | None
    """How decoded outputs are read as rows, so that distillation knows where a model finds
    something. None: they are no such rows."""

    def __post_init__(self) -> None:
        _require_kind(self.settings)

    @property
    def kind(self) -> str:
        """What specs call it: ``decode.kind``."""
        return _kind_of(self.settings)


def _require_kind(settings: type[BaseModel]) -> None:
    """Raise TypeError where ``settings`` have no field ``kind`` of a literal type."""
    field = settings.model_fields.get("kind")
    names = () if field is None else get_args(field.annotation)
    if len(names) != 1 or not isinstance(names[0], str):
        raise TypeError(f"{settings.__name__} needs a field kind: Literal[NAME], with one name")


def _kind_of(settings: type[BaseModel]) -> str:
    name: str = get_args(settings.model_fields["kind"].annotation)[0]
    return name


@dataclass(frozen=True)
class AnswerFormat:
    """The answers of a task, and how a file of predictions holds them."""

    answer_type: type
    """The class of an answer."""

    name: str
    """What messages call an answer, such as "a class"."""

    array: str
    """The file's array that holds answers."""

    dtype: np.dtype[Any]
    """Of a row of the array."""

    several: bool
    """Whether an answer may have any number of rows; else it has one."""

    rows: Callable[[Any], NDArray[Any]]
    """The rows of an answer."""

    answers: Callable[[NDArray[Any], Sequence[int]], Iterable[Any]]
    """All answers, from the array and the number of the row behind each."""

    checked: Callable[[Any], Any]
    """What a function of the user's own returned, as an answer; None where it is none. Raises
    ValueError where it is a malformed one, with the text that follows "returned"."""


@dataclass(frozen=True)
class Metric:
    """What accuracy means, in points of 0 to 100."""

    name: str
    """In results and keys."""

    label: str
    """In reports."""

    unit: str
    """Of a drop, in sentences."""

    digits: int
    """Decimals that published accuracies have."""

    meaning: str
    """Its definition in a few words that follow "is"; empty where the label says all."""

    typical: float
    """Points that a good model reaches: where images carry no labels, its own are not known."""

    loss: float
    """The part of them that a relative squared error of one of the raw outputs costs, for small
    errors."""

    points: Callable[[EvaluationSet, Answers], float]
    """Accuracy of answers in the order of the data set."""

    weighted: Callable[[EvaluationSet, Answers, Iterable[Weights]], NDArray[np.float64]]
    """The same for each row of blocks of weights [resamples]."""

    def points_lost(self, error: float) -> float:
        """About how many points a small relative squared error of the raw outputs costs."""
        return error * self.loss * self.typical

    def error_within(self, drop: float) -> float:
        """The relative squared error of the raw outputs that costs about ``drop`` points.

        A rule of thumb: it chooses layers, and never stands for the measured drop.
        """
        return drop / (self.loss * self.typical)


@dataclass(frozen=True)
class Task:
    """A task, called by the name of its entry point."""

    decoders: tuple[Decoder, ...]
    """Those that fit it, beside those that fit any task."""

    datasets: tuple[str | DatasetKind, ...]
    """Kinds of data sets that hold what its metric needs: fqbench's own by name (``imagenet``,
    ``coco``), and those that the task brings."""

    answers: AnswerFormat
    """What its decoders answer."""

    metric: Metric
    """What accuracy means."""

    further: tuple[Metric, ...]
    """What else results tell of its answers; margins and choices know nothing of it."""

    draw: Callable[[Pixels, Any, float], Pixels]
    """An image [height, width, 3] with an answer drawn on it, the image itself unchanged. It may be
    ``scale`` times the image that was answered: the answer is then drawn at that scale."""

    examination: Examination
    """How its answers are looked at, image by image."""

    recognition: Recognition | None
    """How models without a spec are recognized as its own. None: they never are."""

    @property
    def dataset_names(self) -> tuple[str, ...]:
        """The kinds by name."""
        return tuple(each if isinstance(each, str) else each.kind for each in self.datasets)
