"""The precisions there are: entry points of the group ``fqbench.precisions``, ours as anybody's."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from fqbench import plugins
from fqbench.errors import UsageError
from fqbench.precisions.own import VARIANTS
from fqbench.precisions.record import Precision

GROUP = "fqbench.precisions"
"""The group of entry points that precisions are found by."""


@cache
def precisions() -> Mapping[str, Precision]:
    """What every model has, where the backend runs it: the baseline, then those of most bits.

    Raises UsageError as ``plugins.load``, and where two are the baseline.
    """
    found = plugins.load(GROUP, Precision)
    for each in VARIANTS:
        if each.name in found:
            raise UsageError(
                f"the precision {each.name!r} of a package has the name of a form of INT8 that is"
                " fqbench's own: uninstall the package"
            )
    baselines = [name for name, each in found.items() if each.baseline]
    if len(baselines) != 1:
        raise UsageError(
            f"the precisions {', '.join(baselines) or '(none)'} call themselves the baseline,"
            " expected one: uninstall the package of the others"
        )
    order = sorted(found.values(), key=lambda each: (not each.baseline, -each.weights.bits))
    return {each.name: each for each in order}


def find_precision(name: str) -> Precision | None:
    """The precision of that name, or form of INT8; None where no package that is here has it."""
    variants = {each.name: each for each in VARIANTS}
    return variants.get(name) or precisions().get(name)


def precision(name: str) -> Precision:
    """As ``find_precision``. Raises UsageError where there is none."""
    found = find_precision(name)
    if found is None:
        known = ", ".join(precisions())
        raise UsageError(f"there is no precision {name!r}: the precisions are {known}")
    return found


def baseline() -> Precision:
    """The one that all others are compared with."""
    return next(each for each in precisions().values() if each.baseline)


def label_of(name: str) -> str:
    """What reports call a precision; its name where results are of one that is not there."""
    found = find_precision(name)
    return name.upper() if found is None else found.label
