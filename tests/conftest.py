"""What every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
IDLE_FIRST = ("test_flows", "test_ingest_flow")
"""Modules that mostly wait for processes of their own: begun first, they do not come last."""

# Read when torch is loaded, here and in every process that a test starts. Idle threads that spin take the core from
# whoever has work, and tests that run beside each other have one core each.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where modules are dealt out to several processes, what takes longest must not come last."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: item.path.stem not in IDLE_FIRST)


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
