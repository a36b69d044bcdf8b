"""Tokens and money: counted by paper, stage and night, estimated before, bounded over all processes; keys nowhere."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from paperlora.errors import BudgetExhausted, LlmError
from paperlora.llm.book import Book, Hold, Limits
from paperlora.llm.budget import Account
from paperlora.llm.client import LlmClient, Question, client_for, estimate_questions
from paperlora.llm.ledger import Spending, keep_ledger, of_book, spendings, summed, write_ledger
from paperlora.llm.transport import Patience
from paperlora.llm.usage import Usage, tokens_of
from paperlora.sandbox.server import Sandbox
from paperlora.settings import LlmSettings, Settings
from paperlora.store import Store, read_manifest

KEY = "sk-very-secret-4711"
FAST = Patience(attempts=3, first_seconds=0.01, longest_seconds=0.05, longest_retry_after=0.5)
PRICES = {"usd_per_million_input": 1.0, "usd_per_million_output": 4.0}


class Number(BaseModel):
    number: int


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    running.counts.clear()
    running.script_llm(lambda request: {"number": 7})
    yield running
    running.heal()
    running.script_llm(None)


def questions(count: int, first: int = 0) -> list[Question]:
    return [Question("Answer in JSON.", f"Say {n}", Number, f"paper-{n % 3}") for n in range(first, first + count)]


def client(sandbox: Sandbox, store: Path | None, account: Account = Account(), **changes: Any) -> LlmClient:  # noqa: B008
    fields = {"provider": "openai", "base_url": sandbox.llm_url, "model": "m", "api_key": KEY, **PRICES} | changes
    return LlmClient(LlmSettings.model_validate(fields), Store.at(store) if store else None, FAST, account)


# --------------------------------------------------------------------- account


def test_spending_is_known_by_paper_stage_and_night(sandbox: Sandbox, tmp_path: Path) -> None:
    nights = (Account("n1", "distill", "2031-01-01"), Account("n2", "reflect", "2031-01-02"))
    first, second = (client(sandbox, tmp_path, account) for account in nights)
    list(first.ask_many(questions(6)))
    list(second.ask_many(questions(4, first=4)))
    lines = of_book(first.book)  # type: ignore[arg-type]
    assert {line.night: line.requests for line in summed(lines, "night")} == {"2031-01-01": 6, "2031-01-02": 2}
    assert {line.stage: line.kept for line in summed(lines, "stage")} == {"distill": 0, "reflect": 2}
    assert {line.paper: line.requests for line in summed(lines, "paper")} == {"paper-0": 3, "paper-1": 3, "paper-2": 2}
    (total,) = summed(lines)
    assert (total.input_tokens, total.output_tokens) == (
        sandbox.counts["llm.prompt_tokens"], sandbox.counts["llm.completion_tokens"],
    )  # fmt: skip
    assert total.usd == pytest.approx(total.input_tokens * 1e-6 + total.output_tokens * 4e-6)
    assert [line.run for line in of_book(first.book, "n2")] == ["n2"] * len(of_book(first.book, "n2"))  # type: ignore[arg-type]


def test_ledger_file_holds_total_stages_and_papers(tmp_path: Path) -> None:
    lines = [
        Spending(run="r", stage="distill", paper="a", requests=2, input_tokens=10, usd=0.5),
        Spending(run="r", stage="distill", paper="b", requests=1, kept=3, output_tokens=5, usd=0.25),
    ]
    write_ledger(tmp_path / "ledger.json", lines)
    kept = json.loads((tmp_path / "ledger.json").read_text())
    assert kept["total"]["usd"] == 0.75
    assert kept["stages"] == [{**kept["total"], "stage": "distill"}]
    assert [(line["paper"], line["requests"], line["kept"]) for line in kept["papers"]] == [("a", 2, 0), ("b", 1, 3)]


def test_cached_input_has_a_price_of_its_own() -> None:
    prices = LlmSettings(usd_per_million_input=10.0, usd_per_million_cached_input=1.0, usd_per_million_output=20.0)
    assert Usage(1000, 100, cached_tokens=800).usd(prices) == pytest.approx((200 * 10 + 800 * 1 + 100 * 20) / 1e6)
    assert Usage(1000, 100, 800).usd(prices, 0.5) == pytest.approx((200 * 10 + 800 + 2000) / 2e6)
    assert Usage(1000, 0, 800).usd(LlmSettings(usd_per_million_input=10.0)) == pytest.approx(0.01)


def test_repairs_and_cut_off_answers_are_paid_too(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.fault("llm.chat", "wrong_schema", times=1)
    asking = client(sandbox, tmp_path)
    asking.ask("s", "u", Number, tag="p")
    (line,) = of_book(asking.book)  # type: ignore[arg-type]
    assert (line.paper, line.requests) == ("p", 2)
    assert line.input_tokens == sandbox.counts["llm.prompt_tokens"]


def test_settings_and_store_lead_to_the_same_account(sandbox: Sandbox, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, llm={"provider": "openai", "base_url": sandbox.llm_url, "model": "m"})
    store = Store.at(settings.store_root)
    asking = client_for(settings, store, Account("run-7", "distill"))
    assert asking is not None
    asking.ask("s", "u", Number, tag="p")
    assert client_for(settings, store, Account("run-7", "distill")) is asking
    assert client_for(settings, store, Account("run-8", "distill")) is not asking
    assert [(line.run, line.paper) for line in spendings(settings, store)] == [("run-7", "p")]
    assert store.folders() == ()


# -------------------------------------------------------------------- estimate


def test_estimate_bounds_what_then_is_spent(sandbox: Sandbox, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, llm={"provider": "openai", "base_url": sandbox.llm_url, "model": "m", **PRICES})
    store = Store.at(settings.store_root)
    before = estimate_questions(questions(10), settings, store)
    assert before.requests == 10
    assert before.cached == 0
    assert before.output_tokens == 10 * settings.llm.max_tokens
    assert sandbox.counts["llm.chat"] == 0
    asking = client_for(settings, store)
    assert asking is not None
    list(asking.ask_many(questions(6)))
    (total,) = summed(spendings(settings, store))
    assert 0 < total.usd <= before.usd
    assert total.input_tokens <= before.input_tokens
    after = estimate_questions([*questions(10), *questions(10)], settings, store)
    assert (after.requests, after.cached) == (4, 6)
    assert estimate_questions(questions(3), Settings(), store) == (0, 0, 0, 0.0, 0)


@pytest.mark.parametrize("text", ["plain English text", "漢字仮名交じり文", "∑∫√ ≤ ≥", ""])
def test_tokens_are_rather_overestimated(text: str) -> None:
    assert tokens_of(text) >= (len(text.replace(" ", "")) if not text.isascii() else len(text) // 4)


# ---------------------------------------------------------------------- budget


@pytest.mark.parametrize("limit", [{"budget_usd": 0.001}, {"budget_tokens": 600}])
def test_budget_is_never_exceeded_and_used_to_its_end(sandbox: Sandbox, tmp_path: Path, limit: dict[str, Any]) -> None:
    """Though what is set aside for one request alone is a third of it, and many are under way at once."""
    asking = client(sandbox, tmp_path, max_tokens=64, **limit)
    got: list[int] = []
    with pytest.raises(BudgetExhausted):
        for index, reply in asking.ask_many(questions(500)):
            assert not isinstance(reply, LlmError)
            got.append(index)
    spent = asking.budget.spent
    most = limit.get("budget_tokens") or limit["budget_usd"]
    used = spent.total if "budget_tokens" in limit else asking.budget.usd
    assert 0.6 * most <= used <= most
    assert len(got) == sandbox.counts["llm.chat"] == asking.budget.requests
    assert asking.budget.under_way == 0


def test_more_budget_goes_on_where_it_stopped(sandbox: Sandbox, tmp_path: Path) -> None:
    poor = client(sandbox, tmp_path, Account("run"), max_tokens=64, budget_tokens=400)
    with pytest.raises(BudgetExhausted, match="400 tokens"):
        list(poor.ask_many(questions(60)))
    answered = sandbox.counts["llm.chat"]
    assert 0 < answered < 60
    rich = client(sandbox, tmp_path, Account("run"), max_tokens=64, budget_tokens=40_000)
    replies = dict(rich.ask_many(questions(60)))
    assert sorted(replies) == list(range(60))
    assert sandbox.counts["llm.chat"] == 60
    assert rich.book is not None
    assert rich.book.spent("run")[1] == poor.budget.spent.total + rich.budget.spent.total


_PROCESS = """
import json, sys
from pydantic import BaseModel
from paperlora.errors import BudgetExhausted
from paperlora.llm.budget import Account
from paperlora.llm.client import LlmClient, Question
from paperlora.settings import LlmSettings
from paperlora.store import Store, read_manifest

class Number(BaseModel):
    number: int

client = LlmClient(LlmSettings.model_validate(json.loads(sys.argv[1])), Store.at(sys.argv[2]), account=Account("night"))
try:
    list(client.ask_many([Question("Answer in JSON.", f"Say {sys.argv[3]} {n}", Number) for n in range(200)]))
except BudgetExhausted:
    print("exhausted", client.budget.requests)
"""


def test_one_budget_for_all_processes_of_a_run(sandbox: Sandbox, tmp_path: Path) -> None:
    fields = {"provider": "openai", "base_url": sandbox.llm_url, "model": "m", "max_tokens": 64, "budget_tokens": 900}
    command = [sys.executable, "-c", _PROCESS, json.dumps(fields), str(tmp_path)]
    running = [subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in "ab"]
    said = [process.communicate()[0].split() for process in running]
    assert [words[0] for words in said] == ["exhausted", "exhausted"]
    assert sum(int(words[1]) for words in said) == sandbox.counts["llm.chat"]
    spent = sandbox.counts["llm.prompt_tokens"] + sandbox.counts["llm.completion_tokens"]
    assert 0.6 * 900 <= spent <= 900
    book = Book(f"sqlite:///{tmp_path / 'llm.sqlite'}")
    assert book.spent("night")[1] == spent
    book.close()


def test_what_a_dead_process_set_aside_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = Book(f"sqlite:///{tmp_path / 'llm.sqlite'}")
    book.open_run("r")
    limits, now = Limits(None, 100), time.time()
    monkeypatch.setattr("time.time", lambda: now)
    assert book.hold(Hold("dead", "r", 0.0, 80, now + 30), limits)
    assert not book.hold(Hold("mine", "r", 0.0, 80, now + 90), limits)
    assert book.hold(Hold("other run", "r2", 0.0, 80, now + 90), limits)
    monkeypatch.setattr("time.time", lambda: now + 31)
    assert book.hold(Hold("mine", "r", 0.0, 80, now + 90), limits)
    book.close()


# ------------------------------------------------------------------------ keys


def test_key_is_in_no_file_no_log_and_no_error(
    sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    errors: list[str] = []
    for batch in (False, True):
        asking = client(sandbox, tmp_path / "store", batch=batch, batch_poll_seconds=0.01, model=f"m{batch}")
        list(asking.ask_many(questions(4)))
        for kind, options in (
            ("unavailable", {"status": 401}), ("unavailable", {"status": 418}), ("unavailable", {}), ("html", {}),
            ("bad_json", {}), ("rate_limit", {"retry_after": 600}),
        ):  # fmt: skip
            for route in ("llm.chat", "llm.files"):
                if kind != "bad_json" or route == "llm.chat":
                    sandbox.fault(route, kind, **options)
            try:
                list(asking.ask_many(questions(2, first=len(errors) * 10 + 100)))
            except LlmError as error:
                errors.append(f"{error!r} {error} {error.args} {error.remedy} {error.__cause__!r}")
            sandbox.heal()
    assert len(errors) >= 6
    write_ledger(tmp_path / "ledger.json", of_book(asking.book))  # type: ignore[arg-type]
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"paper-0" in written
    for text in (
        written.decode("latin-1"),
        caplog.text,
        *errors,
        repr(asking.settings),
        repr(asking.endpoint.__dict__),
    ):
        assert KEY not in text


def test_key_does_not_decide_the_answer(sandbox: Sandbox, tmp_path: Path) -> None:
    client(sandbox, tmp_path).ask("s", "u", Number)
    assert client(sandbox, tmp_path, api_key="another").ask("s", "u", Number).cached
    for changed in ({"temperature": 0.7}, {"extra_body": '{"seed": 1}'}, {"max_tokens": 99}, {"model": "m2"}):
        assert not client(sandbox, tmp_path, **changed).ask("s", "u", Number).cached
    assert os.environ.get("PAPERLORA_LLM__API_KEY") is None


def test_ledger_of_a_stage_is_a_folder_of_the_store(sandbox: Sandbox, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, llm={"provider": "openai", "base_url": sandbox.llm_url, "model": "m", **PRICES})
    store = Store.at(settings.store_root)
    for stage, count in (("distill", 3), ("reflect", 5)):
        asking = client_for(settings, store, Account("night-9", stage))
        assert asking is not None
        list(asking.ask_many(questions(count, first=10 * count)))
    uri = keep_ledger(settings, store, Account("night-9", "distill"), attempt=1)
    assert store.folders("ledgers") == (uri,)
    kept = json.loads(store.fetch_file(uri, "ledger.json").read_text())
    assert kept["total"]["requests"] == 3
    assert kept["total"]["usd"] > 0
    assert read_manifest(uri).counts["requests"] == 3
