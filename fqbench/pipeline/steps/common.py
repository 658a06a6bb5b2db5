"""What steps have in common: how long they took, and the images they are given."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any

from fqbench.data.ahead import ahead
from fqbench.isolate import Report
from fqbench.measure import loaded
from fqbench.spec import Preprocess
from fqbench.vision.image import read_image
from fqbench.vision.preprocess import model_inputs, prepare

Arguments = dict[str, Any]
Step = Callable[[Arguments, Report], None]


def write_seconds(folder: Path, seconds: float) -> None:
    """Record in a step's ``folder`` what it took."""
    (folder / "timing.json").write_text(json.dumps({"seconds": seconds}))


def timed(step: Step) -> Step:
    """The step, which then records in its folder what it took."""

    @wraps(step)
    def measured(arguments: Arguments, report: Report) -> None:
        start = time.perf_counter()
        step(arguments, report)
        write_seconds(Path(arguments["folder"]), time.perf_counter() - start)

    return measured


def read_feeds(arguments: Arguments, report: Callable[[int, int], None]) -> Iterator[list[Any]]:
    """The tensors of each of ``images``, read while the one before is worked on."""
    images = [Path(path) for path in arguments["images"]]
    read = ahead(lambda path: loaded.feed(arguments, read_image(path)), images, workers=1, most=2)
    for done, feed in enumerate(read, start=1):
        yield feed
        report(done, len(images))


def check_feeds(arguments: Arguments, model: Any) -> list[list[Any]]:
    """What a rewritten model is checked with: ``images``, or noise where there are none.

    ``model``: an ONNX graph with the inputs' names and shapes.
    """
    from fqbench.verify.noise import noise

    if arguments.get("images"):
        return list(read_feeds(arguments, lambda done, total: None))
    return noise(model)


def read_placed(cell: Arguments, path: Path) -> tuple[list[Any], Any]:
    """The tensors that ``cell`` is given for an image, and where it lies in them."""
    prepared = prepare(read_image(path), Preprocess.model_validate(cell["preprocess"]))
    return model_inputs(prepared, cell["inputs"]), prepared.geometry
