"""Steps that run cells over images."""

from __future__ import annotations

import json
from pathlib import Path

from fqbench.isolate import Report
from fqbench.measure import loaded
from fqbench.measure.agreement import agreement
from fqbench.pipeline.steps.common import Arguments
from fqbench.vision.image import read_image


def predict(arguments: Arguments, report: Report) -> None:
    """Run a cell over images; write its predictions and ``facts.json`` into ``folder``."""
    from fqbench.measure.evaluation import Evaluation, reported, share
    from fqbench.measure.prediction import write_predictions

    shared = share(arguments["backend"], arguments["device"], arguments["cores"])
    evaluation = Evaluation.of(arguments, shared.workers)
    runners = [loaded.load(arguments, shared.threads) for _ in range(shared.runners)]
    folder, samples = Path(arguments["folder"]), arguments["samples"]
    found = evaluation.answers(runners, ((number, Path(path)) for number, path in samples))
    write_predictions(folder, reported(found, len(samples), report))
    facts = {"int8_convolutions": runners[0].int8_convolutions()}
    (folder / "facts.json").write_text(json.dumps(facts))


def agree(arguments: Arguments, report: Report) -> None:
    """Compare the outputs of two cells on ``images``; write ``agreement.json`` into ``folder``."""
    cells = arguments["cells"]
    runners = [loaded.load(cell, arguments["threads"]) for cell in cells]
    found = []
    for done, path in enumerate(arguments["images"], start=1):
        image = read_image(Path(path))
        outputs = [r.run(loaded.feed(cell, image)) for r, cell in zip(runners, cells, strict=True)]
        found.append(agreement(*outputs))
        report(done, len(arguments["images"]))
    facts = {
        "agreement": sum(found) / len(found),
        "int8_convolutions": [runner.int8_convolutions() for runner in runners],
    }
    (Path(arguments["folder"]) / "agreement.json").write_text(json.dumps(facts, allow_nan=False))
