"""What ``fqbench best`` says: the table of candidates, the winner, and what the others lack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from fqbench.best.entry import Entry, Found
from fqbench.best.front import Budget, Limit, excess, faster, proven, standings, verdict
from fqbench.counting import counted, verb
from fqbench.measure.drop import with_interval, word
from fqbench.measure.margin import images_needed
from fqbench.measure.stats import Interval
from fqbench.report.plain import plain
from fqbench.report.short import show_all, show_notes
from fqbench.report.tradeoff import show_tradeoff
from fqbench.tune.choice import ACCURACY, SPEED

NOTHING = "-"

COLUMNS = ("Candidate", "Accuracy", "Drop", "ms", "MB", "x float", "x FP32", "")

NUMBERS = frozenset(COLUMNS[1:-1])

UNITS: dict[Limit, str] = {"drop": "points", "ms": "ms", "size": "MB"}

TELLING = 0.5
"""The part of the time in layers that gain nothing from which on that is why nothing is gained."""

MEANING = (
    "Drop: points lost against FP32 on the same images, negative where they are gained; FP32 loses"
    " nothing, by definition. In"
    " brackets: 95 % confidence intervals. x float: how many times as fast as the fastest"
    " float of any runtime here, x FP32: as FP32 of the same runtime; timed in turns, in one"
    " group. *: on the front: no other is certainly faster, as accurate and as small.",
    "Files are made by calibration images alone; the evaluated images only choose among finished"
    " files.",
)


def show(found: Found, images: int | None, console: Console, *, verbose: bool) -> None:
    """Print table, winner, runner-up and notes; ``images``: how many were evaluated.

    ``verbose``: all notes, and what layers cost.
    """
    lines = [line(found, entry) for entry in ordered(found)]
    whole = _table(lines)
    unlimited = console.options.update(max_width=10_000)
    fits = console.measure(whole, options=unlimited).maximum <= console.width
    console.print(whole if fits else _table([tuple(map(_short, texts)) for texts in lines]))
    console.print()
    for sentence in sentences(found, images):
        console.print(plain(sentence))
    took = () if found.seconds is None else (f"Found in {found.seconds:.0f} s.",)
    if not verbose:
        said = (*MEANING, *took, *notes(found))
        show_notes(said, console, there_are=len(said))
        return
    show_all(tuple(notes(found)), console)
    for trade in found.trades:
        show_tradeoff(found, trade, console)
    show_all((*took, *MEANING), console)


def _table(lines: Sequence[Sequence[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for name in COLUMNS:
        table.add_column(name, overflow="fold", justify="right" if name in NUMBERS else "left")
    for texts in lines:
        table.add_row(*map(plain, texts))
    return table


def _short(text: str) -> str:
    """A value without its interval, where the terminal is narrow: sentences have the winner's."""
    return text.partition(" (")[0]


def ordered(found: Found) -> list[Entry]:
    """Those that were timed, the fastest first."""
    timed = [each for each in found.entries if each.ms is not None]
    return sorted(timed, key=lambda each: each.pace.value if each.pace is not None else 0.0)


def line(found: Found, entry: Entry) -> tuple[str, ...]:
    """The texts of an entry, by ``COLUMNS``."""
    if entry.name == found.winner:
        state = "winner"
    elif entry.why is not None:
        state = "cannot win"
    elif entry.figures is not None:
        state = _held(entry, found.budget)
    else:
        state = ""
    mark = "*" if entry.name in found.front else ""
    return (
        f"{entry.candidate.label}{mark}",
        NOTHING if entry.accuracy is None else f"{entry.accuracy:.2f}",
        _drop(entry),
        NOTHING if entry.ms is None else _ms(entry.ms),
        NOTHING if entry.size is None else f"{entry.size:.2f}",
        _ratio(entry.to_float, is_it=entry.name == found.best_float),
        _ratio(entry.to_fp32, is_it=entry.candidate.is_fp32),
        state,
    )


def sentences(found: Found, images: int | None) -> Iterator[str]:
    """The answer: what to ship, and what the runner-up lacks; or what comes nearest."""
    asked = budget_text(found.budget)
    if found.winner is None:
        if found.nearest is None:
            yield f"Nothing runs inside {asked}."
            return
        near = found.entry(found.nearest)
        yield f"Nothing is known to be inside {asked}. Nearest comes {told(near)}: " + (
            "; ".join(_by_how_much(near, found.budget, images)) + "."
        )
        return
    winner = found.entry(found.winner)
    yield f"Ship {told(winner)}: {_superlative(found.budget)} inside {asked}."
    yield from _unproven(found.budget, winner, images)
    if winner.candidate.is_float:
        yield from _why_float(found, winner)
    elif winner.to_float is not None and found.best_float is not None:
        best = found.entry(found.best_float).candidate.label
        yield f"It is {_times(winner.to_float)} as fast as the best float here ({best})."
    if found.second is not None:
        yield _lacks(found, winner, found.entry(found.second), images)


def _unproven(budget: Budget, winner: Entry, images: int | None) -> Iterator[str]:
    """That the winner's drop is inside as measured only, where that is so."""
    figures = winner.figures
    if figures is None or figures.drop is None or budget.drop is None or proven(figures, budget):
        return
    text = (
        f"Its drop is inside as measured; the interval ends {figures.drop.high - budget.drop:.2f}"
        " points beyond"
    )
    needed = images_needed(figures.drop, budget.drop, images) if images else None
    if needed is not None:
        text += f": about {needed} images instead of {images} would tell, were the drop the same"
    yield f"{text}. --judge interval ships only what is known to be inside."


def notes(found: Found) -> Iterator[str]:
    """Candidates that did not come to the end, each with why."""
    for entry in found.entries:
        if entry.why is not None:
            yield f"{entry.candidate.label}: {entry.why}"


def told(entry: Entry) -> str:
    """A candidate with its figures in brackets."""
    parts = [] if entry.ms is None else [f"{_ms(entry.ms)} ms"]
    if entry.candidate.is_fp32:
        parts.append("drop 0 by definition")
    elif entry.drop is not None:
        parts.append(f"{word(entry.drop.value)} {with_interval(entry.drop)} points")
    if entry.accuracy is not None:
        parts.append(f"accuracy {entry.accuracy:.2f}")
    if entry.size is not None:
        parts.append(f"{entry.size:.2f} MB")
    return f"{entry.candidate.label} ({', '.join(parts)})"


def budget_text(budget: Budget) -> str:
    """``a drop of 0.5 points, 10 ms``."""
    names: dict[Limit, str] = {"drop": "a drop of ", "ms": "", "size": ""}
    listed = [f"{names[name]}{limit:g} {UNITS[name]}" for name, limit in budget.limits().items()]
    return "the budget of " + ", ".join(listed)


def _superlative(budget: Budget) -> str:
    return "the fastest" if budget.drop is not None else "the one that loses least"


def _why_float(found: Found, winner: Entry) -> Iterator[str]:
    """That no quantized file is faster, where that is so, and what is known of why."""
    quantized = [each.ms for each in found.entries if not each.candidate.is_float]
    if winner.ms is None or not quantized:
        return
    if any(ms is not None and ms.value < winner.ms.value for ms in quantized):
        return
    yield "Float is faster here than INT8."
    for entry in found.entries:
        text = _gains_nothing(entry)
        if text is not None:
            yield f"{entry.candidate.label}: {text}."


def _gains_nothing(entry: Entry) -> str | None:
    """What part of the time is in layers that are no faster in INT8, where it was measured."""
    if entry.choice is None:
        return None
    known = [each for each in entry.choice.layers if each.fp32_ms is not None]
    total = sum(each.fp32_ms or 0.0 for each in known)
    if not total:
        return None
    slow = {name for name, why in entry.choice.float_layers.items() if why == SPEED}
    kept = {name for name, why in entry.choice.float_layers.items() if why == ACCURACY}
    gained = [
        each
        for each in known
        if each.name not in slow
        and each.int8_ms is not None
        and each.int8_ms < (each.fp32_ms or 0.0)
    ]
    share = 1 - sum(each.fp32_ms or 0.0 for each in gained) / total
    if share < TELLING:
        return None
    also = (
        f"; {counted(len(kept), 'layer')} {verb(len(kept), 'stays', 'stay')} in float for accuracy"
        if kept
        else ""
    )
    return f"{100 * share:.0f} % of FP32's time is in layers that INT8 does not make faster{also}"


def _lacks(found: Found, winner: Entry, second: Entry, images: int | None) -> str:
    """What the runner-up lacks."""
    opening = f"Runner-up: {told(second)}"
    figures = second.figures
    if figures is None or verdict(figures, found.budget) != "inside":
        missing = "; ".join(_by_how_much(second, found.budget, images))
        return f"{opening}: {missing}."
    first = winner.figures
    if first is None:
        return f"{opening}."
    if found.budget.drop is None and first.drop is not None and figures.drop is not None:
        more = max(figures.drop.value, 0.0) - max(first.drop.value, 0.0)
        if more > 0:
            return f"{opening}: as measured, it loses {more:.2f} points more."
    if faster(first, figures):
        times = figures.pace.value / first.pace.value
        text = f"{100 * (times - 1):.0f} % longer" if times < 2 else f"{times:.1f} times as long"
        return f"{opening}: it takes {text}."
    return f"{opening}: its time is not known to differ from the winner's."


def _by_how_much(entry: Entry, budget: Budget, images: int | None) -> Iterator[str]:
    """What is not inside, and by how much."""
    figures = entry.figures
    if figures is None:
        return
    held = standings(figures, budget)
    for name, by in excess(figures, budget).items():
        limit, found, unit = budget.limits()[name], figures.of(name), UNITS[name]
        if found is None:
            yield f"its drop was not measured, so whether it is at most {limit:g} is not known"
        elif held[name] == "outside":
            over = found.value - limit
            what = {"drop": "loses", "ms": "takes", "size": "has"}[name]
            yield f"it {what} {over:.2f} {unit} more than {limit:g}"
        else:
            text = (
                f"whether its {'drop' if name == 'drop' else 'time'} is at most {limit:g} {unit} is"
                f" not known: the interval ends {by:.2f} {unit} beyond"
            )
            if name == "drop" and images:
                needed = images_needed(found, limit, images)
                if needed is not None:
                    text += (
                        f"; about {needed} images instead of {images} would tell, were the drop the"
                        " same"
                    )
            yield text


def _held(entry: Entry, budget: Budget) -> str:
    assert entry.figures is not None
    found = standings(entry.figures, budget)
    for held in ("outside", "not known"):
        listed = [name for name, each in found.items() if each == held]
        if listed:
            return f"{held}: {', '.join(listed)}"
    return "inside"


def _drop(entry: Entry) -> str:
    if entry.candidate.is_fp32:
        return "0"
    return NOTHING if entry.drop is None else _interval(entry.drop)


def _ms(found: Interval) -> str:
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def _interval(found: Interval) -> str:
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def _times(found: Interval) -> str:
    return f"{found.value:.2f} times ({found.low:.2f} to {found.high:.2f})"


def _ratio(found: Interval | None, *, is_it: bool) -> str:
    if is_it:
        return "1"
    return NOTHING if found is None else _interval(found)
