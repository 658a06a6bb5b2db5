"""The lock file: what each item was when first fetched, which it must be ever after."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import yaml
from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from fqbench.errors import UsageError
from fqbench.fetch.install import SHA256, Content
from fqbench.fileio import write_text
from fqbench.spec.yamlfile import read_yaml

NAME = "fqbench.lock"

_HEAD = (
    "# Written by fqbench fetch: what came first is what is accepted later.\n"
    "# To accept other content of an item, take its entry out.\n"
)


class File(BaseModel):
    """The file that was fetched. ``address``: None where it was found among the downloads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    address: str | None
    size: NonNegativeInt
    sha256: str = Field(pattern=SHA256)


class Pin(BaseModel):
    """What is accepted of an item. ``file``: None where it was placed unpacked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: File | None
    content: Content
    date: datetime


class LockFile:
    """``fqbench.lock`` under the data root; any number of processes may write it."""

    def __init__(self, root: Path, guards: Path) -> None:
        self.path = root / NAME
        self._guard = guards / f".{NAME}.guard"

    def pins(self) -> dict[str, Pin]:
        """All entries by item. Raises UsageError where the file is not what was written."""
        if not self.path.exists():
            return {}
        content = read_yaml(self.path, "lock file")
        if content is None:
            return {}
        if not isinstance(content, dict):
            raise UsageError(f"{self.path}: expected an entry for each item")
        return {name: self._pin(name, entry) for name, entry in content.items()}

    def add(self, name: str, pin: Pin) -> None:
        """Write an entry, in place of the one that may be there."""
        with FileLock(self._guard):
            entries = {**self.pins(), name: pin}
            plain = {key: entries[key].model_dump() for key in sorted(entries)}
            write_text(self.path, _HEAD + yaml.safe_dump(plain, sort_keys=False, width=1000))

    def _pin(self, name: str, entry: object) -> Pin:
        try:
            return Pin.model_validate(entry)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join([name, *(str(key) for key in first["loc"])])
            raise UsageError(
                f"{self.path}, {place}: {first['msg']}; take the entry out to have it written again"
            ) from error
