"""The provider's Batch API, against the sandbox's files and batches over real HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from paperlora.errors import BudgetExhausted
from paperlora.llm.budget import Account
from paperlora.llm.client import LlmClient, Question
from paperlora.llm.ledger import of_book, summed
from paperlora.llm.transport import Patience
from paperlora.sandbox.server import Sandbox
from paperlora.settings import LlmSettings
from paperlora.store import Store

FAST = Patience(attempts=3, first_seconds=0.01, longest_seconds=0.05)
PRICES = {"usd_per_million_input": 1.0, "usd_per_million_output": 2.0}


class Number(BaseModel):
    number: int


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    running.script_llm(lambda request: {"number": int(request["messages"][-1]["content"].split()[-1])})
    running.counts.clear()
    yield running
    running.heal()
    running.script_llm(None)


def questions(count: int) -> list[Question]:
    return [Question("Answer in JSON.", f"Say {n}", Number, f"paper-{n % 2}") for n in range(count)]


def client(sandbox: Sandbox, store: Path, **changes: Any) -> LlmClient:
    fields = {
        "provider": "openai", "base_url": sandbox.llm_url, "model": store.name, "batch": True,
        "batch_poll_seconds": 0.01, **PRICES,
    }  # fmt: skip
    return LlmClient(LlmSettings.model_validate(fields | changes), Store.at(store), FAST, Account("run", "distill"))


def numbers(client: LlmClient, count: int) -> list[int]:
    replies = dict(client.ask_many(questions(count)))
    return [replies[index].value.number for index in range(count)]  # type: ignore[union-attr]


def test_questions_go_in_one_file_and_cost_the_batch_price(sandbox: Sandbox, tmp_path: Path) -> None:
    asked = client(sandbox, tmp_path)
    assert numbers(asked, 6) == list(range(6))
    assert sandbox.counts["llm.chat"] == 0
    assert sandbox.counts["llm.batches"] == 1
    (total,) = summed(of_book(asked.book))  # type: ignore[arg-type]
    full = total.input_tokens * 1e-6 + total.output_tokens * 2e-6
    assert total.requests == 6
    assert total.usd == pytest.approx(full / 2)
    assert {line.paper for line in of_book(asked.book)} == {"paper-0", "paper-1"}  # type: ignore[arg-type]


def test_second_run_asks_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    numbers(client(sandbox, tmp_path), 4)
    sandbox.counts.clear()
    assert numbers(client(sandbox, tmp_path), 4) == list(range(4))
    assert not sandbox.counts


def test_equal_questions_are_asked_once_and_all_answered(sandbox: Sandbox, tmp_path: Path) -> None:
    asked = client(sandbox, tmp_path)
    replies = dict(asked.ask_many(questions(3) * 2))
    assert [replies[index].value.number for index in range(6)] == [0, 1, 2, 0, 1, 2]  # type: ignore[union-attr]
    assert asked.budget.requests == 3


@pytest.mark.parametrize(
    ("kind", "options", "online"),
    [
        ("batch_failed", {}, 8),
        ("batch_expired", {"share": 0.25}, 6),
        ("batch_errors", {"share": 0.75}, 2),
    ],
)
def test_what_a_batch_leaves_unanswered_is_asked_anew(
    sandbox: Sandbox, tmp_path: Path, kind: str, options: dict[str, Any], online: int
) -> None:
    sandbox.fault("llm.batches", kind, **options)
    assert numbers(client(sandbox, tmp_path), 8) == list(range(8))
    assert sandbox.counts["llm.chat"] == online
    assert sandbox.counts["llm.batches"] == 1


def test_answer_that_does_not_fit_is_asked_anew_and_paid(sandbox: Sandbox, tmp_path: Path) -> None:
    first: list[bool] = []

    def once_wrong(request: dict[str, Any]) -> dict[str, Any]:
        number = int(request["messages"][-1]["content"].split()[-1])
        if number == 1 and not first:
            first.append(True)
            return {"number": "many"}
        return {"number": number}

    sandbox.script_llm(once_wrong)
    asked = client(sandbox, tmp_path)
    assert numbers(asked, 3) == [0, 1, 2]
    assert sandbox.counts["llm.chat"] == 1
    assert asked.budget.requests == 4


@pytest.mark.parametrize("route", ["llm.files", "llm.batches"])
def test_endpoint_without_batches_is_asked_as_usual(sandbox: Sandbox, tmp_path: Path, route: str) -> None:
    sandbox.fault(route, "unavailable", status=404)
    assert numbers(client(sandbox, tmp_path), 3) == [0, 1, 2]
    assert sandbox.counts["llm.chat"] == 3


@pytest.mark.parametrize("route", ["llm.files", "llm.batches", "llm.batch"])
def test_passing_trouble_is_waited_out(sandbox: Sandbox, tmp_path: Path, route: str) -> None:
    sandbox.fault(route, "unavailable", times=2)
    assert numbers(client(sandbox, tmp_path), 3) == [0, 1, 2]
    assert sandbox.counts["llm.chat"] == 0


_KILLED = """
import json, os, signal, sys
from pathlib import Path
from pydantic import BaseModel
from paperlora.llm import batch
from paperlora.llm.client import LlmClient, Question
from paperlora.settings import LlmSettings
from paperlora.store import Store

class Number(BaseModel):
    number: int

settings = LlmSettings.model_validate(json.loads(sys.argv[1]))
client = LlmClient(settings, Store.at(sys.argv[2]))
kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[3] == "after":
    batch._Room._ended = kill
else:
    made = batch._Room._call
    batch._Room._call = lambda self, begin, making=False: (made(self, begin, making=making), kill())
list(client.ask_many([Question("Answer in JSON.", f"Say {n}", Number, f"paper-{n % 2}") for n in range(4)]))
"""


@pytest.mark.parametrize("moment", ["after", "before"])
def test_killed_run_finds_its_batch_again(sandbox: Sandbox, tmp_path: Path, moment: str) -> None:
    """Killed once its id was written down, and once between its making and that."""
    again = client(sandbox, tmp_path)
    fields = json.dumps(again.settings.model_dump(exclude={"api_key"}))
    killed = subprocess.run([sys.executable, "-c", _KILLED, fields, str(tmp_path), moment], env=os.environ.copy())
    assert killed.returncode == -signal.SIGKILL
    assert sandbox.counts["llm.batches"] == 1
    assert numbers(again, 4) == [0, 1, 2, 3]
    assert sandbox.counts["llm.batches"] == 1
    assert sandbox.counts["llm.chat"] == 0
    assert again.book is not None
    assert again.book.open_batches(again.endpoint.key) == ()


def test_batch_that_was_never_made_is_made(sandbox: Sandbox, tmp_path: Path) -> None:
    from paperlora.llm.book import OpenBatch

    asked = client(sandbox, tmp_path)
    assert asked.book is not None
    keys = tuple(asked.key(question) for question in questions(2))
    asked.book.write_batch(asked.endpoint.key, OpenBatch("lost", "", keys))
    asked.book.write_batch(asked.endpoint.key, OpenBatch("unknown", "batch_999", keys))
    assert numbers(asked, 2) == [0, 1]
    assert sandbox.counts["llm.batches"] == 1


def test_budget_bounds_a_batch_and_more_budget_goes_on(sandbox: Sandbox, tmp_path: Path) -> None:
    poor = client(sandbox, tmp_path, budget_tokens=230, max_tokens=128)
    got: dict[int, Any] = {}
    with pytest.raises(BudgetExhausted):
        for index, reply in poor.ask_many(questions(14)):
            got[index] = reply
    assert 3 <= len(got) < 14
    assert poor.budget.spent.total <= 230
    assert sandbox.counts["llm.chat"] == 0
    rich = client(sandbox, tmp_path, budget_tokens=100_000, max_tokens=128)
    assert numbers(rich, 14) == list(range(14))
    assert rich.budget.requests == 14 - len(got)
