"""The Python of README and the guides runs, in the order in which it stands; tables are true."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path

import pytest

from kolektor_cli import convert, synthesize
from kolektor_cli.consumers.catalogue import CONSUMERS, ConsumerName
from kolektor_cli.consumers.needs import Offer, guide_for
from kolektor_cli.samples import LABELS
from kolektor_cli.splits.protocols import make_split
from kolektor_cli.splits.split import find_leaks
from tests.documents import DOCUMENTS
from tests.samples import count_samples, official

BLOCK = re.compile(r"^```python ?(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("name", [name for name, text in DOCUMENTS.items() if BLOCK.search(text)])
def test_python_of_a_document_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    synthesize("KolektorSDD", items=4)
    if name == "scores.md":
        convert("KolektorSDD", "data")
    names: dict[str, object] = {}
    for library, code in BLOCK.findall(DOCUMENTS[name]):
        # pandas and PyTorch are shown, and are no dependencies.
        if not library or importlib.util.find_spec(library):
            exec(compile(code, f"{name}: {code[:40]}", "exec"), names)


@pytest.mark.skipif(os.name == "nt", reason="/data is absolute on Unix alone")
@pytest.mark.parametrize(
    "name", ["patchcore", "cflow", "cfa", "fastflow", "ristorante", "efficientad", "simplenet"]
)
def test_guide_to_training_has_the_commands_that_convert_prints(name: ConsumerName) -> None:
    shown = DOCUMENTS["train.md"].replace("\\\n", "")
    consumer = CONSUMERS[name]
    sizes = [consumer.size or (500, 1240)]
    offer = Offer(Path("/data"), consumer.category or "metal", sizes, consumer.colors)
    for command in guide_for(name, offer, ()).commands:
        assert command in re.sub(" +", " ", shown)


def test_table_of_defects_that_train_is_true() -> None:
    table = DOCUMENTS["protocols.md"].partition("## Defective samples that train")[2]
    samples, duplicates = official()
    rows = re.findall(r"^\| `(\w+) (--.*?)` \| (\d[\d |]*) \|$", table, re.MULTILINE)
    assert len(rows) == 6
    for protocol, options, numbers in rows:
        asked: dict[str, int | str | bool] = {}
        for option in options.removeprefix("--").split(" --"):
            name, _, value = option.partition(" ")
            given = int(value) if value.isdecimal() else value
            asked[name.replace("-", "_")] = True if given == "" else given
        made = make_split(protocol, samples, duplicates, asked)
        counts = count_samples(made, samples)
        unused = counts["unused", "good"] + counts["unused", "defective"]
        leaks = len(find_leaks(made.assigned, duplicates))
        assert [int(number) for number in numbers.split("|")] == [
            *(counts[side, label] for side in ("train", "test") for label in LABELS),
            *(unused, leaks),
        ]
