"""A file from one address: begun, gone on with where it was cut off, of the size it was told."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests

from fqbench.fetch.connection import AddressError, Connection, CutOffError, body
from fqbench.fetch.disk import megabytes, require_space
from fqbench.fetch.listener import Report
from fqbench.fetch.partfile import Origin, PartFile

_RANGE = re.compile(r"bytes (?P<start>\d{1,18})-\d{1,18}/(?P<total>\d{1,18}|\*)")


@dataclass(frozen=True)
class Limits:
    """Bytes of the largest file; how often it is tried, and the pause, doubled each time."""

    largest: int = 4 << 30
    tries: int = 4
    pause_s: float = 1.0


@dataclass(frozen=True)
class Download:
    """``address`` into the file ``target``. ``unpacked``: it will be, which takes room as well."""

    address: str
    target: Path
    connection: Connection
    limits: Limits
    report: Report
    unpacked: bool

    def run(self) -> str:
        """Fetch the file, all of it or nothing; return the host that it came from.

        What came before an interruption is gone on with, if the server can and still has the
        same file. Raises AddressError where this address does not give the file, StepError where
        the disk is too small for it.
        """
        for attempt in range(self.limits.tries):
            if attempt > 0:
                time.sleep(self.limits.pause_s * 2 ** (attempt - 1))
            try:
                host = self._attempt(PartFile(self.target))
            except CutOffError as error:
                said = str(error)
            else:
                PartFile(self.target).finish()
                return host
        raise AddressError(f"{said}, in each of {self.limits.tries} tries")

    def _attempt(self, part: PartFile) -> str:
        origin = part.origin(self.address)
        if origin is not None and origin.total == part.size:
            return _host(self.address)
        with self.connection.get(self.address, _headers(origin, part.size)) as response:
            if origin is None or not _goes_on(response, origin, part):
                part.drop()
                origin = _origin(self.address, response)
            self._require_room(origin, part)
            part.note(origin)
            self._append(response, origin, part)
            return _host(response.url)

    def _require_room(self, origin: Origin, part: PartFile) -> None:
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
            raise CutOffError(f"{size} of {origin.total} bytes came")


def _host(address: str) -> str:
    return urlsplit(address).hostname or ""


def _headers(origin: Origin | None, offset: int) -> dict[str, str]:
    if origin is None or origin.validator is None:
        return {}
    return {"Range": f"bytes={offset}-", "If-Range": origin.validator}


def _goes_on(response: requests.Response, origin: Origin, part: PartFile) -> bool:
    """Whether the answer is the rest of the file. Raises CutOffError where it is another part."""
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
        raise CutOffError("the file at the server is another one now")
    return True


def _origin(address: str, response: requests.Response) -> Origin:
    """What the beginning of a file says of it."""
    if response.status_code != 200:
        raise AddressError(f"the server answered {response.status_code} to a request for all")
    length = response.headers.get("Content-Length")
    if length is not None and not re.fullmatch(r"\d{1,18}", length):
        raise AddressError(f"the server tells no usable length: {length[:40]!r}")
    return Origin(
        address=address,
        etag=response.headers.get("ETag"),
        last_modified=response.headers.get("Last-Modified"),
        total=None if length is None else int(length),
    )
