"""The command line as a person meets it: one clear line that says what to do, and an exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from paperlora.sandbox.server import Sandbox


def paperlora(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PAPERLORA_")} | variables
    return subprocess.run([sys.executable, "-c", "from paperlora.cli import main; main()", *arguments], cwd=cwd, env=environment,
                          capture_output=True, text=True, check=False, timeout=120)


def one_clear_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1, done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"PAPERLORA_LLM__MODLE": "x"}, "Did you mean PAPERLORA_LLM__MODEL"),
        ({"PAPERLORA_CONFIG": "nowhere.toml"}, "no settings file nowhere.toml"),
        ({"PAPERLORA_READING__MAX_PAGES": "many"}, "reading.max_pages"),
    ],
)
def test_bad_settings(tmp_path: Path, variables: dict[str, str], says: str) -> None:
    assert says in one_clear_line(paperlora("status", cwd=tmp_path, **variables))


def test_status_of_an_empty_house(tmp_path: Path) -> None:
    done = paperlora("status", "--json", cwd=tmp_path)
    assert json.loads(done.stdout) == {
        "papers": 0, "documents": 0, "ideas": 0, "datasets": 0, "adapters": 0, "lessons": 0, "verdicts": {}, "rejects": {},
        "waiting": 0, "stale": 0,
    }


def test_read_prints_what_it_reads(tmp_path: Path) -> None:
    from paperlora.sandbox.corpus import PAPERS
    from paperlora.sandbox.pdf import render

    paper = next(p for p in PAPERS if not p.broken and not p.withdrawn)
    (tmp_path / "paper.pdf").write_bytes(render(paper))
    done = paperlora("read", "paper.pdf", "--json", cwd=tmp_path)
    value = json.loads(done.stdout)
    assert value["title"] == paper.title
    assert all({"heading", "text", "page"} == set(section) for section in value["sections"])
    assert {"references", "running_head"} <= {part["kind"] for part in value["left_out"]}


def test_read_of_what_is_no_pdf(tmp_path: Path) -> None:
    (tmp_path / "page.pdf").write_text("<html><body>Not found</body></html>")
    assert "page.pdf" in one_clear_line(paperlora("read", "page.pdf", cwd=tmp_path))
    assert "no file missing.pdf" in one_clear_line(paperlora("read", "missing.pdf", cwd=tmp_path))


def doctor(tmp_path: Path, **variables: str) -> dict[str, dict[str, object]]:
    done = paperlora("doctor", "--json", cwd=tmp_path, **variables)
    assert done.returncode in (0, 1), done.stderr
    return {finding["what"]: finding for finding in json.loads(done.stdout)}


def test_doctor_finds_what_is_wrong_and_says_what_to_do(tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        found = doctor(
            tmp_path, PAPERLORA_ARXIV__URL=sandbox.arxiv_url, PAPERLORA_SEMANTIC_SCHOLAR__URL="http://127.0.0.1:9",
            PAPERLORA_LLM__PROVIDER="openai", PAPERLORA_LLM__BASE_URL=sandbox.llm_url, PAPERLORA_LLM__API_KEY="wrong",
            PAPERLORA_BASE_MODEL=str(tmp_path / "no-model"),
        )
    assert found["arXiv"]["ok"]
    assert not found["Semantic Scholar"]["ok"]
    assert "PAPERLORA_SEMANTIC_SCHOLAR__URL" in str(found["Semantic Scholar"]["remedy"])
    assert "PAPERLORA_LLM__API_KEY" in str(found["LLM"]["remedy"])
    model = next(finding for finding in found.values() if "no-model" in str(finding["detail"]))
    assert "PAPERLORA_BASE_MODEL" in str(model["remedy"])


def test_show_of_an_unknown_id(tmp_path: Path) -> None:
    assert "knows no arxiv:1" in one_clear_line(paperlora("show", "arxiv:1", cwd=tmp_path))


@pytest.mark.parametrize("command", ["demo", "up", "ingest", "train", "rerun", "read", "status", "show", "topics", "chat", "sandbox"])
def test_help_shows_an_example(tmp_path: Path, command: str) -> None:
    done = paperlora(command, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "Example" in done.stdout


def test_status_needs_neither_prefect_nor_torch(tmp_path: Path) -> None:
    code = "import sys; sys.argv = ['paperlora', 'status', '--json']\nfrom paperlora.cli import main\ntry: main()\nexcept SystemExit: pass\n"
    code += "print('\\n' + ','.join(sorted({'prefect', 'torch', 'transformers'} & set(sys.modules))) + '.')"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "."
