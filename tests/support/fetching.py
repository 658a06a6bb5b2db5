"""Fetches in a process of its own, slowly where asked, so that it can be killed or met by another.

``python -m tests.support.fetching ROOT ADDRESS PAUSE_S``
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from fqbench.fetch import FetchPolicy, Item, Part, fetch
from fqbench.fetch.connection import Connection
from fqbench.fetch.download import Limits

PLAIN = FetchPolicy(
    connection=Connection(schemes=("http",), connect_s=2.0, read_s=5.0),
    limits=Limits(pause_s=0.0),
)
"""As fetching is, but not encrypted and in no need of patience."""


def archived(*addresses: str) -> Item:
    """A model in an archive."""
    part = Part("models/tiny_infer", one=("*.pdmodel", "*.pdiparams"))
    return Item("tiny", addresses, (part,), terms="none")


class Slow:
    def __init__(self, pause_s: float) -> None:
        self.pause_s = pause_s

    def say(self, text: str) -> None:
        print(text, flush=True)

    def progress(self, text: str, done: int, total: int | None) -> None:
        time.sleep(self.pause_s)


def main() -> None:
    root, address, pause_s = sys.argv[1:]
    for outcome in fetch([archived(address)], Path(root), Slow(float(pause_s)), PLAIN):
        print(outcome.is_there, outcome.text, flush=True)


if __name__ == "__main__":
    main()
