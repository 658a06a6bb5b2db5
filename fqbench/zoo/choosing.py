"""Which models are meant by names, of the zoo and of spec files."""

from __future__ import annotations

from collections.abc import Sequence

from fqbench import zoo
from fqbench.errors import UsageError


def zoo_names(models: Sequence[str] | None) -> tuple[str, ...]:
    """The models of the zoo that are meant. Raises UsageError for an unknown name."""
    known = zoo.known_names()
    chosen = chosen_names(models, (*known, *zoo.GROUPS), zoo.embedded_names())
    for group, names in zoo.GROUPS.items():
        if group in chosen:
            chosen.update(names())
    return tuple(name for name in known if name in chosen)


def beside_zoo(
    models: Sequence[str] | None, own: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of the models of spec files, ``own``, and of the zoo, those that ``models`` means.

    Names of the zoo come beside those of ``own``; where none of these is named, all are meant. A
    name that both have is that of the file. Raises UsageError for a name that neither has.
    """
    known = (*own, *zoo.known_names(), *zoo.GROUPS)
    named = chosen_names(models, known, own)
    further = [name for name in models or () if name not in own]
    of_zoo = zoo_names(further) if further else ()
    mine = tuple(name for name in own if name in named)
    return mine or tuple(own), tuple(name for name in of_zoo if name not in own)


def chosen_names(
    models: Sequence[str] | None, known: Sequence[str], default: Sequence[str]
) -> set[str]:
    """``models``, or the ``default``. Raises UsageError for a name that is not ``known``."""
    for name in models or ():
        if name not in known:
            raise UsageError(
                f"there is no model {name!r}: the models are {', '.join(sorted(known))}"
            )
    return set(models or default)
