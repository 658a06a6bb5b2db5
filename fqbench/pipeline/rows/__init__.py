"""Rows, from what the steps of a model's cells came to. Nothing here runs a step.

An *answered* cell is *timed* and then *compared* with others; *outcome* does all of it for a model.
"""

from fqbench.pipeline.rows.outcome import Outcome, outcome

__all__ = ["Outcome", "outcome"]
