"""Precisions behind one record each: the numbers that cells compute with."""

from fqbench.precisions.record import CHOSEN, Number, Precision
from fqbench.precisions.registry import (
    baseline,
    find_precision,
    label_of,
    precision,
    precisions,
)

__all__ = [
    "CHOSEN",
    "Number",
    "Precision",
    "baseline",
    "find_precision",
    "label_of",
    "precision",
    "precisions",
]
