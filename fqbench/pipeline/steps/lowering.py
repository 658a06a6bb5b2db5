"""Steps that write what a backend loads, from one quantization."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from fqbench.backends import backend, int8_form, runtime
from fqbench.backends.record import resolve
from fqbench.isolate import Report
from fqbench.pipeline.steps.graphs import require_fixed_shape
from fqbench.pipeline.steps.unordered import write_unordered
from fqbench.precisions.own import FP32, INT8
from fqbench.steps import Job
from fqbench.steps.reading import (
    GRAPH,
    ReadingJob,
    load_graph,
    save_graph,
    write_json,
)

if TYPE_CHECKING:
    import onnx

    from fqbench.backends.lowering import Lower as LowerModel
    from fqbench.backends.lowering import Lowered
    from fqbench.graph.executor import Feed
    from fqbench.quantize.record import Quantization
    from fqbench.tune.choice import Choice
    from fqbench.verify.conversion import Run


class Lower(ReadingJob):
    """``quantization``: the folder of a graph and its record; ``choice``: that of the choice.

    With ``everything`` no layer stays in float that the record does not keep there. ``images``:
    what the result is checked on, and what says which tensors do not fit float16 where some of it
    is that.
    """

    quantization: Path
    choice: Path
    everything: bool
    backend: str
    cores: int


def lower(job: Lower, report: Report) -> None:
    """Write the INT8 form of the graph for a backend, and ``plan.json``.

    Where its rows are put in order, beside it what it is before that.
    """
    from fqbench.graph.graph import Graph
    from fqbench.quantize.between import float_operators
    from fqbench.verify.int8 import check_int8
    from fqbench.verify.orders import ordered_outputs, with_given_orders

    model, quantization, choice = _quantized(job)
    feeds = list(job.feeds(report))

    def write(of: onnx.ModelProto, folder: Path, feeds: Sequence[Feed] = feeds) -> Lowered:
        return _write(job, of, quantization, choice, folder, feeds)

    written = write(model, job.folder)
    write_unordered(model, write, job.folder)
    ordered = ordered_outputs(model)
    check_int8(model, written.emulation, _run(job, job.folder), feeds, ordered)
    if ordered:
        with TemporaryDirectory() as folder:
            given, fed = with_given_orders(model, feeds)
            same = write(given, Path(folder), fed)
            check_int8(given, same.emulation, _run(job, Path(folder)), fed)
    layers = [node.name for node in Graph(model).layers()]
    # How many layers were quantized, for the check of what the runtime ran.
    plan = {
        "convolutions": written.layers,
        "quantized": written.quantized,
        "float_layers": dict(written.float_layers),
        "float_operators": float_operators(written.emulation, layers),
    }
    write_json(job.folder, "plan.json", plan)


def _write(
    job: Lower,
    model: onnx.ModelProto,
    quantization: Quantization,
    choice: Choice,
    folder: Path,
    feeds: Sequence[Feed],
) -> Lowered:
    """Write the INT8 form of ``model`` into ``folder``."""
    form: LowerModel = resolve(int8_form(job.backend).lower)
    return form(
        model,
        quantization,
        folder,
        feeds=feeds,
        float_silu=choice.float_silu,
        unsigned=frozenset(choice.unsigned),
    )


def _run(job: Lower, folder: Path) -> Run:
    """What runs the INT8 form in ``folder`` as its runtime does."""
    form = int8_form(job.backend)
    runner = runtime(form.executed_by or job.backend).prepare(
        folder,
        device="cpu",
        precision=(INT8 if form.executed_by is None else FP32).runtime_name,
        threads=job.cores,
    )
    return runner.run


class Half(ReadingJob):
    """``canonical``: the folder of the canonical graph; ``writer``: a backend's ``float16``.

    What comes near to the end of float16 on one of ``images`` stays in float32; the result is
    checked on them.
    """

    canonical: Path
    writer: str


def half(job: Half, report: Report) -> None:
    """Write the float16 form of the canonical graph."""
    from fqbench.verify.conversion import check_half

    model = load_graph(job.canonical)
    feeds = list(job.feeds(report))
    written = resolve(job.writer)(model, feeds)
    check_half(model, written, feeds)
    save_graph(written, job.folder)


class Engine(Job):
    """``model``: the folder of the graph. ``gpu``: the GPU it is built on, by name, capability and
    driver; or ``target``: the capability of GPUs that it is built for without one.

    ``library``: name and version of what builds it. ``timing_cache``: a file of kernel times that
    is reused, None for none.
    """

    model: Path
    backend: str
    library: tuple[str, str | None]
    gpu: tuple[str, tuple[int, int], str] | None
    target: tuple[int, int] | None
    timing_cache: Path | None


def engine(job: Engine, report: Report) -> None:
    """Build the engine of a graph; write it, and what it computes."""
    require_fixed_shape(load_graph(job.model), backend(job.backend).label)
    library = backend(job.backend).engine
    assert library is not None  # The plan asks for an engine where there is one.
    library.write_engine(
        job.model / GRAPH, job.folder, target=job.target, timing_cache=job.timing_cache
    )


def _quantized(job: Lower) -> tuple[Any, Any, Any]:
    """The graph of a quantization, its record as the choice applies it, and the choice."""
    from fqbench.quantize.record import Quantization
    from fqbench.tune.choice import Choice

    record = Quantization.read(job.quantization / "quantization.json")
    choice = Choice.read(job.choice / "choice.json")
    if job.everything:
        choice = replace(choice, float_layers=record.float_layers)
    return load_graph(job.quantization), choice.applied(record), choice
