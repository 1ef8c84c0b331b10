"""Files that a consumer reads beside the category folder: ``meta.json``, a config, a table.

They depend only on the paths in the category folder, so the same tree gives the same bytes. Several
category folders share one ``meta.json``; here are the entries of one (see `io.index`).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from kolektor_cli.consumers.catalogue import CONSUMERS, ConsumerName
from kolektor_cli.errors import UsageError
from kolektor_cli.io.index import INDEX_NAME, index_bytes
from kolektor_cli.tree.layout import is_test_of_defects, mask_path, split_path

TABLE_COLUMNS = ("image_path", "label_index", "mask_path", "split")
"""Columns of the table for Anomalib's Tabular data module; its paths are relative to OUT."""


def side_files(
    name: ConsumerName | None,
    out: Path,
    category: str,
    images: Collection[str],
    *,
    table: bool = False,
) -> dict[str, bytes]:
    """Return the files that a consumer reads in `out`, contents by name; none if `name` is None.

    `images` are the paths of the category's images, relative to its folder. With `table`, Anomalib
    reads its images from a table, else from their folders. The files list no validation images,
    because no reader accepts any.

    Raises
    ------
    UsageError
        `table` is given for another consumer than Anomalib, or the category has the name of a file.
    """
    if table and name != "anomalib":
        raise UsageError("--table goes with --for anomalib: no other code reads it")
    class_name = CONSUMERS[name].class_name if name else None
    files = {}
    if class_name is not None:
        files[INDEX_NAME] = index_bytes(meta_of(category, class_name or category, images))
    if name == "anomalib":
        files[f"{category}.yaml"] = (table_config if table else folder_config)(out, category)
    if name == "anomalib" and table:
        files[f"{category}.csv"] = table_of(category, images)
    if category.casefold() in files:
        raise UsageError(
            f"--category {category}: is the name of a file that {name} reads beside it"
        )
    return files


def meta_of(category: str, class_name: str, images: Collection[str]) -> dict[str, Any]:
    """Return the ``meta.json`` of AnomalyCLIP, AdaCLIP and ADer, with paths relative to OUT."""
    items: dict[str, list[dict[str, Any]]] = {"train": [], "test": []}
    for split, path in _listed(images):
        defective = is_test_of_defects(split_path(path)[0])
        item = {
            "img_path": f"{category}/{path}",
            "mask_path": f"{category}/{mask_path(path)}" if defective else "",
            "cls_name": class_name,
            "specie_name": split_path(path)[0].partition("/")[2],
            "anomaly": int(defective),
        }
        items[split].append(item)
    return {split: {class_name: members} for split, members in items.items()}


def _listed(images: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield split and path of each training and test image, sorted by path."""
    for path in sorted(images):
        split = path.partition("/")[0]
        if split in ("train", "test"):
            yield split, path


def table_of(category: str, images: Collection[str]) -> bytes:
    """Return the table for Anomalib's Tabular data module: CSV in UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(TABLE_COLUMNS)
    writer.writerows(_table_rows(category, images))
    return text.getvalue().encode()


def _table_rows(category: str, images: Collection[str]) -> Iterator[Sequence[str]]:
    for split, path in _listed(images):
        defective = is_test_of_defects(split_path(path)[0])
        mask = f"{category}/{mask_path(path)}" if defective else ""
        yield f"{category}/{path}", str(int(defective)), mask, split


def folder_config(out: Path, category: str) -> bytes:
    """Return a config for ``anomalib train --data``; texts are quoted as in JSON, which YAML reads.

    It uses the class Folder, because MVTecAD downloads MVTec AD if it does not find its folder.
    Without `val_split_mode`, half of the test images would go to validation.
    """
    return (
        "class_path: anomalib.data.Folder\n"
        "init_args:\n"
        f"  name: {json.dumps(category)}\n"
        f"  root: {json.dumps((out / category).as_posix())}\n"
        "  normal_dir: train/good\n"
        "  normal_test_dir: test/good\n"
        "  abnormal_dir: test/defect\n"
        "  mask_dir: ground_truth/defect\n"
        "  val_split_mode: same_as_test\n"
    ).encode()


def table_config(out: Path, category: str) -> bytes:
    """Return a config for ``anomalib train --data`` that reads the table.

    With pandas 3, Anomalib 2.7 fails on masks unless their column has the type object.
    """
    return (
        "class_path: anomalib.data.Tabular.from_file\n"
        "init_args:\n"
        f"  name: {json.dumps(category)}\n"
        f"  file_path: {json.dumps((out / f'{category}.csv').as_posix())}\n"
        "  pd_kwargs: {dtype: {mask_path: object}}\n"
        "dict_kwargs:\n"
        f"  root: {json.dumps(out.as_posix())}\n"
        "  val_split_mode: same_as_test\n"
    ).encode()
