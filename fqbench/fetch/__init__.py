"""Official weights and data: downloaded, checked, unpacked, pinned."""

from fqbench.fetch.catalogue import ITEMS, Item, Part, chosen_items
from fqbench.fetch.fetcher import FetchOutcome, FetchPolicy, fetch
from fqbench.fetch.progress import Listener

__all__ = [
    "ITEMS",
    "FetchOutcome",
    "FetchPolicy",
    "Item",
    "Listener",
    "Part",
    "chosen_items",
    "fetch",
]
