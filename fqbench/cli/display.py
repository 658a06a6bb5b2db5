"""How a run of steps is shown: one line that is renewed, or a line for each step in a log."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from fqbench.cli.output import print_json
from fqbench.counting import counted
from fqbench.report.plain import plain
from fqbench.steps.executor import LocalExecutor
from fqbench.steps.observer import Observer, Silent
from fqbench.steps.observer import Progress as Report
from fqbench.steps.step import Node, title

PLAN_SCHEMA = 1


def duration(seconds: float) -> str:
    """Seconds in words: ``40 s``, ``3 min``, ``2 h 10 min``."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


@contextmanager
def display(console: Console, *, quiet: bool = False) -> Iterator[Observer]:
    """Show on ``console`` how a run goes, as long as the context lasts."""
    if quiet:
        yield Silent()
    elif not console.is_terminal:
        yield Lines(console)
    else:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed:.0f} of {task.total:.0f} steps"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", markup=False),
        )
        with Progress(*columns, console=console, transient=True) as bar:
            yield Bar(bar)


class Bar(Silent):
    """A bar over the whole run; before it, what runs now."""

    def __init__(self, bar: Progress) -> None:
        self._bar, self._task = bar, bar.add_task("", total=1, left="")
        self._done = 0
        self._running: dict[Node, str] = {}
        self._lock = threading.Lock()

    def planned(self, nodes: int, seconds: float | None) -> None:
        """Sets how long the bar is."""
        left = f"about {duration(seconds)} left" if seconds else ""
        self._bar.update(self._task, total=max(1, self._done + nodes), left=left)

    def started(self, node: Node) -> None:
        """Names the step."""
        self.progress(node, "", 0, 0)

    def progress(self, node: Node, text: str, done: int, total: int) -> None:
        """Names the step, and what it does."""
        part = f" {done}/{total}" if total else ""
        with self._lock:
            self._running[node] = f"{title(node)} {node.model}{part}"
            self._show()

    def ended(self, node: Node, seconds: float, failure: str | None) -> None:
        """Counts the step."""
        with self._lock:
            self._running.pop(node, None)
            self._done += 1
            self._show()

    def _show(self) -> None:
        running = ", ".join(self._running.values())
        self._bar.update(self._task, description=running, completed=self._done)


class Lines(Silent):
    """A line for each step that is done."""

    def __init__(self, console: Console) -> None:
        self._console, self._done, self._remaining = console, 0, 0
        self._lock = threading.Lock()

    def planned(self, nodes: int, seconds: float | None) -> None:
        """Says at first how much there is to do."""
        if self._done == self._remaining == 0 and nodes:
            self._print(plan_text(nodes, seconds))
        self._remaining = nodes

    def ended(self, node: Node, seconds: float, failure: str | None) -> None:
        """Says which step is done, and how long it took."""
        with self._lock:
            self._done += 1
            total = self._done + self._remaining - 1
            became = f"failed: {failure}" if failure is not None else duration(seconds)
            self._print(f"[{self._done}/{total}] {title(node)} of {node.model}: {became}")

    def _print(self, text: str) -> None:
        # It may quote untrusted files, whose escape sequences a terminal would obey.
        line = "".join(c if c.isprintable() else " " for c in text)
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def plan_text(nodes: int, seconds: float | None) -> str:
    """How much there is to do, in a sentence."""
    time = f", about {duration(seconds)} as they took before" if seconds else ""
    return f"At most {counted(nodes, 'step')} to run{time}."


def show_plan(nodes: Sequence[Node], executor: LocalExecutor, *, as_json: bool) -> None:
    """Print which of ``nodes`` a run would still have to do, and about how long each takes."""
    remaining = executor.look(nodes)
    took = [(title(node), node.model, executor.expected([node])) for node in remaining]
    whole = executor.expected(remaining)
    if as_json:
        steps = [{"step": step, "model": model, "seconds": s} for step, model, s in took]
        print_json({"schema": PLAN_SCHEMA, "steps": steps, "seconds": whole})
        return
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("Step", "Model", "Took before"):
        table.add_column(name)
    for step, model, seconds in took:
        table.add_row(plain(step), plain(model), "" if seconds is None else duration(seconds))
    console = Console()
    if remaining:
        console.print(table)
    console.print(plan_text(len(remaining), whole), highlight=False)


@contextmanager
def progress(console: Console) -> Iterator[Report]:
    """One line that says what is being done; nothing where standard error is no terminal."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    shown = console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not shown) as bar:
        task = bar.add_task("")

        def report(text: str, done: int, total: int) -> None:
            bar.update(task, description=text, completed=done, total=total or None)

        yield report
