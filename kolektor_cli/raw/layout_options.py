"""Options that say how a source's files are paired, and how its masks are read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

from kolektor_cli.errors import UsageError, require_one_of, require_whole
from kolektor_cli.samples import MaskRule

LayoutName: TypeAlias = Literal["pairs"]

NoMask: TypeAlias = Literal["good"]

_LARGEST_DILATION = 999


@dataclass(frozen=True, slots=True)
class LayoutOptions:
    """How a source is read; the defaults are for the Kolektor datasets.

    Parameters
    ----------
    layout
        ``pairs`` for images and masks of one's own; by default a Kolektor dataset is recognised.
    mask_suffix
        For ``pairs``: how masks' names end, as ``_mask``; with a format's suffix, as ``.png``,
        masks are all files of that format.
    masks
        For ``pairs``: the folder, or the name of all folders, in which the masks lie.
    item
        For ``pairs``: a regular expression; its first group, found in an image's path, is the item.
    no_mask
        ``good`` if an image without a mask is good; by default it is an error.
    mask_threshold
        The values of a mask above this one, of 0 to 255, are defect, however many values it has.
    dilate
        Side in pixels, odd, of the square to which each marked pixel of a mask grows.
    """

    layout: LayoutName | None = None
    mask_suffix: str | None = None
    masks: str | None = None
    item: str | None = None
    no_mask: NoMask | None = None
    mask_threshold: int | None = None
    dilate: int | None = None

    def given(self) -> dict[str, object]:
        """Return the options that differ from their defaults, by name, as in a manifest."""
        options = {option.name: getattr(self, option.name) for option in fields(self)}
        return {name: value for name, value in options.items() if value is not None}

    @property
    def mask_rule(self) -> MaskRule:
        """How the values of a mask become marks."""
        return MaskRule(self.mask_threshold or 0, self.dilate or 1)


KOLEKTOR_LAYOUT = LayoutOptions()


def check_layout(options: LayoutOptions) -> LayoutOptions:
    """Return the options if they are possible.

    Raises
    ------
    UsageError
        An option has a wrong value, or needs ``--layout pairs``.
    """
    given = options.given()
    for name, choices in (("layout", ("pairs",)), ("no_mask", ("good",))):
        if name in given:
            require_one_of(_option(name), given[name], choices)
    for name in ("mask_suffix", "masks", "item"):
        if name in given:
            _check_text(name, given[name], options.layout)
    _check_pattern(options.item)
    if options.mask_threshold is not None:
        _require_between("mask-threshold", options.mask_threshold, 0, 254)
    if options.dilate is not None:
        _require_between("dilate", options.dilate, 1, _LARGEST_DILATION)
        if options.dilate % 2 == 0:
            raise UsageError(f"--dilate {options.dilate} is even: a square around a pixel is odd")
    return options


def _option(name: str) -> str:
    return name.replace("_", "-")


def _check_text(name: str, value: object, layout: LayoutName | None) -> None:
    if not isinstance(value, str) or not value.strip("./\\ "):
        raise UsageError(f"--{_option(name)} {value!r} is not a text that a name can hold")
    if layout is None:
        raise UsageError(f"--{_option(name)} needs --layout pairs")


def _check_pattern(item: str | None) -> None:
    try:
        groups = 1 if item is None else re.compile(item).groups
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"--item {item!r} is not a regular expression: {error}") from error
    if not groups:
        raise UsageError(
            f"--item {item!r} has no group; put the part that names the item in parentheses"
        )


def _require_between(option: str, value: object, least: int, most: int) -> None:
    require_whole(option, value, least)
    if isinstance(value, int) and value > most:
        raise UsageError(f"--{option} {value} is more than {most}")


def layout_of(options: Mapping[str, object]) -> LayoutOptions:
    """Return the layout options of a manifest's options.

    Raises
    ------
    UsageError
        One has a wrong value.
    """
    names = {option.name for option in fields(LayoutOptions)}
    known = {name: value for name, value in options.items() if name in names}
    return check_layout(LayoutOptions(**known))  # type: ignore[arg-type]  # which it checks
