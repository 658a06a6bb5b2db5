"""Fetching an item: is it there already, was it placed by hand, else from each of its addresses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import quote, urlsplit

from filelock import FileLock, Timeout

from fqbench.artifacts import file_digest
from fqbench.errors import FqbenchError, StepError, UsageError
from fqbench.fetch.archive import ArchiveError, Bounds
from fqbench.fetch.catalogue import Item, file_name
from fqbench.fetch.connection import AddressError, Connection
from fqbench.fetch.download import Download, Limits
from fqbench.fetch.install import Content, content_of, install, missing_reason, unpacked_parts
from fqbench.fetch.lockfile import File, LockFile, Pin
from fqbench.fetch.progress import Listener, megabytes

DOWNLOADS = "downloads"
"""The folder under the data root for downloaded files, and for those placed by hand."""


@dataclass(frozen=True)
class FetchPolicy:
    """How items are fetched.

    ``mirror``: an address that replaces every other one up to the file's name. Raises UsageError
    for one that cannot.
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
            raise UsageError(
                f"the mirror is not usable: {error}; give another by --mirror"
            ) from error
        if parts.query or parts.fragment:
            raise UsageError(
                f"the mirror {self.mirror} is not usable: a file's name follows it"
                ": give an address that ends in a folder"
            )

    def addresses(self, item: Item) -> tuple[str, ...]:
        """The item's addresses, or those at the mirror."""
        if self.mirror is None:
            return item.addresses
        return tuple(f"{self.mirror.rstrip('/')}/{quote(name)}" for name in item.file_names)


@dataclass(frozen=True)
class FetchOutcome:
    """What happened to an item: whether it is there as it should be, and a sentence."""

    name: str
    is_there: bool
    text: str


def fetch(
    items: Sequence[Item], root: Path, listener: Listener, policy: FetchPolicy = FetchPolicy()
) -> Iterator[FetchOutcome]:
    """Make sure that ``items`` are under the data root, one after the other as it is iterated.

    What is there is checked against the lock file; what is missing is taken from the downloads
    folder, or fetched. Raises UsageError where the lock file or the root cannot be used.
    """
    if not items:
        return
    downloads = root / DOWNLOADS
    try:
        downloads.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"the data root {root} cannot be written: {error.strerror}"
            "; choose another by --data-root"
        ) from error
    lock = LockFile(root, downloads)
    for item in items:
        job = _Fetch(item, root, policy, lock, listener)
        try:
            yield FetchOutcome(item.name, True, job.run())
        except UsageError:
            raise
        except FqbenchError as error:
            yield FetchOutcome(item.name, False, f"{item.name}: {error}")
        except OSError as error:
            where = error.filename or root
            cause = error.strerror or type(error).__name__
            yield FetchOutcome(
                item.name, False, f"{item.name}: cannot read or write {where}: {cause}"
            )


class _OtherContentError(FqbenchError):
    """Content that is not the pinned one."""


@dataclass(frozen=True)
class _Fetch:
    item: Item
    root: Path
    policy: FetchPolicy
    lock: LockFile
    listener: Listener

    def run(self) -> str:
        with self._exclusive():
            pin = self.lock.pins().get(self.item.name)
            if self._is_there():
                return self._verify(pin)
            for name in self.item.file_names:
                file = self._downloads / name
                if file.is_file():
                    return self._take_placed(file, pin)
            if self.policy.offline:
                addresses = ", ".join(self.policy.addresses(self.item))
                raise StepError(f"is missing; its address is {addresses}; {self._by_hand()}")
            return self._download(pin)

    @property
    def _downloads(self) -> Path:
        return self.root / DOWNLOADS

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Hold a lock of this item, which ends with the process that holds it."""
        guard = FileLock(self._downloads / f".{self.item.name}.guard")
        try:
            guard.acquire(blocking=False)
        except Timeout:
            self.listener.say(f"{self.item.name}: waiting for another process that fetches it")
            guard.acquire()
        try:
            yield
        finally:
            guard.release()

    def _is_there(self) -> bool:
        """Whether all parts are. Raises StepError where something else is in their place."""
        places = self.item.places(self.root)
        for part, place in places.items():
            reason = missing_reason(part, place)
            if reason is not None and place.exists():
                raise StepError(f"{place} {reason}: complete it or move it away")
        return all(place.exists() for place in places.values())

    def _verify(self, pin: Pin | None) -> str:
        """Check what is there against its pin, or pin it."""
        found = content_of(self.item.places(self.root))
        where = self._where()
        if pin is None:
            self._pin(None, found)
            return f"{self.item.name} is there, pinned now: {where}"
        if pin.content != found:
            raise StepError(
                f"{where} is not what was pinned: its sha256 is {found.sha256} ({found.files}"
                f" files), pinned is {pin.content.sha256} ({pin.content.files} files): move it away"
                f" to fetch it again, or {self._accepting()}"
            )
        return f"{self.item.name} is there, unchanged: {where}"

    def _take_placed(self, file: Path, pin: Pin | None) -> str:
        """A file that was found among the downloads."""
        try:
            self._accept(file, None, pin)
        except (ArchiveError, _OtherContentError) as error:
            raise StepError(f"{file} is not used: {error}; move it away to fetch it") from error
        return f"{self.item.name} taken from {file}, pinned: {self._where()}"

    def _download(self, pin: Pin | None) -> str:
        failures = []
        for address in self.policy.addresses(self.item):
            target = self._downloads / file_name(address)
            if pin is not None and pin.file is not None and pin.file.name != target.name:
                failures.append(f"{address} (not tried: {pin.file.name} is pinned)")
                continue
            self.listener.say(f"{self.item.name}: fetching {address}")
            try:
                host = self._download_from(address, target).run()
                file = self._accept(target, address, pin)
            except (AddressError, ArchiveError, _OtherContentError) as error:
                target.unlink(missing_ok=True)
                failures.append(f"{address} ({error})")
            else:
                return (
                    f"{self.item.name} fetched from {host}: {megabytes(file.size)},"
                    f" sha256 {file.sha256}: {self._where()}"
                )
        raise StepError(f"could not be fetched: {'; '.join(failures)}; {self._by_hand()}")

    def _download_from(self, address: str, target: Path) -> Download:
        return Download(
            address,
            target,
            self.policy.connection,
            self.policy.limits,
            lambda done, total: self.listener.progress(self.item.name, done, total),
            self.item.is_archive,
        )

    def _accept(self, file: Path, address: str | None, pin: Pin | None) -> File:
        """Check a file, unpack it, pin it, and install its parts."""
        described = File(
            name=file.name, address=address, size=file.stat().st_size, sha256=file_digest(file)
        )
        if pin is not None and pin.file is not None and pin.file.sha256 != described.sha256:
            raise self._other(f"the sha256 of {file.name}", described.sha256, pin.file.sha256)
        with unpacked_parts(
            self.item, file, self.root, self.policy.bounds, self._unpacking
        ) as places:
            content = content_of(places)
            if pin is not None and pin.content != content:
                raise self._other("the sha256 of its content", content.sha256, pin.content.sha256)
            if pin is None or pin.file is None:
                self._pin(described, content)
            install(places, self.root)
        file.unlink(missing_ok=True)
        return described

    def _unpacking(self, done: int, total: int | None) -> None:
        self.listener.progress(f"unpacking {self.item.name}", done, total)

    def _pin(self, file: File | None, content: Content) -> None:
        now = datetime.now(timezone.utc).replace(microsecond=0)
        self.lock.add(self.item.name, Pin(file=file, content=content, date=now))

    def _other(self, what: str, found: str, pinned: str) -> _OtherContentError:
        return _OtherContentError(
            f"{what} is {found}, pinned is {pinned}: to accept it, {self._accepting()}"
        )

    def _accepting(self) -> str:
        return f"take the entry {self.item.name} out of {self.lock.path}"

    def _where(self) -> str:
        return ", ".join(str(place) for place in self.item.places(self.root).values())

    def _by_hand(self) -> str:
        """How to place the item without fetching it."""
        files = " or ".join(str(self._downloads / name) for name in self.item.file_names)
        unpacked = f" (or what it holds as {self._where()})" if self.item.is_archive else ""
        return (
            f"by hand: place the file as {files}{unpacked}, then 'fqbench fetch {self.item.name}'"
            " checks and pins it"
        )
