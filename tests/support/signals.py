"""Signals of processes that tests start."""

import signal


def heed_interrupts() -> None:
    """Let a process that is about to start heed SIGINT, which jobs in the background ignore."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
