"""What the CPU's 8-bit products do to INT8, and what was done about it, in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fqbench.backends import backends, label_of
from fqbench.counting import counted, verb
from fqbench.methods import methods
from fqbench.precisions.own import INT8_FILE
from fqbench.report.table import method_label
from fqbench.results import Row
from fqbench.tasks.registry import metrics
from fqbench.tune.choice import EIGHT_BITS, SAFE, UNSIGNED


def sentences(rows: Sequence[Row]) -> tuple[str, ...]:
    """Whose products saturate here, then what each INT8 cell has instead."""
    probed = {row.cell.backend: row.saturates for row in rows if row.saturates is not None}
    saturating = [label_of(backend) for backend, found in probed.items() if found]
    texts = [text for row in rows for text in (*_made(row), *_given(row))]
    if saturating:
        texts.insert(
            0,
            f"8-bit products saturate here in {' and '.join(saturating)}: this CPU adds two of them"
            " in 16 bits, as CPUs without VNNI do.",
        )
    return tuple(texts)


def _made(row: Row) -> Iterator[str]:
    """Which layers have other weights, so that none saturates."""
    forms = weight_forms(row.safe_layers or 0, row.unsigned_layers or 0)
    if row.slowdown is not None or not forms or row.metric is None:
        return
    why = "their 8-bit products would saturate here"
    if row.cpu == "any":
        why = "no CPU of x86 is to saturate"
    unsigned = row.unsigned_layers or 0
    costs = weight_costs(row.weight_errors, unsigned, row.metric, any_cpu=row.cpu == "any")
    yield f"{_where(row)}: {forms}, since {why}{costs}."


def weight_forms(safe: int, unsigned: int) -> str:
    """How many layers have which other form of weights; empty where none has."""
    counts = ((safe, SAFE), (unsigned, UNSIGNED))
    return " and ".join(
        f"{counted(count, 'layer')} {verb(count, 'has', 'have')} {form}"
        for count, form in counts
        if count
    )


def weight_costs(errors: Mapping[str, float], unsigned: int, metric: str, *, any_cpu: bool) -> str:
    """What such codes cost, as far as it was estimated, to follow a sentence.

    ``unsigned``: how many layers have uint8 weights; ``any_cpu``: whether the model is made for
    others, where ``errors`` hold what 8-bit codes cost on those that do not saturate.
    """
    form = UNSIGNED if unsigned else SAFE
    if EIGHT_BITS not in errors or form not in errors or metric not in metrics():
        return ""
    before, after = (metrics()[metric].points_lost(errors[each]) for each in (EIGHT_BITS, form))
    if any_cpu:
        lost = max(after - before, 0.0)
        return f"; that costs about {lost:.2f} points where 8-bit codes would do, as estimated"
    return f"; as estimated, they lose about {after:.2f} points, 8-bit codes {before:.2f}"


def _given(row: Row) -> Iterator[str]:
    """How many layers of a file that was made elsewhere saturate here, and what that costs."""
    if row.saturating_layers:
        scores = ""
        if row.accuracy is not None and row.accuracy_exact is not None:
            scores = (
                f"; it scores {row.accuracy:.2f}, {row.accuracy_exact:.2f} without (ONNX Runtime's"
                " session option session.x64quantprecision)"
            )
        yield (
            f"{_where(row)}, {_file(row)}: {row.saturating_layers} of {row.integer_layers}"
            f" integer layers saturate here{scores}."
        )
    elif (_is_given(row) or _is_whole(row)) and row.saturates and not _counted(row):
        yield (
            f"{_where(row)}, {_file(row)}: its 8-bit products may saturate here; fqbench"
            " counts them in ONNX Runtime's files only."
        )


def _is_whole(row: Row) -> bool:
    """Whether the INT8 model came whole from its method, which is here, and was not lowered."""
    made = methods().get(row.method or "")
    return made is not None and made.yields == "model"


def _is_given(row: Row) -> bool:
    return row.cell.precision == INT8_FILE.name


def _file(row: Row) -> str:
    return "the file as given" if _is_given(row) else f"the file of {method_label(row.method)}"


def _counted(row: Row) -> bool:
    """Whether saturating layers of a file can be counted, of a backend that is here."""
    known = backends().get(row.cell.backend)
    return known is not None and known.saturates == "counted"


def _where(row: Row) -> str:
    return f"{row.cell.model} on {label_of(row.cell.backend)}"
