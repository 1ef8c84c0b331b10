"""Catalogue of the codes that train on a tree, with the needs of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from kolektor_cli.imaging.geometry import CenterCrop, Size
from kolektor_cli.tree.layout import Color

ConsumerName: TypeAlias = Literal[
    "anomalib",
    "patchcore",
    "cflow",
    "cfa",
    "fastflow",
    "ristorante",
    "efficientad",
    "simplenet",
    "anomalyclip",
    "adaclip",
    "ader",
]

METAL_NUT = "metal_nut"
"""Category that passes every fixed list of MVTec AD's categories. No code treats it specially, as
some do others (they take grid, screw and zipper for gray images), and its parts are metal, too."""

MVTEC_CATEGORIES = frozenset(
    {
        *("bottle", "cable", "capsule", "carpet", "grid", "hazelnut", "leather", "metal_nut"),
        *("pill", "screw", "tile", "toothbrush", "transistor", "wood", "zipper"),
    }
)
"""The 15 categories of MVTec AD; P. Bergmann et al., MVTec AD, CVPR 2019."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """A code base and its needs; an empty value or None means no need.

    `categories` are the accepted categories, `category` is the default. `sizes` are the accepted
    output sizes (width, height in pixels), `size` is the default. `square` and `one_size` apply to
    all images. `colors` are those it reads. `roots` are the accepted names of the folder above the
    category; the path of that folder must contain none of `not_in_path`. `class_name` is its name
    for the category in ``meta.json``: "" for the category's own name, None if it reads no such
    file. `commands` train on the tree; `needs.guide_for` fills in the names in braces. `notes` are
    hints for the user. `center_crop` is its default crop.
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
        notes=("needs Pillow below 10 and torchvision below 0.26",),
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
            "needs a GPU, Pillow below 10, and NumPy below 1.24 or from 2 on",
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
        # To find a mask it replaces these texts in the whole path, and reads the path as a pattern.
        not_in_path=("/test/", ".png", "[", "]", "*", "?"),
    ),
    "ristorante": Consumer(
        title="FastFlow (RistoranteRist/FastFlow)",
        commands=("mkdir -p test && python -c {ristorante_code}",),
        notes=(
            "its config.py has the backbone, CaiT-M48, and nb_epoch, which is 2",
            "needs tkinter, which model.py imports",
        ),
        size=(448, 448),
        square=True,
        one_size=True,
        # It reads the path as a pattern.
        not_in_path=("[", "]", "*", "?"),
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
        notes=(
            "without --imagenet_train_path it trains without the paper's penalty",
            "--output_dir must be new; the second command is MVTec's own evaluation, a download",
        ),
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
"""Consumers by their names for ``--for``."""

CENTER_CROPS: tuple[CenterCrop, ...] = tuple(
    consumer.center_crop for consumer in CONSUMERS.values() if consumer.center_crop
)
"""Default center crops of the consumers that crop images rather than squash them."""
