"""Pairing by keys, on examples that Hypothesis draws."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from kolektor_cli.tree.matching import pair_up

members = st.lists(st.tuples(st.integers(0, 3), st.none() | st.integers(0, 2)))
KEYS = (lambda member: member, lambda member: member[1])


@given(members, members)
def test_each_member_is_in_one_pair_or_left(
    first: list[tuple[int, int | None]], second: list[tuple[int, int | None]]
) -> None:
    pairs, left, right = pair_up(first, second, KEYS)
    assert Counter([a for a, _ in pairs]) + Counter(left) == Counter(first)
    assert Counter([b for _, b in pairs]) + Counter(right) == Counter(second)
    assert all(a == b or (a[1] is not None and a[1] == b[1]) for a, b in pairs)
    assert not {a[1] for a in left} & {b[1] for b in right} - {None}


@given(members, members)
def test_equal_members_are_paired_with_each_other_first(
    first: list[tuple[int, int | None]], second: list[tuple[int, int | None]]
) -> None:
    pairs, _, _ = pair_up(first, second, KEYS)
    assert sum(a == b for a, b in pairs) >= (Counter(first) & Counter(second)).total()


def test_members_of_one_key_keep_their_order() -> None:
    pairs, left, right = pair_up("aAbB", "BaA", (str.lower,))
    assert pairs == [("a", "a"), ("A", "A"), ("b", "B")]
    assert (left, right) == (["B"], [])
