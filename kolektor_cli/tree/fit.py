"""The fit: the rule and the size that turn source images into output images."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal, TypeAlias

from kolektor_cli.errors import UsageError, require_one_of
from kolektor_cli.imaging.geometry import Size

FitName: TypeAlias = Literal["stretch", "pad", "crop", "thirds", "square"]

AskedSize: TypeAlias = Size | Literal["source"] | None
"""(width, height) in pixels, or the size of each source image, or None for a default."""

FIT_NAMES: tuple[FitName, ...] = ("stretch", "pad", "crop", "thirds", "square")

WHOLE: tuple[FitName, ...] = ("stretch", "pad")
"""Fits that show the whole source image."""

MANY: tuple[FitName, ...] = ("thirds", "square")
"""Fits that may make several output images of one source image."""

SQUARE_SIDE = 500
"""Default side of the windows of ``square``, in pixels: the width of KolektorSDD's images."""

MAX_SIDE = 16_384
"""The longest side of an output image, in pixels."""

MAX_AREA = 2**25
"""The largest area of an output image in pixels, 33.5 megapixels; together with `MAX_SIDE`, this
bounds memory."""


SQUEEZED = 1.25
"""Change of an image's aspect that is worth a warning."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How source images become output images; `kolektor_cli.tree.views` describes each fit.

    `size` is (width, height) of every output image in pixels, or None if each has its own. `seed`
    decides where the windows of ``square`` lie on good images, and nothing else.
    """

    name: FitName
    size: Size | None = None
    seed: int = 0


def check_size(size: Size) -> Size:
    """Return `size`, (width, height) in pixels, if an output image may have it.

    Raises
    ------
    UsageError
        A side is not from 1 to `MAX_SIDE`, or the area is over `MAX_AREA`.
    """
    if not isinstance(size, tuple | list) or list(map(type, size)) != [int, int]:
        raise UsageError(f"size {size!r} is not (width, height) in whole pixels")
    width, height = size
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE and width * height <= MAX_AREA):
        raise UsageError(
            f"size {width}x{height} is out of range: sides go from 1 to {MAX_SIDE} pixels, "
            f"the area up to {MAX_AREA} pixels"
        )
    return size


def make_fit(name: FitName, asked: AskedSize = None, *, default: Size | None, seed: int = 0) -> Fit:
    """Return a fit of the size `asked`, or else of the size `default`, (width, height) in pixels.

    If `default` is None, it is the size of each source image. If it is no square, the default of
    ``square`` is `SQUARE_SIDE` pixels each way instead.

    Raises
    ------
    UsageError
        There is no such fit, the size is out of range, or the fit does not take it.
    """
    require_one_of("fit", name, FIT_NAMES)
    if name == "thirds":
        if asked is not None:
            raise UsageError("--fit thirds takes no --size: its crops are not resized")
        return Fit(name)
    if name == "square" and (default is None or default[0] != default[1]):
        default = (SQUARE_SIDE, SQUARE_SIDE)
    wanted = (default or "source") if asked is None else asked
    if wanted == "source":
        if name != "stretch":
            raise UsageError(f"--fit {name} needs a size in pixels, not --size source")
        return Fit(name)
    width, height = check_size(wanted)
    if name != "square":
        return Fit(name, (width, height))
    if width != height:
        raise UsageError(f"--fit square makes squares, not {width}x{height}: give one number")
    return Fit(name, (width, height), seed)


def turned_size(fit: Fit, sizes: Sequence[Size]) -> Size | None:
    """Return the fit's size with its sides exchanged, if most source images are turned against it.

    `sizes` are (width, height) of the source images in pixels. An image is turned if it stands and
    the output lies, or the other way, and their aspects differ by a factor of `SQUEEZED` or more.
    """
    if fit.size is None:
        return None
    turned = sum(_is_turned(fit.size, size) for size in sizes)
    return fit.size[::-1] if 2 * turned > len(sizes) else None


def squeezed_by(fit: Fit, sizes: Collection[Size]) -> float:
    """Return the median factor, 1 or more, by which a fit changes the aspect of source images.

    `sizes` are (width, height) of the source images in pixels.
    """
    if fit.name != "stretch" or fit.size is None or not sizes:
        return 1.0
    return median(_change(fit.size, size) for size in sizes)


def _change(output: Size, image: Size) -> float:
    """Return the factor between the aspects of two sizes, 1 or more."""
    ends = sorted((output[0] * image[1], output[1] * image[0]))
    return ends[1] / ends[0]


def _is_turned(output: Size, image: Size) -> bool:
    """Return whether one of two sizes lies and the other stands, and their aspects differ much."""
    opposite = (output[0] - output[1]) * (image[0] - image[1]) < 0
    return opposite and _change(output, image) >= SQUEEZED


def fit_options(fit: Fit) -> dict[str, object]:
    """Return a fit as options of a manifest, which `fit_of` reads."""
    options: dict[str, object] = {"fit": fit.name, "size": list(fit.size) if fit.size else "source"}
    return options | ({"seed": fit.seed} if fit.name == "square" else {})


def fit_of(options: Mapping[str, Any]) -> Fit:
    """Return the fit of a manifest's options; ``stretch`` if they name none, as in format 1.

    Raises
    ------
    UsageError
        The options name no valid fit.
    """
    name, size, seed = options.get("fit", "stretch"), options.get("size"), options.get("seed", 0)
    if name in FIT_NAMES and type(seed) is int:
        if size == "source" and name in ("stretch", "thirds"):
            return Fit(name)
        if isinstance(size, list) and list(map(type, size)) == [int, int]:
            return Fit(name, check_size((size[0], size[1])), seed)
    raise UsageError(f"the options {dict(options)} name no valid fit")
