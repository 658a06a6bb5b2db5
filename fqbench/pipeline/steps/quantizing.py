"""Steps that find ranges, choose what stays in float, and teach."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fqbench.isolate import Report
from fqbench.pipeline.steps.common import Arguments, read_feeds, read_placed, timed, write_seconds
from fqbench.spec import Preprocess

WISH = ("limit", "threads", "fastest", "saturates", "here")
"""What a choice is made for; see ``fqbench.tune.choose.Wish``."""


@timed
def calibrate(arguments: Arguments, report: Report) -> None:
    """Find the ranges; write their record into ``folder``."""
    import onnx

    from fqbench.quantize import calibrate as quantize

    folder = Path(arguments["folder"])
    model = onnx.load(str(Path(arguments["canonical"]) / "model.onnx"))
    feeds = read_feeds(arguments, report)
    offline = arguments["offline"]
    record = quantize.calibrate(
        model,
        feeds,
        offline["algorithm"],
        offline["keep_float"],
        saturates=arguments["saturates"],
    )
    record.write(folder / "quantization.json")
    onnx.save(model, str(folder / "model.onnx"))


@timed
def choose(arguments: Arguments, report: Report) -> None:
    """Decide which layers ``backend`` runs in float; write ``choice.json`` into ``folder``."""
    import onnx

    from fqbench.quantize.record import Quantization
    from fqbench.tune.choose import Wish, choose

    folder = Path(arguments["quantization"])
    model = onnx.load(str(folder / "model.onnx"))
    record = Quantization.read(folder / "quantization.json")
    wish = Wish(**{key: arguments[key] for key in WISH})
    images = [read_placed(arguments, Path(path)) for path in arguments["images"]]
    feeds = [feed for feed, _ in images]
    teacher = onnx.load(str(Path(arguments["canonical"]) / "model.onnx"))
    estimator = _estimator(arguments, teacher, images)
    choice = choose(arguments["backend"], model, record, feeds, wish, report, estimator)
    choice.write(Path(arguments["folder"]) / "choice.json")


def distill(arguments: Arguments, report: Report) -> str | None:
    """Teach the INT8 model; write its graph, record and history into ``folder``.

    Returns a warning where there is one.
    """
    import onnx

    from fqbench.distill.distill import Task, distill
    from fqbench.distill.schedule import is_held_out
    from fqbench.quantize.record import Quantization
    from fqbench.spec.model import Distillation
    from fqbench.tune.choice import Choice

    folder, source = Path(arguments["folder"]), Path(arguments["quantization"])
    teacher, paths = onnx.load(str(source / "model.onnx")), arguments["images"]
    held = [
        read_placed(arguments, Path(path))
        for number, path in enumerate(paths)
        if is_held_out(number, len(paths))
    ]
    task = Task(
        arguments["backend"],
        teacher,
        Quantization.read(source / "quantization.json"),
        Choice.read(Path(arguments["choice"]) / "choice.json"),
        Distillation.model_validate(arguments["distillation"]),
        arguments["metric"],
        _decode(arguments),
        _estimator(arguments, teacher, held),
    )
    feeds = read_feeds(arguments, lambda done, total: report(done, total, "ask the teacher"))
    taught = distill(task, feeds, len(paths), Path(arguments["scratch"]), report)
    taught.record.write(folder / "quantization.json")
    onnx.save(taught.model, str(folder / "model.onnx"))
    (folder / "history.json").write_text(json.dumps(asdict(taught.history), indent=1))
    write_seconds(folder, taught.history.seconds)
    return taught.warning


def _estimator(arguments: Arguments, teacher: Any, images: list[Any]) -> Any:
    """What tells how far a quantized model is from ``teacher`` on ``images``."""
    from fqbench.tune.estimators import error_estimator

    size = Preprocess.model_validate(arguments["preprocess"]).resize.output
    return error_estimator(_decode(arguments), size, teacher, images)


def _decode(arguments: Arguments) -> Any:
    from pydantic import TypeAdapter

    from fqbench.spec import Decode

    return TypeAdapter(Decode).validate_python(arguments["decode"])
