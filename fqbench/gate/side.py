"""One version's models: built, evaluated and ready to be timed, by that version's own fqbench.

``build`` runs in the version's own environment, and the fqbench that compares may be an older or a
newer one. So the name ``ENTRY_POINT``, the keys of ``Matrix.arguments`` and the shape of the answer
(``live.built_version``) are a contract between versions: this module stays at this path, and
``PROTOCOL`` is raised when the answer changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from fqbench import machine, plugins
from fqbench.artifacts import Store, file_digest
from fqbench.backends import backends
from fqbench.cells import DEVICES, Selection
from fqbench.errors import UsageError
from fqbench.isolate import Report
from fqbench.margins import default_margins_path, load_margins
from fqbench.methods import DEFAULT, check_offered
from fqbench.pipeline.cell_steps import ModelSteps, Request, plan
from fqbench.pipeline.model import Model
from fqbench.pipeline.prepare import find_specs, prepare
from fqbench.pipeline.rows import Outcome
from fqbench.pipeline.run import run
from fqbench.pipeline.timing import Subject
from fqbench.precisions import precisions
from fqbench.results import Results, Row
from fqbench.spec import ModelSpec
from fqbench.spec.load import SpecProblem, load_specs
from fqbench.steps import Finished
from fqbench.steps.executor import LocalExecutor
from fqbench.steps.observer import Relay

PROTOCOL = 1
ENTRY_POINT = "fqbench.gate.side:build"


@dataclass(frozen=True)
class Matrix:
    """Which cells of a version are meant, and how their INT8 is made.

    ``allow_code``: specs may name a decoder of their own.
    """

    specs: tuple[Path, ...] = ()
    selection: Selection = field(default_factory=Selection)
    data_root: Path | None = None
    method: str = DEFAULT
    allow_code: bool = False

    def arguments(
        self,
        side: str,
        cache: Path,
        threads: int,
        place: Callable[[Path], Path] = lambda path: path,
    ) -> dict[str, Any]:
        """What ``build`` is called with; ``place`` maps a path to the same one in the version."""
        chosen = vars(self.selection).items()
        return {
            "side": side,
            "specs": [str(place(path)) for path in self.specs],
            **{name: list(names) if names else None for name, names in chosen},
            "root": str(place(self.data_root)) if self.data_root is not None else None,
            "method": self.method,
            "allow_code": self.allow_code,
            "threads": threads,
            "cache": str(cache),
        }


def build(arguments: dict[str, Any], report: Report) -> dict[str, Any]:
    """What ``fqbench run`` writes, except times, and the processes that time each cell.

    ``arguments``: those of a ``Matrix``. The cells of a spec that cannot be used are failed rows.
    Backends, devices and precisions that this version does not have are left out, and named in the
    answer: their cells are new, or gone. Raises UsageError for models that do not exist.
    """

    def progress(text: str, done: int, total: int) -> None:
        report(done, total, text)

    chosen = {
        name: tuple(arguments[name]) if arguments[name] else None
        for name in ("backends", "devices", "precisions")
    }
    selection, left_out = _known(Selection(**chosen))
    # Other code may make something else of the same inputs, before its cache keys say so.
    store = Store(Path(arguments["cache"]) / code_digest())
    executor = LocalExecutor(store, Relay(progress))
    margins, threads = load_margins(default_margins_path()), arguments["threads"]
    planned: list[ModelSteps] = []
    unusable = Outcome()
    for spec in _specs(arguments, executor):
        name = spec.name if isinstance(spec, ModelSpec) else spec.path.stem
        cells = selection.cells([name])
        ready = _prepared(spec, executor, arguments)
        if isinstance(ready, Model):
            request = Request(cells, margins, threads, budget=None)
            planned.append(plan(ready.graph, request))
        else:
            unusable += Outcome(tuple(Row(cell, "failed", ready) for cell in cells))
    outcome = run(planned, executor) + unusable
    processes = _processes(planned, outcome, executor.finished, arguments["side"], threads)
    results = Results.now(machine.describe(threads), outcome.rows)
    return {
        "protocol": PROTOCOL,
        "code": code_digest(),
        "left_out": left_out,
        **results.to_json(),
        "samples": outcome.samples.to_json(results.created),
        "processes": processes,
    }


def _known(asked: Selection) -> tuple[Selection, dict[str, list[str]]]:
    """What this version has of ``asked``; and the names that it does not have, by dimension."""
    known = {"backends": tuple(backends()), "devices": DEVICES, "precisions": tuple(precisions())}
    found = {name: vars(asked)[name] for name in known if vars(asked)[name] is not None}
    there = {name: tuple(n for n in names if n in known[name]) for name, names in found.items()}
    left = {name: [n for n in names if n not in known[name]] for name, names in found.items()}
    return replace(asked, **there), {name: names for name, names in left.items() if names}


def _specs(arguments: dict[str, Any], executor: LocalExecutor) -> list[ModelSpec | SpecProblem]:
    """The chosen models. A file that this version does not have is left out: its cells are new."""
    root = Path(arguments["root"]) if arguments["root"] else None
    models: list[str] | None = arguments["models"]
    if not arguments["specs"]:
        specs, told = find_specs([], models, root, executor)
        if told:
            raise UsageError("; ".join(told))
        return list(specs)
    files = [Path(path) for path in arguments["specs"] if Path(path).exists()]
    found, problems = load_specs(files, root)
    return [*(spec for spec in found if models is None or spec.name in models), *problems]


def _prepared(
    spec: ModelSpec | SpecProblem, executor: LocalExecutor, arguments: dict[str, Any]
) -> Model | str:
    """The model, ready to run; or why it cannot be."""
    if isinstance(spec, SpecProblem):
        return spec.message
    method: str = arguments["method"]
    allowed: bool = arguments["allow_code"]
    try:
        check_offered(method)
    except UsageError as error:
        return str(error)
    ready = prepare([spec], executor, allow_code=allowed, method=method)
    return ready.models[0] if ready.models else "; ".join(ready.problems)


def _processes(
    planned: Sequence[ModelSteps], outcome: Outcome, finished: Finished, side: str, threads: int
) -> Mapping[str, Any]:
    """How to start what times each cell that ran, by its id."""
    graphs = {model.graph.spec.name: model.graph for model in planned}
    described = {}
    for row in outcome.rows:
        if row.status == "ok":
            subject = Subject.of(graphs[row.cell.model], row.cell)
            values = asdict(subject.process(finished, threads, side))
            described[row.cell.id] = {k: v for k, v in values.items() if k != "interpreter"}
    return described


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
