"""The command line as a person meets it: one clear line that says what to do, and an exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from paperlora.llm.book import Call
from paperlora.llm.client import book_address, open_book
from paperlora.llm.usage import NOTHING, Usage
from paperlora.records import Agreement, Interval
from paperlora.sandbox.server import Sandbox
from paperlora.settings import Settings
from paperlora.store import Store, write_jsonl


def paperlora(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PAPERLORA_")} | variables
    return subprocess.run([sys.executable, "-c", "from paperlora.cli import main; main()", *arguments], cwd=cwd, env=environment,
                          capture_output=True, text=True, check=False, timeout=240)


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
        "waiting": 0, "stale": 0, "placebos": 0, "repeats": 0, "agreement": None,
        "llm": {"days": [], "total": dict.fromkeys(
            ("requests", "kept", "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "usd"), 0
        )},
    }  # fmt: skip
    # Who only looks leaves no account behind.
    assert not list(tmp_path.rglob("llm*"))


def test_status_tells_what_llms_cost_a_day_and_whether_one_was_believed(tmp_path: Path) -> None:
    """Days apart, newest first, and their sum; of several judgements the newest that asked an LLM."""
    settings = Settings(home=tmp_path / "var")
    store = Store.at(settings.store_root)
    book = open_book(book_address(settings, store))
    for night, paper, usage in (("2026-11-27", "p1", (1000, 200)), ("2026-11-28", "p1", (300, 50)), ("2026-11-28", "p2", (40, 7))):
        book.note(Call("run", night, "judge", paper, "m", Usage(*usage), usage[0] / 1000))
    book.note(Call("run", "2026-11-28", "judge", "p2", "m", NOTHING, 0.0, requests=0, kept=3))
    kappa = Interval(value=0.9, low=0.72, high=0.98)
    for key, taken in (("a", False), ("b", True)):
        one = Agreement(model="m", prompt="p", asked=60, agreed=57, said_right=29, rules_right=30, kappa=kappa, planted=32, planted_agreed=29,
                        planted_kappa=Interval(value=0.8, low=0.61, high=0.93), bar=0.6 if taken else 0.8,
                        taken=taken, undecided=12, turned=5 * taken, note="n")  # fmt: skip
        with store.writing("judgements", key) as draft:
            write_jsonl(draft.path / "agreement.jsonl", [one])
            write_jsonl(draft.path / "verdicts.jsonl", [])
            draft.counts = {"agreement": 1}
    home = {"PAPERLORA_HOME": str(tmp_path / "var")}
    told = json.loads(paperlora("status", "--json", cwd=tmp_path, **home).stdout)
    assert [(day["day"], day["requests"], day["input_tokens"], day["kept"]) for day in told["llm"]["days"]] == [
        ("2026-11-28", 2, 340, 3), ("2026-11-27", 1, 1000, 0),
    ]  # fmt: skip
    assert (told["llm"]["total"]["output_tokens"], round(told["llm"]["total"]["usd"], 3)) == (257, 1.34)
    assert told["agreement"]["taken"] and told["agreement"]["bar"] == 0.6
    words = paperlora("status", cwd=tmp_path, COLUMNS="200", **home).stdout
    assert "2 requests, 340 tokens in" in words and "1.3400 USD" in words
    assert "κ 0.90 [0.72, 0.98], n = 60, on 32 made to be hard κ 0.80 [0.61, 0.93], bar 0.6: believed; 5 of 12" in words


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


@pytest.mark.parametrize(
    "command",
    ["demo", "up", "down", "ingest", "train", "judge", "rerun", "read", "status", "show", "topics", "chat", "merge", "report", "doctor", "rebuild", "sandbox"],
)
def test_help_shows_an_example(tmp_path: Path, command: str) -> None:
    done = paperlora(command, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "Example" in done.stdout


def test_status_needs_neither_prefect_nor_torch(tmp_path: Path) -> None:
    code = "import sys; sys.argv = ['paperlora', 'status', '--json']\nfrom paperlora.cli import main\ntry: main()\nexcept SystemExit: pass\n"
    code += "print('\\n' + ','.join(sorted({'prefect', 'torch', 'transformers'} & set(sys.modules))) + '.')"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "."


@pytest.mark.parametrize("command", [("judge",), ("judge", "nowhere"), ("chat", "nowhere"), ("merge", "nowhere", "elsewhere")])
def test_an_adapter_that_is_not_there_is_told_before_anything_starts(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = paperlora(*command, cwd=tmp_path)
    assert "There is no adapter" in one_clear_line(done) and "`paperlora train`" in done.stderr
    assert not (tmp_path / "var" / "prefect").exists()
