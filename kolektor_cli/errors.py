"""The errors that a user can do something about, each with its exit code."""

import errno
import os

_ADVICE = {
    errno.ENOSPC: "make room there, or choose another place",
    errno.EDQUOT: "make room there, or choose another place",
    errno.EFBIG: "raise the limit on the size of files ('ulimit -f'), or choose another place",
    errno.EROFS: "choose a place that can be written",
    errno.EACCES: "allow it, or choose another place",
    errno.EPERM: "allow it, or choose another place",
    errno.EMFILE: "raise the limit ('ulimit -n'), or use fewer --jobs",
    errno.ENFILE: "wait until the system has fewer files open",
    errno.ENOMEM: "use fewer --jobs, or allow more memory",
    errno.ENAMETOOLONG: "choose a shorter name",
}


def reason(error: OSError) -> str:
    """Say why the system refused something and, where that is known, what to do."""
    number = error.errno
    text = error.strerror or (os.strerror(number) if number else str(error))
    return f"{text}; {_ADVICE[number]}" if number in _ADVICE else text


class KolektorError(Exception):
    """The work could not be done: the message says what, to which file, and what to do."""

    exit_code = 3


class UsageError(KolektorError):
    """The request itself is wrong: an option's value, or options that contradict each other."""

    exit_code = 2


class SourceError(KolektorError):
    """The source cannot be read, or is not a dataset that this tool knows."""


class ImageError(KolektorError):
    """A file is not an image that can be decoded whole, or pixels cannot be encoded."""


class SplitFileError(KolektorError):
    """A split file cannot be read, or does not fit the source."""


class ManifestError(KolektorError):
    """A manifest cannot be read, or is of a format that this version does not know."""


class OutputError(KolektorError):
    """The output cannot be written, or would overwrite what must stay."""


class LimitError(KolektorError):
    """The system has no more of what the work needs, whatever the files: open files, threads."""
