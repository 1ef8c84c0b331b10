"""An index that several category folders share: each replaces its own entries, and no others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolektor_cli.io.index import (
    INDEX_NAME,
    add_entries,
    category_of,
    index_bytes,
    lines_bytes,
    read_entries,
)

CATEGORIES = ("bolt", "metal", "nut")

CLASSES = ("SDD", "electrical commutators", "metal")


def entries_of(category: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    numbers = st.lists(st.integers(0, 20), unique=True, min_size=1, max_size=4)
    return numbers.map(lambda found: [{"img_path": f"{category}/test/good/{n}.png"} for n in found])


@st.composite
def own_indexes(draw: st.DrawFn, category: str) -> bytes:
    """The index of one category: one class, in both parts."""
    name = draw(st.sampled_from(CLASSES))
    return index_bytes({split: {name: draw(entries_of(category))} for split in ("train", "test")})


def listed(data: bytes, category: str) -> list[tuple[str, ...]]:
    return [
        (*entry.place, entry.path)
        for entry in read_entries(INDEX_NAME, data)
        if category_of(entry.path) == category
    ]


def added(old: bytes | None, new: bytes, category: str) -> bytes:
    return add_entries(INDEX_NAME, old, new, category)


@given(st.permutations(CATEGORIES), st.data())
def test_order_of_the_categories_does_not_matter(order: list[str], data: st.DataObject) -> None:
    own = {category: data.draw(own_indexes(category)) for category in CATEGORIES}
    merged: dict[str, bytes] = {}
    for name, categories in {"given": order, "sorted": CATEGORIES}.items():
        whole = None
        for category in categories:
            whole = added(whole, own[category], category)
        assert whole is not None
        merged[name] = whole
    assert merged["given"] == merged["sorted"]
    for category in CATEGORIES:
        assert listed(merged["given"], category) == listed(own[category], category)


@given(own_indexes("metal"), own_indexes("metal"), own_indexes("nut"))
def test_own_entries_are_replaced_and_others_stay(old: bytes, new: bytes, other: bytes) -> None:
    both = added(added(None, old, "metal"), other, "nut")
    whole = added(both, new, "metal")
    assert listed(whole, "metal") == listed(new, "metal")
    assert listed(whole, "nut") == listed(other, "nut")
    assert added(whole, new, "metal") == whole
    assert whole == added(added(None, other, "nut"), new, "metal")


def test_what_another_tool_wrote_into_an_entry_stays() -> None:
    foreign = {"img_path": "bottle/test/good/0.png", "cls_name": "flask", "more": [1, {"a": None}]}
    old = json.dumps({"test": {"flask": [foreign]}, "train": {"flask": []}}).encode()
    new = index_bytes({"train": {"metal": [{"img_path": "metal/0.png"}]}, "test": {"metal": []}})
    found = json.loads(added(old, new, "metal"))
    assert found["test"] == {"flask": [foreign], "metal": []}
    assert found["train"] == {"flask": [], "metal": [{"img_path": "metal/0.png"}]}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"mine", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "two parts"),
        (b'{"train": {}}', "two parts"),
        (b'{"train": {}, "test": {}, "val": {}}', "two parts"),
        (b'{"train": {}, "test": []}', "its part test"),
        (b'{"train": {"a": {}}, "test": {}}', "its part train"),
        (b'{"train": {"a": ["x"]}, "test": {}}', "its part train"),
        (b'{"train": {"a": [{"img_path": 1}]}, "test": {}}', "its part train"),
    ],
    ids=range(10),
)
def test_what_is_no_index_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_entries(INDEX_NAME, data)


def lines(*paths: str) -> bytes:
    return lines_bytes({"filename": path, "label": 0} for path in paths)


def test_lists_are_merged_by_category_and_keep_the_order_of_each() -> None:
    nuts = lines("nut/1.png", "nut/0.png")
    both = add_entries("train.json", lines("bolt/old.png", "nut/1.png", "nut/0.png"), b"", "x")
    both = add_entries("train.json", both, lines("bolt/new.png"), "bolt")
    assert both == lines("bolt/new.png") + nuts
    assert add_entries("train.json", b"mine", nuts, "nut") == nuts
    assert add_entries("train.json", None, nuts, "nut") == nuts


@pytest.mark.parametrize(
    ("data", "why"),
    [(b"mine", "is not JSON"), (b"[]", "key filename"), (b'{"image_path": "a"}', "key filename")],
)
def test_what_is_no_list_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_entries("test.json", lines("nut/0.png") + data)
