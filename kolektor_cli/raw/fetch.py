"""Downloads an official archive to a file, and recognises it by its hash.

Pooch downloads and hashes. What a server may answer instead of the archive is refused here: an
error, a web page, too many bytes or too few.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit, urlunsplit

import pooch

from kolektor_cli.errors import FetchError, OutputError, UsageError, reason
from kolektor_cli.io.source import MAX_ARCHIVE_BYTES
from kolektor_cli.raw.archives import Archive

if TYPE_CHECKING:
    import requests

TIMEOUT = 30.0
"""Seconds to wait for a connection, and then for each part of the answer."""

_CHUNK = 2**18
"""Bytes to receive and write at once."""

_HTML_TYPES = ("text/html", "application/xhtml+xml")

_HTML_STARTS = (b"<!doctype html", b"<html", b"<head", b"<?xml")
"""First bytes of web pages, in lower case."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of a file: its bytes, its SHA-256, and its hash by an archive's algorithm."""

    size: int
    sha256: str
    hash: str


def file_facts(path: Path, archive: Archive) -> FileFacts:
    """Return size and hashes of a file that may be an official archive.

    Raises
    ------
    OutputError
        The file cannot be read.
    """
    try:
        sha256 = pooch.file_hash(str(path), alg="sha256")
        known = archive.algorithm
        own = sha256 if known == "sha256" else pooch.file_hash(str(path), alg=known)
        return FileFacts(path.stat().st_size, sha256, own)
    except OSError as error:
        raise OutputError(f"{path}: cannot be read: {reason(error)}") from error


def differences(facts: FileFacts, archive: Archive) -> str:
    """Say how a file differs from the official archive; nothing if it is the same."""
    if facts.hash == archive.hash:
        return ""
    kind = {"sha256": "SHA-256", "md5": "MD5"}[archive.algorithm]
    size = f" of {archive.size} bytes" if archive.size is not None else ""
    return f"has the {kind} {facts.hash} and {facts.size} bytes; expected {archive.hash}{size}"


def check_address(url: str) -> str:
    """Return an address that can be fetched from.

    Raises
    ------
    UsageError
        It is not an http or https address.
    """
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        known = False
    if not known:
        raise UsageError(f"--url {url!r} is not an address that starts with http:// or https://")
    return url


def download(
    archive: Archive,
    url: str,
    path: Path,
    *,
    progress: Callable[[int, int], None],
    timeout: float = TIMEOUT,
) -> FileFacts:
    """Download an official archive to a new file, and return its size and hashes.

    Parameters
    ----------
    archive
        What is expected.
    url
        Address to download from.
    path
        The file to write; it stays, unfinished, if this fails.
    progress
        Called with the numbers of bytes received and expected; the latter is 0 if not known.
    timeout
        Seconds to wait for a connection, and then for each part of the answer.

    Raises
    ------
    FetchError
        The server cannot be reached, sends something else, or stops before the end.
    OSError
        The file cannot be written.
    """
    # It takes its time to load, and Pooch loads it late, too.
    import urllib3

    place = _without_password(url)
    with path.open("xb") as file:
        answer = _Answer(archive, place, file)
        get = pooch.HTTPDownloader(
            progressbar=_Progress(progress, archive.size),
            chunk_size=_CHUNK,
            timeout=(timeout, timeout),
            headers={"Accept-Encoding": "identity"},
            hooks={"response": answer.check},
        )
        try:
            get(url, answer, None)
        except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
            # All errors of requests are an OSError, and so is one of the file.
            if error is answer.not_written:
                raise
            why = _why_not(error, archive, answer, timeout)
            raise FetchError(f"{place}: {why}") from error
        finally:
            answer.close()
    answer.check_end()
    facts = file_facts(path, archive)
    if found := differences(facts, archive):
        raise FetchError(
            f"{place}: is not the official {archive.file_name}: it {found}; nothing is kept; try "
            "again, or give another address with --url"
        )
    return facts


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


class _Answer:
    """A server's answer, checked as it comes: its head, its first bytes, its length."""

    def __init__(self, archive: Archive, place: str, file: BinaryIO) -> None:
        self._archive = archive
        self._place = place
        self._file = file
        self._response: requests.Response | None = None
        self._moved = False
        self.received = 0
        self.not_written: OSError | None = None

    def check(self, response: requests.Response, **_: Any) -> None:
        """Refuse an answer that is not an archive by what its head says."""
        if response.is_redirect:
            self._moved = True
            return
        self._response = response
        response.raise_for_status()
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind in _HTML_TYPES:
            raise self._web_page()
        self._check_length(self.expected or 0)

    @property
    def expected(self) -> int | None:
        """Number of bytes that the server promises; None if it does not, or if it packs them."""
        headers = {} if self._response is None else self._response.headers
        if headers.get("Content-Encoding", "identity") != "identity":
            return None
        length = headers.get("Content-Length", "")
        return int(length) if length.isdecimal() else None

    def write(self, data: bytes) -> None:
        """Write some bytes, if they can belong to the archive."""
        if not self.received and data.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(
            _HTML_STARTS
        ):
            raise self._web_page()
        self.received += len(data)
        self._check_length(self.received)
        try:
            self._file.write(data)
        except OSError as error:
            self.not_written = error
            raise

    def flush(self) -> None:
        """Do nothing: the file is flushed at its end."""

    def close(self) -> None:
        """Close the connection."""
        if self._response is not None:
            self._response.close()

    def check_end(self) -> None:
        """Refuse an answer that is shorter than it says."""
        if self.expected is not None and self.received < self.expected:
            raise FetchError(f"{self._place}: {self.cut()}")

    def cut(self) -> str:
        """Say where a connection was cut."""
        of_all = f" of {self.expected}" if self.expected is not None else ""
        return (
            f"the connection was cut after {self.received}{of_all} bytes; nothing is kept; try "
            "again"
        )

    def _check_length(self, length: int) -> None:
        size = self._archive.size
        # A little more is downloaded, too: the hash of another edition helps to find what it is.
        largest = MAX_ARCHIVE_BYTES if size is None else 2 * size
        if length > largest:
            raise FetchError(
                f"{self._place}: is not the official {self._archive.file_name}: it has {length} "
                f"bytes or more; expected {size or 'less'}; nothing is kept; give another address "
                "with --url"
            )

    def _web_page(self) -> FetchError:
        moved = ""
        if self._response is not None and self._moved:
            moved = f" at {_without_password(self._response.url)}"
        return FetchError(
            f"{self._place}: gives a web page{moved}, not {self._archive.file_name}; it may ask to "
            f"log in or to agree: open it in a browser, or see {self._archive.page}"
        )


class _Progress:
    """Tells a function how far a download is, in the way that Pooch reports it."""

    def __init__(self, tell: Callable[[int, int], None], size: int | None) -> None:
        self._tell = tell
        self._size = size or 0
        self._done = 0
        self.total = 0

    def update(self, received: int) -> None:
        """Count bytes; Pooch counts whole chunks, even for the last one."""
        total = self.total or self._size
        self._done = min(self._done + received, total) if total else self._done + received
        if received:
            self._tell(self._done, total)

    def reset(self) -> None:
        """Start to count again."""
        self._done = 0

    def close(self) -> None:
        """Do nothing: whoever shows progress ends it."""


def _why_not(error: Exception, archive: Archive, answer: _Answer, timeout: float) -> str:
    """Say why a download failed, and what to do."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return _of_status(error.response, archive)
    found = list(_causes(error))
    for is_cause, why in _REASONS:
        if any(is_cause(cause) for cause in found):
            return why.format(seconds=f"{timeout:g}")
    if isinstance(error, (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        return answer.cut() if _was_cut(found) else f"cannot be reached: {_last(found)}"
    return f"cannot be downloaded: {_last(found)}; check the address and the proxy"


def _of_status(response: requests.Response, archive: Archive) -> str:
    code = response.status_code
    with_name = f"{code} {response.reason}".strip()
    if code in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        what = f"there is no such file ({with_name}); look for it on {archive.page}"
        return f"{what}, and give its address with --url"
    if code >= HTTPStatus.INTERNAL_SERVER_ERROR or code == HTTPStatus.TOO_MANY_REQUESTS:
        return f"the server cannot answer now ({with_name}); try again later"
    return (
        f"the server refuses ({with_name}); it may ask to log in or to agree: open it in a "
        f"browser, or see {archive.page}"
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what led to it, as libraries wrap it: as a cause, or as an argument."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        current = waiting.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [current.__cause__, current.__context__, getattr(current, "reason", None)]
        waiting += [part for part in current.args if isinstance(part, BaseException)]


def _named(*names: str) -> Callable[[BaseException], bool]:
    """Return a test for errors of requests and urllib3 by the names of their classes."""
    return lambda error: any(kind.__name__ in names for kind in type(error).__mro__)


def _of_type(*types: type[BaseException]) -> Callable[[BaseException], bool]:
    return lambda error: isinstance(error, types)


_REASONS: tuple[tuple[Callable[[BaseException], bool], str], ...] = (
    (
        _named("ProxyError", "InvalidProxyURL", "ProxySchemeUnknown", "ProxySchemeUnsupported"),
        "the proxy cannot be used; set HTTPS_PROXY, HTTP_PROXY and ALL_PROXY to the right address, "
        "or unset them",
    ),
    (
        lambda error: "SOCKS" in str(error),
        "a SOCKS proxy is set, and cannot be used; set HTTPS_PROXY, HTTP_PROXY and ALL_PROXY to "
        "the address of an HTTP proxy, or unset them",
    ),
    (
        _of_type(ssl.SSLCertVerificationError),
        "the server's certificate is not accepted; check the clock of this machine, or set "
        "REQUESTS_CA_BUNDLE to the certificates of your network",
    ),
    (
        _named("SSLError"),
        "the connection cannot be encrypted; check the address and the network",
    ),
    (
        _of_type(socket.gaierror),
        "the server's name cannot be resolved; check the network and the address",
    ),
    (
        _of_type(ConnectionRefusedError),
        "the server refuses the connection; check the address, or try again later",
    ),
    # Not by urllib3's ConnectTimeoutError: a name that is not resolved is one, too.
    (
        _named("ConnectTimeout", "ReadTimeout", "ReadTimeoutError", "TimeoutError"),
        "there was no answer for {seconds} seconds; try again later",
    ),
    (
        _named("TooManyRedirects"),
        "the server redirects without an end; open it in a browser, or give another address "
        "with --url",
    ),
    (
        _named("InvalidSchema", "MissingSchema"),
        "the server redirects to an address that is not of http or https; give another one with "
        "--url",
    ),
    (
        _named("InvalidURL", "LocationParseError"),
        "the address, or that of the proxy, cannot be read; check HTTPS_PROXY, HTTP_PROXY and "
        "ALL_PROXY, or give another address with --url",
    ),
)
"""What an error of the network is, by the first test that one of its causes passes."""


def _was_cut(causes: list[BaseException]) -> bool:
    names = _named("IncompleteRead", "ProtocolError", "ChunkedEncodingError", "InvalidChunkLength")
    return any(names(cause) or isinstance(cause, ConnectionError) for cause in causes)


def _last(causes: list[BaseException]) -> str:
    """Return the system's own words for an error, where it has any."""
    for cause in reversed(causes):
        if isinstance(cause, OSError) and cause.errno and cause.strerror:
            return reason(cause)
    return str(causes[-1]).partition("\n")[0] or type(causes[-1]).__name__
