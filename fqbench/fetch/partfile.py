"""A download that is not finished: its bytes so far, and beside them what they are part of."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError

from fqbench.results import write_text


class Origin(BaseModel):
    """What the server said of the file as the download began. ``total``: its size in bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str
    etag: str | None
    last_modified: str | None
    total: NonNegativeInt | None

    @property
    def validator(self) -> str | None:
        """What If-Range may carry: a strong ETag, else the date; a weak ETag may not."""
        if self.etag is not None and not self.etag.startswith("W/"):
            return self.etag
        return self.last_modified


@dataclass(frozen=True)
class PartFile:
    """The two files beside ``target``, the file to be."""

    target: Path

    @property
    def path(self) -> Path:
        """The bytes so far."""
        return self.target.with_name(f"{self.target.name}.part")

    @property
    def _note(self) -> Path:
        return self.target.with_name(f"{self.target.name}.part.json")

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def origin(self, address: str) -> Origin | None:
        """What the bytes are part of; None where they cannot be gone on with from ``address``."""
        try:
            origin = Origin.model_validate_json(self._note.read_bytes())
        except (OSError, ValidationError):
            return None
        usable = origin.address == address and origin.validator is not None and self.size > 0
        too_long = origin.total is not None and self.size > origin.total
        return origin if usable and not too_long else None

    def note(self, origin: Origin) -> None:
        """Write down what the bytes are part of."""
        write_text(self._note, origin.model_dump_json() + "\n")

    def drop(self) -> None:
        """Take both files away."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def finish(self) -> None:
        """Make the bytes the target, once they are on the disk."""
        with self.path.open("ab") as stream:
            os.fsync(stream.fileno())
        os.replace(self.path, self.target)
        self._note.unlink(missing_ok=True)
