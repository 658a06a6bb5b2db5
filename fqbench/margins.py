"""The documented margins: how much accuracy INT8 may cost, on whose word, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from fqbench.backends import lowering_target
from fqbench.errors import UsageError
from fqbench.spec import Margin, ModelSpec
from fqbench.spec.mistake import sentence
from fqbench.spec.yamlfile import read_yaml


class ModelMargin(Margin):
    """A margin of the model called ``model``.

    ``published``: the drop in points that others published for the same cells, where they did.
    """

    model: str
    published: Annotated[float, Field(ge=0)] | None = None


_ENTRIES = TypeAdapter(list[ModelMargin])


@dataclass(frozen=True)
class Margins:
    """All margins of one file."""

    entries: tuple[ModelMargin, ...] = ()

    def for_cell(self, spec: ModelSpec, backend: str, method: str) -> Margin | None:
        """The margin of a cell: the spec's own before the file's, the most specific first.

        An entry that names the backend is more specific than one that names the method. Those of
        a backend hold for others that run the same INT8 form.
        """
        backend = lowering_target(backend)
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
    parents = Path(__file__).parents
    packaged = parents[0] / "suites/conformance/margins.yaml"
    return packaged if packaged.is_file() else parents[1] / "conformance/margins.yaml"


def load_margins(path: Path) -> Margins:
    """Read a margins file.

    Raises UsageError: a margin without number, source and reason does not load, nor do two for
    the same cells.
    """
    content = read_yaml(path, "margins file")
    if not isinstance(content, list):
        raise UsageError(f"{path}: expected a list with an entry for each margin")
    try:
        entries = _ENTRIES.validate_python(content, strict=True)
    except ValidationError as error:
        found = sentence(error.errors()[0], _ENTRIES.json_schema())
        raise UsageError(f"{path}: {found}") from error
    seen = set()
    for entry in entries:
        cells = (entry.model, entry.backend, entry.method)
        if cells in seen:
            raise UsageError(
                f"{path}: two margins for model {entry.model}, the same cells: take one of them out"
            )
        seen.add(cells)
    return Margins(tuple(entries))


def _best(margins: Iterable[Margin], backend: str, method: str) -> Margin | None:
    fitting = [m for m in margins if m.backend in (None, backend) and m.method in (None, method)]
    return max(fitting, key=lambda m: (m.backend is not None, m.method is not None), default=None)
