"""The commands for micro-datasets, as a person types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from test_publishing import ARXIV, CC_BY, build

from paperlora.sandbox.hub_api import TOKEN
from paperlora.sandbox.server import Sandbox


@pytest.fixture
def home(tmp_path: Path) -> Path:
    build(tmp_path / "datasets", 1, "Tidal Replay", CC_BY)
    build(tmp_path / "datasets", 2, "Marrow Decay", ARXIV)
    return tmp_path


def paperlora(home: Path, *arguments: str, answers: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PAPERLORA_HOME": str(home / "var"), "PAPERLORA_DATASETS": str(home / "datasets"), "COLUMNS": "200", "HF_HUB_DISABLE_XET": "1"} | more
    return subprocess.run([sys.executable, "-c", "from paperlora.cli import main; main()", *arguments], cwd=home, env=environment, input=answers,
                          capture_output=True, text=True, timeout=240, check=False)  # fmt: skip


def test_export_takes_a_paper_key_and_says_what_it_left_out(home: Path) -> None:
    done = paperlora(home, "export", "arxiv:9901.00001v1", "--to", "out", "--format", "llama-factory")
    assert done.returncode == 0, done.stderr
    assert "1 micro-datasets" in done.stdout and "format_cannot_mask" in done.stdout
    assert (home / "out" / "dataset_info.json").exists()


def test_publish_pushes_what_the_licences_allow(home: Path) -> None:
    with Sandbox() as sandbox:
        done = paperlora(home, "publish", "--to", "out", "--push", "sandbox/claims", "--json", HF_ENDPOINT=sandbox.hub_url, HF_TOKEN=TOKEN)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert told["pushed"]["url"].endswith("/datasets/sandbox/claims") and {r["reason"] for r in told["rejects"]} == {"licence_forbids"}
        assert [name for name in sandbox.hub.repositories["sandbox/claims"].files if "00002" in name] == []
    again = paperlora(home, "publish", "--to", "out")
    assert again.returncode == 1 and "there already" in again.stderr


def test_a_review_file_makes_a_revision_that_diff_shows(home: Path) -> None:
    written = paperlora(home, "review", "arxiv:9901.00001v1", "--file", "review.yaml")
    assert written.returncode == 0, written.stderr
    body = yaml.safe_load((home / "review.yaml").read_text())
    body["ideas"][0]["rows"][0] |= {"decision": "reject"}
    (home / "review.yaml").write_text(yaml.safe_dump(body))
    before = body["review"]
    taken = paperlora(home, "review", "arxiv:9901.00001v1", "--import", "review.yaml")
    assert taken.returncode == 0 and "rows +0 −1 ~0" in taken.stdout, taken.stderr
    shown = paperlora(home, "diff", before, "arxiv:9901.00001v1", "--json")
    found = json.loads(shown.stdout)
    assert [row["id"] for row in found["rows"]["removed"]] == [body["ideas"][0]["rows"][0]["id"]] and found["related"]
    assert "- " in paperlora(home, "diff", before, "arxiv:9901.00001v1").stdout


def test_a_review_in_the_terminal(home: Path) -> None:
    done = paperlora(home, "review", "arxiv:9901.00001v1", answers="a\nr\n")
    assert done.returncode == 0, done.stderr
    assert "37 percent" in done.stdout and "3 Method" in done.stdout
    assert "ideas +0 −1 ~0" in done.stdout
    left = paperlora(home, "review", "arxiv:9901.00002v1", answers="q\n")
    assert left.returncode == 1 and "Nothing was decided" in left.stderr


def test_names_that_fit_nothing_or_too_much(home: Path) -> None:
    assert "There is no micro-dataset nobody" in paperlora(home, "export", "nobody", "--to", "out").stderr
    assert "fits 2 papers" in paperlora(home, "export", "arxiv-9901", "--to", "out").stderr
