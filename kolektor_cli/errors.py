"""Errors that a user can act on, each with its exit code."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable

_ADVICE = {
    errno.ENOSPC: "make room there, or choose another place",
    errno.EDQUOT: "make room there, or choose another place",
    errno.EFBIG: "raise the limit on the size of files ('ulimit -f'), or choose another place",
    errno.EROFS: "choose a place that can be written",
    errno.EACCES: "change the permissions, or choose another place",
    errno.EPERM: "change the permissions, or choose another place",
    errno.EMFILE: "raise the limit ('ulimit -n'), or use fewer --jobs",
    errno.ENFILE: "wait until the system has fewer files open",
    errno.ENOMEM: "use fewer --jobs, or allow more memory",
    errno.ENAMETOOLONG: "choose a shorter name",
}


def reason(error: OSError) -> str:
    """Return the system's reason for an error and, where known, what to do about it."""
    number = error.errno
    text = error.strerror or (os.strerror(number) if number else str(error))
    return f"{text}; {_ADVICE[number]}" if number in _ADVICE else text


_OF_SCREENS = re.compile(r"lib(GL|EGL|GLX|OpenGL|glib|gthread|gobject|X|x|SM|ICE)[\w.+-]*")
"""System libraries that OpenCV loads for its windows, which servers and containers lack."""


def why_not_loaded(error: ImportError) -> str:
    """Return why a library cannot be loaded, and what to install."""
    missing = re.search(r"(\S+\.so[.\d]*): cannot open shared object file", str(error))
    if missing is None:
        return f"a library cannot be loaded: {error}; fix the installation, or allow more memory"
    library = missing[1]
    if _OF_SCREENS.match(library):
        return (
            f"OpenCV cannot be loaded: the system has no {library}; install it (under Debian and "
            "Ubuntu: apt install libgl1 libglib2.0-0), or the OpenCV that does not need it: "
            "pip uninstall opencv-python, then pip install opencv-python-headless"
        )
    return (
        f"a library cannot be loaded: the system has no {library}; install the package that holds "
        "it, or install kolektor-cli again"
    )


class KolektorError(Exception):
    """Base class; the message says what failed, for which file, and what to do."""

    exit_code = 3


class UsageError(KolektorError):
    """An option has a wrong value, or options contradict each other."""

    exit_code = 2


class SourceError(KolektorError):
    """The source cannot be read or is not a known dataset."""


class ImageError(KolektorError):
    """A file cannot be decoded as a whole image, or pixels cannot be encoded."""


class SplitFileError(KolektorError):
    """A split file cannot be read or does not match the source."""


class ManifestError(KolektorError):
    """A manifest cannot be read or has a format that this version does not know."""


class OutputError(KolektorError):
    """The output cannot be written or would overwrite data that must stay."""


class FetchError(KolektorError):
    """An archive cannot be downloaded, or what is downloaded is not the official one."""


class TrainingError(KolektorError):
    """A model cannot be trained: its library, its weights or a device is missing, or it fails."""


class LimitError(KolektorError):
    """The system is out of a resource such as open files or threads; no file is at fault."""


def require_one_of(option: str, value: object, choices: Iterable[str]) -> None:
    """Raise `UsageError` unless a value is one of an option's choices."""
    known = list(choices)
    if value not in known:
        raise UsageError(f"--{option} {value!r} is not one of {', '.join(known)}")


def require_whole(option: str, value: object, least: int = 0) -> None:
    """Raise `UsageError` unless a value is a whole number, `least` or more."""
    if type(value) is not int or value < least:
        raise UsageError(f"--{option} {value!r} is not a whole number from {least} on")
