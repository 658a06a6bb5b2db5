"""Native code in a child process of its own: what aborts, hangs or eats memory fails alone."""

from __future__ import annotations

from fqbench.isolate.memory import SharedMemory
from fqbench.isolate.parent import Conversation, Report, call, converse
from fqbench.isolate.process import Interpreter

__all__ = ["Conversation", "Interpreter", "Report", "SharedMemory", "call", "converse"]
