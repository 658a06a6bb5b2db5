"""Runtimes behind one contract: supports, prepare, run."""

from fqbench.backends.base import BACKENDS, Runner, Runtime, Split, form_of, runtime

__all__ = ["BACKENDS", "Runner", "Runtime", "Split", "form_of", "runtime"]
