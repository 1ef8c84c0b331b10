"""Pairing of two lists by what their members are known by."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

Member = TypeVar("Member")


def pair_up(
    first: Iterable[Member],
    second: Iterable[Member],
    keys: Iterable[Callable[[Member], Hashable]],
) -> tuple[list[tuple[Member, Member]], list[Member], list[Member]]:
    """Return pairs with equal keys, and what is left of each list.

    The first key pairs first; each further one pairs what is left. A key of None pairs with none.
    Members of one key are paired in their order.
    """
    pairs: list[tuple[Member, Member]] = []
    left, right = list(first), list(second)
    for key in keys:
        places: dict[Hashable, deque[int]] = defaultdict(deque)
        for place, member in enumerate(right):
            places[key(member)].append(place)
        places.pop(None, None)
        rest: list[Member] = []
        paired: set[int] = set()
        for member in left:
            found = places.get(key(member))
            if found:
                place = found.popleft()
                paired.add(place)
                pairs.append((member, right[place]))
            else:
                rest.append(member)
        left, right = rest, [other for at, other in enumerate(right) if at not in paired]
    return pairs, left, right
