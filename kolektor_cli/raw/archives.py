"""The official archives: where they are to be had, and how their files are recognised.

Addresses, hashes and sizes are those of the files that the authors offer on
https://www.vicos.si/resources/kolektorsdd/ and https://www.vicos.si/resources/kolektorsdd2/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

ArchiveName: TypeAlias = Literal["kolektorsdd", "kolektorsdd-boxes", "kolektorsdd2", "splits"]

LICENCE = "CC BY-NC-SA 4.0"
"""The licence of all archives."""

_KOLEKTORSDD = (
    "Tabernik, Šela, Skvarč, Skočaj: Segmentation-Based Deep-Learning Approach for "
    "Surface-Defect Detection, Journal of Intelligent Manufacturing, 2019"
)

_KOLEKTORSDD2 = (
    "Božič, Tabernik, Skočaj: Mixed supervision for surface-defect detection: from weakly to "
    "fully supervised learning, Computers in Industry, 2021"
)


@dataclass(frozen=True, slots=True)
class Archive:
    """One official archive.

    Attributes
    ----------
    file_name
        Name of the file on this machine.
    url
        The authors' address.
    algorithm
        How the known hash is made: ``sha256``, or ``md5`` where the authors tell no other.
    hash
        The known hash, in hexadecimal.
    size
        Number of bytes; None if it is not known.
    paper
        The paper to cite.
    page
        The authors' page about it.
    is_source
        Whether it holds images, so that `inspect` reads it.
    """

    file_name: str
    url: str
    algorithm: Literal["sha256", "md5"]
    hash: str
    size: int | None
    paper: str
    page: str = "https://www.vicos.si/resources/kolektorsdd/"
    is_source: bool = True


ARCHIVES: Mapping[ArchiveName, Archive] = {
    "kolektorsdd": Archive(
        file_name="KolektorSDD.zip",
        url="https://go.vicos.si/kolektorsdd",
        algorithm="sha256",
        hash="65dc621693418585de9c4467d1340ea7958a6181816f0dc2883a1e8b61f9d4dc",
        size=101_831_129,
        paper=_KOLEKTORSDD,
    ),
    "kolektorsdd-boxes": Archive(
        file_name="KolektorSDD-boxes.zip",
        url="https://go.vicos.si/kolektorsddboxes",
        algorithm="md5",
        hash="4e559e7c4be5ab5001db8243c1b125df",
        size=None,
        paper=_KOLEKTORSDD,
    ),
    "kolektorsdd2": Archive(
        file_name="KolektorSDD2.zip",
        url="https://go.vicos.si/kolektorsdd2",
        algorithm="sha256",
        hash="edcdb486809b24f1d17b785e30c52fafc5999554dd5fe18ddf77b61ceb6f36a8",
        size=853_126_555,
        paper=_KOLEKTORSDD2,
        page="https://www.vicos.si/resources/kolektorsdd2/",
    ),
    "splits": Archive(
        file_name="KolektorSDD-training-splits.zip",
        url="https://data.vicos.si/datasets/KSDD/KolektorSDD-training-splits.zip",
        algorithm="sha256",
        hash="8ec637bf01be6d97254d9885abea9e5f32eda0387ebc356be24ab6bc0c3b0db2",
        size=None,
        paper=_KOLEKTORSDD,
        is_source=False,
    ),
}
"""All archives that `kolektor fetch` knows, by the name that it takes."""
