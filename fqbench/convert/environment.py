"""Where programs of Paddle are read, written, executed and trained."""

PROGRAMS = "paddle"
"""The environment that has what does it."""
