"""Runtimes behind one record each: what they are, how they run, how INT8 is lowered for them."""

from fqbench.backends.base import Runner, Runtime, Split
from fqbench.backends.record import Backend, Conversion, Int8Form
from fqbench.backends.registry import (
    backend,
    backends,
    int8_form,
    label_of,
    lowering_target,
    runtime,
    unversioned,
)

__all__ = [
    "Backend",
    "Conversion",
    "Int8Form",
    "Runner",
    "Runtime",
    "Split",
    "backend",
    "backends",
    "int8_form",
    "label_of",
    "lowering_target",
    "runtime",
    "unversioned",
]
