"""What each code base that trains on the tree needs of it, as data, and what a tree lacks of that.

Every need was found in the named code and tried with its own loader. `--for` sets what is needed
and `verify --for` checks it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kolektor_cli.errors import UsageError
from kolektor_cli.records import CenterCrop, Color, ConsumerName, Finding, Guide, Size

METAL_NUT = "metal_nut"
"""The category that passes every fixed list of MVTec AD's: no code does with it what some do with
others (grid, screw and zipper are taken for gray images), and its parts are metal, too."""

MVTEC_CATEGORIES = frozenset(
    {
        *("bottle", "cable", "capsule", "carpet", "grid", "hazelnut", "leather", "metal_nut"),
        *("pill", "screw", "tile", "toothbrush", "transistor", "wood", "zipper"),
    }
)
"""The 15 categories of MVTec AD; P. Bergmann et al., MVTec AD, CVPR 2019."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """One code base and its needs; what is empty or None is free.

    `categories` are those it accepts, `category` the one to take unless another is asked for.
    `sizes` are the output sizes (width, height in pixels) it accepts, `size` the one to take;
    `square` and `one_size` say what all images must be. `colors` are those it reads. `roots` are
    the names it accepts for the folder above the category, `not_in_path` the texts that must not
    be in that folder's path. `class_name` is what it calls the category in ``meta.json``, "" for
    the category's own name, None if it reads no such file. `commands` train on the tree, with the
    names of `_command_values` in braces; `notes` are what to mind.
    """

    title: str
    commands: tuple[str, ...]
    notes: tuple[str, ...] = ()
    category: str | None = None
    categories: frozenset[str] = frozenset()
    size: Size | None = None
    sizes: frozenset[Size] = frozenset()
    square: bool = False
    one_size: bool = False
    colors: tuple[Color, ...] = ("rgb", "gray")
    roots: tuple[str, ...] = ()
    not_in_path: tuple[str, ...] = ()
    class_name: str | None = None
    center_crop: CenterCrop | None = None


CONSUMERS: Mapping[ConsumerName, Consumer] = {
    "anomalib": Consumer(
        title="Anomalib 2",
        commands=("anomalib train --model Patchcore --data {config}",),
        notes=(
            "the config's paths are relative to the folder that the command is run in, "
            "if OUT was given so",
        ),
    ),
    "patchcore": Consumer(
        title="PatchCore (amazon-science/patchcore-inspection)",
        commands=(
            "PYTHONPATH=src python bin/run_patchcore.py --gpu 0 --seed 0 results"
            " patch_core -b wideresnet50 -le layer2 -le layer3 --pretrain_embed_dimension 1024"
            " --target_embed_dimension 1024 --anomaly_scorer_num_nn 1 --patchsize 3"
            " sampler -p 0.1 approx_greedy_coreset"
            " dataset --resize {short} --imagesize {long} -d {category} mvtec {root}",
        ),
        notes=(
            "--resize and --imagesize are the tree's: else its metrics lose the edges of resized "
            "masks, and its center crop what lies outside",
        ),
        size=(256, 256),
        one_size=True,
        center_crop=CenterCrop("patchcore", 256, 224),
    ),
    "cflow": Consumer(
        title="CFLOW-AD (gudovskiy/cflow-ad)",
        commands=(
            "mkdir -p data && ln -sfn {root} data/MVTec-AD",
            "python3 main.py --gpu 0 --pro -inp 256 --dataset mvtec --class-name {category}",
        ),
        notes=("needs Pillow below 10",),
        category=METAL_NUT,
        categories=MVTEC_CATEGORIES - {"grid", "screw", "zipper"},
        colors=("rgb",),
    ),
    "cfa": Consumer(
        title="CFA (sungwool/CFA_for_anomaly_localization)",
        commands=(
            "python trainer_cfa.py --class_name {category} --data_path {root}"
            " --cnn wrn50_2 --size 256 --gamma_c 1 --gamma_d 1",
        ),
        notes=(
            "needs Pillow below 10",
            "do not pass --Rd False: it is read as True, and rotates and crops the test images",
        ),
        category=METAL_NUT,
        categories=MVTEC_CATEGORIES,
        size=(256, 256),
        square=True,
        center_crop=CenterCrop("cfa", 256, 224),
    ),
    "fastflow": Consumer(
        title="FastFlow (gathierry/FastFlow)",
        commands=(
            "python main.py -cfg configs/{fastflow_config}.yaml --data {root} -cat {category}",
        ),
        notes=(
            "the size must be the network's: 256 for resnet18 and wide_resnet50_2, 384 for deit, "
            "448 for cait",
        ),
        category=METAL_NUT,
        categories=MVTEC_CATEGORIES,
        size=(256, 256),
        sizes=frozenset({(256, 256), (384, 384), (448, 448)}),
        one_size=True,
        colors=("rgb",),
        # It replaces these in the whole path to find a mask, and takes the path for a pattern.
        not_in_path=("/test/", ".png", "[", "]", "*", "?"),
    ),
    "efficientad": Consumer(
        title="EfficientAD (nelson1425/EfficientAD)",
        commands=(
            "python efficientad.py --dataset mvtec_ad --subdataset {category}"
            " --mvtec_ad_path {root} --output_dir output/1",
            "python mvtec_ad_evaluation/evaluate_experiment.py --dataset_base_dir {root}"
            " --anomaly_maps_dir output/1/anomaly_maps/mvtec_ad/"
            " --output_dir output/1/metrics/mvtec_ad/ --evaluated_objects {category}",
        ),
        notes=("without --imagenet_train_path it trains without the paper's penalty",),
        category=METAL_NUT,
        categories=MVTEC_CATEGORIES,
    ),
    "simplenet": Consumer(
        title="SimpleNet (DonaldRR/SimpleNet)",
        commands=(
            "python3 main.py --gpu 0 --seed 0 --log_group {category} --log_project kolektor"
            " --results_path results --run_name run"
            " net -b wideresnet50 -le layer2 -le layer3 --pretrain_embed_dimension 1536"
            " --target_embed_dimension 1536 --patchsize 3 --meta_epochs 40 --embedding_size 256"
            " --gan_epochs 4 --noise_std 0.015 --dsc_hidden 1024 --dsc_layers 2 --dsc_margin .5"
            " --pre_proj 1"
            " dataset --batch_size 8 --resize {short} --imagesize {long} -d {category}"
            " mvtec {root}",
        ),
        notes=("needs NumPy below 1.24 and pandas below 2",),
        size=(288, 288),
        one_size=True,
        center_crop=CenterCrop("simplenet", 329, 288),
    ),
    "anomalyclip": Consumer(
        title="AnomalyCLIP (zqhang/AnomalyCLIP)",
        commands=(
            "python train.py --dataset SDD --train_data_path {root}"
            " --save_path ./checkpoints/kolektor/ --features_list 6 12 18 24 --image_size 518"
            " --batch_size 8 --print_freq 1 --epoch 15 --save_freq 1 --depth 9 --n_ctx 12"
            " --t_n_ctx 4",
            "python test.py --dataset SDD --data_path {root} --save_path ./results/kolektor"
            " --checkpoint_path ./checkpoints/9_12_4_multiscale_visa/epoch_15.pth"
            " --features_list 24 --image_size 518 --depth 9 --n_ctx 12 --t_n_ctx 4",
        ),
        notes=(
            "train.py trains on the test images, for use on other data; test.py tests the "
            "published weights, trained on MVTec AD, on this tree",
        ),
        class_name="electrical commutators",
    ),
    "adaclip": Consumer(
        title="AdaCLIP (caoyunkang/AdaCLIP)",
        commands=(
            "echo {data_root} > config.py",
            "python train.py --training_data sdd --testing_data visa",
            "python test.py --testing_model dataset --testing_data sdd"
            " --ckt_path weights/pretrained_mvtec_colondb.pth --save_path ./workspaces",
        ),
        notes=(
            "train.py trains on the test images, for use on other data; test.py tests published "
            "weights that have not seen KolektorSDD on this tree",
        ),
        roots=("SDD_anomaly_detection",),
        class_name="SDD",
    ),
    "ader": Consumer(
        title="ADer (zhangzjn/ADer)",
        commands=(
            "python run.py -c configs/benchmark/rd/rd_256_100e.py -m train"
            " data.root={root} data.cls_names={category}",
        ),
        roots=("mvtec", "visa"),
        not_in_path=("=",),
        class_name="",
    ),
}
"""The consumers, by their names for ``--for``."""

CENTER_CROPS: tuple[CenterCrop, ...] = tuple(
    consumer.center_crop for consumer in CONSUMERS.values() if consumer.center_crop
)
"""What consumers cut out of images by default, if they do not squash them."""

_FASTFLOW_CONFIGS = {256: "resnet18", 384: "deit", 448: "cait"}


@dataclass(frozen=True, slots=True)
class Offer:
    """What a consumer would get: a category folder in `out`, and what its images are.

    `sizes` (width, height in pixels) and `colors` are all that occur.
    """

    out: Path
    category: str
    sizes: Collection[Size]
    colors: Collection[str]


def defaults_for(name: ConsumerName | None, category: str, size: Size) -> tuple[str, Size]:
    """Return category and size (width, height in pixels) to take unless others are asked for.

    `category` and `size` are those where the consumer has no wish, or there is none.
    """
    if name is None:
        return category, size
    return CONSUMERS[name].category or category, CONSUMERS[name].size or size


def unmet_needs(consumer: Consumer, offer: Offer) -> Iterator[Finding]:
    """Find what a consumer needs and an offer has not, each an ``error`` that says what to do."""
    yield from _unmet_names(consumer, offer)
    yield from _unmet_sizes(consumer, offer.sizes)
    for color in sorted(set(offer.colors) - set(consumer.colors)):
        message = f"{consumer.title} reads no {color} images; use --color {consumer.colors[0]}"
        yield Finding("error", "color", "", message)


def _unmet_names(consumer: Consumer, offer: Offer) -> Iterator[Finding]:
    out = offer.out.resolve()
    if consumer.categories and offer.category not in consumer.categories:
        message = (
            f"{consumer.title} knows no category {offer.category}; "
            f"use --category {consumer.category}"
        )
        yield Finding("error", "category", "", message)
    if consumer.roots and out.name not in consumer.roots:
        names = " or ".join(consumer.roots)
        message = f"{consumer.title} needs the folder above the category to be called {names}"
        yield Finding("error", "root", "", message)
    for text in consumer.not_in_path:
        if text in f"{out.as_posix()}/":
            message = f"{consumer.title} goes wrong with {text!r} in the path {out}"
            yield Finding("error", "path", "", message)


def _unmet_sizes(consumer: Consumer, sizes: Collection[Size]) -> Iterator[Finding]:
    shown = ", ".join(f"{width}x{height}" for width, height in sorted(sizes)[:3])
    wrong = sorted(set(sizes) - consumer.sizes) if consumer.sizes else []
    if wrong:
        accepted = ", ".join(f"{width}x{height}" for width, height in sorted(consumer.sizes))
        message = f"{consumer.title} needs images of {accepted}, not {shown}"
        yield Finding("error", "size", "", message)
    elif consumer.square and any(width != height for width, height in sizes):
        message = f"{consumer.title} cuts off what is not square, and images are {shown}"
        yield Finding("error", "size", "", message)
    if consumer.one_size and len(set(sizes)) > 1:
        message = f"{consumer.title} needs images of one size, and they are {shown} and more"
        yield Finding("error", "size", "", message)


def require_needs(name: ConsumerName | None, offer: Offer) -> None:
    """Refuse what a consumer, if there is one, cannot train on.

    Raises
    ------
    UsageError
        A need is not met; see `unmet_needs`.
    """
    if name is None:
        return
    for finding in unmet_needs(CONSUMERS[name], offer):
        raise UsageError(f"--for {name}: {finding.message}")


def guide_for(name: ConsumerName, offer: Offer, files: Iterable[str]) -> Guide:
    """Tell how a consumer trains on what is offered; `files` lie beside the category folder."""
    consumer = CONSUMERS[name]
    values = _command_values(offer.out, offer.category, min(offer.sizes))
    return Guide(
        consumer=name,
        title=consumer.title,
        files=tuple(sorted(files)),
        commands=tuple(command.format_map(values) for command in consumer.commands),
        notes=consumer.notes,
    )


def _command_values(out: Path, category: str, size: Size) -> dict[str, str]:
    """Return what stands in braces in `Consumer.commands`, quoted for a shell.

    `size` is the width and height of the images in pixels.
    """
    root = out.resolve()
    return {
        "root": shlex.quote(str(root)),
        "data_root": shlex.quote(f"DATA_ROOT = {json.dumps(str(root.parent))}"),
        "category": shlex.quote(category),
        "config": shlex.quote(str(out / f"{category}.yaml")),
        "short": str(min(size)),
        "long": str(max(size)),
        "fastflow_config": _FASTFLOW_CONFIGS.get(size[0], "resnet18"),
    }
