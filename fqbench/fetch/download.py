"""A file from one address: resumed where it was interrupted, and checked to be of its full size."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError

from fqbench.fetch.connection import AddressError, Connection, TransferInterruptedError, body
from fqbench.fetch.progress import Report, megabytes, require_space
from fqbench.fileio import write_text

_RANGE = re.compile(r"bytes (?P<start>\d{1,18})-\d{1,18}/(?P<total>\d{1,18}|\*)")


@dataclass(frozen=True)
class Limits:
    """Bytes of the largest file; how often it is tried, and the pause, doubled each time."""

    largest: int = 4 << 30
    tries: int = 4
    pause_s: float = 1.0


class Origin(BaseModel):
    """What the server said of the file when the download began. ``total``: its size in bytes."""

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
    """An unfinished download of ``target``: its bytes so far, and beside them what they are of."""

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
        """What the bytes are part of; None where ``address`` cannot resume them."""
        try:
            origin = Origin.model_validate_json(self._note.read_bytes())
        except (OSError, ValidationError):
            return None
        usable = origin.address == address and origin.validator is not None and self.size > 0
        too_long = origin.total is not None and self.size > origin.total
        return origin if usable and not too_long else None

    def note(self, origin: Origin) -> None:
        """Record what the bytes are part of."""
        write_text(self._note, origin.model_dump_json() + "\n")

    def drop(self) -> None:
        """Remove both files."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def finish(self) -> None:
        """Rename the bytes to the target, once they are on the disk."""
        with self.path.open("ab") as stream:
            os.fsync(stream.fileno())
        os.replace(self.path, self.target)
        self._note.unlink(missing_ok=True)


@dataclass(frozen=True)
class Download:
    """``address`` into the file ``target``. ``unpacked``: it will be, which takes space as well."""

    address: str
    target: Path
    connection: Connection
    limits: Limits
    report: Report
    unpacked: bool

    def run(self) -> str:
        """Fetch the file, all of it or nothing; return the host that it came from.

        An interrupted download is resumed, if the server can and still has the same file. Raises
        AddressError where this address does not serve the file, StepError where the disk is too
        small for it.
        """
        for attempt in range(self.limits.tries):
            if attempt > 0:
                time.sleep(self.limits.pause_s * 2 ** (attempt - 1))
            try:
                host = self._attempt(PartFile(self.target))
            except TransferInterruptedError as error:
                message = str(error)
            else:
                PartFile(self.target).finish()
                return host
        raise AddressError(f"{message}, in each of {self.limits.tries} tries")

    def _attempt(self, part: PartFile) -> str:
        origin = part.origin(self.address)
        if origin is not None and origin.total == part.size:
            return _host(self.address)
        with self.connection.get(self.address, _headers(origin, part.size)) as response:
            if origin is None or not _resumes(response, origin, part):
                part.drop()
                origin = _origin(self.address, response)
            self._require_space(origin, part)
            part.note(origin)
            self._append(response, origin, part)
            return _host(response.url)

    def _require_space(self, origin: Origin, part: PartFile) -> None:
        if origin.total is None:
            return
        if origin.total > self.limits.largest:
            raise AddressError(
                f"its file has {megabytes(origin.total)}, more than the"
                f" {megabytes(self.limits.largest)} that are allowed"
            )
        missing = origin.total - part.size
        require_space(part.path.parent, missing + (origin.total if self.unpacked else 0))

    def _append(self, response: requests.Response, origin: Origin, part: PartFile) -> None:
        size = part.size
        with part.path.open("ab") as stream:
            for chunk in body(response):
                stream.write(chunk)
                size += len(chunk)
                self.report(size, origin.total)
                if size > (self.limits.largest if origin.total is None else origin.total):
                    stream.close()
                    part.drop()
                    raise AddressError(f"it sends more than {megabytes(size)}, which is too much")
        if origin.total is not None and size != origin.total:
            raise TransferInterruptedError(f"{size} of {origin.total} bytes came")


def _host(address: str) -> str:
    return urlsplit(address).hostname or ""


def _headers(origin: Origin | None, offset: int) -> dict[str, str]:
    if origin is None or origin.validator is None:
        return {}
    return {"Range": f"bytes={offset}-", "If-Range": origin.validator}


def _resumes(response: requests.Response, origin: Origin, part: PartFile) -> bool:
    """Whether the response is the rest of the file, not all of it.

    Raises TransferInterruptedError where it is of another file.
    """
    if response.status_code == 200:
        return False
    span = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    same = (
        response.status_code == 206
        and span is not None
        and int(span["start"]) == part.size
        and span["total"] in ("*", str(origin.total))
        # A server that knows ranges but not If-Range would send the rest of another file.
        and response.headers.get("ETag", origin.etag) == origin.etag
        and response.headers.get("Last-Modified", origin.last_modified) == origin.last_modified
    )
    if not same:
        part.drop()
        raise TransferInterruptedError("the file at the server is another one now")
    return True


def _origin(address: str, response: requests.Response) -> Origin:
    """What the response to a request for the whole file says of it."""
    if response.status_code != 200:
        raise AddressError(f"the server answered {response.status_code} to a request for all")
    length = response.headers.get("Content-Length")
    if length is not None and not re.fullmatch(r"\d{1,18}", length):
        raise AddressError(f"the server gives no usable length: {length[:40]!r}")
    return Origin(
        address=address,
        etag=response.headers.get("ETag"),
        last_modified=response.headers.get("Last-Modified"),
        total=None if length is None else int(length),
    )
