"""Runtimes behind one contract: supports, prepare, run."""

from fqbench.backends.base import BACKENDS, Runner, Runtime, Split, runtime

__all__ = ["BACKENDS", "Runner", "Runtime", "Split", "runtime"]
