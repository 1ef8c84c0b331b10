"""The errors that a user can do something about, each with its exit code."""


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
