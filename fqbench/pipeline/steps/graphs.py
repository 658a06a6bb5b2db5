"""Steps that write a graph of the model as it came: canonical, as a Paddle program, in a batch."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

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
        source = without_nms(
            Path(arguments["source"]), Path(arguments["params"]), Path(scratch)
        )
        paddle_to_onnx(*source, Path(scratch) / "exported.onnx")
        written = onnx.load(f"{scratch}/exported.onnx")
        model = canonicalize(written, tuple(arguments["input_shape"]))
        feeds = check_feeds(arguments, model)
        check_exported(*source, written, feeds)
    check_canonical(written, model, feeds)
    return model


def paddle_program(arguments: Arguments, report: Report) -> None:
    """Write the graph in ``canonical`` as a Paddle inference model into ``folder``.

    It is checked on ``images``.
    """
    import onnx

    from fqbench.convert.paddle_program import onnx_to_paddle
    from fqbench.verify.conversion import check_program

    source, folder = Path(arguments["canonical"]) / "model.onnx", Path(arguments["folder"])
    onnx_to_paddle(source, folder)
    model = onnx.load(str(source))
    check_program(model, folder, check_feeds(arguments, model))


def zoo_model(arguments: Arguments, report: Report) -> None:
    """Write a published network with synthetic weights as a Paddle model into ``folder``."""
    from fqbench.zoo.export import export_synthetic

    preprocess = Preprocess.model_validate(arguments["preprocess"])
    export_synthetic(arguments["name"], preprocess, Path(arguments["folder"]))


def given_int8(arguments: Arguments, report: Report) -> None:
    """Write an INT8 model that was made elsewhere for ``backend`` into ``folder``."""
    from fqbench.convert.paddle_program import paddle_to_onnx
    from fqbench.convert.program import STEM

    folder, source = Path(arguments["folder"]), Path(arguments["source"])
    if arguments["backend"] != "paddle":
        target = folder / "model.onnx"
        if source.suffix == ".onnx":
            shutil.copyfile(source, target)
        else:
            paddle_to_onnx(source, Path(arguments["params"]), target)
    elif source.suffix == ".onnx":
        raise StepError(f"{source.name} is an INT8 file for ONNX Runtime, not for Paddle Inference")
    else:
        for path, suffix in ((source, ".pdmodel"), (Path(arguments["params"]), ".pdiparams")):
            shutil.copyfile(path, folder / f"{STEM}{suffix}")


def batched(arguments: Arguments, report: Report) -> None:
    """Write the graph in ``model`` for ``batch`` images at once into ``folder``."""
    import onnx

    from fqbench.backends.onnxruntime import open_session, session_options
    from fqbench.convert.batch import check, rebatched
    from fqbench.machine import usable_cores

    model = onnx.load(str(Path(arguments["model"]) / "model.onnx"))
    many = rebatched(model, arguments["batch"])

    def answering(graph: Any) -> Any:
        options = session_options(usable_cores(), fuse_pairs=False)
        session = open_session(graph.SerializeToString(), options)
        names = [value.name for value in session.get_inputs()]
        return lambda feed: session.run(None, dict(zip(names, feed, strict=True)))

    weights = {tensor.name for tensor in model.graph.initializer}
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in model.graph.input
        if value.name not in weights
    }
    check(shapes, arguments["batch"], answering(model), answering(many))
    onnx.save(many, str(Path(arguments["folder"]) / "model.onnx"))
