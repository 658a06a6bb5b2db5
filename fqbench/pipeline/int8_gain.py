"""Why INT8 is no faster than the fastest float: measured of those cells only where it is not."""

from __future__ import annotations

from functools import partial

from pydantic import TypeAdapter

from fqbench.backends import backend
from fqbench.backends.node_times import NodeTime
from fqbench.cells import Cell
from fqbench.measure.cell_loading import Loadable
from fqbench.measure.int8_gain import Int8Gain, int8_gain
from fqbench.measure.messages import NodeTiming
from fqbench.pipeline import decisions
from fqbench.pipeline.best_float import against_best_float
from fqbench.pipeline.timing import Report, Subject, Timed, measured
from fqbench.precisions import baseline, precision
from fqbench.precisions.own import INT8
from fqbench.steps import ArtifactNode, Finished, Measurement, Select

_NODES = TypeAdapter(tuple[NodeTime, ...])


def gain(subject: Subject, timing: Measurement, threads: int) -> Measurement | None:
    """An ``Int8Gain`` where ``subject`` is no faster than the fastest float, None where it is.

    ``timing``: what timed it. No measurement where it is float itself, or has no profile.
    """
    cell, graph = subject.cell, subject.graph
    is_float = precision(cell.precision).weights.kind == "float"
    if is_float or cell.device != "cpu" or backend(cell.backend).time_nodes is None:
        return None
    fp32, int8 = graph.fp32(cell.backend), _int8(subject)
    after = (timing, fp32, int8, graph.network(cell), graph.canonical)
    take = partial(_taken, subject, timing, threads)
    return Measurement("why", cell.model, after, take, cell.id)


def _int8(subject: Subject) -> ArtifactNode:
    """The INT8 form, also where FP32 runs instead."""
    network = subject.graph.network(subject.cell)
    return network.options[decisions.INT8] if isinstance(network, Select) else network


def _taken(
    subject: Subject, timing: Measurement, threads: int, finished: Finished, report: Report
) -> Int8Gain | None:
    cell, graph = subject.cell, subject.graph
    network = graph.network(cell)
    runs_fp32 = isinstance(network, Select) and finished.option(network) == decisions.FP32
    timed: Timed = finished.value(timing)
    best = against_best_float(timed.cells).get(cell)
    if not runs_fp32 and (best is None or best.ratio.low > 1.0):
        return None
    int8 = INT8.runtime_name if runs_fp32 else graph.runtime_precision(cell)
    canonical = finished.artifact(graph.canonical).file("model.onnx")

    def nodes(form: ArtifactNode, of: Cell, asked: str) -> tuple[NodeTime, ...]:
        loadable = Loadable(
            artifact=finished.artifact(form).path,
            backend=of.backend,
            device=of.device,
            precision=asked,
            reading=graph.reading_of(of),
        )
        request = NodeTiming(
            cell=loadable, image=subject.image, threads=threads, canonical=canonical
        )
        function = "fqbench.measure.int8_gain:time_nodes"
        return measured(function, request, _NODES, subject, threads, report)

    return int8_gain(
        nodes(graph.fp32(cell.backend), cell.baseline, baseline().runtime_name),
        nodes(_int8(subject), cell, int8),
    )
