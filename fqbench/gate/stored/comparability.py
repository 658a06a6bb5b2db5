"""Whether two sides are comparable: measured on the same machine, versions, data and method."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from fqbench import machine as this_machine
from fqbench.backends import backends
from fqbench.cells import DEVICES
from fqbench.gate.records import Machine, Row, StoredResults
from fqbench.graph.executor import LIBRARY

LIBRARIES = (LIBRARY, "paddlepaddle", "numpy")
"""Those whose version decides how long an inference takes, or what it predicts, of any cell."""

SHOWN_DIGITS = 12
"""Of a digest: enough to distinguish two."""

_FACTS: tuple[tuple[str, Callable[[Machine], object]], ...] = (
    ("cores", lambda machine: machine.cpu.cores),
    ("usable cores", lambda machine: machine.cpu.usable_cores),
    ("threads", lambda machine: machine.threads),
)

_GPU_FACTS: tuple[tuple[str, Callable[[Machine], object]], ...] = (
    ("GPU", lambda machine: machine.gpu.name),
    ("GPU driver", lambda machine: machine.gpu.driver),
)

_ROWS: tuple[tuple[str, Callable[[Row], object]], ...] = (
    ("processes bound to cores", lambda row: row.pinned),
    ("images at once", lambda row: row.batch),
    ("data set", lambda row: row.dataset),
    ("images", lambda row: row.hashes.get("images")),
    ("labels", lambda row: row.hashes.get("truth")),
    ("calibration images", lambda row: row.hashes.get("calibration")),
    ("method", lambda row: row.method),
    ("weights", lambda row: row.weights),
)


def differences(base: StoredResults, head: StoredResults) -> tuple[str, ...]:
    """What keeps ``head`` from being compared with ``base``, each in a few words."""
    return (
        *machine_differences(
            base.machine, head.machine, [row.cell for row, _ in _shared_rows(base, head)]
        ),
        *_row_differences(base, head),
    )


def machine_differences(base: Machine, head: Machine, cells: Collection[str]) -> Iterator[str]:
    """Those of machines and versions that ``cells``, by their ids, depend on.

    A fact that only one side knows is a difference.
    """
    on_gpu = any("-gpu-" in cell for cell in cells)
    used = (b for b in backends().values() if any(f"-{b.name}-" in cell for cell in cells))
    own = [library for b in used for library in b.distributions if library not in LIBRARIES]
    if any(map(_is_of_unknown_backend, cells)):
        own += _unknown_libraries(base, head)
    if (found := _pair(base.cpu.model, head.cpu.model)) is not None:
        yield f"CPU {found}"
    yield from _isa_differences(base.cpu.isa, head.cpu.isa)
    for name, fact in (*_FACTS, *(_GPU_FACTS if on_gpu else ())):
        if (found := _pair(fact(base), fact(head))) is not None:
            yield f"{name} {found}"
    for name in (*LIBRARIES, *own):
        if (found := _pair(base.versions.get(name), head.versions.get(name))) is not None:
            yield f"{name} {found}"
    if (found := _pair(_python(base), _python(head))) is not None:
        yield f"python {found}"
    for environment in base.environments.keys() & head.environments.keys():
        one, other = base.environments[environment], head.environments[environment]
        for name in sorted({*one, *other} - {"fqbench"}):
            if (found := _pair(one.get(name), other.get(name))) is not None:
                yield f"{name} of the environment {environment} {found}"


def _is_of_unknown_backend(cell: str) -> bool:
    """Whether a cell of fqbench is of a backend that is not installed here."""
    _, *parts = cell.rsplit("-", 3)
    return len(parts) == 3 and parts[1] in DEVICES and parts[0] not in backends()


def _unknown_libraries(*machines: Machine) -> list[str]:
    """Libraries of the machines that are none of fqbench, nor of a backend that is here.

    A backend that is not here depends on some of them: which ones its record would say.
    """
    own = {"fqbench", "python", *this_machine.LIBRARIES}
    of_backends = {library for b in backends().values() for library in b.distributions}
    return sorted({name for each in machines for name in each.versions} - own - of_backends)


def _isa_differences(base: tuple[str, ...] | None, head: tuple[str, ...] | None) -> Iterator[str]:
    if base is None or head is None:
        if base != head:
            yield f"{'BASE' if base is None else 'HEAD'} does not name its instruction sets"
        return
    for side, other, name in ((base, head, "HEAD"), (head, base, "BASE")):
        missing = [flag for flag in side if flag not in other]
        if missing:
            yield f"{name} lacks the instruction sets {', '.join(missing)}"


def _row_differences(base: StoredResults, head: StoredResults) -> Iterator[str]:
    """Those of data and method, each once with its models.

    A fact that a side does not know is no difference: times do not depend on it, and accuracies
    are not compared without it.
    """
    models: dict[str, list[str]] = {}
    for one, other in _shared_rows(base, head):
        for name, fact in _ROWS:
            facts = fact(one), fact(other)
            if None not in facts and (found := _pair(*facts)) is not None:
                models.setdefault(f"{name} {found}", []).append(one.model or one.cell)
    for difference, names in models.items():
        yield f"{difference} ({', '.join(dict.fromkeys(names))})"


def _shared_rows(base: StoredResults, head: StoredResults) -> Iterable[tuple[Row, Row]]:
    ours, theirs = base.runs[0].by_cell, head.runs[0].by_cell
    pairs = ((row, theirs[cell]) for cell, row in ours.items() if cell in theirs)
    return (pair for pair in pairs if all(row.status == "ok" for row in pair))


def _python(machine: Machine) -> str | None:
    version = machine.versions.get("python")
    return None if version is None else ".".join(version.split(".")[:2])


def _pair(base: object, head: object) -> str | None:
    """Both values, where they differ; an unknown one differs from any other."""
    if base == head:
        return None
    return f"{_shown(base)} (BASE) and {_shown(head)} (HEAD)"


def _shown(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    is_digest = len(text) == 64 and all(letter in "0123456789abcdef" for letter in text)
    return text[:SHOWN_DIGITS] if is_digest else text
