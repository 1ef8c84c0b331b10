"""Catalogue of the codes that train on a tree, with the needs of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from kolektor_cli.errors import require_one_of
from kolektor_cli.imaging.geometry import CenterCrop, Size
from kolektor_cli.io.index import ListName
from kolektor_cli.tree.fit import FitName
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
    "mambaad",
    "uniad",
    "rd4ad",
    "draem",
    "dinomaly",
    "inp-former",
    "musc",
    "glass",
    "supersimplenet",
    "open-iad",
    "aaclip",
    "dra",
]

Consumers: TypeAlias = ConsumerName | Sequence[ConsumerName]
"""One consumer, or several that share a tree."""

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
    output sizes (width, height in pixels), `size` is the default. `fit` is the default fit: ``pad``
    for a code that takes square images only or resizes all images to squares, since models find
    squeezed defects less well. `square` and `one_size` apply to all images. `colors` are those it
    reads. `roots` are the accepted names of the folder above the category; the path of that folder
    must contain none of `not_in_path`. `class_name` is its name for the category in ``meta.json``:
    "" for the category's own name, None if it reads no such file. `lists` are the files of JSON
    lines that it reads. `all_of_train` says that it reads every folder in ``train``, and takes
    defective images there for good ones or fails. `trains_on_test` says that it takes the defective
    images that it trains on from ``test``, and reads none in ``train``. `needs_masks` says that it
    reads the mask of each defective test image. `commands` train on the tree; `needs.guide_for`
    fills in the names in braces. `notes` are hints for the user. `center_crop` is its default crop.
    """

    title: str
    commands: tuple[str, ...]
    notes: tuple[str, ...] = ()
    category: str | None = None
    categories: frozenset[str] = frozenset()
    size: Size | None = None
    sizes: frozenset[Size] = frozenset()
    fit: FitName = "stretch"
    square: bool = False
    one_size: bool = False
    colors: tuple[Color, ...] = ("rgb", "gray")
    roots: tuple[str, ...] = ()
    not_in_path: tuple[str, ...] = ()
    class_name: str | None = None
    lists: tuple[ListName, ...] = ()
    all_of_train: bool = False
    trains_on_test: bool = False
    needs_masks: bool = True
    center_crop: CenterCrop | None = None


_PATTERNS = ("[", "]", "*", "?")
"""Characters that a code fails on if it takes the path for a pattern of names."""

_WHOLE_IMAGES = "the crop has the size of the image: by default the code cuts off the margin"

_DTD = "pastes textures of DTD (dtd-r1.0.1) on images: unpack it in datasets/"

_IMGAUG_NEEDS = "needs NumPy below 2, for imgaug"

_CLIP_NEEDS = "needs Pillow below 13, and a setuptools that has pkg_resources"

_ADER_NEEDS = "needs Python below 3.10, NumPy below 2 and timm 0.8.15dev0"

CONSUMERS: Mapping[ConsumerName, Consumer] = {
    "anomalib": Consumer(
        title="Anomalib 2",
        commands=(
            "anomalib train --model Patchcore --model.pre_processor {pre_processor}"
            " --data {config}",
        ),
        notes=(
            "the config's paths are relative to the folder that the command is run in, "
            "if OUT was given so",
            "the pre-processor keeps the images' aspect, and normalises as most models do; leave "
            "it out for others, as EfficientAd, Draem, Dinomaly and WinClip",
        ),
        needs_masks=False,
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
        fit="pad",
        one_size=True,
        center_crop=CenterCrop("patchcore", 256, 224),
        all_of_train=True,
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
        fit="pad",
        colors=("rgb",),
        all_of_train=True,
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
        fit="pad",
        square=True,
        center_crop=CenterCrop("cfa", 256, 224),
        all_of_train=True,
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
        fit="pad",
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
        fit="pad",
        square=True,
        one_size=True,
        # It reads the path as a pattern.
        not_in_path=_PATTERNS,
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
        fit="pad",
        all_of_train=True,
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
        fit="pad",
        one_size=True,
        center_crop=CenterCrop("simplenet", 329, 288),
        all_of_train=True,
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
            _CLIP_NEEDS,
        ),
        fit="pad",
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
            _CLIP_NEEDS,
        ),
        roots=("SDD_anomaly_detection",),
        fit="pad",
        class_name="SDD",
    ),
    "ader": Consumer(
        title="ADer (zhangzjn/ADer)",
        commands=(
            "python run.py -c configs/benchmark/rd/rd_256_100e.py -m train"
            " data.root={root} data.cls_names={category}",
        ),
        notes=(_ADER_NEEDS,),
        roots=("mvtec", "visa"),
        not_in_path=("=",),
        fit="pad",
        class_name="",
    ),
    "mambaad": Consumer(
        title="MambaAD (lewandofskee/MambaAD)",
        commands=(
            "python run.py -c configs/mambaad/mambaad_mvtec.py -m train"
            " data.root={root} data.cls_names={category}",
        ),
        notes=("its files go into a copy of ADer (zhangzjn/ADer), which runs them", _ADER_NEEDS),
        fit="pad",
        roots=("mvtec", "visa"),
        not_in_path=("=",),
        class_name="",
    ),
    "uniad": Consumer(
        title="UniAD (zhiyuanyou/UniAD)",
        commands=(
            "ln -sfn {root} data/kolektor && mkdir -p experiments/kolektor",
            "sed -e 's|data/MVTec-AD/mvtec_anomaly_detection|data/kolektor|'"
            " -e 's|data/MVTec-AD|data/kolektor|'"
            " experiments/MVTec-AD/config.yaml > experiments/kolektor/config.yaml",
            "(cd experiments/kolektor && PYTHONPATH=../.. torchrun --nproc_per_node=1"
            " ../../tools/train_val.py)",
        ),
        notes=("trains one model for all categories that the two lists name",),
        fit="pad",
        needs_masks=False,
        lists=("train.json", "test.json"),
    ),
    "rd4ad": Consumer(
        title="RD4AD (hq-deng/RD4AD)",
        commands=(
            "ln -sfn {root} mvtec && mkdir -p checkpoints",
            """python -c 'import main; main.setup_seed(111); main.train("{category}")'""",
        ),
        category=METAL_NUT,
        categories=MVTEC_CATEGORIES,
        fit="pad",
        all_of_train=True,
    ),
    "draem": Consumer(
        title="DRAEM (VitjanZ/DRAEM)",
        commands=(
            "mkdir -p checkpoints logs",
            "python train_DRAEM.py --gpu_id 0 --obj_id {draem_id} --lr 0.0001 --bs 8 --epochs 700"
            " --data_path {root}/ --anomaly_source_path datasets/dtd/images/"
            " --checkpoint_path checkpoints/ --log_path logs/",
            """sed '/obj_list = /,/]/d; s/test(obj_list,/test(["{category}"],/' test_DRAEM.py"""
            " > test_kolektor.py",
            "python test_kolektor.py --gpu_id 0 --base_model_name DRAEM_test_0.0001_700_bs8"
            " --data_path {root}/ --checkpoint_path checkpoints/",
        ),
        notes=(
            _DTD,
            _IMGAUG_NEEDS,
        ),
        category=METAL_NUT,
        categories=MVTEC_CATEGORIES,
        fit="pad",
        # It looks for images by patterns.
        not_in_path=_PATTERNS,
    ),
    "dinomaly": Consumer(
        title="Dinomaly (guojiajeremy/Dinomaly)",
        commands=(
            """sed 's/enumerate(item_list)/enumerate(["{category}"])/; s/crop_size = 392/"""
            "crop_size = 448/; s/cuda:1/cuda:0/' dinomaly_mvtec_sep.py > dinomaly_kolektor.py",
            "python dinomaly_kolektor.py --data_path {root} --save_name kolektor",
        ),
        notes=(_WHOLE_IMAGES,),
        category=METAL_NUT,
        categories=MVTEC_CATEGORIES,
        fit="pad",
        not_in_path=_PATTERNS,
        all_of_train=True,
    ),
    "inp-former": Consumer(
        title="INP-Former (luow23/INP-Former)",
        commands=(
            """sed 's/for item in args.item_list/for item in ["{category}"]/'"""
            " INP_Former_Single_Class.py > inp_former_kolektor.py",
            "python inp_former_kolektor.py --dataset MVTec-AD --data_path {root}"
            " --input_size 448 --crop_size 448 --save_name kolektor",
        ),
        notes=(_WHOLE_IMAGES,),
        category=METAL_NUT,
        categories=MVTEC_CATEGORIES,
        fit="pad",
        not_in_path=_PATTERNS,
        all_of_train=True,
    ),
    "musc": Consumer(
        title="MuSc (xrli-U/MuSc)",
        commands=(
            "python examples/musc_main.py --device 0 --data_path {root} --dataset_name mvtec_ad"
            " --class_name {category} --backbone_name ViT-L-14-336 --pretrained openai"
            " --feature_layers 5 11 17 23 --img_resize 518 --divide_num 1 --r_list 1 3 5"
            " --batch_size 4 --output_dir output --vis False --save_excel True",
        ),
        notes=("does not train: it compares the test images with each other",),
        fit="pad",
    ),
    "glass": Consumer(
        title="GLASS (cqylunlun/GLASS)",
        commands=(
            "python main.py --gpu 0 --seed 0 --test ckpt"
            " net -b wideresnet50 -le layer2 -le layer3 --pretrain_embed_dimension 1536"
            " --target_embed_dimension 1536 --patchsize 3 --meta_epochs 640 --eval_epochs 1"
            " --dsc_layers 2 --dsc_hidden 1024 --pre_proj 1 --mining 1 --noise 0.015"
            " --radius 0.75 --p 0.5 --step 20 --limit 392"
            " dataset --distribution 2 --mean 0.5 --std 0.1 --fg 0 --rand_aug 1 --batch_size 8"
            " --resize {short} --imagesize {long} -d {category} mvtec {root} datasets/dtd/images",
        ),
        notes=(
            _DTD,
            "--fg 0 is needed: else it reads foreground masks that are not there",
            _IMGAUG_NEEDS,
        ),
        size=(288, 288),
        fit="pad",
        one_size=True,
        all_of_train=True,
    ),
    "supersimplenet": Consumer(
        title="SuperSimpleNet (blaz-r/SuperSimpleNet)",
        commands=(
            "mkdir -p datasets && ln -sfn {root} datasets/mvtec",
            """sed 's/for category in categories:/for category in ["{category}"]:/' train.py"""
            " > train_kolektor.py",
            "python train_kolektor.py mvtec",
        ),
        notes=(
            "needs Anomalib 0.7 and pandas below 3",
            "supervised, it trains on what 'kolektor export OUT segdecnet' writes: see "
            "'kolektor docs exports'",
        ),
        category=METAL_NUT,
        categories=MVTEC_CATEGORIES,
        fit="pad",
        all_of_train=True,
    ),
    "open-iad": Consumer(
        title="Open-IAD (M-3LAB/open-iad)",
        commands=(
            "mkdir -p data && ln -sfn {root} data/mvtec2d",
            """sed -i '/^def mvtec2d_classes/a \\    return ["{category}"]' dataset/mvtec2d.py""",
            "sed -i 's/^num_task: .*/num_task: 1/' configuration/3_dataset_base/mvtec2d.yaml",
            """sed -i "/'127.0.0.1'/s|:.*|: 'data',|" configuration/registration.py""",
            "python main.py -v -d mvtec2d -m patchcore -n wide_resnet50 -sm lo -tid 0 -vid 0 -g 0",
        ),
        notes=("the three commands with sed edit its list of categories and of folders",),
        category=METAL_NUT,
        categories=MVTEC_CATEGORIES,
        fit="pad",
        all_of_train=True,
    ),
    "aaclip": Consumer(
        title="AA-CLIP (Mwxinnn/AA-CLIP)",
        commands=(
            "mkdir -p dataset/metadata/kolektor"
            " && cp {root}/full-shot.jsonl dataset/metadata/kolektor/",
            "printf '\\n%s\\n' {aaclip_constants} >> dataset/constants.py",
            "python train.py --dataset VisA --shot 32 --save_path ckpt/visa",
            "python test.py --dataset kolektor --save_path ckpt/visa",
        ),
        notes=(
            "the list is of the test images; here they test what was trained on VisA, whose folder "
            "dataset/constants.py names",
        ),
        fit="pad",
        lists=("full-shot.jsonl",),
    ),
    "dra": Consumer(
        title="DRA (Choubo/DRA)",
        commands=(
            "python train.py --dataset_root {root} --classname {category}"
            " --experiment_dir experiment --nAnomaly 10",
        ),
        notes=(
            "trains on 10 defective images of test (--nAnomaly) and tests on the others; which "
            "they are depends on the order in which the file system lists them",
            "gives image scores only, and does not say of which images",
            "needs a GPU, and PyTorch below 2.10",
        ),
        fit="pad",
        trains_on_test=True,
    ),
}
"""Consumers by their names for ``--for``."""

CENTER_CROPS: tuple[CenterCrop, ...] = tuple(
    consumer.center_crop for consumer in CONSUMERS.values() if consumer.center_crop
)
"""Default center crops of the consumers that crop images rather than squash them."""


def names_of(consumers: str | Sequence[str]) -> tuple[ConsumerName, ...]:
    """Return the names of consumers, each once, as they are given.

    Raises
    ------
    UsageError
        There is no consumer of such a name.
    """
    names = [consumers] if isinstance(consumers, str) else list(dict.fromkeys(consumers))
    for name in names:
        require_one_of("for", name, CONSUMERS)
    return tuple(known for name in names for known in CONSUMERS if known == name)
