"""The winner into the folder of the user's choice: file, snippet, provenance."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from fqbench import __version__, machine
from fqbench.artifacts import file_digest
from fqbench.backends import backend as backend_of
from fqbench.backends.record import Backend, resolve
from fqbench.backends.snippet import SnippetRequest, WriteSnippet
from fqbench.best.candidates import Candidate
from fqbench.best.entry import Entry, Found
from fqbench.data.calibration import calibration_hash
from fqbench.errors import UsageError
from fqbench.fileio import write_bytes, write_text
from fqbench.machine import MachineFacts
from fqbench.measure.cell_loading import Loadable, Reading
from fqbench.measure.stats import Interval
from fqbench.pipeline.written import loaded_files
from fqbench.precisions import precision
from fqbench.precisions.own import INT8_FILE
from fqbench.spec import ModelSpec
from fqbench.spec.inputs import Constant
from fqbench.spec.preprocessing import SCALE_FACTOR_INPUT
from fqbench.tasks.registry import metrics

_MEANINGS = {
    "input_size": "height and width of the image as it goes in",
    "image_size": "height and width of the image as it was read",
    "scale_factor": "height and width of the resized image over those as it was read",
}
"""What inputs beside the image hold, by kind."""

SCHEMA = 1
SNIPPET = "load.py"
PROVENANCE = "provenance.json"

_HEAD = '''\
"""Loads {model} with its runtime only, and runs it once.

    python load.py [INPUT.npy ...]

It is {label}, as fqbench {version} timed and evaluated it with
{needs}.

A file for each input, or ones. Inputs, in the model's order:
{inputs}
"""

# How an image becomes the input, as fqbench calibrated and evaluated it:
# (pixel * scale - mean) / std for each channel of the resized image, pixels being 0 to 255,
# as {kind}, channels {channels}.
{preprocessing}

import sys
from pathlib import Path

import numpy as np

'''

_TAIL = """

INPUTS = {inputs}


if __name__ == "__main__":
    given = [np.load(path) for path in sys.argv[1:]]
    inputs = given or [np.ones(shape, kind) for kind, shape in INPUTS]
    for output in load(Path(__file__).resolve().parent)(inputs):
        print(output.dtype, output.shape)
"""


def deliver(
    found: Found,
    entry: Entry,
    loadable: Loadable,
    folder: Path,
    *,
    threads: int,
    command: str,
) -> tuple[Path, ...]:
    """Write the model of ``entry``, its snippet and its provenance into ``folder``.

    ``loadable``: as it was timed; ``command``: the line that found it. Returns what was written.
    Raises UsageError where that is not possible.
    """
    candidate = entry.candidate
    files = loaded_files(candidate.cell.backend, _artifact(entry))
    remove_earlier(folder)
    copied = [write_bytes(folder / path.name, path.read_bytes()) for path in files]
    text = source(candidate, loadable, threads)
    story = provenance(found, entry, copied, threads, command)
    written = json.dumps(story, indent=1, allow_nan=False) + "\n"
    return (
        *copied,
        write_text(folder / SNIPPET, text),
        write_text(folder / PROVENANCE, written),
    )


def remove_earlier(folder: Path) -> None:
    """Remove an earlier winner from ``folder``: beside this one's, its files would mislead.

    Only what its provenance lists is removed. Raises UsageError where that is not possible.
    """
    listing = folder / PROVENANCE
    try:
        listed = json.loads(listing.read_text())["files"] if listing.is_file() else {}
        names = [name for name in listed if Path(name).name == name]
        for name in (*names, SNIPPET, PROVENANCE) if listing.is_file() else ():
            (folder / name).unlink(missing_ok=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"--save-dir: the earlier winner in {folder} cannot be removed"
            f" ({type(error).__name__}): choose another folder"
        ) from error


def source(candidate: Candidate, loadable: Loadable, threads: int) -> str:
    """The text of ``load.py``."""
    known = backend_of(candidate.cell.backend)
    write: WriteSnippet = resolve(known.snippet)
    request = SnippetRequest(loadable.artifact, loadable.device, loadable.precision, threads)
    spec, reading = candidate.graph.spec, loadable.reading
    inputs = [type_and_shape(spec, reading, name) for name in reading.inputs]
    listed = "\n".join(
        f"    {name}: {kind} {list(shape)}{meaning(reading, name)}"
        for name, (kind, shape) in zip(reading.inputs, inputs, strict=True)
    )
    settings = spec.preprocess.model_dump(mode="json").items()
    head = _HEAD.format(
        model=spec.name,
        label=candidate.label,
        version=__version__,
        needs=", ".join(used_versions(known)),
        inputs=listed,
        kind=reading.form.type,
        channels="first" if reading.form.layout == "nchw" else "last",
        preprocessing="\n".join(f"#   {key}: {json.dumps(value)}" for key, value in settings),
    )
    return head + write(request) + _TAIL.format(inputs=inputs)


def used_versions(backend: Backend) -> list[str]:
    """The runtime and numpy, each with its version in the environment of ``backend``."""
    found = machine.versions(backend.environment)
    return [f"{name} {found[name]}" for name in (*backend.distributions, "numpy") if name in found]


def type_and_shape(spec: ModelSpec, reading: Reading, name: str) -> tuple[str, tuple[int, ...]]:
    """Of the input ``name``, as the file takes it; the type as numpy calls it."""
    if name in reading.others:
        return reading.others[name].type, reading.others[name].shape
    if name == SCALE_FACTOR_INPUT:
        return "float32", (1, 2)
    form, (_, channels, height, width) = reading.form, spec.input_shape
    if form.layout == "nchw":
        return form.type, (form.batch, channels, height, width)
    return form.type, (form.batch, height, width, channels)


def meaning(reading: Reading, name: str) -> str:
    """What is in an input beside the image; nothing to say of the image itself."""
    if name == SCALE_FACTOR_INPUT:
        return f", {_MEANINGS['scale_factor']}"
    fill = reading.others[name].fill if name in reading.others else None
    if fill is None:
        return ""
    if isinstance(fill, Constant):
        return f", always {json.dumps(fill.value)}"
    swapped = "; width comes first" if fill.order == "wh" else ""
    return f", {_MEANINGS[fill.kind]}{swapped}"


def provenance(
    found: Found, entry: Entry, files: Sequence[Path], threads: int, command: str
) -> Mapping[str, Any]:
    """Where the model is from, and what was measured of it."""
    candidate, graph = entry.candidate, entry.candidate.graph
    spec, images, used = graph.spec, graph.images, backend_of(candidate.cell.backend)
    kind = precision(candidate.cell.precision)
    calibrated = kind.calibrates and candidate.cell.precision != INT8_FILE.name
    return {
        "schema": SCHEMA,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": command,
        "model": spec.name,
        "backend": used.name,
        "device": candidate.cell.device,
        "precision": candidate.cell.precision,
        "method": candidate.method,
        "files": {path.name: file_digest(path) for path in files},
        "source": {path.name: file_digest(path) for path in graph.source.paths},
        "artifact": _artifact(entry).key,
        "calibration": {
            "images": images.calibration_name,
            "sha256": calibration_hash(images.calibration),
        }
        if calibrated
        else None,
        "evaluation": {
            "metric": spec.metric,
            "dataset": spec.dataset.truth.name,
            "images": len(images.data.samples),
            "sha256": images.digest,
            "use": "chose among finished files; nothing was tuned on them",
        }
        if spec.labelled
        else None,
        "accuracy": entry.accuracy,
        "drop": _interval(entry.drop),
        "latency_ms": _interval(entry.ms),
        "launches": entry.launches,
        "size_mb": entry.size,
        "times_as_fast": {
            "as": found.best_float,
            "best_float": _interval(entry.to_float),
            "own_fp32": _interval(entry.to_fp32),
        },
        "budget": {
            "drop": found.budget.drop,
            "ms": found.budget.ms,
            "size_mb": found.budget.size,
            "judge": found.budget.judge,
        },
        "float_layers": {} if entry.choice is None else dict(entry.choice.float_layers),
        "layers": _layers(found, entry),
        "machine": _machine(candidate, threads),
        "preprocess": spec.preprocess.model_dump(mode="json"),
    }


def _machine(candidate: Candidate, threads: int) -> MachineFacts:
    """What was measured on, with the version of another toolkit that made the file."""
    facts, made_in = machine.describe(threads, (candidate.cell.backend,)), candidate.made_in
    return facts if made_in is None else {**facts, "toolkits": machine.toolkits([made_in])}


def _layers(found: Found, entry: Entry) -> list[Mapping[str, Any]]:
    """What INT8 costs and saves in each layer, where layers were traded for speed."""
    trade = found.trade_of(entry)
    if trade is None or trade.tradeoff is None:
        return []
    lost = metrics()[entry.candidate.graph.spec.metric].points_lost
    return [
        {
            "layer": each.name,
            "points": lost(each.error),
            "measured": each.measured,
            "us": None if each.saved_ms is None else 1000 * each.saved_ms,
        }
        for each in trade.tradeoff.layers
    ]


def _artifact(entry: Entry) -> Any:
    if entry.artifact is None:
        raise ValueError(f"{entry.name} has no file")
    return entry.artifact


def _interval(interval: Interval | None) -> Mapping[str, Any] | None:
    return None if interval is None else interval.to_json()
