"""Numbers of things in words: ``1 cell``, ``2 cells``."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """A number with its noun, which takes an s as its plural."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def verb(number: int, one: str, many: str) -> str:
    """The verb of so many: ``one`` of a single thing, else ``many``."""
    return one if number == 1 else many


def measured(number: float, unit: str) -> str:
    """A quantity in a unit, which takes an s as its plural: ``1 point``, ``0.5 points``."""
    return f"{number:g} {unit}" if number == 1 else f"{number:g} {unit}s"
