"""How things are fetched."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from fqbench.errors import UsageError
from fqbench.fetch.archive import Bounds
from fqbench.fetch.catalogue import Item
from fqbench.fetch.connection import AddressError, Connection
from fqbench.fetch.download import Limits


@dataclass(frozen=True)
class Way:
    """``mirror``: an address that stands for all before a file's name in every other address.

    Raises UsageError for a mirror that cannot.
    """

    offline: bool = False
    mirror: str | None = None
    connection: Connection = field(default_factory=Connection)
    limits: Limits = field(default_factory=Limits)
    bounds: Bounds = field(default_factory=Bounds)

    def __post_init__(self) -> None:
        if self.mirror is None:
            return
        try:
            self.connection.require_allowed(self.mirror)
            parts = urlsplit(self.mirror)
        except (AddressError, ValueError) as error:
            raise UsageError(f"the mirror is not usable: {error}") from error
        if parts.query or parts.fragment:
            raise UsageError(f"the mirror {self.mirror} is not usable: a file's name follows it")

    def addresses(self, item: Item) -> tuple[str, ...]:
        """The item's addresses, or those at the mirror."""
        if self.mirror is None:
            return item.addresses
        return tuple(f"{self.mirror.rstrip('/')}/{quote(name)}" for name in item.file_names)
