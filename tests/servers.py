"""A real HTTP server on this machine that serves, cuts, redirects, lies and hangs."""

from __future__ import annotations

import gzip
import hashlib
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from kolektor_cli.raw.archives import ARCHIVES, Archive

DATA = b"PK\x03\x04" + random.Random(1).randbytes(2**20)
"""What stands for an archive: a little more than a mebibyte."""

WRONG = DATA[:-1] + bytes([DATA[-1] ^ 1])

HTML = b"\n<!DOCTYPE html><html><title>Log in</title></html>"

PATIENCE = 60


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Server(ThreadingHTTPServer):
    """Keeps the paths that were asked for; `stalled` is set when an answer stops half way."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.stalled = threading.Event()
        self.closing = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def archive(self, name: str = "right", data: bytes = DATA) -> Archive:
        """Return an archive with the facts of `data`, to download from here."""
        url = f"{self.address}/{name}"
        return replace(ARCHIVES["kolektorsdd"], url=url, hash=sha256(data), size=len(data))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Be silent: clients are meant to go away."""


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        name, _, rest = self.path.strip("/").partition("/")
        _ANSWERS[name](self, rest)

    def log_message(self, *_: Any) -> None:
        """Be silent."""

    def head(self, length: int | None, kind: str = "application/zip", code: int = 200) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def whole(self, data: bytes, kind: str = "application/zip") -> None:
        self.head(len(data), kind)
        self.wfile.write(data)

    def redirect(self, place: str) -> None:
        self.send_response(302)
        self.send_header("Location", place)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def unsized(self, data: bytes) -> None:
        self.head(None)
        self.wfile.write(data)

    def cut(self) -> None:
        self.head(len(DATA))
        self.wfile.write(DATA[: len(DATA) // 2])

    def cut_chunked(self) -> None:
        self.protocol_version = "HTTP/1.1"
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"1000\r\n" + DATA[:0x1000] + b"\r\n1000\r\nPK")
        self.close_connection = True

    def packed(self) -> None:
        data = gzip.compress(DATA)
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def nonsense_length(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "many")
        self.end_headers()
        self.wfile.write(DATA)

    def reset(self) -> None:
        """Close so that the other side is told of a broken connection, without any answer."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def endless(self) -> None:
        self.head(None)
        while not self.server.closing.is_set():
            self.wfile.write(DATA)

    def hang(self) -> None:
        self.server.closing.wait(PATIENCE)

    def stall(self) -> None:
        self.cut()
        self.wfile.flush()
        self.server.stalled.set()
        self.hang()

    def fail(self, code: str) -> None:
        self.head(len(HTML), "text/html", int(code))
        self.wfile.write(HTML)


_ANSWERS: dict[str, Callable[[_Handler, str], None]] = {
    "right": lambda handler, _: handler.whole(DATA),
    "wrong": lambda handler, _: handler.whole(WRONG),
    "short": lambda handler, _: handler.whole(DATA[:1000]),
    "long": lambda handler, _: handler.whole(DATA + b"more"),
    "huge": lambda handler, _: handler.head(10**10),
    "empty": lambda handler, _: handler.whole(b""),
    "unsized": lambda handler, _: handler.unsized(DATA),
    "html": lambda handler, _: handler.whole(HTML, "text/html; charset=utf-8"),
    "hidden-html": lambda handler, _: handler.whole(HTML),
    "login": lambda handler, _: handler.redirect("/html"),
    "moved": lambda handler, _: handler.redirect("/right"),
    "circle": lambda handler, _: handler.redirect("/circle"),
    "elsewhere": lambda handler, _: handler.redirect("ftp://127.0.0.1/KolektorSDD.zip"),
    "cut": lambda handler, _: handler.cut(),
    "cut-chunked": lambda handler, _: handler.cut_chunked(),
    "packed": lambda handler, _: handler.packed(),
    "nonsense-length": lambda handler, _: handler.nonsense_length(),
    "reset": lambda handler, _: handler.reset(),
    "endless": lambda handler, _: handler.endless(),
    "hangs": lambda handler, _: handler.hang(),
    "stalls": lambda handler, _: handler.stall(),
    "status": lambda handler, code: handler.fail(code),
}


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server while a test goes on."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()


def free_port() -> int:
    """Return a port of this machine at which nobody answers."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
    return port
