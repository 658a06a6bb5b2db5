"""Steps that write a graph of the model as it came: canonical, as a Paddle program, in a batch."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from fqbench.backends import backend
from fqbench.backends.record import resolve
from fqbench.errors import StepError
from fqbench.isolate import Report
from fqbench.pipeline.steps.common import Arguments, check_feeds
from fqbench.spec import Preprocess


def canonical(arguments: Arguments, report: Report) -> None:
    """Write the canonical ONNX graph of ``source`` as ``model.onnx`` into ``folder``.

    It is checked on ``images``.
    """
    import onnx

    from fqbench.convert.canonical import canonicalize
    from fqbench.verify.conversion import check_canonical

    source = Path(arguments["source"])
    if source.suffix != ".pdmodel":
        written = onnx.load(str(source))
        model = canonicalize(written, tuple(arguments["input_shape"]))
        check_canonical(written, model, check_feeds(arguments, model))
    else:
        model = _of_paddle(arguments)
    onnx.save(model, str(Path(arguments["folder"]) / "model.onnx"))


def _of_paddle(arguments: Arguments) -> Any:
    """The canonical graph of a Paddle inference model."""
    import onnx

    from fqbench.convert.canonical import canonicalize
    from fqbench.convert.nms import without_nms
    from fqbench.convert.paddle_program import paddle_to_onnx
    from fqbench.verify.conversion import check_canonical, check_exported

    with tempfile.TemporaryDirectory() as scratch:
        source = without_nms(Path(arguments["source"]), Path(arguments["params"]), Path(scratch))
        paddle_to_onnx(*source, Path(scratch) / "exported.onnx")
        written = onnx.load(f"{scratch}/exported.onnx")
        model = canonicalize(written, tuple(arguments["input_shape"]))
        feeds = check_feeds(arguments, model)
        check_exported(*source, written, feeds)
    check_canonical(written, model, feeds)
    return model


def converted(arguments: Arguments, report: Report) -> None:
    """Write the graph in ``canonical`` in the form that ``backend`` loads into ``folder``.

    It is checked on ``images``.
    """
    import onnx

    conversion = backend(arguments["backend"]).conversion
    if conversion is None:
        raise ValueError(f"{arguments['backend']} loads the canonical graph")
    source, folder = Path(arguments["canonical"]) / "model.onnx", Path(arguments["folder"])
    resolve(conversion.write)(source, folder)
    model = onnx.load(str(source))
    resolve(conversion.check)(model, folder, check_feeds(arguments, model))


def zoo_model(arguments: Arguments, report: Report) -> None:
    """Write a published network with synthetic weights as a Paddle model into ``folder``."""
    from fqbench.zoo.export import export_synthetic

    preprocess = Preprocess.model_validate(arguments["preprocess"])
    export_synthetic(arguments["name"], preprocess, Path(arguments["folder"]))


def given_int8(arguments: Arguments, report: Report) -> None:
    """Write an INT8 model that was made elsewhere for ``backend`` into ``folder``.

    Where it is converted, it is checked on ``images``.
    """
    from fqbench.convert.program import STEM

    folder, source = Path(arguments["folder"]), Path(arguments["source"])
    used = backend(arguments["backend"])
    if used.conversion is None:
        target = folder / "model.onnx"
        if source.suffix == ".onnx":
            shutil.copyfile(source, target)
        else:
            _export_int8(arguments, target)
    elif source.suffix == ".onnx":
        raise StepError(f"{source.name} is an INT8 file for ONNX Runtime, not for {used.label}")
    else:
        for path, suffix in ((source, ".pdmodel"), (Path(arguments["params"]), ".pdiparams")):
            shutil.copyfile(path, folder / f"{STEM}{suffix}")


def _export_int8(arguments: Arguments, target: Path) -> None:
    """Write a Paddle inference model in INT8 as ONNX."""
    import onnx

    from fqbench.convert.nms import without_nms
    from fqbench.convert.paddle_program import paddle_to_onnx
    from fqbench.verify.conversion import check_exported
    from fqbench.verify.difference import ROUNDED

    with tempfile.TemporaryDirectory() as scratch:
        params = Path(arguments["params"])
        source = without_nms(Path(arguments["source"]), params, Path(scratch))
        paddle_to_onnx(*source, target)
        written = onnx.load(str(target))
        check_exported(*source, written, check_feeds(arguments, written), ROUNDED)


def batched(arguments: Arguments, report: Report) -> None:
    """Write the graph in ``model`` for ``batch`` images at once into ``folder``.

    It is checked on ``images``.
    """
    import onnx

    from fqbench.convert.batch import rebatched
    from fqbench.verify.batch import batch_of, check_batch
    from fqbench.verify.conversion import bound_of, graph_runner

    model = onnx.load(str(Path(arguments["model"]) / "model.onnx"))
    many = rebatched(model, arguments["batch"])
    single, together = (graph_runner(graph, optimized=True, pairs=False) for graph in (model, many))
    alone = check_feeds({**arguments, "batch": 1}, model)
    images = batch_of(alone, arguments["batch"])
    check_batch(model, images, single, together, bound_of(model))
    onnx.save(many, str(Path(arguments["folder"]) / "model.onnx"))
