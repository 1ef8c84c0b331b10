"""Names that are linked by pairs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kolektor_cli.samples import connected

numbers = st.integers(0, 12)


@given(st.lists(st.tuples(numbers, numbers)))
def test_connected_names_have_one_leader_and_others_another(pairs: list[tuple[int, int]]) -> None:
    names = [f"n{number:02}" for number in range(13)]
    leaders = connected(names, [(names[a], names[b]) for a, b in pairs])
    reachable = {name: {name} for name in names}
    for _ in names:
        for a, b in pairs:
            reachable[names[a]] |= reachable[names[b]]
            reachable[names[b]] |= reachable[names[a]]
    assert leaders == {name: min(reachable[name]) for name in names}
