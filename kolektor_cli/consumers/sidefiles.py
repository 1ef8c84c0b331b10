"""Files that a consumer reads beside the category folder: ``meta.json``, a config, a table.

They depend only on the paths and sizes of the images in the category folder, so the same tree
gives the same bytes. Several category folders share one ``meta.json`` and the lists; here are the
entries of one (see `io.index`).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import Any

from kolektor_cli.consumers.catalogue import CONSUMERS, ConsumerName
from kolektor_cli.consumers.input_size import input_size, typical_size
from kolektor_cli.consumers.needs import Offer
from kolektor_cli.errors import UsageError
from kolektor_cli.imaging.geometry import Size
from kolektor_cli.io.index import INDEX_NAME, ListName, index_bytes, lines_bytes
from kolektor_cli.tree.layout import (
    is_test_of_defects,
    kind_of,
    mask_folder,
    mask_path,
    split_path,
)

TABLE_COLUMNS = ("image_path", "label_index", "mask_path", "split")
"""Columns of the table for Anomalib's Tabular data module; its paths are relative to OUT."""


def side_names(
    names: Collection[ConsumerName], category: str, *, table: bool = False
) -> tuple[str, ...]:
    """Return the names of the files that `side_files` returns.

    Raises
    ------
    UsageError
        `table` is given, but no consumer is Anomalib; or the category has the name of a file.
    """
    if table and "anomalib" not in names:
        raise UsageError("--table goes with --for anomalib: no other code reads it")
    for name in names:
        if category.casefold() in own_names(name, category, table=table):
            raise UsageError(
                f"--category {category}: is the name of a file that {name} reads beside it"
            )
    own = (own_names(name, category, table=table) for name in names)
    return tuple(dict.fromkeys(chain.from_iterable(own)))


def own_names(name: ConsumerName, category: str, *, table: bool = False) -> tuple[str, ...]:
    """Return the names of the files that one consumer reads beside the category folder."""
    consumer = CONSUMERS[name]
    index = () if consumer.class_name is None else (INDEX_NAME,)
    configs: tuple[str, ...] = ()
    if name == "anomalib":
        configs = (f"{category}.yaml", f"{category}.pre-processor.yaml")
        configs += (f"{category}.csv",) if table else ()
    return (*index, *consumer.lists, *configs)


def side_files(
    names: Collection[ConsumerName],
    offer: Offer,
    images: Collection[str],
    *,
    table: bool = False,
) -> dict[str, bytes]:
    """Return the files that consumers read in `offer.out`, contents by name.

    `images` are the paths of the category's images, relative to its folder. With `table`, Anomalib
    reads its images from a table, else from their folders. The files list no validation images,
    and no defective images to train on, because no reader accepts any.
    """
    category = offer.category
    files: dict[str, bytes] = {}
    for name in names:
        files |= index_files(name, offer, images)
    if "anomalib" in names:
        config = table_config(offer) if table else folder_config(offer, images)
        files[f"{category}.yaml"] = config
        files[f"{category}.pre-processor.yaml"] = pre_processor_config(offer.sizes)
    if table:
        files[f"{category}.csv"] = table_of(offer, images)
    return files


def index_files(name: ConsumerName, offer: Offer, images: Collection[str]) -> dict[str, bytes]:
    """Return the index files that a consumer reads, with the entries of one category, by name."""
    consumer = CONSUMERS[name]
    files: dict[str, bytes] = {}
    if consumer.class_name is not None:
        meta = meta_of(offer, consumer.class_name or offer.category, images)
        files[INDEX_NAME] = index_bytes(meta)
    for list_name in consumer.lists:
        files[list_name] = lines_bytes(_lines_of(list_name, offer, images))
    return files


def _mask_of(offer: Offer, path: str) -> str:
    """Return the path of a test image's mask, relative to OUT; empty if it has none."""
    has_mask = offer.has_masks and is_test_of_defects(split_path(path)[0])
    return f"{offer.category}/{mask_path(path)}" if has_mask else ""


def _lines_of(name: ListName, offer: Offer, images: Collection[str]) -> Iterator[dict[str, Any]]:
    """Yield the entries of a list of training or test images, with paths relative to OUT."""
    category = offer.category
    for split, path in _listed(images):
        defective, mask = is_test_of_defects(split_path(path)[0]), _mask_of(offer, path)
        if name == f"{split}.json":
            yield {
                "filename": f"{category}/{path}",
                "label": int(defective),
                "label_name": "defective" if defective else "good",
                **({"maskname": mask} if mask else {}),
                "clsname": category,
            }
        elif name == "full-shot.jsonl" and split == "test":
            yield {
                "image_path": f"{category}/{path}",
                "label": float(defective),
                "class_name": category,
                "mask_path": mask,
            }


def meta_of(offer: Offer, class_name: str, images: Collection[str]) -> dict[str, Any]:
    """Return the ``meta.json`` of AnomalyCLIP, AdaCLIP and ADer, with paths relative to OUT."""
    items: dict[str, list[dict[str, Any]]] = {"train": [], "test": []}
    for split, path in _listed(images):
        item = {
            "img_path": f"{offer.category}/{path}",
            "mask_path": _mask_of(offer, path),
            "cls_name": class_name,
            "specie_name": kind_of(path),
            "anomaly": int(kind_of(path) != "good"),
        }
        items[split].append(item)
    return {split: {class_name: members} for split, members in items.items()}


def _listed(images: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield split and path of each good training image and each test image, sorted by path."""
    for path in sorted(images):
        folder = split_path(path)[0]
        if folder == "train/good" or folder.startswith("test/"):
            yield folder.partition("/")[0], path


def table_of(offer: Offer, images: Collection[str]) -> bytes:
    """Return the table for Anomalib's Tabular data module: CSV in UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(TABLE_COLUMNS)
    writer.writerows(_table_rows(offer, images))
    return text.getvalue().encode()


def _table_rows(offer: Offer, images: Collection[str]) -> Iterator[Sequence[str]]:
    for split, path in _listed(images):
        label = str(int(kind_of(path) != "good"))
        yield f"{offer.category}/{path}", label, _mask_of(offer, path), split


def folder_config(offer: Offer, images: Collection[str]) -> bytes:
    """Return a config for ``anomalib train --data``; texts are quoted as in JSON, which YAML reads.

    It uses the class Folder, because MVTecAD downloads MVTec AD if it does not find its folder.
    Without `val_split_mode`, half of the test images would go to validation.
    """
    folders = sorted({split_path(path)[0] for path in images})
    defects = [folder for folder in folders if is_test_of_defects(folder)]
    masks = _one_or_list([mask_folder(folder) for folder in defects])
    return (
        "class_path: anomalib.data.Folder\n"
        "init_args:\n"
        f"  name: {json.dumps(offer.category)}\n"
        f"  root: {json.dumps((offer.out / offer.category).as_posix())}\n"
        "  normal_dir: train/good\n"
        "  normal_test_dir: test/good\n"
        f"  abnormal_dir: {_one_or_list(defects)}\n"
        + (f"  mask_dir: {masks}\n" if offer.has_masks else "")
        + "  val_split_mode: same_as_test\n"
    ).encode()


def _one_or_list(folders: Sequence[str]) -> str:
    """Return folders for YAML: one as it is, several as a list."""
    return folders[0] if len(folders) == 1 else f"[{', '.join(folders)}]"


def table_config(offer: Offer) -> bytes:
    """Return a config for ``anomalib train --data`` that reads the table.

    With pandas 3, Anomalib 2.7 fails on masks unless their column has the type object.
    """
    return (
        "class_path: anomalib.data.Tabular.from_file\n"
        "init_args:\n"
        f"  name: {json.dumps(offer.category)}\n"
        f"  file_path: {json.dumps((offer.out / f'{offer.category}.csv').as_posix())}\n"
        "  pd_kwargs: {dtype: {mask_path: object}}\n"
        "dict_kwargs:\n"
        f"  root: {json.dumps(offer.out.as_posix())}\n"
        "  val_split_mode: same_as_test\n"
    ).encode()


def pre_processor_config(sizes: Collection[Size]) -> bytes:
    """Return a config for ``anomalib train --model.pre_processor`` that keeps the images' aspect.

    The pre-processors of Anomalib's models squeeze images to squares; in all else this is as most
    of them. `sizes` are those of the images, (width, height) in pixels; of several the median
    width and height count.
    """
    width, height = input_size(typical_size(sizes))
    return (
        "class_path: anomalib.pre_processing.PreProcessor\n"
        "init_args:\n"
        "  transform:\n"
        "    class_path: torchvision.transforms.v2.Compose\n"
        "    init_args:\n"
        "      transforms:\n"
        "        - class_path: torchvision.transforms.v2.Resize\n"
        "          init_args:\n"
        f"            size: [{height}, {width}]\n"
        "        - class_path: torchvision.transforms.v2.Normalize\n"
        "          init_args:\n"
        "            mean: [0.485, 0.456, 0.406]\n"
        "            std: [0.229, 0.224, 0.225]\n"
    ).encode()
