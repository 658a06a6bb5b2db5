"""One version's models: built, evaluated and ready to be timed, by that version's own fqbench.

``build`` runs in the version's own environment, and the fqbench that compares may be an older or a
newer one. So the name ``ENTRY_POINT``, the keys of ``BuildRequest`` and the shape of the answer
(``live.built_version``) are a contract between versions: this module stays at this path, and
``PROTOCOL`` is raised when the answer changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path

from pydantic import ConfigDict

from fqbench import machine, plugins
from fqbench.artifacts import Store, file_digest
from fqbench.backends import backends, unversioned
from fqbench.cells import DEVICES, Selection
from fqbench.errors import UsageError
from fqbench.isolate import Interpreter, Report
from fqbench.jsonvalue import Json
from fqbench.margins import default_margins_path, load_margins
from fqbench.measure.launches import Process
from fqbench.measure.measures import MEASURES, Measure
from fqbench.message import Message
from fqbench.methods import DEFAULT, check_offered
from fqbench.pipeline.cell_steps import ModelSteps, Request, plan
from fqbench.pipeline.measurements import process as measuring_process
from fqbench.pipeline.model import Model
from fqbench.pipeline.prepare import find_specs, prepare
from fqbench.pipeline.rows import Outcome
from fqbench.pipeline.run import run
from fqbench.pipeline.timing import Subject
from fqbench.precisions import precisions
from fqbench.results import Results, Row
from fqbench.samples import Samples
from fqbench.spec import ModelSpec
from fqbench.spec.load import SpecProblem, load_specs
from fqbench.steps import Finished
from fqbench.steps.executor import LocalExecutor
from fqbench.steps.observer import Relay

PROTOCOL = 1
ENTRY_POINT = "fqbench.gate.side:build"


class BuildRequest(Message):
    """What ``build`` is called with: see ``Matrix``, ``selection`` by its dimensions.

    ``root``: the data root; ``side``: what the processes that time cells are to call them;
    ``cache``: where artifacts are kept; ``measures``: what is measured beside latency, of which
    names that this version does not have are left out. A key that a later version adds is ignored.
    """

    model_config = ConfigDict(extra="ignore")

    side: str
    specs: tuple[Path, ...]
    models: tuple[str, ...] | None
    backends: tuple[str, ...] | None
    devices: tuple[str, ...] | None
    precisions: tuple[str, ...] | None
    root: Path | None
    method: str
    allow_code: bool
    threads: int
    cache: Path
    measures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Built:
    """What ``build`` answers; ``processes``: what times each cell that ran, by its id.

    ``left_out``: names that this version does not have, by dimension. ``measures``: what takes each
    of the measures that were asked for, by the cell's id.
    """

    results: Results
    samples: Samples
    processes: Mapping[str, Process]
    left_out: Mapping[str, Sequence[str]]
    measures: Mapping[Measure, Mapping[str, Process]] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """As the fqbench that compares reads it."""
        return {
            "protocol": PROTOCOL,
            "code": code_digest(),
            "left_out": self.left_out,
            **self.results.to_json(),
            "samples": self.samples.to_json(self.results.created),
            "processes": {cell: _described(each) for cell, each in self.processes.items()},
            "measures": {
                name: {cell: _described(each) for cell, each in processes.items()}
                for name, processes in self.measures.items()
            },
        }


def _described(process: Process) -> dict[str, Json]:
    """Without the interpreter where it is the version's own: the one that compares knows it."""
    own = process.interpreter == Interpreter.here()
    return {k: v for k, v in asdict(process).items() if k != "interpreter" or not own}


@dataclass(frozen=True)
class Matrix:
    """Which cells of a version are meant, and how their INT8 is made.

    ``allow_code``: specs may name a decoder of their own; ``measures``: what is measured beside
    latency.
    """

    specs: tuple[Path, ...] = ()
    selection: Selection = field(default_factory=Selection)
    data_root: Path | None = None
    method: str = DEFAULT
    allow_code: bool = False
    measures: tuple[Measure, ...] = ()

    def arguments(
        self,
        side: str,
        cache: Path,
        threads: int,
        place: Callable[[Path], Path] = lambda path: path,
    ) -> dict[str, Json]:
        """What ``build`` is called with; ``place`` maps a path to the same one in the version."""
        chosen = self.selection
        return BuildRequest(
            side=side,
            specs=tuple(place(path) for path in self.specs),
            models=chosen.models or None,
            backends=chosen.backends or None,
            devices=chosen.devices or None,
            precisions=chosen.precisions or None,
            root=None if self.data_root is None else place(self.data_root),
            method=self.method,
            allow_code=self.allow_code,
            threads=threads,
            cache=cache,
            measures=self.measures,
        ).to_json()


def build(arguments: Mapping[str, Json], report: Report) -> dict[str, object]:
    """What ``fqbench run`` writes, except times, and the processes that time each cell.

    ``arguments``: a ``BuildRequest``. The cells of a spec that cannot be used are failed rows.
    Backends, devices and precisions that this version does not have are left out, and named in the
    answer: their cells are new, or gone. Raises UsageError for models that do not exist.
    """
    request = BuildRequest.model_validate(arguments)

    def progress(text: str, done: int, total: int) -> None:
        report(done, total, text)

    asked = Selection(
        backends=request.backends or None,
        devices=request.devices or None,
        precisions=request.precisions or None,
    )
    selection, left_out = _known(asked)
    # Other code may make something else of the same inputs, before its cache keys say so.
    store = Store(request.cache / code_digest())
    executor = LocalExecutor(store, Relay(progress))
    margins, threads = load_margins(default_margins_path()), request.threads
    planned: list[ModelSteps] = []
    unusable = Outcome()
    for spec in _specs(request, executor):
        name = spec.name if isinstance(spec, ModelSpec) else spec.path.stem
        cells = selection.cells([name])
        ready = _prepared(spec, executor, request)
        if isinstance(ready, Model):
            planned.append(plan(ready.graph, Request(cells, margins, threads, budget=None)))
        else:
            unusable += Outcome(tuple(Row(cell, "failed", ready) for cell in cells))
    outcome = run(planned, executor) + unusable
    subjects = _subjects(planned, outcome)
    finished, side = executor.finished, request.side
    processes = {each.cell.id: each.process(finished, threads, side) for each in subjects}
    measures = {
        name: _measuring(name, subjects, finished, side, threads)
        for name in MEASURES
        if name in request.measures
    }
    further = dict.fromkeys(row.cell.backend for row in outcome.rows)
    results = Results.now(machine.describe(threads, further), outcome.rows)
    return Built(results, outcome.samples, processes, left_out, measures).to_json()


def _known(asked: Selection) -> tuple[Selection, dict[str, list[str]]]:
    """What this version has of ``asked``; and the names that it does not have, by dimension."""
    known = {"backends": tuple(backends()), "devices": DEVICES, "precisions": tuple(precisions())}
    found = {name: vars(asked)[name] for name in known if vars(asked)[name] is not None}
    there = {
        name: tuple(n for n in names if unversioned(n) in known[name])
        for name, names in found.items()
    }
    left = {name: [n for n in names if n not in there[name]] for name, names in found.items()}
    return replace(asked, **there), {name: names for name, names in left.items() if names}


def _specs(request: BuildRequest, executor: LocalExecutor) -> list[ModelSpec | SpecProblem]:
    """The chosen models. A file that this version does not have is left out: its cells are new."""
    root, models = request.root, request.models
    if not request.specs:
        specs, mistakes = find_specs([], models, root, executor)
        if mistakes:
            raise UsageError("; ".join(mistakes))
        return list(specs)
    files = [path for path in request.specs if path.exists()]
    found, problems = load_specs(files, root)
    return [*(spec for spec in found if models is None or spec.name in models), *problems]


def _prepared(
    spec: ModelSpec | SpecProblem, executor: LocalExecutor, request: BuildRequest
) -> Model | str:
    """The model, ready to run; or why it cannot be."""
    if isinstance(spec, SpecProblem):
        return spec.message
    try:
        check_offered(request.method)
    except UsageError as error:
        return str(error)
    ready = prepare([spec], executor, allow_code=request.allow_code, method=request.method)
    return ready.models[0] if ready.models else "; ".join(ready.problems)


def _subjects(planned: Sequence[ModelSteps], outcome: Outcome) -> list[Subject]:
    """The cells that ran."""
    graphs = {model.graph.spec.name: model.graph for model in planned}
    return [
        Subject.of(graphs[row.cell.model], row.cell) for row in outcome.rows if row.status == "ok"
    ]


def _measuring(
    measure: Measure, subjects: Sequence[Subject], finished: Finished, side: str, threads: int
) -> dict[str, Process]:
    """What takes one of the measures of each cell, by its id."""
    found = {
        each.cell.id: measuring_process(measure, each, threads, finished, side) for each in subjects
    }
    return {cell: process for cell, process in found.items() if process is not None}


@cache
def code_digest() -> str:
    """SHA-256 of this fqbench's own code, and of that of other packages that offer it records."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root)}\0{path.read_text('utf-8')}\0".encode())
    for package, files in plugins.code().items():
        for name, path in files.items():
            digest.update(f"{package}\0{name}\0{file_digest(path)}\0".encode())
    return digest.hexdigest()
