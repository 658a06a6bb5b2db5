"""The errors a person is meant to read: one sentence each, never a traceback."""

from __future__ import annotations


class FqbenchError(Exception):
    """What happened, where, and what to do about it, in one sentence."""


class UsageError(FqbenchError):
    """A spec, an option or a file is not usable; found before any work starts. Exit code 2."""


class StepError(FqbenchError):
    """A step of one cell failed while it ran; other cells go on. The cell's row carries it."""


class MemoryExceeded(StepError):  # noqa: N818
    """A child used more memory than it may, maybe only for what ran beside it."""


class Interrupted(StepError):  # noqa: N818
    """A step was stopped since the run ends."""
