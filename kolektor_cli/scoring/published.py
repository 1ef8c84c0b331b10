"""The results that the original project published, as it gives them.

They were measured on other splits, by each code's own definitions, so they are shown apart and
never ranked with others.
"""

from __future__ import annotations

from dataclasses import dataclass

from kolektor_cli.raw.releases import OWN_IMAGES, kolektorsdd2


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """A published result: the code, the model with its backbone, and its figures.

    Whether a code is official is taken from the original's list of sources; the headings of its
    table contradict the list for FastFlow and CFA.
    """

    code: str
    model: str
    backbone: str
    image_auroc: float
    pixel_auroc: float
    pro: float | None = None


PUBLISHED = (
    PublishedRow("official", "PatchCore", "wide_resnet50_2", 0.909, 0.941),
    PublishedRow("unofficial", "FastFlow", "cait_m48_448", 0.955, 0.960),
    PublishedRow("official", "CFLOW-AD", "wide_resnet50_2", 0.801, 0.891, 0.497),
    PublishedRow("official", "CFA", "wrn50_2", 0.939, 0.939, 0.823),
    PublishedRow("Anomalib", "PatchCore", "wide_resnet50_2", 0.863, 0.840),
    PublishedRow("Anomalib", "FastFlow", "resnet18", 0.807, 0.883),
    PublishedRow("Anomalib", "FastFlow", "cait_m48_448", 0.914, 0.963),
    PublishedRow("Anomalib", "CFLOW-AD", "wide_resnet50_2", 0.850, 0.847),
)
"""The original project's table of KolektorSDD, row by row; image AUROC, pixel AUROC and PRO."""


def published_for(release: str | None) -> tuple[PublishedRow, ...]:
    """Return the published rows that figures on a release stand beside: none for other images.

    `release` is None where it is not known, as of another tool's tree.
    """
    return () if release in (OWN_IMAGES, kolektorsdd2().name) else PUBLISHED
