"""How masks are called: by which ending their names differ from those of their images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from kolektor_cli.raw.copies import originals_of, part_and_role
from kolektor_cli.raw.strays import Folders, stem_and_suffix

_SEPARATORS = "_-. "


def common_ending(folders: Folders, expected: str) -> str | None:
    """Return the one ending, other than `expected`, by which each image in `folders` has a mask.

    None if a mask has the expected ending, if an image has no such mask, or if there are several
    such endings. An ending is a separator and what follows, with a letter in it.
    """
    stems = [_stems(files) for files in folders.values()]
    if any(part_and_role(stem, expected)[1] for names in stems for stem in names):
        return None
    endings = {ending.casefold() for names in stems for ending in _endings(names)}
    found = [ending for ending in sorted(endings) if _fits(ending, stems)]
    if len(found) != 1:
        return None
    spelled = {e for names in stems for e in _endings(names) if e.casefold() == found[0]}
    return min(spelled)


def _stems(files: Iterable[str]) -> list[str]:
    return [stem for stem, suffix in map(stem_and_suffix, files) if suffix]


def _endings(stems: Sequence[str]) -> Iterator[str]:
    """Yield what stems add to other stems."""
    known = {stem.casefold() for stem in stems}
    for stem in stems:
        for place in range(1, len(stem)):
            ending = stem[place:]
            if (
                ending[0] in _SEPARATORS
                and stem[:place].casefold() in known
                and any(map(str.isalpha, ending))
                and not any(originals_of(stem))
            ):
                yield ending


def _fits(ending: str, stems: Iterable[Sequence[str]]) -> bool:
    """Return whether each image has a mask of an ending."""
    for names in stems:
        known = {name.casefold() for name in names}
        images = {name for name in known if not part_and_role(name, ending)[1]}
        if any(_mask_names(image, ending).isdisjoint(known) for image in images):
            return False
    return True


def _mask_names(image: str, ending: str) -> set[str]:
    """Return the names that the mask of an image may have, as a copy too."""
    copies = [image[len(original) :] for original in originals_of(image)]
    originals = [image, *originals_of(image)]
    return {
        original + ending + copy for original, copy in zip(originals, ["", *copies], strict=True)
    }


def misnamed_masks(names: Iterable[str]) -> Mapping[str, dict[str, str]]:
    """Map endings to masks by the image that has each, if several of `names` look like that.

    `names` are those of samples that have no mask. All masks of an ending share it.
    """
    known = {name.casefold(): name for name in names}
    found: dict[str, dict[str, str]] = {}
    for folded, mask in known.items():
        stem = mask.rpartition("/")[2]
        above = len(mask) - len(stem)
        for place in range(len(stem) - 1, 0, -1):
            image = known.get(folded[: above + place])
            ending = stem[place:]
            if image and ending[0] in _SEPARATORS and any(map(str.isalpha, ending)):
                found.setdefault(ending.casefold(), {})[image] = mask
                break
    return {ending: pairs for ending, pairs in found.items() if len(pairs) > 1}
