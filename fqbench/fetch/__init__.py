"""Official weights and data: found at their addresses, checked, unpacked, pinned."""

from fqbench.fetch.catalogue import ITEMS, Item, Part, chosen_items
from fqbench.fetch.delivery import Outcome, fetch
from fqbench.fetch.listener import Listener
from fqbench.fetch.way import Way

__all__ = ["ITEMS", "Item", "Listener", "Outcome", "Part", "Way", "chosen_items", "fetch"]
