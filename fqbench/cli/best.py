"""``fqbench best``: its options, and what it does."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from rich.console import Console

from fqbench import machine
from fqbench.artifacts import Store, default_root
from fqbench.best.candidates import Candidate, candidates, default_methods, not_tried
from fqbench.best.deliver import deliver
from fqbench.best.document import document
from fqbench.best.doubts import doubts
from fqbench.best.front import JUDGE, JUDGES, Budget
from fqbench.best.search import find, planned
from fqbench.cli.display import display, show_plan
from fqbench.cli.options import amount, data_root, positive
from fqbench.cli.output import CELL_FAILED, DONE, add_shown, print_json, say
from fqbench.cli.selection import add_cells, selection_of
from fqbench.errors import UsageError
from fqbench.fileio import check_writable
from fqbench.margins import Margins, default_margins_path, load_margins
from fqbench.methods import offered
from fqbench.pipeline.graph import ModelGraph
from fqbench.pipeline.prepare import find_specs, prepare
from fqbench.pipeline.written import size_mb
from fqbench.report.best import show
from fqbench.steps.executor import LocalExecutor

DROP = 0.5
"""Points that are taken to be affordable where neither option nor margin says."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes, and what it does."""
    parser.description = (
        "Which file to ship on this machine: try all runtimes, devices, precisions and methods that"
        " are here, and name the fastest that is inside the budget. With --ms or --size and no"
        " --drop: the one that loses least."
    )
    parser.add_argument(
        "spec", type=Path, nargs="?", metavar="SPEC", help="spec file of the model (docs/spec.md)"
    )
    for name, unit in (
        ("drop", "points of accuracy that may be lost against FP32"),
        ("ms", "milliseconds that an inference may take"),
        ("size", "10^6 bytes that the file may have"),
    ):
        default = f" (default: the model's margin, else {DROP:g})" if name == "drop" else ""
        parser.add_argument(
            f"--{name}",
            type=amount if name == "drop" else _positive_limit,
            metavar="N",
            help=f"at most: {unit}{default}",
        )
    parser.add_argument(
        "--judge",
        choices=JUDGES,
        default=JUDGE,
        help="what of a drop has to be inside: the drop as measured, or its whole 95 %% interval"
        f" (default: {JUDGE})",
    )
    add_cells(parser)
    parser.add_argument(
        "--methods",
        nargs="+",
        choices=offered(),
        metavar="NAME",
        help=f"how INT8 is made, among {', '.join(offered())}"
        f" (default: {', '.join(default_methods())})",
    )
    parser.add_argument(
        "--threads", type=positive, default=1, metavar="N", help="of the runtime (default: 1)"
    )
    parser.add_argument(
        "--allow-code",
        action="store_true",
        help="let the spec name a decoder of its own, which is imported and run",
    )
    parser.add_argument(
        "--save-dir", type=Path, metavar="DIR", help="write the winner there, ready to load"
    )
    add_shown(parser)


def run(options: argparse.Namespace, errors: Console) -> int:
    """``fqbench best``: the table, the winner, and its files. 1 where nothing is inside."""
    selection = selection_of(options)
    selection.check()
    if options.spec is None and not options.models:
        raise UsageError("no model is named: give a spec file, or --models with a name of the zoo")
    if options.save_dir is not None:
        check_writable(options.save_dir)
    margins = load_margins(default_margins_path())
    methods = tuple(dict.fromkeys(options.methods or default_methods()))
    with display(errors, quiet=options.quiet) as observer:
        executor = LocalExecutor(Store(default_root()), observer)
        graphs = _graphs(options, methods, executor)
        cells = selection.cells([graphs[0].spec.name])
        tried = tuple(candidates(graphs, cells))
        if not tried:
            reasons = "; ".join(f"{n}: {why}" for n, why in not_tried(graphs, cells).items())
            raise UsageError(
                f"none of what was chosen runs here: {reasons or 'nothing is left'}"
                "; fqbench doctor shows what can run here"
            )
        budget = _budget(options, tried, margins)
        _warn(graphs[0], budget, errors)
        if options.dry_run:
            show_plan(planned(tried), executor, as_json=options.json)
            return DONE
        found = find(tried, budget, executor, options.threads)
    spec = graphs[0].spec
    images = len(graphs[0].images.data.samples) if spec.labelled else None
    untried = not_tried(graphs, cells)
    if options.json:
        print_json(document(found, spec.name, images, untried, machine.describe(options.threads)))
    else:
        show(found, images, Console(), verbose=options.verbose)
        for name, why in untried.items() if options.verbose else ():
            say(errors, f"Not tried: {name}: {why}")
        if untried and not options.verbose:
            say(
                errors, f"Not tried, since they cannot run here: {len(untried)}; --verbose says why"
            )
    if found.winner is None:
        return CELL_FAILED
    if options.save_dir is None:
        say(errors, "Nothing is written: --save-dir DIR writes the file and what loads it.")
    else:
        entry = found.entry(found.winner)
        written = deliver(
            found,
            entry,
            entry.candidate.subject.loadable(executor.finished),
            options.save_dir,
            threads=options.threads,
            command=shlex.join(["fqbench", *sys.argv[1:]]),
        )
        for path in written:
            say(errors, f"Written: {path}")
    return DONE


def _graphs(
    options: argparse.Namespace, methods: tuple[str, ...], executor: LocalExecutor
) -> list[ModelGraph]:
    """The steps of the model by each method, those once that are the same."""
    files = [options.spec] if options.spec is not None else []
    specs, problems = find_specs(files, options.models, data_root(options), executor)
    if problems:
        raise UsageError("; ".join(problems))
    if len(specs) != 1:
        raise UsageError(
            f"{len(specs)} models are named: fqbench best takes one at a time: name one by --models"
        )
    if options.size is not None:
        # What is faster in float is larger in it.
        specs = tuple(spec.model_copy(update={"speed": "assumed"}) for spec in specs)
    found: dict[str, ModelGraph] = {}
    for method in methods:
        ready = prepare(specs, executor, allow_code=options.allow_code, method=method)
        if ready.problems:
            raise UsageError("; ".join(ready.problems))
        graph = ready.models[0].graph
        found.setdefault(graph.method, graph)
    return list(found.values())


def _budget(options: argparse.Namespace, tried: tuple[Candidate, ...], margins: Margins) -> Budget:
    """What was asked for; where nothing was, the least margin of what is tried."""
    drop = options.drop
    if drop is None and options.ms is None and options.size is None:
        known = [
            margins.for_cell(each.graph.spec, each.cell.backend, each.method)
            for each in tried
            if each.method is not None
        ]
        drop = min((each.drop for each in known if each is not None), default=DROP)
    return Budget(drop, options.ms, options.size, options.judge)


def _warn(graph: ModelGraph, budget: Budget, errors: Console) -> None:
    """Say before anything runs what is doubtful about the budget."""
    name, labelled = graph.spec.name, graph.spec.labelled
    if not labelled:
        needs = getattr(graph.spec.dataset, "needs", "images with labels")
        say(
            errors,
            f"{name} has no accuracy here (it needs {needs}): only FP32 is known to be inside a"
            " drop.",
        )
    images = len(graph.images.data.samples) if labelled else None
    for doubt in doubts(budget, images, size_mb(graph.source.paths)):
        say(errors, f"{name}: {doubt}.")


def _positive_limit(text: str) -> float:
    """A number above 0, as an option's value: nothing takes no time, and no file is empty."""
    value = amount(text)
    if value == 0:
        raise argparse.ArgumentTypeError("nothing is inside 0")
    return value
