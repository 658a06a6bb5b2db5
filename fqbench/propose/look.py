"""A model looked at and tried; runs in a child process, since files are untrusted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from pydantic import TypeAdapter

from fqbench.data import EvaluationSet, Sample, open_dataset
from fqbench.errors import FqbenchError, UsageError
from fqbench.graph import external_data
from fqbench.graph.executor import open_session, session_options
from fqbench.hardware import usable_cores
from fqbench.isolate import Report
from fqbench.jsonvalue import Json
from fqbench.propose.evidence import Candidate, Outcome
from fqbench.propose.explain import explained
from fqbench.propose.inputs import ImageInput, fills, find_image
from fqbench.propose.inside import Inside, normalization_inside
from fqbench.propose.proposal import Request
from fqbench.propose.search import Known, Tried, fitted, search, usual_candidates
from fqbench.propose.trial import Run, Subject, Trials, chosen
from fqbench.spec.contents import CONTENTS
from fqbench.spec.datasets import Dataset
from fqbench.spec.preprocessing import Stretch
from fqbench.tasks.recognition import Guess, Seen
from fqbench.tasks.record import DecoderSettings, Outputs, Size
from fqbench.tasks.registry import decoders, tasks
from fqbench.tasks.shapes import shown
from fqbench.vision.image import Pixels, read_image
from fqbench.vision.normalization import PIXELS, UNIT, usual

PROBED = 4
"""Images that outputs are first looked at."""

UNLABELLED = 12
"""Images at most, where all outputs are kept."""

PICTURE = (360, 480)
"""Height, width of the image that is made up where there is none."""


def look(arguments: Mapping[str, Json], report: Report) -> dict[str, Json]:
    """What is ``Proposed`` for a ``Request``, as JSON.

    Raises UsageError where inputs or outputs are none that anything is known of, or where an image
    cannot be read.
    """
    request = Request.model_validate(arguments)
    contents = CONTENTS.validate_python(request.contents)
    image = find_image(contents)
    model = external_data.load(request.model)
    subject = Subject(
        request.model,
        contents,
        image.name,
        image.layout,
        fills(contents, image.name),
        _runner(model),
    )
    inside = normalization_inside(model, image.name)
    del model
    known = _known(image, inside)
    pictures = [read_image(path) for path in request.images[:PROBED]] or [made_up()]
    guesses = _recognized(subject, image, pictures, known)
    tried, dataset = _tried(_Case(subject, image, known, tuple(guesses), request, report))
    return explained(subject, image, inside, guesses, tried, dataset).to_json()


def _runner(model: onnx.ModelProto) -> Run:
    names = [value.name for value in model.graph.input]
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [name for name in names if name not in weights]
    options = session_options(usable_cores())
    options.log_severity_level = 4  # What fails is reported by whoever asked.
    try:
        session = open_session(model.SerializeToString(), options)
    except Exception as error:  # The runtime's own exceptions share no base class.
        raise UsageError(
            f"ONNX Runtime does not load it: {_line(error)}: export it again"
        ) from error

    def run(tensors: Sequence[Any]) -> Outputs:
        try:
            found: Outputs = session.run(None, dict(zip(inputs, tensors, strict=True)))
        except Exception as error:  # as above
            raise UsageError(
                f"ONNX Runtime cannot run it: {_line(error)}: export it again"
            ) from error
        return found

    return run


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _known(image: ImageInput, inside: Inside | None) -> Known:
    """What the type of the input and the first operators say."""
    expects = PIXELS if image.type == "uint8" else inside.expects if inside else None
    return Known(expects, inside.color if inside and image.channels == 3 else None)


def made_up() -> Pixels:
    """A picture of smooth colors with a few edges, always the same."""
    height, width = PICTURE
    y, x = np.mgrid[:height, :width]
    planes = [np.sin(x / 40 + y / 90), np.sin(y / 50), np.cos(x / 70 - y / 60)]
    picture = np.stack(planes, axis=-1) * 80 + 128
    picture[height // 4 : height // 2, width // 3 : width // 2] = (220, 60, 40)
    picture[height // 2 :, width // 5 : width // 4] = (30, 90, 200)
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


Named = tuple[str, Guess]
"""A guess, and the task that made it."""

ORDER = ("sure", "likely", "guess")


def _recognized(
    subject: Subject, image: ImageInput, pictures: Sequence[Pixels], known: Known
) -> list[Named]:
    """All tasks' guesses, the surest first. Raises UsageError where there is none."""
    found: dict[tuple[str, str], Guess] = {}
    shapes, failure = "", None
    for size, fixed in image.sizes(subject.contents.metadata):
        try:
            outputs = tuple(_probed(subject, picture, size, image, known) for picture in pictures)
        except FqbenchError as error:
            failure = failure or error
            continue
        shapes = shapes or ", ".join(shown(each.shape) for each in outputs[0])
        seen = Seen(size, fixed, image.channels, outputs, subject.contents.metadata)
        for name, guess in _all_guesses(seen):
            key = (name, repr(guess.decode))
            if key not in found or ORDER.index(guess.sureness) < ORDER.index(found[key].sureness):
                found[key] = guess
    if not shapes and failure is not None:
        raise failure
    if not found:
        raise UsageError(
            f"no task recognizes its outputs, of shapes {shapes}: write the spec by hand, with"
            f" decode.kind one of {', '.join(decoders())}"
        )
    ordered = sorted(found.items(), key=lambda each: ORDER.index(each[1].sureness))
    return [(name, guess) for (name, _), guess in ordered]


def _all_guesses(seen: Seen) -> Iterator[Named]:
    for name, task in tasks().items():
        if task.recognition is None:
            continue
        try:
            found = tuple(task.recognition.guesses(seen))
        except (ValueError, IndexError):  # Outputs that a task stumbles over are none of its own.
            continue
        yield from ((name, guess) for guess in found)


def _probed(
    subject: Subject, picture: Pixels, size: Size, image: ImageInput, known: Known
) -> Outputs:
    """Outputs for a picture, whatever reads them. Raises UsageError where they hold NaN."""
    way = fitted(usual(Stretch(kind="stretch", size=size), UNIT), image.channels, known)
    undecoded = decoders()["none"].settings(kind="none")
    spec = subject.spec(Candidate(next(iter(tasks())), undecoded, way))
    outputs, _ = subject.outputs(spec, picture, None)
    if any(np.isnan(each).any() for each in outputs if each.dtype.kind == "f"):
        raise UsageError("its outputs hold NaN for a picture: check the file by what trained it")
    return outputs


@dataclass(frozen=True)
class _Case:
    """All that trying needs. ``guesses``: the surest first, one at least."""

    subject: Subject
    image: ImageInput
    known: Known
    guesses: tuple[Named, ...]
    request: Request
    report: Report


def _tried(case: _Case) -> tuple[Tried, Dataset | None]:
    """The best candidate, and the data set whose labels it was tried on."""
    if case.request.datasets and not case.guesses[0][1].missing:
        try:
            return _by_labels(case)
        except UsageError:
            if case.request.given:
                raise
    return _without_labels(case, _pictures(case)), None


def _pictures(case: _Case) -> Trials:
    """Trials on the images, or on one that is made up."""
    request = case.request
    if not request.images:
        data = EvaluationSet((Sample(1, Path()),))
        return Trials(case.subject, data, None, read=lambda path: made_up())
    samples = tuple(Sample(n, path) for n, path in enumerate(request.images, start=1))
    data = chosen(EvaluationSet(samples), min(UNLABELLED, request.count))
    return Trials(case.subject, data, None, report=case.report)


def _without_labels(case: _Case, trials: Trials) -> Tried:
    """The surest guess whose outputs can be read, fed in the way that decides most.

    Without images in the most usual way, run once to see that its outputs can be read.
    """
    reasons: list[str] = []
    for named in case.guesses:
        guess, candidate = usual_candidates([named], case.image.channels, case.known)[0]
        if guess.missing:
            return Tried(candidate, Outcome(failure=guess.missing[0]), guess, ())
        if case.request.images:
            tried = search([named], case.image.channels, case.known, trials)
        else:
            tried = Tried(candidate, trials(candidate), guess, ())
        if tried.outcome.failure is None:
            return tried
        reasons.append(tried.outcome.failure)
    looks = f"its outputs look like those of {case.guesses[0][0]}"
    raise UsageError(f"{looks}, but {reasons[0]}: write the spec by hand")


def _by_labels(case: _Case) -> tuple[Tried, Dataset | None]:
    """The candidate that scores most, of the guesses whose task the labels are of."""
    datasets = [DATASET.validate_python(each) for each in case.request.datasets]
    trials: dict[str, Trials] = {}
    kinds: dict[tuple[str, DecoderSettings], str] = {}
    fitting = []
    for name, guess in case.guesses:
        dataset = _dataset(datasets, name, guess)
        if dataset is None or guess.missing:
            continue
        if dataset.kind not in trials:
            data = chosen(open_dataset(dataset), case.request.count)
            trials[dataset.kind] = Trials(case.subject, data, dataset, report=case.report)
        kinds[name, guess.decode] = dataset.kind
        fitting.append((name, guess))

    def of(candidate: Candidate) -> Trials:
        return trials[kinds[candidate.task, candidate.decode]]

    looks = f"its outputs look like those of {case.guesses[0][0]}"
    if not fitting:
        raise UsageError(f"{looks}, and the labels are none of that task: leave them out")
    tried = search(fitting, case.image.channels, case.known, lambda each: of(each)(each))
    if tried.outcome.failure is not None:
        raise UsageError(f"{looks}, but {tried.outcome.failure}: write the spec by hand")
    return tried, of(tried.candidate).dataset


def _dataset(datasets: Iterable[Dataset], task: str, guess: Guess) -> Dataset | None:
    """Of those that the labels may be read as, the one that suits the guess."""
    known = {each.kind: each for each in datasets}
    wanted = (guess.dataset,) if guess.dataset is not None else tasks()[task].dataset_names
    return next((known[kind] for kind in wanted if kind in known), None)


DATASET: TypeAdapter[Any] = TypeAdapter(Dataset)
