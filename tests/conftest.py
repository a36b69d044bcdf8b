"""What every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def real_folder() -> Path:
    """Real papers and recorded answers that are not part of the repository; the test is skipped without them."""
    folder = Path(os.environ.get("PAPERLORA_TEST_REAL", ROOT.parent / "shared" / "real"))
    if not folder.is_dir():
        pytest.skip("no folder of real papers: set PAPERLORA_TEST_REAL")
    return folder


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests leaks into them."""
    for name in list(os.environ):
        if name.startswith("PAPERLORA_") and not name.startswith("PAPERLORA_TEST_"):
            monkeypatch.delenv(name)
