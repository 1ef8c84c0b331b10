"""Options that say how a source's files are paired, and how its masks are read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal, TypeAlias, get_args

from kolektor_cli.errors import UsageError, require_one_of, require_whole
from kolektor_cli.raw.mask_classes import read_classes
from kolektor_cli.samples import COMBINED, DEFECT, MaskRule

LayoutName: TypeAlias = Literal["pairs"]

NoMask: TypeAlias = Literal["good"]

Duplicates: TypeAlias = Literal["exact"]

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
    good, defective
        For ``pairs`` without masks: the folder, or the name of all folders, in which the good and
        the defective images lie; with one of the two, all other images have the other label.
    mask_threshold
        The values of a mask above this one, of 0 to 255, are defect, however many values it has.
    mask_classes
        The types of defects that the values of a mask stand for: ``1=scratch,2=dent`` for gray
        values, ``#ff0000=scratch`` for colours, ``scratch`` for a label of labelme as it is. An
        image with defects of several types is of the type ``combined``.
    dilate
        Side in pixels, odd, of the square to which each marked pixel of a mask grows.
    duplicates
        ``exact`` if only images with equal pixels are the same picture; by default those that were
        taken or encoded again, too, as far as they look the same.
    """

    layout: LayoutName | None = None
    mask_suffix: str | None = None
    masks: str | None = None
    item: str | None = None
    no_mask: NoMask | None = None
    good: str | None = None
    defective: str | None = None
    mask_threshold: int | None = None
    mask_classes: str | None = None
    dilate: int | None = None
    duplicates: Duplicates | None = None

    def given(self) -> dict[str, object]:
        """Return the options that differ from their defaults, by name, as in a manifest."""
        options = {option.name: getattr(self, option.name) for option in fields(self)}
        return {name: value for name, value in options.items() if value is not None}

    @property
    def of_pairs(self) -> tuple[str, ...]:
        """The names of the given options that only ``pairs`` has."""
        return tuple(name for name in _OF_PAIRS if getattr(self, name) is not None)

    @property
    def mask_rule(self) -> MaskRule:
        """How the values of a mask become marks."""
        classes = read_classes(self.mask_classes) if self.mask_classes is not None else ()
        return MaskRule(self.mask_threshold or 0, self.dilate or 1, classes)

    @property
    def has_masks(self) -> bool:
        """Whether masks tell which samples are defective; else their folders do."""
        return self.good is None and self.defective is None

    @property
    def types(self) -> frozenset[str]:
        """The types of defects that there may be."""
        types = self.mask_rule.types
        return frozenset({*types, COMBINED} if types else {DEFECT})


KOLEKTOR_LAYOUT = LayoutOptions()

_CHOICES: Mapping[str, Sequence[str]] = {
    "layout": get_args(LayoutName),
    "no_mask": get_args(NoMask),
    "duplicates": get_args(Duplicates),
}

_OF_PAIRS = ("mask_suffix", "masks", "item", "good", "defective")
"""The options that only the layout ``pairs`` has."""

_OF_MASKS = ("mask_suffix", "masks", "no_mask", "mask_threshold", "mask_classes", "dilate")
"""The options that a source without masks does not have."""


def check_layout(options: LayoutOptions) -> LayoutOptions:
    """Return the options if they are possible.

    Raises
    ------
    UsageError
        An option has a wrong value, or contradicts another one.
    """
    given = options.given()
    for name, choices in _CHOICES.items():
        if name in given:
            require_one_of(option_of(name), given[name], choices)
    for name in options.of_pairs:
        _check_text(name, given[name])
    _check_pattern(options.item)
    if not options.has_masks:
        _check_without_masks(options)
    _check_rule(options)
    return options


def _check_rule(options: LayoutOptions) -> None:
    """Check how masks are to be read."""
    if options.mask_classes is not None:
        _check_text("mask_classes", options.mask_classes)
        read_classes(options.mask_classes)
        for other in ("mask_threshold", "dilate"):
            if getattr(options, other) is not None:
                raise UsageError(f"--mask-classes and --{option_of(other)} exclude each other")
    if options.mask_threshold is not None:
        _require_between("mask-threshold", options.mask_threshold, 0, 254)
    if options.dilate is not None:
        _require_between("dilate", options.dilate, 1, _LARGEST_DILATION)
        if options.dilate % 2 == 0:
            raise UsageError(f"--dilate {options.dilate} is even: a square around a pixel is odd")


def option_of(name: str) -> str:
    """Return the name of an option on the command line, without its dashes."""
    return name.replace("_", "-")


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip("./\\ "):
        raise UsageError(f"--{option_of(name)} {value!r} is not a text that a name can hold")


def _check_pattern(item: str | None) -> None:
    try:
        groups = 1 if item is None else re.compile(item).groups
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"--item {item!r} is not a regular expression: {error}") from error
    if not groups:
        raise UsageError(
            f"--item {item!r} has no group; put the part that names the item in parentheses"
        )


def _check_without_masks(options: LayoutOptions) -> None:
    wrong = next((name for name in _OF_MASKS if name in options.given()), None)
    if wrong:
        label = "good" if options.good is not None else "defective"
        raise UsageError(
            f"--{label} and --{option_of(wrong)} exclude each other: folders are labels only where "
            "there are no masks"
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
