"""The options of scoring."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from kolektor_cli.errors import UsageError, require_whole
from kolektor_cli.imaging.geometry import CenterCrop

DRAWS = 1000
"""Draws for intervals: enough for three decimals of most figures."""

AskedThreshold: TypeAlias = float | Literal["val"] | None


@dataclass(frozen=True, slots=True)
class ScoreOptions:
    """How maps are scored.

    Parameters
    ----------
    image_score
        What the score of an image is: ``max``, the maximum of its map; ``top:N``, the mean of the N
        highest values; None for the scores that came with the maps, else the maximum.
    threshold
        A score from which pixels are defect, or ``val``: the mean of the maps of the validation
        images plus three standard deviations. None for no such figures.
    crop
        The center crop that the maps show; None if they show whole images.
    exact_size
        Refuse maps that must be resized.
    draws
        How often physical items are drawn for the intervals; 0 for no intervals.
    seed
        The seed of the draws.
    """

    image_score: str | None = None
    threshold: AskedThreshold = None
    crop: CenterCrop | None = None
    exact_size: bool = False
    draws: int = 0
    seed: int = 0


def check_options(options: ScoreOptions) -> None:
    """Refuse options that are wrong by themselves.

    Raises
    ------
    UsageError
        See above.
    """
    top_of(options.image_score)
    require_whole("draws", options.draws)
    require_whole("seed", options.seed)
    if options.crop is not None and options.exact_size:
        raise UsageError("--exact-size and --crop contradict each other: a crop is resized")


def top_of(image_score: str | None) -> int | None:
    """Return the N of ``top:N``; None for the maximum.

    Raises
    ------
    UsageError
        The text is neither ``max`` nor ``top:N``.
    """
    if image_score in (None, "max"):
        return None
    found = re.fullmatch(r"top:(\d{1,9})", str(image_score), re.ASCII)
    if found is None or not int(found[1]):
        raise UsageError(f"--image-score {image_score!r} is neither 'max' nor 'top:N'")
    return int(found[1])


def parse_crop(text: str | None) -> CenterCrop | None:
    """Return the center crop of a text, ``RESIZE:SIDE`` in pixels; None for None.

    Raises
    ------
    UsageError
        It is no such text.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,9}):(\d{1,9})", text, re.ASCII)
    if found is None or not (int(found[1]) and int(found[2])):
        raise UsageError(f"--crop {text!r} is not RESIZE:SIDE, for example 256:224")
    return CenterCrop("--crop", int(found[1]), int(found[2]))


def parse_threshold(text: str | None) -> AskedThreshold:
    """Return the threshold of a text: a number, or ``val``.

    Raises
    ------
    UsageError
        It is neither.
    """
    if text is None or text == "val":
        return "val" if text else None
    value = finite_number(text)
    if value is None:
        raise UsageError(f"--threshold {text!r} is neither a finite number nor 'val'")
    return value


def finite_number(text: str) -> float | None:
    """Return the number that a text says, or None if it says none, or none that is finite."""
    try:
        # Python takes 1_0 for 10, and digits of any script.
        value = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None
