"""One request to an address: encrypted, with time limits, each of its redirects checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from fqbench import __version__
from fqbench.errors import FqbenchError

_CHUNK = 1 << 16


class AddressError(FqbenchError):
    """An address is not usable; another one may be."""


class TransferInterruptedError(AddressError):
    """The connection broke or stalled, or the server was busy: worth another try."""


@dataclass(frozen=True)
class Connection:
    """How the network is used. Times in seconds; ``read_s``: the longest silence."""

    schemes: tuple[str, ...] = ("https",)
    connect_s: float = 10.0
    read_s: float = 30.0
    redirects: int = 5

    @contextmanager
    def get(self, address: str, headers: Mapping[str, str]) -> Iterator[requests.Response]:
        """The response to a GET request, its body not yet read; its status is no error.

        Raises AddressError, also for what breaks while the body is read.
        """
        with requests.Session() as session:
            # The bytes of the file itself, so that lengths and ranges count them.
            session.headers.update(
                {"User-Agent": f"fqbench/{__version__}", "Accept-Encoding": "identity"}
            )
            with _translate_errors(), self._follow_redirects(session, address, headers) as response:
                _require_good(response)
                yield response

    def _follow_redirects(
        self, session: requests.Session, address: str, headers: Mapping[str, str]
    ) -> requests.Response:
        for _ in range(self.redirects + 1):
            try:
                self.require_allowed(address)
                response = session.get(
                    address,
                    headers=dict(headers),
                    stream=True,
                    allow_redirects=False,
                    timeout=(self.connect_s, self.read_s),
                )
                if not response.is_redirect:
                    return response
                response.close()
                address = urljoin(address, response.headers["location"])
            except ValueError as error:
                raise AddressError(f"{address} is no usable address: {_reason(error)}") from error
        raise AddressError(f"it redirects more than {self.redirects} times")

    def require_allowed(self, address: str) -> None:
        """Raise AddressError for an address that is not encrypted, or has a password in it."""
        parts = urlsplit(address)
        if parts.scheme not in self.schemes or not parts.hostname:
            raise AddressError(
                f"{address} is not an address of {' or '.join(self.schemes)}, and no other is used"
            )
        if "@" in parts.netloc:
            raise AddressError("an address with a user's name in it is not used: see netrc")


def body(response: requests.Response) -> Iterator[bytes]:
    """The bytes of a response as the server stored them."""
    yield from response.raw.stream(_CHUNK, decode_content=False)


def _require_good(response: requests.Response) -> None:
    status = response.status_code
    if status in (200, 206, 416):
        return
    message = f"the server answered {status} {response.reason or ''}".rstrip()
    if status == 429 or status >= 500:
        raise TransferInterruptedError(message)
    raise AddressError(message)


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Raise the libraries' exceptions as AddressError, in words."""
    try:
        yield
    except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise TransferInterruptedError("the server did not answer in time") from error
    except requests.exceptions.SSLError as error:
        raise AddressError(f"no encrypted connection: {_innermost(error)}") from error
    except requests.ConnectionError as error:
        cause = error.args[0] if error.args else None
        if isinstance(cause, urllib3.exceptions.MaxRetryError):
            raise AddressError(_unreachable(cause.reason)) from error
        raise TransferInterruptedError("the connection broke") from error
    except urllib3.exceptions.HTTPError as error:
        raise TransferInterruptedError("the connection broke") from error
    except requests.RequestException as error:
        raise AddressError(_reason(error)) from error


def _unreachable(reason: Exception | None) -> str:
    if isinstance(reason, urllib3.exceptions.NameResolutionError):
        return "its host is not known here"
    return "no connection to its host"


def _innermost(error: BaseException) -> str:
    """The first cause: the libraries wrap it several times."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return getattr(error, "verify_message", "") or _reason(error)


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
