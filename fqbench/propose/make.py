"""From a model's file and a folder of images to the text of a spec."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from fqbench import isolate
from fqbench.errors import StepError, UsageError
from fqbench.hardware import MEMORY_SHARE, memory_mb
from fqbench.message import read_answer
from fqbench.propose.labels import images_in, readable, split
from fqbench.propose.proposal import PROPOSED, Proposed, Request
from fqbench.propose.text import PLACEHOLDER, spec_text
from fqbench.spec.check import read_file
from fqbench.spec.datasets import Dataset, Folder
from fqbench.spec.model import ModelSpec
from fqbench.spec.quantization import Calibration

TIMEOUT_S = 1800.0
IMAGES = 24
"""That candidates are tried on."""

MOST_LOOKED_AT = 64
"""Images whose names are passed on."""

LONGEST_NAME = 64


@dataclass(frozen=True)
class Wanted:
    """What the user gave. ``root``: where relative paths of the spec start, None: its folder."""

    model: Path
    images: Path | None = None
    labels: Path | None = None
    calibration: Path | None = None
    root: Path | None = None
    count: int = IMAGES


@dataclass(frozen=True)
class Draft:
    """The proposals and the spec's text; ``unknown``: what the user has to fill in."""

    found: Proposed
    text: str
    unknown: tuple[str, ...]


def draft(wanted: Wanted, folder: Path, on_progress: isolate.Report | None = None) -> Draft:
    """A spec for ``wanted.model``, to be written into ``folder``.

    ``on_progress`` is called with how many candidates were tried.

    Raises UsageError where the file is no ONNX model, where its inputs or outputs are of no kind
    that is known, or where images or labels cannot be read.
    """
    model = wanted.model.absolute()
    if model.suffix != ".onnx":
        raise UsageError(
            f"{wanted.model}: only ONNX models are looked at, files that end in .onnx: write the"
            " spec of another one by hand (docs/spec.md)"
        )
    if not model.is_file():
        raise UsageError(f"there is no file {wanted.model}: check its path")
    if wanted.labels is not None and wanted.images is None:
        raise UsageError("--labels needs the images that they are of: name them by --images")
    if wanted.labels is not None and not wanted.labels.exists():
        raise UsageError(f"--labels: there is no file or folder {wanted.labels}: check its path")
    contents = read_file(model, None)
    images = () if wanted.images is None else images_in(wanted.images)
    datasets = () if wanted.images is None else readable(wanted.images, wanted.labels)
    request = Request(
        model=model,
        contents=contents.to_json(),
        images=images[:: max(1, len(images) // MOST_LOOKED_AT)],
        datasets=tuple(each.model_dump(mode="json") for each in datasets),
        given=wanted.labels is not None,
        count=wanted.count,
    )
    return _written(wanted, model, _looked_at(wanted.model, request, on_progress), folder)


def _looked_at(model: Path, request: Request, on_progress: isolate.Report | None) -> Proposed:
    """What a child process found of the model."""
    name = f"trying {model.name}"
    try:
        answer = isolate.call(
            "fqbench.propose.look:look",
            request.to_json(),
            timeout_s=TIMEOUT_S,
            memory=isolate.SharedMemory(int(MEMORY_SHARE * memory_mb())),
            on_progress=on_progress,
            name=name,
        )
    except UsageError as error:
        raise UsageError(f"{model}: {error}") from error
    return read_answer(PROPOSED, answer, name)


def _written(wanted: Wanted, model: Path, found: Proposed, folder: Path) -> Draft:
    base = (wanted.root or folder).absolute()
    data, unknown = _data(wanted, found, base)
    missing = (*found.unknown, *unknown)
    text = spec_text(spec_name(model.stem), _path(model, base), found, data, missing)
    _check(text)
    return Draft(found, text, missing)


def _data(wanted: Wanted, found: Proposed, base: Path) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """The keys ``dataset`` and ``calibration``, and what is to be filled in there."""
    if wanted.images is None:
        folder = {"images": PLACEHOLDER}
        none = "dataset and calibration, images to evaluate on and others to calibrate with: no"
        data = {"dataset": {"kind": "folder", **folder}, "calibration": folder}
        return data, (f"{none} --images were given",)
    images = wanted.images.absolute()
    given: Dataset = Folder(kind="folder", images=images)
    if found.dataset is not None:
        given = DATASET.validate_python(found.dataset)
    dataset, calibration = split(given, wanted.calibration)
    unknown: tuple[str, ...] = ()
    if found.dataset is None:
        unknown = ("labels, by which accuracy is measured: without, only time and agreement are",)
    if calibration is None:
        unknown = (
            *unknown,
            "calibration.images, images that are not evaluated: name a folder by --calibration",
        )
        calibration = Calibration(images=Path(PLACEHOLDER))
    return {"dataset": _dumped(dataset, base), "calibration": _dumped(calibration, base)}, unknown


def _dumped(settings: Dataset | Calibration, base: Path) -> dict[str, Any]:
    """What was set, paths as the spec has them."""
    values = settings.model_dump(exclude_none=True, exclude_defaults=True)
    kind = {"kind": settings.kind} if not isinstance(settings, Calibration) else {}
    return {
        **kind,
        **{
            key: _path(value, base) if isinstance(value, Path) else value
            for key, value in values.items()
        },
    }


def _path(path: Path, base: Path) -> str:
    """Relative to ``base`` where it lies in that, else absolute."""
    if str(path) == PLACEHOLDER:
        return PLACEHOLDER
    whole = path.absolute()
    return str(whole.relative_to(base)) if whole.is_relative_to(base) else str(whole)


def spec_name(stem: str) -> str:
    """A name that a spec may have, of the file's."""
    plain = re.sub(r"[^a-z0-9_.]+", "_", stem.lower()).strip("_.")[:LONGEST_NAME]
    return plain or "model"


def _check(text: str) -> None:
    """Raise StepError where the text is no spec: a mistake of fqbench's, found before writing."""
    try:
        ModelSpec.model_validate_json(json.dumps(yaml.safe_load(text)), strict=True)
    except (ValidationError, yaml.YAMLError) as error:
        raise StepError(f"the proposed spec cannot be read back: {error}") from error


DATASET: TypeAdapter[Any] = TypeAdapter(Dataset)
