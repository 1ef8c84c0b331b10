"""The options that commands share, each with its help, declared once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar, cast, get_args

import typer

from kolektor_cli.consumers.catalogue import CONSUMERS, ConsumerName
from kolektor_cli.imaging.geometry import Size
from kolektor_cli.raw.layout_options import Duplicates, LayoutName, LayoutOptions, NoMask
from kolektor_cli.splits.split import ProtocolName, SideDefects, SplitOptions, TrainDefects
from kolektor_cli.tree.fit import AskedSize, FitName

Choice = TypeVar("Choice", bound=str)

# Headings of help; `kolektor_cli.cli.help` puts them in order.
OF_SOURCE, OF_OUTPUT, OF_GEOMETRY, OF_SPLIT, OF_RUN = "Source", "Output", "Geometry", "Split", "Run"
OF_MAPS = "Maps"

FITS: Mapping[FitName, str] = {
    "stretch": "The whole image, each axis scaled by itself; the default.",
    "pad": "The whole image, its aspect kept, black around it; the default with a --for whose "
    "code makes images square.",
    "crop": "The central window of --size, not resampled.",
    "thirds": "Three crops along the height, not resampled.",
    "square": "Windows of --size N, not resampled: over every defect, and of good images one at a "
    "place drawn at random.",
}

PROTOCOLS: Mapping[ProtocolName, str] = {
    "balanced": "Test all defective and as many good samples, train on the other good ones; the "
    "same picture stays on one side: 295 / 52 + 52. The default.",
    "vicos": "The authors' folds, --fold 0|1|2; with --drop-leaks without what they have on both "
    "sides: fold 0 tests 117 good and 18 defective.",
    "grouped": "--folds K --fold I: whole physical items, of which there are 47.",
    "anomalib": "The split of Anomalib's Kolektor data module: 277 / 70 + 52.",
    "official": "KolektorSDD2's own folders train and test, of train the good ones: on "
    "KolektorSDD2, where it is the default, 2085 / 894 + 110.",
}

SourceArgument: TypeAlias = Annotated[
    Path, typer.Argument(metavar="SOURCE", help="Folder, .zip or .tar of the raw dataset.")
]

DefaultSourceArgument: TypeAlias = Annotated[
    Path,
    typer.Argument(
        envvar="KOLEKTOR_SOURCE", metavar="SOURCE", help="Folder, .zip or .tar of the raw dataset."
    ),
]
"""For commands that take nothing after it, so that it is clear what is left out."""

JobsOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        metavar="N",
        envvar="KOLEKTOR_JOBS",
        help="Threads; default: one a processor.",
        rich_help_panel=OF_RUN,
    ),
]

QuietOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="No progress bar and no notes on standard error.",
        rich_help_panel=OF_RUN,
    ),
]

JsonOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print one JSON object; see 'kolektor docs schemas'.",
        rich_help_panel=OF_OUTPUT,
    ),
]

SeedOption: TypeAlias = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=0,
        help="Seed of everything that is drawn at random.",
        rich_help_panel=OF_RUN,
    ),
]

ProtocolOption: TypeAlias = Annotated[
    ProtocolName | None,
    typer.Option(
        help="Rule by which samples are split, see below. Default: balanced; of KolektorSDD2 "
        "official.",
        show_default=False,
        rich_help_panel=OF_SPLIT,
    ),
]

SplitSeedOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="N",
        min=0,
        help="balanced, grouped, numbers of samples that train, and the fit square: the seed; "
        "default 0.",
        rich_help_panel=OF_SPLIT,
    ),
]

TestGoodOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="balanced: good samples to test; default: as many as are defective.",
        rich_help_panel=OF_SPLIT,
    ),
]

ValOption: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="FRACTION",
        help="balanced: part of the good samples not tested that is for validation; default 0.",
        rich_help_panel=OF_SPLIT,
    ),
]

FoldOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="I",
        min=0,
        help="vicos, grouped, .pyb file: the fold to test, from 0.",
        rich_help_panel=OF_SPLIT,
    ),
]

FoldsOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="K", min=2, help="grouped: number of folds; default 3.", rich_help_panel=OF_SPLIT
    ),
]

DropLeaksOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--drop-leaks",
        help="vicos: leave out training images that are tested, too.",
        rich_help_panel=OF_SPLIT,
    ),
]

FitOption: TypeAlias = Annotated[
    FitName | None,
    typer.Option(
        "--fit", help="How images are fitted to the size, see below.", rich_help_panel=OF_GEOMETRY
    ),
]

SizeOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        autocompletion=lambda: ["source"],
        metavar="SIZE",
        help="Output size in pixels: WxH; N for NxN; or 'source' to keep each image's own. "
        "Default: 500x1240, of KolektorSDD2 230x630, of pairs source, for square 500.",
        rich_help_panel=OF_GEOMETRY,
    ),
]


def _parse_train_defects(text: str) -> str | int:
    """Read the option --train-defects: a word, or how many."""
    if text.isascii() and text.isdecimal():
        return int(text)
    if text not in get_args(SideDefects):
        known = ", ".join(map(repr, (*get_args(SideDefects), "a number")))
        raise typer.BadParameter(f"{text!r} is not one of {known}")
    return text


TrainDefectsOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        parser=_parse_train_defects,
        autocompletion=lambda: list(get_args(SideDefects)),
        metavar="unused|train|test|N",
        help="Defective samples to train on: N of them, with any protocol. vicos, grouped, "
        "official, .pyb file: where all on the training side go; default unused, test for "
        "official alone.",
        rich_help_panel=OF_SPLIT,
    ),
]

TrainGoodOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="K",
        min=1,
        help="Good samples to train on: K, of distinct items first; the others are unused. "
        "Default: all.",
        rich_help_panel=OF_SPLIT,
    ),
]


def _parse_consumer(text: str) -> str:
    """Return a name of a consumer, of which Typer does not know when an option is repeatable."""
    if text not in CONSUMERS:
        known = ", ".join(map(repr, CONSUMERS))
        raise typer.BadParameter(f"{text!r} is not one of {known}")
    return text


ConsumersOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--for",
        parser=_parse_consumer,
        autocompletion=lambda: list(CONSUMERS),
        metavar="NAME",
        help="Code that is to train on the tree: its needs are met. Several may share a tree: "
        f"give --for for each. Names: {', '.join(CONSUMERS)}.",
        rich_help_panel="Consumer",
    ),
]

MapsOfOption: TypeAlias = Annotated[
    ConsumerName | None,
    typer.Option(
        "--for", help="Code that made the maps: they show its center crop.", rich_help_panel=OF_MAPS
    ),
]

CropOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="RESIZE:SIDE",
        help="The maps show this center crop, for example 256:224.",
        rich_help_panel=OF_MAPS,
    ),
]

SkipBadOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--skip-bad",
        help="Leave out samples with errors instead of refusing.",
        rich_help_panel=OF_SOURCE,
    ),
]

TrustMasksOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--trust-masks",
        help="Take the masks' labels, even of official images that officially have another.",
        rich_help_panel=OF_SOURCE,
    ),
]

SplitFileOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--split",
        metavar="FILE",
        help="Take the split from a CSV file or the authors' .pyb; - is standard input.",
        rich_help_panel=OF_SPLIT,
    ),
]


LayoutOption: TypeAlias = Annotated[
    LayoutName | None,
    typer.Option(
        help="Images of your own, with masks or without; 'kolektor docs own-data' tells more. "
        "Default: what is recognised.",
        show_default=False,
        rich_help_panel=OF_SOURCE,
    ),
]

MaskSuffixOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="ENDING",
        help="pairs: masks are the files that end so, as _mask or .png.",
        rich_help_panel=OF_SOURCE,
    ),
]

MasksOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER",
        help="pairs: masks are the files in folders of this name.",
        rich_help_panel=OF_SOURCE,
    ),
]

ItemOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX",
        help="pairs: its first group, in an image's path, names the physical item; default: "
        "each image is one.",
        rich_help_panel=OF_SOURCE,
    ),
]

NoMaskOption: TypeAlias = Annotated[
    NoMask | None,
    typer.Option(
        help="An image without a mask is good; default: an error.", rich_help_panel=OF_SOURCE
    ),
]

MaskThresholdOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="T",
        help="Mask values above T, of 0 to 255, are defect, however many there are: 127 for "
        "smooth edges, 0 for classes that are all one.",
        rich_help_panel=OF_SOURCE,
    ),
]

GoodOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER",
        help="pairs without masks: images in folders of this name are good.",
        rich_help_panel=OF_SOURCE,
    ),
]

DefectiveOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER",
        help="pairs without masks: images in folders of this name are defective; with --good or "
        "--defective alone, all others have the other label.",
        rich_help_panel=OF_SOURCE,
    ),
]

MaskClassesOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="V=TYPE,...",
        help="Types of defects that mask values stand for: 1=scratch,2=dent; #ff0000=dent of "
        "colors; dent of labelme's labels. Each type has a folder.",
        rich_help_panel=OF_SOURCE,
    ),
]

DilateOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Grow each mask pixel to N x N before any fit; N is odd.",
        rich_help_panel=OF_SOURCE,
    ),
]


DuplicatesOption: TypeAlias = Annotated[
    Duplicates | None,
    typer.Option(
        help="Only images with equal pixels are the same picture; default: those taken or encoded "
        "again, too.",
        rich_help_panel=OF_SOURCE,
    ),
]


def _expand(
    name: str,
    make: Callable[..., object],
    command: Callable[..., None],
    without: Collection[str] = (),
) -> Callable[..., None]:
    """Give a command the options of which `make` makes its parameter `name`."""

    @wraps(command)
    def wrapper(**values: Any) -> None:
        given = {option: values.pop(option) for option in options}
        command(**{name: make(**given)}, **values)

    options = dict(signature(make, eval_str=True).parameters)
    for option in without:
        del options[option]
    parameters: list[Parameter] = []
    for parameter in signature(command, eval_str=True).parameters.values():
        parameters += options.values() if parameter.name == name else [parameter]
    # Typer reads a command's options from its signature.
    wrapper.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return wrapper


def takes_split_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a split, in place of its parameter `split`."""
    return _expand("split", _split_options, command)


def takes_layout_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a layout, in place of its parameter `layout`."""
    return _expand("layout", _layout_options, command)


def takes_mask_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a layout with masks: its own `--good` means something else."""
    return _expand("layout", _layout_options, command, without=("good", "defective"))


def _split_options(
    protocol: ProtocolOption = None,
    seed: SplitSeedOption = None,
    test_good: TestGoodOption = None,
    val: ValOption = None,
    fold: FoldOption = None,
    folds: FoldsOption = None,
    drop_leaks: DropLeaksOption = False,
    train_defects: TrainDefectsOption = None,
    train_good: TrainGoodOption = None,
) -> SplitOptions:
    return SplitOptions(
        protocol,
        seed,
        test_good,
        val,
        fold,
        folds,
        drop_leaks,
        cast("TrainDefects | None", train_defects),  # Typer's parser has made it one
        train_good,
    )


def _layout_options(
    layout: LayoutOption = None,
    mask_suffix: MaskSuffixOption = None,
    masks: MasksOption = None,
    item: ItemOption = None,
    no_mask: NoMaskOption = None,
    good: GoodOption = None,
    defective: DefectiveOption = None,
    mask_threshold: MaskThresholdOption = None,
    mask_classes: MaskClassesOption = None,
    dilate: DilateOption = None,
    duplicates: DuplicatesOption = None,
) -> LayoutOptions:
    return LayoutOptions(
        layout=layout,
        mask_suffix=mask_suffix,
        masks=masks,
        item=item,
        no_mask=no_mask,
        good=good,
        defective=defective,
        mask_threshold=mask_threshold,
        mask_classes=mask_classes,
        dilate=dilate,
        duplicates=duplicates,
    )


def only_one(flags: Mapping[Choice, bool], default: Choice) -> Choice:
    """Return the name of the flag that is given, or `default`; the names are those of the options.

    Raises
    ------
    typer.BadParameter
        Several are given.
    """
    given = [name for name, is_given in flags.items() if is_given]
    if len(given) > 1:
        names = " and ".join(f"--{name}" for name in given)
        raise typer.BadParameter(f"{names} contradict each other; give one")
    return given[0] if given else default


def output_file(output: Path, *, json: bool) -> Path | None:
    """Return the file of the option --output; None for standard output.

    Raises
    ------
    typer.BadParameter
        JSON is to be printed there, too.
    """
    if str(output) != "-":
        return output
    if json:
        raise typer.BadParameter("--json and -o - both write to standard output; give a file")
    return None


def parse_size(text: str | None) -> AskedSize:
    """Read the option --size: ``WxH``, or ``N`` for a square, in pixels, or ``source``.

    Raises
    ------
    typer.BadParameter
        It is none of these.
    """
    if text is None:
        return None
    if text == "source":
        return "source"
    found = _read_size(text)
    if found is None:
        message = f"{text!r} is neither WxH (for example 500x1240), nor N, nor 'source'"
        raise typer.BadParameter(message, param_hint="--size")
    return found


def parse_pixels(text: str | None) -> Size | None:
    """Read a size in pixels: ``WxH``, or ``N`` for a square.

    Raises
    ------
    typer.BadParameter
        It is neither.
    """
    found = None if text is None else _read_size(text)
    if text is not None and found is None:
        message = f"{text!r} is neither WxH (for example 160x416) nor N"
        raise typer.BadParameter(message, param_hint="--size")
    return found


def _read_size(text: str) -> Size | None:
    width, by, height = text.partition("x")
    if not by:
        height = width
    if not (text.isascii() and width.isdecimal() and height.isdecimal()):
        return None
    return int(width), int(height)
