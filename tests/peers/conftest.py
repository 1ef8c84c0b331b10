"""A small tree to train on, and weights of a small network that nobody has to download."""

from __future__ import annotations

from pathlib import Path

import pytest

from kolektor_cli.core.conversion import ConvertOptions, convert
from kolektor_cli.core.synthesis import synthesize
from kolektor_cli.splits.split import SplitOptions

BACKBONE = "tf_efficientnet_lite0"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests here; the libraries warn at their import."""
    for item in items:
        if "/peers/" in item.nodeid:
            item.add_marker(pytest.mark.peers)
            item.add_marker(pytest.mark.filterwarnings("ignore"))


@pytest.fixture(scope="session")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold trees of a synthetic dataset: ``val`` with validation images, ``plain`` without."""
    folder = tmp_path_factory.mktemp("peers")
    synthesize(folder / "raw", items=5)
    split = SplitOptions(val=0.2)
    for name, chosen in (("val", split), ("plain", SplitOptions())):
        options = ConvertOptions(category=name, size=(100, 248), split=chosen)
        convert(folder / "raw", folder, options)
    return folder


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold random weights, which are as good as any where figures do not count."""
    import timm
    import torch

    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("weights") / "lite0.pth"
    torch.save(timm.create_model(BACKBONE).state_dict(), file)
    return file
