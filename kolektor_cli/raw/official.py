"""What an official release says of samples: their names, their labels, and how they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from kolektor_cli.findings import Finding, Severity
from kolektor_cli.raw.releases import OfficialSample, Release
from kolektor_cli.samples import Sample, natural_key

_ALL_SIZES = Finding("warning", "size", "", "no image has its official size: a resized copy?")

_ALL_IMAGES = Finding(
    "info", "changed-image", "", "no image is the official file: synthetic, or saved again?"
)

_ALL_MASKS = Finding(
    "info", "changed-mask", "", "no mask is the official file: another annotation, or saved again?"
)


def official_names(
    release: Release, samples: Sequence[Sample], present: Collection[str]
) -> dict[str, str]:
    """Map the names of samples to official ones, where the image is official and the name is not.

    Content decides: an image that is, byte for byte, one of the release has that one's name. Where
    several samples have one file as image, the masks tell them apart, then the names, and then
    their natural order. A name stays with any other of `present`, all candidates, that has it.
    """
    copies = Counter(sample.image_sha256 for sample in samples)
    settled = {
        sample.name
        for sample in samples
        if release.has_image(sample)
        and (
            release.has_mask(sample)
            or copies[sample.image_sha256] < len(release.by_image[sample.image_sha256])
        )
    }
    found = {name: name for name in settled}
    others = sorted((s for s in samples if s.name not in settled), key=_natural)
    for fits in (_has_mask_of, _has_name_of, _has_image_of):
        for sample in others:
            officials = release.by_image.get(sample.image_sha256, ())
            free = (o.name for o in officials if o.name not in settled and fits(sample, o))
            name = None if sample.name in found else next(free, None)
            if name is not None:
                found[sample.name] = name
                settled.add(name)
    names = {old: new for old, new in found.items() if old != new}
    while clashing := [old for old, new in names.items() if new in set(present) - names.keys()]:
        for old in clashing:
            del names[old]
    return names


def _natural(sample: Sample) -> tuple[object, ...]:
    return natural_key(sample.name)


def _has_mask_of(sample: Sample, official: OfficialSample) -> bool:
    return sample.mask_sha256 == official.mask_sha256


def _has_name_of(sample: Sample, official: OfficialSample) -> bool:
    return sample.name == official.name


def _has_image_of(sample: Sample, official: OfficialSample) -> bool:
    return sample.image_sha256 == official.image_sha256


def renamings(release: Release, names: Mapping[str, str]) -> Iterator[Finding]:
    """Yield one finding about samples that have another official name by their content."""
    if not names:
        return
    old, new = min(names.items(), key=lambda pair: natural_key(pair[0]))
    contradicts = any(name in release.names for name in names)
    severity: Severity = "warning" if contradicts else "info"
    message = (
        f"{len(names)} official images of {release.name} have other names here, such as {old}, "
        f"which is {new}; named by their content"
    )
    yield Finding(severity, "renamed", "", message)


def wrong_labels(
    release: Release, samples: Iterable[Sample], *, trust_masks: bool
) -> dict[str, Finding]:
    """Return a finding, by name, for each official image whose label is not its official one.

    It is an error, or with `trust_masks` a warning.
    """
    found = {}
    for sample in samples:
        officials = release.by_image.get(sample.image_sha256, ())
        if not officials or sample.label in {official.label for official in officials}:
            continue
        official = release.samples.get(sample.name, officials[0])
        message = f"is {sample.label} by its mask, and {official.label} officially" + (
            "" if trust_masks else "; put the official mask back, or take this one by --trust-masks"
        )
        severity: Severity = "warning" if trust_masks else "error"
        found[sample.name] = Finding(severity, "official-label", sample.mask, message)
    return found


def deviations(
    release: Release, samples: Sequence[Sample], present: Collection[str]
) -> list[Finding]:
    """Return findings about how samples differ from those of a release.

    `present` names all candidates, usable or not. A difference of every file (a synthetic dataset,
    a resized copy, another annotation) is one finding; else each file has its own. There is none
    from people's own images.
    """
    if not release.names:
        return []
    if not release.names.intersection(present):
        message = f"no sample is named like one of {release.name}'s; taken as another dataset"
        return [Finding("warning", "unknown-release", "", message)]
    return [
        *_missing(release, present),
        *_extra(release, present),
        *_changed(release, samples),
        *_miscounted(release, samples),
    ]


def _missing(release: Release, present: Collection[str]) -> Iterator[Finding]:
    if release.splits:
        yield from _missing_images(release, present)
        return
    found_items = {name.rpartition("/")[0] for name in present}
    missing = sorted(release.items - found_items, key=natural_key)
    if len(missing) > len(release.items) / 2:
        # A small part of a release was taken on purpose.
        message = f"{len(missing)} of {release.name}'s {len(release.items)} items are not here"
        yield Finding("warning", "missing-item", "", message)
    else:
        for item in missing:
            message = f"is an item of {release.name}; not here"
            yield Finding("warning", "missing-item", item, message)
    for name in sorted(release.names - set(present), key=natural_key):
        if name.rpartition("/")[0] in found_items:
            yield Finding("warning", "missing-part", name, f"is in {release.name}; not here")


def _missing_images(release: Release, present: Collection[str]) -> Iterator[Finding]:
    """Yield the missing images of each half of an official split; each image is an item there."""
    for split in sorted(release.splits):
        names = {name for name in release.names if name.startswith(f"{split}/")}
        missing = sorted(names.difference(present), key=natural_key)
        if len(missing) > len(names) / 2:
            message = f"{len(missing)} of {release.name}'s {len(names)} images are not here"
            yield Finding("warning", "missing-item", split, message)
        else:
            for name in missing:
                message = f"is an image of {release.name}; not here"
                yield Finding("warning", "missing-item", name, message)


def _extra(release: Release, present: Collection[str]) -> Iterator[Finding]:
    extra_items = {name.rpartition("/")[0] for name in present} - release.items
    for item in sorted(extra_items, key=natural_key):
        yield Finding("warning", "extra-item", item, f"is not an item of {release.name}")
    for name in sorted(set(present) - release.names, key=natural_key):
        if name.rpartition("/")[0] not in extra_items:
            yield Finding("warning", "extra-part", name, f"is not in {release.name}")


def _changed(release: Release, samples: Sequence[Sample]) -> Iterator[Finding]:
    known = [(s, release.samples[s.name]) for s in samples if s.name in release.samples]
    sizes = [
        Finding("warning", "size", sample.image, _size_message(sample, official))
        for sample, official in known
        if (sample.width, sample.height) != (official.width, official.height)
    ]
    images = [
        Finding("warning", "changed-image", sample.image, "is not the official file")
        for sample, official in known
        if sample.image_sha256 != official.image_sha256
    ]
    masks = [
        Finding("warning", "changed-mask", sample.mask, _mask_message(sample, official))
        for sample, official in known
        if release.knows_masks and sample.mask_sha256 != official.mask_sha256
    ]
    if not known:
        return
    yield from sizes if len(sizes) < len(known) else [_ALL_SIZES]
    yield from images if len(images) < len(known) else [_ALL_IMAGES]
    yield from masks if len(masks) < len(known) else [_ALL_MASKS]


def _miscounted(release: Release, samples: Sequence[Sample]) -> Iterator[Finding]:
    """Yield the complete halves of an official split with a wrong number of defective images.

    Only the number is compared: which images are defective is not known for these releases.
    """
    for split, official in release.splits.items():
        names = {name for name in release.names if name.startswith(f"{split}/")}
        here = [sample for sample in samples if sample.name in names]
        defective = sum(sample.label == "defective" for sample in here)
        if len(here) == len(names) and defective != official:
            message = f"has {defective} defective images, officially {official}"
            yield Finding("warning", "defective-count", split, message)


def _size_message(sample: Sample, official: OfficialSample) -> str:
    return (
        f"is {sample.width}x{sample.height} pixels, officially {official.width}x{official.height}"
    )


def _mask_message(sample: Sample, official: OfficialSample) -> str:
    return (
        f"is not the official file: marks {sample.defect_pixels} pixels, "
        f"officially {official.defect_pixels}"
    )
