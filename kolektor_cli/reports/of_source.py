"""The page of a raw dataset: counts, findings, items that are one, and all defects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from kolektor_cli.errors import ImageError, SourceError
from kolektor_cli.imaging.codec import decode_image
from kolektor_cli.imaging.marks import decode_mask
from kolektor_cli.imaging.pixels import Pixels
from kolektor_cli.io.source import Source
from kolektor_cli.raw.load import read_image, read_mask
from kolektor_cli.raw.scan import Scan
from kolektor_cli.reports.cells import DefectCell, defect_cell
from kolektor_cli.reports.page import (
    Cell,
    Section,
    chapter,
    facts,
    folded,
    page,
    paragraph,
    table,
    text,
)
from kolektor_cli.reports.parts import (
    NamedDefect,
    Pair,
    about_part,
    defects_part,
    findings_part,
    pairs_part,
    range_text,
    weak_part,
)
from kolektor_cli.samples import DUPLICATE_KINDS, DUPLICATE_TITLES, Sample, natural_key
from kolektor_cli.tree.manifest import fingerprint


def derive_cell(sample: Sample, image: Pixels, mask: Pixels | None) -> DefectCell | None:
    """Return the pictures of a defective sample, None of a good one; see `raw.reading.Derive`."""
    return None if mask is None or sample.label == "good" else defect_cell(image, mask)


def source_page(
    source: Source,
    scan: Scan,
    cells: Mapping[str, DefectCell],
    jobs: int | None = None,
) -> str:
    """Return the page of a source.

    Parameters
    ----------
    source
        The opened source, from which the pictures beside findings and of pairs are read.
    scan
        What was found in it.
    cells
        The pictures of its defective samples, by name; see `derive_cell`.
    jobs
        Number of threads.

    Raises
    ------
    SourceError
        A file changed since the scan.
    """
    title = f"{source.path.resolve().name}: raw dataset"
    load = _Loader(source, scan)
    weak = [s.image for s in scan.samples if s.label == "defective" and not s.is_marked]
    sections = [
        _overview(scan),
        chapter("findings", "Findings", *findings_part(scan.findings, load, jobs)),
        _same(source, scan, jobs),
        defects_part("Defects", _defects(scan, cells), weak_part(weak, load, jobs)),
        about_part({"files of all samples": _fingerprint(scan)}),
    ]
    defective = sum(sample.label == "defective" for sample in scan.samples)
    lead = f"{len(scan.samples)} samples, {defective} of them defective."
    return page(title, paragraph(text(lead)), sections)


def _fingerprint(scan: Scan) -> str:
    files = ((s.image, s.image_sha256) for s in scan.samples)
    return fingerprint([*files, *((s.mask, s.mask_sha256) for s in scan.samples)])


def _overview(scan: Scan) -> Section:
    samples = scan.samples
    items: dict[str, list[Sample]] = {}
    for sample in samples:
        items.setdefault(sample.item, []).append(sample)
    defective = [sample for sample in samples if sample.label == "defective"]
    severities = Counter(finding.severity for finding in scan.findings)
    given = [f"{name.replace('_', ' ')} {value}" for name, value in scan.layout.given().items()]
    rows: list[tuple[str, Cell]] = [
        ("release", scan.release),
        *([("read with", ", ".join(given))] if given else []),
        ("items", len(items)),
        ("physical items", len({sample.group for sample in samples})),
        ("samples", len(samples)),
        ("good", len(samples) - len(defective)),
        ("defective", len(defective)),
        ("distinct pictures", scan.distinct),
        ("left out", ", ".join(f"{n} ({why})" for n, why in scan.left_out.items()) or "none"),
        ("width in pixels", range_text(sample.width for sample in samples)),
        ("height in pixels", range_text(sample.height for sample in samples)),
        ("defect pixels of a defective sample", _areas_text(defective)),
        ("findings", ", ".join(f"{n} {kind}" for kind, n in severities.items()) or "none"),
    ]
    for what, count in (("image", scan.official_images), ("mask", scan.official_masks)):
        if count is not None:
            rows.append((f"official {what} files", f"{count} of {len(samples)}"))
    parts = [facts("The dataset", rows)]
    if len(items) < len(samples):
        parts.append(folded(text("By item"), table("Items", _ITEM_COLUMNS, _item_rows(items))))
    return chapter("overview", "Overview", *parts)


def _areas_text(defective: Sequence[Sample]) -> str:
    marked = [sample.defect_pixels for sample in defective if sample.is_marked]
    return "not known: no masks" if defective and not marked else range_text(marked)


_ITEM_COLUMNS = ("item", "samples", "good", "defective", "width", "height", "defect pixels")


def _item_rows(items: Mapping[str, Sequence[Sample]]) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for item, members in items.items():
        defective = sum(sample.label == "defective" for sample in members)
        rows.append(
            (
                item,
                len(members),
                len(members) - defective,
                defective,
                range_text(sample.width for sample in members),
                range_text(sample.height for sample in members),
                sum(sample.defect_pixels for sample in members),
            )
        )
    return rows


def _same(source: Source, scan: Scan, jobs: int | None) -> Section:
    title = "Items that are one"
    if not scan.duplicates:
        return chapter("same", title, paragraph(text("No two samples are the same picture.")))
    samples = {sample.name: sample for sample in scan.samples}
    kinds: dict[str, Counter[str]] = {}
    for pair in scan.duplicates:
        kinds.setdefault(samples[pair.first].group, Counter())[pair.kind] += 1
    items: dict[str, list[str]] = {}
    for sample in scan.samples:
        if sample.group in kinds:
            items.setdefault(sample.group, []).append(sample.item)
    rows: list[tuple[Cell, ...]] = [
        (", ".join(dict.fromkeys(items[group])), *(counts[kind] for kind in DUPLICATE_KINDS))
        for group, counts in kinds.items()
    ]
    pairs = [Pair(d.first, d.second, DUPLICATE_TITLES[d.kind]) for d in scan.duplicates]

    def load(name: str) -> tuple[Pixels, Pixels | None]:
        sample = samples[name]
        mask = read_mask(source, sample) if sample.is_marked else None
        return read_image(source, sample, "full"), mask

    return chapter(
        "same",
        title,
        table("Samples that are the same picture", ("items", *DUPLICATE_TITLES.values()), rows),
        *pairs_part(pairs, load, jobs),
    )


class _Loader:
    """Loads the image that a finding is about: of an image or a mask of a sample, both."""

    def __init__(self, source: Source, scan: Scan) -> None:
        self._source = source
        self._files = frozenset(source.names)
        self._owner = {
            name: sample for sample in scan.samples for name in (sample.image, sample.mask)
        }

    def __call__(self, name: str) -> tuple[Pixels, Pixels | None] | None:
        sample = self._owner.get(name)
        if sample is not None:
            mask = read_mask(self._source, sample) if sample.is_marked else None
            return read_image(self._source, sample, "full"), mask
        if name not in self._files:
            return None
        data = self._source.read(name)
        try:
            return decode_image(data, name, "full"), None
        except (ImageError, SourceError):
            # A mask of a format that no image may have.
            return decode_mask(data, name).pixels, None


def _defects(scan: Scan, cells: Mapping[str, DefectCell]) -> list[NamedDefect]:
    marked = [sample for sample in scan.samples if sample.is_marked]
    ordered = sorted(marked, key=lambda sample: natural_key(sample.name))
    return [NamedDefect(sample.name, cells[sample.name]) for sample in ordered]
