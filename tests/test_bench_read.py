"""The benchmark of the reader measures every side on the same pages, and says what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pymupdf
import pytest
from typer.testing import CliRunner

from paperlora.bench import read as bench
from paperlora.cli import app
from paperlora.errors import SettingsError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        document = pymupdf.open()
        for _ in range(3):
            document.new_page().insert_textbox(pymupdf.Rect(60, 60, 500, 700), "A sentence to be read by everybody. " * 20, fontsize=11)
        document.save(tmp_path / f"{name}.pdf")
    return tmp_path


def test_sides_read_the_same_pages(folder: Path) -> None:
    result = bench.bench_read(folder, copies=2, repeats=1, peers=False)
    assert {row.figures["pages"] for row in result.rows} == {12}
    assert [row.figures["of plain PyMuPDF"] for row in result.rows if row.what == bench.PLAIN] == [1.0]
    assert {"PaperLoRA, 1 worker", "PyMuPDF, dict (positions, fonts)"} <= {row.what for row in result.rows}


def test_missing_peer_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = bench.sides(1)[0]
    monkeypatch.setattr(bench, "sides", lambda cores: (known, bench.Side("nobody's reader", "", package="no_such_reader")))
    result = bench.bench_read(folder, repeats=1)
    assert [row.what for row in result.rows] == [known.name]
    assert any("nobody's reader is not installed" in note for note in result.notes)


def test_processor_time_of_grandchildren_counts() -> None:
    burn = "x = 0\nfor n in range(3_000_000): x += n"
    code = f"import json, subprocess, sys\nsubprocess.run([sys.executable, '-c', {burn!r}])\nprint(json.dumps([1, 1, 1]))"
    alone = bench.measure(bench.Side("idle", "import json\nprint(json.dumps([1, 1, 1]))"), ())
    assert bench.measure(bench.Side("busy", code), ()).cpu > alone.cpu


def test_side_that_fails_says_so(folder: Path) -> None:
    with pytest.raises(SettingsError, match="broken can't read"):
        bench.measure(bench.Side("broken", "import sys; sys.exit(3)"), [str(folder / "one.pdf")])


def test_folder_without_papers(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="holds no PDF"):
        bench.bench_read(tmp_path)


def test_command_prints_json(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = bench.sides(1)[0]  # what every side reads is another test's
    monkeypatch.setattr(bench, "sides", lambda cores: (plain,))
    done = CliRunner().invoke(app, ["bench", "read", str(folder), "--copies", "1", "--repeats", "1", "--no-peers", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["rows"][0]["pages"] == 6
