"""Types of defects that the values of masks stand for: the option ``--mask-classes``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from kolektor_cli.errors import UsageError
from kolektor_cli.io.reserved import is_reserved
from kolektor_cli.samples import COMBINED, Color, MaskRule

_MOST_TYPES = 255
"""The most types that marks of 8 bits can number."""

_TYPE = re.compile(r"[A-Za-z0-9_-]{1,100}")

_GRAY = re.compile(r"[0-9]{1,5}")

_LARGEST = 65535
"""The largest gray value of 16 bits."""

Classes = tuple[tuple[str, str], ...]


def read_classes(text: str) -> Classes:
    """Return pairs of a value and its type: ``1=scratch,dent`` is (1, scratch), (dent, dent).

    Raises
    ------
    UsageError
        There is none; a type cannot name a folder, or is good; a value has two types, or is black.
    """
    classes = [_read_class(part) for part in text.split(",") if part.strip()]
    if not classes:
        raise UsageError(f"--mask-classes {text!r} names no class; give them as 1=scratch,2=dent")
    _check_types([name for _, name in classes])
    _check_values([value for value, _ in classes])
    return tuple(classes)


def _read_class(text: str) -> tuple[str, str]:
    value, sign, name = (part.strip() for part in text.rpartition("="))
    return value if sign else name, name


def _check_values(values: Sequence[str]) -> None:
    seen = set()
    for value in values:
        color = color_of(value)
        if color is None and (not value or value.startswith("#") or value.isdecimal()):
            raise UsageError(
                f"--mask-classes: {value!r} is no value; give a gray value, a color as #ff0000, or "
                "a label of labelme"
            )
        if color == (0, 0, 0):
            raise UsageError(f"--mask-classes: {value} is black, which marks nothing")
        if (color or value) in seen:
            raise UsageError(f"--mask-classes: {value} has two types; give it one")
        seen.add(color or value)


def _check_types(names: Sequence[str]) -> None:
    for name in names:
        reserved = name.casefold() in ("good", COMBINED) or name.casefold().startswith("train_")
        if not _TYPE.fullmatch(name) or reserved:
            raise UsageError(
                f"--mask-classes: {name!r} cannot be a type of defects; use letters, digits, - and "
                f"_, but not 'good', not '{COMBINED}', and no 'train_' in front"
            )
        if is_reserved(name):
            raise UsageError(f"--mask-classes: {name!r} is the name of a device under Windows")
    spellings: dict[str, str] = {}
    for name in names:
        other = spellings.setdefault(name.casefold(), name)
        if other != name:
            raise UsageError(
                f"--mask-classes: {other} and {name} are one folder on systems that ignore case; "
                "rename one type"
            )
    if len({*names}) > _MOST_TYPES:
        raise UsageError(f"--mask-classes: more than {_MOST_TYPES} types")


def color_of(value: str) -> Color | None:
    """Return the colour of a gray value (``3``) or of ``#ff0000``; None for other texts."""
    if _GRAY.fullmatch(value) and int(value) <= _LARGEST:
        return (int(value), int(value), int(value))
    if re.fullmatch(r"#[0-9a-fA-F]{6}", value):
        return (int(value[1:3], 16), int(value[3:5], 16), int(value[5:], 16))
    return None


def numbers_of(rule: MaskRule) -> Mapping[str, int]:
    """Return the number of each value's type, from 1, as marks have it."""
    types = rule.types
    return {value: types.index(name) + 1 for value, name in rule.classes}
