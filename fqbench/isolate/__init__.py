"""Native code in a child process of its own: what aborts, hangs or eats memory fails alone."""

from __future__ import annotations

from fqbench.isolate.memory import SharedMemory
from fqbench.isolate.parent import Conversation, Report, alone, call, converse
from fqbench.isolate.process import Interpreter
from fqbench.isolate.turns import SharedMachine

__all__ = [
    "Conversation",
    "Interpreter",
    "Report",
    "SharedMachine",
    "SharedMemory",
    "alone",
    "call",
    "converse",
]
