"""A model looked at and tried; runs in a child process, since files are untrusted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from fqbench.spec.model import Dataset, Stretch
from fqbench.tasks.recognition import Guess, Seen
from fqbench.tasks.record import Outputs, Size
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
    tried, dataset = _tried(subject, guesses, image, known, request, report)
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
        raise UsageError(f"ONNX Runtime does not load it: {_line(error)}") from error

    def run(tensors: Sequence[Any]) -> Outputs:
        try:
            found: Outputs = session.run(None, dict(zip(inputs, tensors, strict=True)))
        except Exception as error:  # as above
            raise UsageError(f"ONNX Runtime cannot run it: {_line(error)}") from error
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
        if task.recognition is not None:
            yield from ((name, guess) for guess in task.recognition.guesses(seen))


def _probed(
    subject: Subject, picture: Pixels, size: Size, image: ImageInput, known: Known
) -> Outputs:
    """Outputs for a picture, whatever reads them. Raises UsageError where they hold NaN."""
    way = fitted(usual(Stretch(kind="stretch", size=size), UNIT), image.channels, known)
    undecoded = decoders()["none"].settings(kind="none")
    spec = subject.spec(Candidate(next(iter(tasks())), undecoded, way))
    outputs, _ = subject.outputs(spec, picture, None)
    if not all(np.isfinite(each).all() for each in outputs if each.dtype.kind == "f"):
        raise UsageError("its outputs hold NaN or infinite values for a picture")
    return outputs


def _tried(
    subject: Subject,
    guesses: Sequence[Named],
    image: ImageInput,
    known: Known,
    request: Request,
    report: Report,
) -> tuple[Tried, Dataset | None]:
    """The best candidate, and the data set whose labels it was tried on."""
    if request.datasets:
        try:
            return _by_labels(subject, guesses, image, known, request, report)
        except UsageError:
            if request.given:
                raise
    return _without_labels(guesses, image, known, request, _pictures(subject, request, report))


def _pictures(subject: Subject, request: Request, report: Report) -> Trials:
    """Trials on the images, or on one that is made up."""
    if not request.images:
        data = EvaluationSet((Sample(1, Path()),))
        return Trials(subject, data, None, read=lambda path: made_up())
    samples = tuple(Sample(n, path) for n, path in enumerate(request.images, start=1))
    data = chosen(EvaluationSet(samples), min(UNLABELLED, request.count))
    return Trials(subject, data, None, report=report)


def _without_labels(
    guesses: Sequence[Named], image: ImageInput, known: Known, request: Request, trials: Trials
) -> tuple[Tried, None]:
    """The surest guess whose outputs can be read, fed in the way that decides most."""
    reasons: list[str] = []
    for named in guesses:
        if named[1].missing:
            break
        if not request.images:
            tried = _first([named], image, known, trials)
        else:
            tried = search([named], image.channels, known, trials)
        if tried.outcome.failure is None:
            return tried, None
        reasons.append(tried.outcome.failure)
    else:
        raise UsageError(f"its outputs look like those of a known decoder, but {reasons[0]}")
    guess, candidate = usual_candidates([named], image.channels, known)[0]
    return Tried(candidate, Outcome(failure=guess.missing[0]), guess, ()), None


def _first(guesses: Sequence[Named], image: ImageInput, known: Known, trials: Trials) -> Tried:
    """The most usual candidate, run once to see that its outputs can be read."""
    guess, candidate = usual_candidates(guesses, image.channels, known)[0]
    return Tried(candidate, trials(candidate), guess, ())


def _by_labels(
    subject: Subject,
    guesses: Sequence[Named],
    image: ImageInput,
    known: Known,
    request: Request,
    report: Report,
) -> tuple[Tried, Dataset | None]:
    datasets = [DATASET.validate_python(each) for each in request.datasets]
    trials: dict[str, Trials] = {}
    fitting = []
    for name, guess in guesses:
        dataset = _dataset(datasets, name, guess)
        if dataset is None or guess.missing:
            continue
        if dataset.kind not in trials:
            data = chosen(open_dataset(dataset), request.count)
            trials[dataset.kind] = Trials(subject, data, dataset, report=report)
        fitting.append((name, guess, dataset.kind))
    if not fitting:
        raise UsageError(
            f"its outputs look like those of {guesses[0][0]}, and the labels are none of that task"
        )
    kinds = {(name, guess.decode): kind for name, guess, kind in fitting}
    tried = search(
        [(name, guess) for name, guess, _ in fitting],
        image.channels,
        known,
        lambda candidate: trials[kinds[candidate.task, candidate.decode]](candidate),
    )
    if tried.outcome.failure is not None:
        raise UsageError(
            f"its outputs look like those of {tried.candidate.task}, but {tried.outcome.failure}"
        )
    return tried, trials[kinds[tried.candidate.task, tried.candidate.decode]].dataset


def _dataset(datasets: Iterable[Dataset], task: str, guess: Guess) -> Dataset | None:
    """Of those that the labels may be read as, the one that suits the guess."""
    known = {each.kind: each for each in datasets}
    wanted = (guess.dataset,) if guess.dataset is not None else tasks()[task].dataset_names
    return next((known[kind] for kind in wanted if kind in known), None)


DATASET: TypeAdapter[Any] = TypeAdapter(Dataset)
