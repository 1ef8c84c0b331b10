"""What holds for every test of pixels."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def silent(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Hold every test to silence: libraries must not complain on file descriptor 2."""
    yield
    assert capfd.readouterr() == ("", "")
