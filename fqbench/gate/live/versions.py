"""Two versions of a repository compared: checked out, built, timed and judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from fqbench import isolate, plugins
from fqbench.counting import verb
from fqbench.errors import StepError, UsageError
from fqbench.gate.live.built_version import BuiltVersion, read_built
from fqbench.gate.live.comparison import BASE, HEAD, ComparisonSettings, compare_live
from fqbench.gate.live.environment import check_fqbench, interpreter, own_modules
from fqbench.gate.live.worktrees import Checkout, PathMapping, checked_out, map_path, repository
from fqbench.gate.side import ENTRY_POINT, Matrix
from fqbench.gate.verdict import GateReport
from fqbench.hardware import memory_mb
from fqbench.jsonvalue import Json
from fqbench.methods import check_offered
from fqbench.steps.observer import Progress

BUILD_S = 6 * 3600.0


@dataclass(frozen=True)
class Version:
    """A side: a git ref, and what it runs in; see ``environment.interpreter``."""

    ref: str
    python: Path | None = None


@dataclass(frozen=True)
class _Side:
    """A version that can be built: ``name`` is BASE or HEAD."""

    name: str
    checkout: Checkout
    python: isolate.Interpreter


def compare_versions(
    base: Version,
    head: Version,
    matrix: Matrix,
    settings: ComparisonSettings,
    *,
    install: str | None,
    cache: Path,
    progress: Progress,
) -> GateReport:
    """Compare two versions of the repository that the current folder is in.

    ``cache``: where environments and artifacts are kept. Raises UsageError where nothing can be
    compared: a version, its environment or a path is not there, or BASE cannot be built. Raises
    StepError where HEAD crashes while it is built.
    """
    root = repository(Path.cwd())
    ran_here = install is None and base.python is None and head.python is None
    if ran_here and not own_modules(root):
        # Elsewhere there may be other names than here.
        matrix.selection.check()
        check_offered(matrix.method)
    with ExitStack() as stack:
        checkouts = [stack.enter_context(checked_out(root, each.ref)) for each in (base, head)]
        mappings = {path: map_path(path, root, checkouts) for path in _paths(matrix)}
        sides = []
        for name, version, checkout in zip((BASE, HEAD), (base, head), checkouts, strict=True):
            progress(f"{name.upper()}: environment", 0, 0)
            python = interpreter(
                checkout, python=version.python, install=install, root=cache / "environments"
            )
            check_fqbench(python, f"{name.upper()} ({checkout.label})")
            sides.append(_Side(name, checkout, python))
        built = []
        for number, side in enumerate(sides):
            own = {path: found.sides[number] for path, found in mappings.items()}
            arguments = matrix.arguments(
                side.name, cache / "artifacts", settings.threads, own.__getitem__
            )
            built.append(_build(side, arguments, progress))
        _check_names(*built)
        report = compare_live(built[0], built[1], settings, progress)
    found = (*_shared_paths(mappings), *(_shared_packages(root) if ran_here else ()))
    return replace(report, cautions=(*report.cautions, *found))


def _check_names(base: BuiltVersion, head: BuiltVersion) -> None:
    """Raise UsageError for a name that was asked for and that neither version has."""
    for dimension, names in base.left_out.items():
        for name in names:
            if name in head.left_out.get(dimension, ()):
                raise UsageError(
                    f"neither BASE ({base.label}) nor HEAD ({head.label}) has {name!r} among its"
                    f" {dimension}"
                )


def _paths(matrix: Matrix) -> tuple[Path, ...]:
    root = () if matrix.data_root is None else (matrix.data_root,)
    return (*matrix.specs, *root)


def _shared_paths(mappings: Mapping[Path, PathMapping]) -> Iterable[str]:
    names = [str(path) for path, found in mappings.items() if found.shared]
    if names:
        they_are = f"{', '.join(names)} {verb(len(names), 'is', 'are')}"
        yield f"{they_are} in neither version: both used that of the working tree."


def _shared_packages(root: Path) -> Iterable[str]:
    """Packages of the working tree that no version could run its own code of."""
    if own_modules(root):
        return
    for name, files in plugins.code().items():
        if any(path.resolve().is_relative_to(root) for path in files.values()):
            yield (
                f"The package {name} is installed from the working tree, and both versions ran that"
                " code of it: --install gives each its own."
            )


def _build(side: _Side, arguments: Mapping[str, Json], progress: Progress) -> BuiltVersion:
    name = side.name.upper()
    try:
        answer = isolate.call(
            ENTRY_POINT,
            arguments,
            timeout_s=BUILD_S,
            memory=isolate.SharedMemory(memory_mb()),
            on_progress=lambda done, total, text="": progress(f"{name}: {text}", done, total),
            name=f"building {name} ({side.checkout.label})",
            interpreter=side.python,
        )
    except StepError as error:
        # A HEAD that crashes is worse than BASE; without BASE nothing can be compared.
        if side.name == BASE:
            raise UsageError(str(error)) from error
        raise
    return read_built(side.checkout.label, answer, side.python)
