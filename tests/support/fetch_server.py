"""A server of files on this machine that behaves as it is told to, well or badly."""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Answer = Callable[["Handler"], None]
SILENCE_S = 5.0


class Handler(BaseHTTPRequestHandler):
    """Answers each path as ``server.answers`` says; ``server.asked`` keeps path and headers."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.close_connection = True
        self.server.asked.append((self.path, dict(self.headers)))
        self.server.answers.get(self.path, missing)(self)

    def begin(self, status: int, headers: dict[str, object]) -> None:
        self.send_response(status)
        self.send_header("Connection", "close")
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    scheme = "http"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.closing = threading.Event()

    def address(self, path: str, host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.server_address[1]}{path}"

    def ranges(self) -> list[str | None]:
        """What was asked for, request by request."""
        return [headers.get("Range") for _, headers in self.asked]

    def handle_error(self, *arguments: Any) -> None:
        """A client that went away is no error here."""


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[Server]:
    """A running server; encrypted with the key and certificate in a file, if there is one."""
    server = Server()
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.scheme = "https"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)


def missing(handler: Handler) -> None:
    handler.begin(404, {"Content-Length": 0})


def status(code: int) -> Answer:
    return lambda handler: handler.begin(code, {"Content-Length": 0})


def redirect(address: str) -> Answer:
    return lambda handler: handler.begin(302, {"Location": address, "Content-Length": 0})


def in_turn(*answers: Answer) -> Answer:
    """One answer after the other, the last of them for all requests from then on."""
    left = list(answers)
    return lambda handler: (left.pop(0) if len(left) > 1 else left[0])(handler)


def file(
    content: bytes,
    *,
    etag: str | None = '"one"',
    date: str | None = None,
    cut_at: int | None = None,
    heeds_if_range: bool = True,
) -> Answer:
    """A good server; ``cut_at``: where in the file the connection breaks."""

    def answer(handler: Handler) -> None:
        wanted = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        condition = handler.headers.get("If-Range")
        if heeds_if_range and condition not in (None, etag, date):
            wanted = None
        start = int(wanted[1]) if wanted else 0
        known = {"ETag": etag, "Last-Modified": date}
        headers: dict[str, object] = {name: value for name, value in known.items() if value}
        if wanted and start >= len(content):
            handler.begin(416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": 0})
            return
        if wanted:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        handler.begin(206 if wanted else 200, {**headers, "Content-Length": len(content) - start})
        handler.wfile.write(content[start:cut_at])

    return answer


def raw(content: bytes, **headers: object) -> Answer:
    """All of the content whatever is asked, with headers that may lie (``_`` stands for ``-``)."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    def answer(handler: Handler) -> None:
        handler.begin(200, named)
        handler.wfile.write(content)

    return answer


def silent(content: bytes, after: int) -> Answer:
    """Some bytes, then nothing, with the connection open."""

    def answer(handler: Handler) -> None:
        handler.begin(200, {"Content-Length": len(content), "ETag": '"one"'})
        handler.wfile.write(content[:after])
        handler.wfile.flush()
        handler.server.closing.wait(SILENCE_S)

    return answer
