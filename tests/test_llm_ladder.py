"""How an endpoint is found out: its structure, its options, its ways of thinking; over real HTTP on loopback."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai.types.chat import ChatCompletion
from pydantic import BaseModel

from paperlora.errors import LlmAnswerInvalid, LlmRefused, LlmUnavailable
from paperlora.llm.answers import parse
from paperlora.llm.book import Book
from paperlora.llm.client import LlmClient, Question
from paperlora.llm.endpoint import REMEMBERED_SECONDS
from paperlora.llm.ladder import Abilities
from paperlora.llm.transport import Patience, completion_of
from paperlora.sandbox.server import Sandbox
from paperlora.settings import LlmSettings
from paperlora.store import Store

FAST = Patience(attempts=3, first_seconds=0.01, longest_seconds=0.05, longest_retry_after=0.5)


class Fact(BaseModel):
    subject: str
    value: int


GOOD = '{"subject": "Drift Gating", "value": 37}'


def body(message: dict[str, Any], finish: str = "stop", **usage: Any) -> dict[str, Any]:
    """A whole response, as endpoints with fields of their own send it."""
    return {
        "id": "1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", **message}}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, **usage},
    }  # fmt: skip


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    running.counts.clear()
    running.script_llm(lambda request: GOOD)
    yield running
    running.heal()
    running.script_llm(None)


_number = 0


def client(sandbox: Sandbox, store: Path | None = None, **changes: Any) -> LlmClient:
    """One that knows nothing of what another test taught."""
    global _number
    _number += 1
    fields = {"provider": "openai", "base_url": sandbox.llm_url, "model": f"m{_number}"} | changes
    return LlmClient(LlmSettings.model_validate(fields), Store.at(store) if store else None, FAST)


# ----------------------------------------------------------------- the ladder


@pytest.mark.parametrize(("types", "level"), [(["json_schema"], 1), (["json_schema", "json_object"], 2)])
def test_lower_steps_say_the_schema_and_the_word_json(sandbox: Sandbox, types: list[str], level: int) -> None:
    asked: list[dict[str, Any]] = []
    sandbox.script_llm(lambda request: (asked.append(request), GOOD)[1])
    sandbox.fault("llm.chat", "unsupported_format", types=types)
    asking = client(sandbox)
    assert asking.ask("Be brief.", "u", Fact).value.value == 37
    assert asking.endpoint.abilities.level == level
    (request,) = asked
    system = request["messages"][0]["content"]
    assert system.startswith("Be brief.")
    assert '"required": ["subject", "value"]' in system
    assert "json" in system.lower()
    assert request["messages"][1]["content"] == "u"


def test_what_was_learnt_is_known_to_the_next_process(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.fault("llm.chat", "unsupported_format")
    first = client(sandbox, tmp_path, model="same")
    first.ask("s", "u", Fact)
    assert sandbox.counts["llm.chat"] == 2
    del first
    again = client(sandbox, tmp_path, model="same")
    again.ask("s", "other", Fact)
    assert sandbox.counts["llm.chat"] == 3
    assert again.endpoint.abilities == Abilities(level=1)


def test_upgraded_endpoint_is_tried_again_from_the_top(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.fault("llm.chat", "unsupported_format")
    asking = client(sandbox, tmp_path)
    asking.ask("s", "u", Fact)
    assert asking.endpoint.abilities.level == 1
    assert asking.book is not None
    learnt, until = asking.book.learnt(asking.endpoint.key)
    assert learnt["level"] == 1
    assert 0 < until - time.time() <= REMEMBERED_SECONDS
    asking.book.learn(asking.endpoint.key, learnt, time.time() - 1)
    assert asking.book.learnt(asking.endpoint.key) == ({}, 0.0)
    asking.endpoint._until = time.time() - 1
    sandbox.heal()
    assert asking.endpoint.abilities == Abilities()
    asking.ask("s", "u2", Fact)
    assert asking.endpoint.abilities == Abilities()


def test_one_odd_question_lowers_nothing_for_the_others(sandbox: Sandbox) -> None:
    sandbox.fault("llm.chat", "unavailable", status=400, match="odd")
    asking = client(sandbox)
    asking.ask("s", "u", Fact)
    with pytest.raises(LlmAnswerInvalid) as caught:
        asking.ask("s", "odd", Fact)
    assert caught.value.reason == "llm_not_taken"
    assert asking.endpoint.abilities == Abilities()


def test_many_questions_at_an_older_server_are_all_answered(sandbox: Sandbox) -> None:
    sandbox.fault("llm.chat", "unsupported_format")
    asking = client(sandbox)
    replies = [reply for _, reply in asking.ask_many(Question("s", f"u{n}", Fact) for n in range(30))]
    assert len(replies) == 30
    assert not [reply for reply in replies if isinstance(reply, Exception)]
    # Those in flight while it was learnt are refused once; how many that are depends on how fast the limit is probed.
    assert sandbox.counts["llm.chat"] < 2 * 30


@pytest.mark.parametrize(
    ("said", "then"),
    [
        (
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
            Abilities(0, "max_completion_tokens"),
        ),
        ("'temperature' does not support 0 with this model", Abilities(temperature=False)),
        ("parameter.enable_thinking must be set to false for non-streaming calls", Abilities(thinking=False)),
        ("response_format is not supported", Abilities(level=1)),
        ("who knows", Abilities(level=1)),
    ],
)
def test_what_endpoints_say_tells_what_to_change(said: str, then: Abilities) -> None:
    assert Abilities().after(said) == then


def test_dashscope_gets_its_thinking_switch_and_users_their_extra_fields(sandbox: Sandbox) -> None:
    asked: list[dict[str, Any]] = []
    sandbox.script_llm(lambda request: (asked.append(request), GOOD)[1])
    asking = client(sandbox, extra_body='{"chat_template_kwargs": {"enable_thinking": false}}', temperature=0.5)
    asking.endpoint.learn(Abilities(thinking=False))
    asking.ask("s", "u", Fact)
    (request,) = asked
    assert request["enable_thinking"] is False
    assert request["chat_template_kwargs"] == {"enable_thinking": False}
    assert request["temperature"] == 0.5


# ------------------------------------------------------------------- thinking


@pytest.mark.parametrize(
    "content",
    [
        f'<think>{{"subject": "no", "value": 1}}</think>{GOOD}',
        f"<thinking>\nhm\n</thinking>\n\n{GOOD}",
        f"[THINK]hm[/THINK]{GOOD}",
        f'{{"subject": "no", "value": 1}} hm</think>\n{GOOD}',
        f"<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>{GOOD}",
        f"<think></think>\n```json\n{GOOD}\n```",
    ],
)
def test_thinking_is_never_the_answer(content: str) -> None:
    assert parse(content, Fact) == Fact(subject="Drift Gating", value=37)


@pytest.mark.parametrize(
    "subject",
    ["</think> closes it", "a <think> token", "[reasoning] traces", "```json fences", "Bj\u00f6rk \U0001f9ea"],
)
def test_papers_own_words_about_thinking_stay_in_the_answer(subject: str) -> None:
    answer = json.dumps({"subject": subject, "value": 1}, ensure_ascii=False)
    assert parse(answer, Fact).subject == subject


def test_unclosed_thinking_is_asked_again(sandbox: Sandbox) -> None:
    answers = iter([f"<think>so {GOOD} or not", GOOD])
    sandbox.script_llm(lambda request: next(answers))
    reply = client(sandbox).ask("s", "u", Fact)
    assert reply.repaired
    assert sandbox.counts["llm.chat"] == 2


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_answer_that_a_server_filed_under_thinking_is_found(sandbox: Sandbox, name: str) -> None:
    sandbox.script_llm(lambda request: body({"content": None, name: GOOD}))
    assert client(sandbox).ask("s", "u", Fact).value.value == 37
    sandbox.script_llm(lambda request: body({"content": GOOD, name: "It may be 12."}))
    assert client(sandbox).ask("s", "u", Fact).value.value == 37


def test_thinking_without_an_answer_is_sent_back(sandbox: Sandbox) -> None:
    answers = iter([body({"content": "", "reasoning_content": f"Perhaps {GOOD}?"}), body({"content": GOOD})])
    sandbox.script_llm(lambda request: next(answers))
    assert client(sandbox).ask("s", "u", Fact).repaired


def test_tokens_of_thinking_and_of_prefix_caches_are_counted(sandbox: Sandbox) -> None:
    details = {
        "prompt_tokens_details": {"cached_tokens": 64}, "completion_tokens_details": {"reasoning_tokens": 15},
    }  # fmt: skip
    sandbox.script_llm(lambda request: body({"content": GOOD}, **details))
    usage = client(sandbox).ask("s", "u", Fact).usage
    assert usage == (100, 20, 64, 15)


# ----------------------------------------------------------- cut off, declined


def test_cut_off_answer_gets_room_for_twice_as_much_once(sandbox: Sandbox) -> None:
    limits: list[int] = []

    def long_winded(request: dict[str, Any]) -> dict[str, Any]:
        limits.append(request["max_tokens"])
        return body({"content": GOOD}) if request["max_tokens"] > 256 else body({"content": GOOD[:9]}, "length")

    sandbox.script_llm(long_winded)
    assert client(sandbox, max_tokens=256).ask("s", "u", Fact).value.value == 37
    assert limits == [256, 512]
    limits.clear()
    with pytest.raises(LlmAnswerInvalid) as caught:
        client(sandbox, max_tokens=64).ask("s", "u", Fact)
    assert caught.value.reason == "llm_truncated"
    assert limits == [64, 128]


@pytest.mark.parametrize("options", [{"text": False}, {"text": True}])
def test_refusals_end_at_once(sandbox: Sandbox, options: dict[str, Any]) -> None:
    sandbox.fault("llm.chat", "refusal", **options)
    with pytest.raises(LlmAnswerInvalid) as caught:
        client(sandbox).ask("s", "u", Fact)
    assert caught.value.reason == "llm_refusal"
    assert sandbox.counts["llm.chat"] == 1


@pytest.mark.parametrize(
    ("kind", "options", "reason"),
    [
        ("empty_choices", {}, "llm_empty"),
        ("wrong_schema", {}, "llm_wrong_schema"),
        ("truncated", {}, "llm_truncated"),
    ],
)
def test_faults_of_the_answer_cost_two_requests_and_become_a_reason(
    sandbox: Sandbox, kind: str, options: dict[str, Any], reason: str
) -> None:
    sandbox.fault("llm.chat", kind, **options)
    with pytest.raises(LlmAnswerInvalid) as caught:
        client(sandbox).ask("s", "u", Fact)
    assert caught.value.reason == reason
    assert sandbox.counts["llm.chat"] == 2


@pytest.mark.parametrize("kind", ["html", "empty_body", "bad_body", "cut_connection", "unavailable"])
def test_faults_of_the_server_are_waited_out_and_bounded(sandbox: Sandbox, kind: str) -> None:
    sandbox.fault("llm.chat", kind, times=2)
    assert client(sandbox).ask("s", "u", Fact).value.value == 37
    assert sandbox.counts["llm.chat"] == 3
    sandbox.counts.clear()
    sandbox.fault("llm.chat", kind)
    with pytest.raises(LlmUnavailable):
        client(sandbox).ask("s", "u", Fact)
    assert sandbox.counts["llm.chat"] == FAST.attempts


def test_half_a_surrogate_pair_does_not_break_repair_or_book(sandbox: Sandbox, tmp_path: Path) -> None:
    answers = iter(['{"subject": "half \\ud83d"}', '{"subject": "half \\ud83d", "value": 1}'])
    sandbox.script_llm(lambda request: body({"content": next(answers)}))
    reply = client(sandbox, tmp_path).ask("s", "u", Fact)
    assert reply.repaired
    assert reply.value.subject == "half ?"
    raw = ChatCompletion.model_validate(body({"content": "half \ud83d", "reasoning": "\ud83d"}))
    assert completion_of(raw, []).content == "half ?"


def test_depths_and_crowds_of_brackets_are_no_json() -> None:
    for content in ("[" * 100_000, "{" * 50_000 + "x", '{"a": [' * 5000):
        with pytest.raises(LlmAnswerInvalid) as caught:
            parse(content, Fact)
        assert caught.value.reason == "llm_no_json"


def test_one_question_that_breaks_the_server_does_not_end_the_others(sandbox: Sandbox) -> None:
    sandbox.fault("llm.chat", "unavailable", status=500, match="breaks it")
    asking = client(sandbox)
    asking.asker._patience = FAST._replace(first_seconds=0.3, longest_seconds=1.0)
    many = [Question("s", "breaks it" if n == 3 else f"u{n}", Fact) for n in range(120)]
    replies = dict(asking.ask_many(many))
    assert len(replies) == 120
    failed = {index: reply for index, reply in replies.items() if isinstance(reply, LlmAnswerInvalid)}
    assert {index: reply.reason for index, reply in failed.items()} == {3: "llm_failed"}


def test_wrong_key_ends_all_questions_and_what_was_answered_is_kept(sandbox: Sandbox, tmp_path: Path) -> None:
    asking = client(sandbox, tmp_path, model="kept")
    asking.ask("s", "u0", Fact)
    wrong = client(sandbox, tmp_path, model="kept", api_key="wrong")
    got: list[int] = []
    with pytest.raises(LlmRefused):
        for index, _ in wrong.ask_many(Question("s", f"u{n}", Fact) for n in range(40)):
            got.append(index)
    assert got == [0]
    assert sandbox.counts["llm.chat"] <= 1 + 2 * wrong.settings.concurrency


def test_book_is_shared_by_threads_and_survives_being_opened_twice(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'llm.sqlite'}"
    one, two = Book(url), Book(url)
    one.keep("k", "m", "first")
    two.keep("k", "m", "second")
    assert two.answers(["k", "other"]) == {"k": "first"}
    one.close()
    two.close()
