"""The documented margins: how much accuracy INT8 may cost, on whose word, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

from fqbench.errors import UsageError
from fqbench.spec import Margin, ModelSpec


class ModelMargin(Margin):
    """A margin of the model called ``model``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str


@dataclass(frozen=True)
class Margins:
    """All margins of one file."""

    entries: tuple[ModelMargin, ...] = ()

    def for_cell(self, spec: ModelSpec, backend: str, method: str) -> Margin | None:
        """The margin of a cell: the spec's own before the file's, the most specific first."""
        own = _best(spec.margins, backend, method)
        if own is not None:
            return own
        return _best([e for e in self.entries if e.model == spec.name], backend, method)

    def unmatched(self, models: Iterable[str]) -> tuple[str, ...]:
        """Models that the file names and that are not among ``models``."""
        known = set(models)
        return tuple(dict.fromkeys(e.model for e in self.entries if e.model not in known))


def default_margins_path() -> Path:
    """The project's own file: in the source tree, or where a built package carries it."""
    packaged = Path(__file__).parent / "margins.yaml"
    return (
        packaged if packaged.is_file() else Path(__file__).parents[1] / "conformance/margins.yaml"
    )


def load_margins(path: Path) -> Margins:
    """Read a margins file. Raises UsageError: a margin without number, source and reason does
    not load, nor do two for the same cells."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        entries = TypeAdapter(tuple[ModelMargin, ...]).validate_python(content)
    except OSError as error:
        raise UsageError(f"cannot read margins file {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{path}: entry {key}: {first['msg'].lower()}") from error
    seen = set()
    for entry in entries:
        cells = (entry.model, entry.backend, entry.method)
        if cells in seen:
            raise UsageError(f"{path}: two margins for model {entry.model}, the same cells")
        seen.add(cells)
    return Margins(entries)


def _best(margins: Iterable[Margin], backend: str, method: str) -> Margin | None:
    fitting = [m for m in margins if m.backend in (None, backend) and m.method in (None, method)]
    return max(fitting, key=lambda m: (m.backend is not None, m.method is not None), default=None)
