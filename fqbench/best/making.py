"""The files of candidates: made, and what is known of them before anything is timed."""

from __future__ import annotations

from collections.abc import Sequence

from fqbench.best.candidates import Candidate
from fqbench.best.entry import Entry
from fqbench.best.front import NO_DROP
from fqbench.best.ledger import Ledger
from fqbench.errors import FqbenchError
from fqbench.pipeline import decisions
from fqbench.pipeline.written import loaded_files, size_mb
from fqbench.steps import ArtifactNode, Finished, Node, Select
from fqbench.steps.executor import Executor
from fqbench.tune.choice import Choice


def make(ledger: Ledger, names: Sequence[str], executor: Executor) -> None:
    """Make the files of ``names``. Equal ones that run alike are one candidate."""
    wanted: list[Node] = []
    for name in names:
        try:
            wanted += ledger[name].candidate.making
            ledger.set(name, status="runs")
        except FqbenchError as error:
            ledger.set(name, status="failed", why=f"cannot be made: {error}")
    finished = executor.run(wanted)
    for name in names:
        if ledger[name].status == "runs":
            _enter(ledger, name, finished)
    known: dict[tuple[str, ...], Entry] = {}
    for entry in ledger.running:
        same = known.setdefault(_identity(entry, finished), entry)
        if same is not entry:
            ledger.set(entry.name, status="same", why=_why_same(entry, same))


def _enter(ledger: Ledger, name: str, finished: Finished) -> None:
    candidate = ledger[name].candidate
    try:
        artifact = finished.artifact(candidate.loads)
        size = size_mb(loaded_files(candidate.cell.backend, artifact))
        drop = NO_DROP if candidate.is_fp32 else None
        took = _took_fp32(candidate.graph.network(candidate.cell), finished)
        choice = _choice(candidate, finished)
        ledger.set(name, artifact=artifact, size=size, drop=drop, took_fp32=took, choice=choice)
    except FqbenchError as error:
        ledger.set(name, status="failed", why=f"cannot be made: {error}")


def _identity(entry: Entry, finished: Finished) -> tuple[str, ...]:
    """What has the same times and answers. A runtime may run one file in several precisions."""
    cell = entry.candidate.cell
    asked = entry.candidate.subject.loadable(finished).precision
    assert entry.artifact is not None
    return cell.backend, cell.device, asked, entry.artifact.key


def _took_fp32(network: ArtifactNode, finished: Finished) -> bool:
    return isinstance(network, Select) and finished.option(network) == decisions.FP32


def _choice(candidate: Candidate, finished: Finished) -> Choice | None:
    """Which layers of it are in float, where they were chosen here."""
    graph = candidate.graph
    if candidate.method is None or graph.quantizer.yields != "quantization":
        return None
    node = graph.choice(candidate.cell.backend)
    if node not in finished:
        return None
    return decisions.choice_of(finished.artifact(node))


def _why_same(entry: Entry, same: Entry) -> str:
    if entry.took_fp32 and entry.choice is not None and entry.choice.slowdown is not None:
        return (
            f"float is faster: INT8 would take {entry.choice.slowdown:.2f} times as long as FP32"
            " of its runtime"
        )
    return f"the same file as {same.candidate.label}"
