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
from fqbench.spec import Preprocess
from fqbench.steps import Job
from fqbench.steps.reading import GRAPH, ReadingJob, load_graph, save_graph, write_json


class SourceJob(ReadingJob):
    """``source``: the file of a model, and those of its weights where they lie apart.

    ``images``: what the result is checked on.
    """

    source: tuple[Path, ...]


class Canonical(SourceJob):
    """``input_shape``: the shape that the input is fixed to."""

    input_shape: tuple[int, ...]


def canonical(job: Canonical, report: Report) -> None:
    """Write the canonical ONNX graph of the source."""
    from fqbench.convert.canonical import canonicalize
    from fqbench.graph.external_data import load
    from fqbench.verify.conversion import check_canonical

    source = job.source[0]
    if source.suffix == ".pdmodel":
        save_graph(_of_paddle(job), job.folder)
        return
    written = load(source)
    model = canonicalize(written, job.input_shape)
    check_canonical(written, model, job.check_feeds(model))
    save_graph(model, job.folder)


def _of_paddle(job: Canonical) -> Any:
    """The canonical graph of a Paddle inference model."""
    import onnx

    from fqbench.convert.canonical import canonicalize
    from fqbench.convert.nms import without_nms
    from fqbench.convert.paddle_program import paddle_to_onnx
    from fqbench.verify.conversion import check_canonical, check_exported

    with tempfile.TemporaryDirectory() as scratch:
        model, params = job.source
        source = without_nms(model, params, Path(scratch))
        paddle_to_onnx(*source, Path(scratch) / "exported.onnx")
        written = onnx.load(f"{scratch}/exported.onnx")
        model = canonicalize(written, job.input_shape)
        feeds = job.check_feeds(model)
        check_exported(*source, written, feeds)
    check_canonical(written, model, feeds)
    return model


class Convert(ReadingJob):
    """``canonical``: the folder of the canonical graph; ``images``: what is checked with.

    ``backend``: whose form is written.
    """

    canonical: Path
    backend: str


def converted(job: Convert, report: Report) -> None:
    """Write the canonical graph in the form that a backend loads."""
    conversion = backend(job.backend).conversion
    if conversion is None:
        raise ValueError(f"{job.backend} loads the canonical graph")
    resolve(conversion.write)(job.canonical / GRAPH, job.folder)
    model = load_graph(job.canonical)
    resolve(conversion.check)(model, job.folder, job.check_feeds(model))


class ZooModel(Job):
    """``network``: the name of a published one; ``code``: digests of the code that writes it."""

    network: str
    preprocess: Preprocess
    code: tuple[str, ...]


def zoo_model(job: ZooModel, report: Report) -> None:
    """Write a published network with synthetic weights as a Paddle model."""
    from fqbench.zoo.export import export_synthetic

    export_synthetic(job.network, job.preprocess, job.folder)


class GivenInt8(SourceJob):
    """``backend``: what runs the file."""

    backend: str


def given_int8(job: GivenInt8, report: Report) -> None:
    """Write an INT8 model that was made elsewhere as its backend loads it, an ONNX one as one file.

    Where it is converted, it is checked on the images.
    """
    from fqbench.convert.program import STEM
    from fqbench.graph.external_data import load

    model, used = job.source[0], backend(job.backend)
    if ".onnx" in used.loads:
        if model.suffix == ".onnx" and len(job.source) > 1:
            save_graph(load(model), job.folder)
        elif model.suffix == ".onnx":
            shutil.copyfile(model, job.folder / GRAPH)
        else:
            _export_int8(job)
    elif model.suffix == ".onnx":
        raise StepError(f"{model.name} is an INT8 file for ONNX Runtime, not for {used.label}")
    else:
        for path, suffix in zip(job.source, (".pdmodel", ".pdiparams"), strict=True):
            shutil.copyfile(path, job.folder / f"{STEM}{suffix}")


def _export_int8(job: GivenInt8) -> None:
    """Write a Paddle inference model in INT8 as ONNX."""
    from fqbench.convert.nms import without_nms
    from fqbench.convert.paddle_program import paddle_to_onnx
    from fqbench.verify.conversion import check_exported
    from fqbench.verify.difference import ROUNDED

    with tempfile.TemporaryDirectory() as scratch:
        model, params = job.source
        source = without_nms(model, params, Path(scratch))
        paddle_to_onnx(*source, job.folder / GRAPH)
        written = load_graph(job.folder)
        check_exported(*source, written, job.check_feeds(written), ROUNDED)


class Batched(ReadingJob):
    """``model``: the folder of a graph for one image; ``images``: what the result is checked on."""

    model: Path
    batch: int


def batched(job: Batched, report: Report) -> None:
    """Write a graph for ``batch`` images at once."""
    from fqbench.convert.batch import rebatched
    from fqbench.verify.batch import batch_of, check_batch
    from fqbench.verify.conversion import bound_of, graph_runner

    model = load_graph(job.model)
    many = rebatched(model, job.batch)
    single, together = (graph_runner(graph, optimized=True, pairs=False) for graph in (model, many))
    images = batch_of(job.check_feeds(model), job.batch)
    check_batch(model, images, single, together, bound_of(model))
    save_graph(many, job.folder)


class MultiplyAdds(Job):
    """``canonical``: the folder of the canonical graph."""

    canonical: Path


def multiply_adds(job: MultiplyAdds, report: Report) -> None:
    """Count the multiply-adds of one inference; write ``multiply_adds.json``."""
    from fqbench.convert import multiply_adds as counting

    found = counting.multiply_adds(load_graph(job.canonical))
    write_json(job.folder, "multiply_adds.json", found)
