"""Samples that a seed draws: a random order, whole pictures, and what trains of a split."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from kolektor_cli.errors import UsageError
from kolektor_cli.samples import Duplicate, Sample, connected, natural_key
from kolektor_cli.splits.split import SplitName

Assigned = Mapping[str, SplitName]


def seeded_order(names: Iterable[str], seed: int) -> list[str]:
    """Return names in random order, the same on every machine and with every version of a library.

    Sorts by the SHA-256 of ``"<seed>/<name>"`` (UTF-8), so the order of `names` does not matter,
    and leaving out a name does not move the others.
    """

    def key(name: str) -> tuple[bytes, str]:
        text = f"{seed}/{name}".encode(errors="surrogatepass")
        return hashlib.sha256(text).digest(), name

    return sorted(names, key=key)


def take_pictures(
    pictures: Sequence[list[str]], wanted: int
) -> tuple[list[list[str]], list[list[str]]]:
    """Take the first pictures that sum up to `wanted` samples, or to the next smaller possible sum.

    Skips a picture if the later ones cannot make up the rest with it. Returns what is taken, and
    what is left.
    """
    # Bit n of reachable[i], n up to `wanted`, is set if pictures from i on can give n samples.
    reachable = [1]
    bits = (1 << wanted + 1) - 1
    for picture in reversed(pictures):
        sums = (reachable[-1] | reachable[-1] << len(picture)) & bits
        # Among thousands of pictures most numbers are equal: share one to save memory.
        reachable.append(reachable[-1] if sums == reachable[-1] else sums)
    reachable.reverse()
    rest = next(number for number in range(wanted, -1, -1) if reachable[0] >> number & 1)
    taken, left = [], []
    for index, picture in enumerate(pictures):
        if len(picture) <= rest and reachable[index + 1] >> (rest - len(picture)) & 1:
            rest -= len(picture)
            taken.append(picture)
        else:
            left.append(picture)
    return taken, left


def leaders_of(samples: Iterable[Sample], duplicates: Iterable[Duplicate]) -> dict[str, str]:
    """Map the name of each sample to the first one, in natural order, that is the same picture."""
    names = sorted((sample.name for sample in samples), key=natural_key)
    return connected(names, ((pair.first, pair.second) for pair in duplicates))


def draw_defective(
    assigned: Assigned,
    samples: Sequence[Sample],
    duplicates: Sequence[Duplicate],
    count: int,
    seed: int,
    side: SplitName,
) -> dict[str, SplitName]:
    """Return a split that trains on `count` more of the defective samples that it has in `side`.

    Whole pictures are drawn, in seeded order, and none of which another sample is tested or for
    validation: nothing leaks that did not leak before.

    Raises
    ------
    UsageError
        Whole pictures do not give this number, or no defective sample would be left to test.
    """
    leaders = leaders_of(samples, duplicates)
    pictures: dict[str, list[str]] = defaultdict(list)
    held = set()
    for sample in samples:
        if sample.label == "defective" and assigned[sample.name] == side:
            pictures[leaders[sample.name]].append(sample.name)
        elif assigned[sample.name] in ("test", "val"):
            held.add(leaders[sample.name])
    drawn, _ = take_pictures(
        [pictures[leader] for leader in seeded_order(pictures.keys() - held, seed)], count
    )
    found = sum(map(len, drawn))
    if found != count:
        raise UsageError(
            f"{count} defective samples to train on cannot be drawn as whole pictures that are "
            f"not tested; {found} can: --train-defects {found}"
        )
    made = dict(assigned)
    for picture in drawn:
        made |= dict.fromkeys(picture, "train")
    if not any(made[s.name] == "test" for s in samples if s.label == "defective"):
        raise UsageError(f"--train-defects {count} leaves no defective sample to test")
    return made


def draw_good(
    assigned: Assigned,
    samples: Sequence[Sample],
    duplicates: Sequence[Duplicate],
    count: int,
    seed: int,
) -> dict[str, SplitName]:
    """Return a split that trains on `count` of its good training samples; the others are unused.

    All numbers with one seed take the first samples of one order, so smaller choices are parts of
    larger ones. First comes a sample of each physical item, then a second one of each, and so on;
    pictures that were there before come last.

    Raises
    ------
    UsageError
        There are fewer good training samples.
    """
    groups = {s.name: s.group for s in samples if s.label == "good" and assigned[s.name] == "train"}
    if count > len(groups):
        raise UsageError(
            f"{count} good samples to train on are asked for, and there are {len(groups)}"
        )
    leaders = leaders_of(samples, duplicates)
    pictures: set[str] = set()
    rounds: Counter[str] = Counter()
    places = {}
    for name in seeded_order(groups, seed):
        places[name] = leaders[name] in pictures, rounds[groups[name]]
        pictures.add(leaders[name])
        rounds[groups[name]] += 1
    # The sort is stable: within a round, the order is the seeded one.
    order = sorted(places, key=places.__getitem__)
    return {**assigned, **dict.fromkeys(order[count:], "unused")}
