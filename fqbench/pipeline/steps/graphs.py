"""Steps that write a graph of the model as it came: canonical, as a Paddle program, in a batch."""

from __future__ import annotations

import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fqbench.backends import backend
from fqbench.backends.record import resolve
from fqbench.errors import StepError
from fqbench.isolate import Report
from fqbench.measure.cell_loading import Reading
from fqbench.pipeline.steps.unordered import write_unordered
from fqbench.spec import Preprocess
from fqbench.steps import Job
from fqbench.steps.reading import GRAPH, ReadingJob, load_graph, save_graph, write_json

if TYPE_CHECKING:
    import onnx

IMAGE_RANK = 4


class SourceJob(ReadingJob):
    """``source``: the file of a model, and those of its weights where they lie apart.

    ``images``: what the result is checked on.
    """

    source: tuple[Path, ...]


class Canonical(SourceJob):
    """``input_shape``: the shape that the input is fixed to, names where a size is left open.

    ``own``: how the file takes an image, where it is not as the graph that is written does.
    """

    input_shape: tuple[int | str, ...]
    own: Reading | None = None


def canonical(job: Canonical, report: Report) -> None:
    """Write the canonical ONNX graph of the source."""
    from fqbench.graph.external_data import load

    source = job.source[0]
    if source.suffix == ".pdmodel":
        save_graph(_of_paddle(job), job.folder)
        return
    written = load(source)
    # It may contradict what operators compute, as after a conversion to 16 bits.
    del written.graph.value_info[:]
    model, feeds = _canonicalized(written, job)
    _check_canonical(written, model, feeds, job)
    save_graph(model, job.folder)


def _canonicalized(written: Any, job: Canonical) -> tuple[Any, list[list[Any]]]:
    """The canonical graph of a model as its file has it, and what it is checked with."""
    from fqbench.convert.canonical import canonicalize

    own = None if job.own is None else own_inputs(job.own)
    try:
        model = canonicalize(written, job.input_shape, own)
    except StepError as error:
        if own is None or own.form.batch == 1:
            raise
        raise _fixed_batch(own.form.batch, error) from error
    feeds = job.check_feeds(model)
    if own is not None:
        feeds = [[own.possible(t) if t.ndim == IMAGE_RANK else t for t in feed] for feed in feeds]
    return model, feeds


def _check_canonical(written: Any, model: Any, feeds: list[list[Any]], job: Canonical) -> None:
    from fqbench.verify.conversion import check_canonical
    from fqbench.verify.inputs import check_one_image

    if job.own is None:
        check_canonical(written, model, feeds)
        return
    own = own_inputs(job.own)
    if own.form.batch == 1:
        check_canonical(written, model, feeds, partial(own.feed, job.own.inputs))
        return
    try:
        check_one_image(written, model, feeds, partial(own.feed, job.own.inputs), own.form)
    except StepError as error:
        raise _fixed_batch(own.form.batch, error) from error


def _fixed_batch(batch: int, error: StepError) -> StepError:
    return StepError(
        f"the batch of the model is fixed to {batch}, and it cannot be made one image"
        f" ({error}): export it with batch 1 or a free batch"
    )


def require_fixed_shape(model: Any, name: str) -> None:
    """Raise StepError where ``model`` leaves a size open, which ``name`` is not made for here."""
    from fqbench.graph.graph import open_sizes

    if left := open_sizes(model):
        raise StepError(
            f"{name} models are made for one size of the image, and the spec leaves its"
            f" {' and '.join(left)} open: take the key free out of a spec for {name}"
        )


def own_inputs(reading: Reading) -> Any:
    """The inputs of a file that takes images by ``reading``."""
    from fqbench.convert.inputs import OwnInputs

    return OwnInputs(reading.image, reading.form, reading.others)


def _of_paddle(job: Canonical) -> Any:
    """The canonical graph of a Paddle inference model."""
    import onnx

    from fqbench.convert.nms import without_nms
    from fqbench.convert.paddle_program import paddle_to_onnx
    from fqbench.verify.conversion import check_exported

    with tempfile.TemporaryDirectory() as scratch:
        model, params = job.source
        source = without_nms(model, params, Path(scratch))
        paddle_to_onnx(*source, Path(scratch) / "exported.onnx")
        written = onnx.load(f"{scratch}/exported.onnx")
        graph, feeds = _canonicalized(written, job)
        own = feeds
        if job.own is not None:
            own = [own_inputs(job.own).feed(job.own.inputs, feed) for feed in feeds]
        check_exported(*source, written, own)
    _check_canonical(written, graph, feeds, job)
    return graph


class Convert(ReadingJob):
    """``canonical``: the folder of the canonical graph; ``images``: what is checked with.

    ``backend``: whose form is written.
    """

    canonical: Path
    backend: str


def converted(job: Convert, report: Report) -> None:
    """Write the canonical graph in the form that a backend loads.

    Where its rows are put in order, beside it what it is before that.
    """
    conversion = backend(job.backend).conversion
    if conversion is None:
        raise ValueError(f"{job.backend} loads the canonical graph")
    model = load_graph(job.canonical)
    if not conversion.open_sizes:
        require_fixed_shape(model, backend(job.backend).label)
    resolve(conversion.write)(job.canonical / GRAPH, job.folder)
    resolve(conversion.check)(model, job.folder, job.check_feeds(model))

    def write(of: onnx.ModelProto, folder: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            save_graph(of, Path(scratch))
            resolve(conversion.write)(Path(scratch) / GRAPH, folder)

    write_unordered(model, write, job.folder)


class ZooModel(Job):
    """``network``: the name of a model of the zoo; ``code``: digests of the code that writes it."""

    network: str
    preprocess: Preprocess
    code: tuple[str, ...]


def zoo_model(job: ZooModel, report: Report) -> None:
    """Write a published network with synthetic weights as a Paddle model."""
    from fqbench.zoo.export import export_synthetic

    export_synthetic(job.network, job.preprocess, job.folder)


def seeded_model(job: ZooModel, report: Report) -> None:
    """Write a seeded network as an ONNX model."""
    from fqbench.zoo.seeded.models import write_model

    write_model(job.network, job.preprocess, job.folder)


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


class OwnInput(ReadingJob):
    """``model``: the folder of a graph of ours; ``own``: how the file that it was made of takes an
    image; ``images``: what the result is checked on."""

    model: Path
    own: Reading


def own_input(job: OwnInput, report: Report) -> None:
    """Write a graph with the input that the model's own file has."""
    from fqbench.convert.inputs import with_own_input
    from fqbench.verify.inputs import check_own_input

    model, place = load_graph(job.model), job.reading.inputs.index(job.reading.image)
    weights = {tensor.name for tensor in model.graph.initializer}
    image = [value.name for value in model.graph.input if value.name not in weights][place]
    written = with_own_input(model, image, job.own.form)
    own, feeds = own_inputs(job.own), job.check_feeds(model)
    check_own_input(model, written, feeds, place, own)
    save_graph(written, job.folder)


class Batched(ReadingJob):
    """``model``: the folder of a graph for one image; ``images``: what the result is checked on."""

    model: Path
    batch: int


def batched(job: Batched, report: Report) -> None:
    """Write a graph for ``batch`` images at once."""
    from fqbench.convert.batch import rebatched, refused
    from fqbench.verify.batch import batch_of, check_batch
    from fqbench.verify.conversion import bound_of, graph_runner

    model = load_graph(job.model)
    many = rebatched(model, job.batch)
    single = graph_runner(model, optimized=True, pairs=False)
    try:
        together = graph_runner(many, optimized=True, pairs=False)
    except Exception as error:  # the runtime's own exceptions share no base class
        raise StepError(refused(job.batch, str(error))) from error
    images = batch_of(job.check_feeds(model), job.batch)
    check_batch(model, images, single, together, bound_of(model))
    save_graph(many, job.folder)


class MultiplyAdds(Job):
    """``canonical``: the folder of the canonical graph; ``input_shape``: of its image."""

    canonical: Path
    input_shape: tuple[int, ...] = ()


def multiply_adds(job: MultiplyAdds, report: Report) -> None:
    """Count the multiply-adds of one inference; write ``multiply_adds.json``."""
    from fqbench.convert import multiply_adds as counting
    from fqbench.graph.graph import of_shape

    found = counting.multiply_adds(of_shape(load_graph(job.canonical), job.input_shape))
    write_json(job.folder, "multiply_adds.json", found)
