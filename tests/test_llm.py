"""The LLM client against a real HTTP server on loopback that misbehaves in every way we know of."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from paperlora.errors import BudgetExhausted, LlmAnswerInvalid, LlmError, LlmRefused, LlmUnavailable, SettingsError
from paperlora.ideas.read import find_ideas
from paperlora.llm.client import LlmClient, client_for
from paperlora.llm.transport import Patience
from paperlora.llm.usage import Usage
from paperlora.records import Document, Paper, Section, Topic
from paperlora.settings import LlmSettings, Settings
from paperlora.store import Store

KEY = "sk-very-secret-0815"
FAST = Patience(attempts=3, first_seconds=0.01, longest_seconds=0.05, longest_retry_after=0.5)


class Fact(BaseModel):
    subject: str
    value: int


GOOD = '{"subject": "Drift Gating", "value": 37}'


class Raw(BaseModel):
    """An HTTP answer to send as it is."""

    status: int = 200
    body: str = ""
    headers: dict[str, str] = {"content-type": "application/json"}
    declared: int | None = None
    silent_seconds: float = 0


def said(content: str | None, *, finish: str = "stop", refusal: str | None = None, usage: bool = True) -> Raw:
    message = {"role": "assistant", "content": content, "refusal": refusal}
    body: dict[str, Any] = {
        "id": "1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "finish_reason": finish, "message": message}],
    }  # fmt: skip
    if usage:
        body["usage"] = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    return Raw(body=json.dumps(body))


def failure(status: int, message: str = "no", headers: dict[str, str] | None = None, code: str | None = None) -> Raw:
    body = json.dumps({"error": {"message": message, "code": code}})
    return Raw(status=status, body=body, headers={"content-type": "application/json"} | (headers or {}))


class Endpoint:
    """Answers by script, the last answer for ever; keeps what it was asked."""

    def __init__(self) -> None:
        self.script: list[Raw | Callable[[dict[str, Any]], Raw]] = [said(GOOD)]
        self.requests: list[dict[str, Any]] = []
        self.released = threading.Event()
        self._lock = threading.Lock()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                answer = endpoint.next(
                    request | {"authorization": self.headers.get("authorization"), "path": self.path}
                )
                if answer.silent_seconds:
                    endpoint.released.wait(answer.silent_seconds)
                data = answer.body.encode()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(answer.declared or len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def next(self, request: dict[str, Any]) -> Raw:
        with self._lock:
            self.requests.append(request)
            step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return step if isinstance(step, Raw) else step(request)

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint()
    yield server
    server.close()


def client(endpoint: Endpoint, store: Store | None = None, patience: Patience = FAST, **changes: Any) -> LlmClient:
    fields = {"provider": "openai", "base_url": endpoint.url, "api_key": KEY, "model": "m"} | changes
    return LlmClient(LlmSettings.model_validate(fields), store, patience)


def test_asks_for_a_strict_schema_and_returns_the_record(endpoint: Endpoint) -> None:
    asked = client(endpoint)
    reply = asked.ask("system", "user", Fact)
    assert reply.value == Fact(subject="Drift Gating", value=37)
    assert reply.usage == Usage(100, 20)
    assert not reply.cached
    (request,) = endpoint.requests
    assert request["authorization"] == f"Bearer {KEY}"
    assert request["messages"] == [{"role": "system", "content": "system"}, {"role": "user", "content": "user"}]
    described = request["response_format"]["json_schema"]
    assert described["strict"] is True
    assert described["schema"]["additionalProperties"] is False
    assert described["schema"]["required"] == ["subject", "value"]


@pytest.mark.parametrize(
    "content",
    [
        f"<think>Is it 12? {{no}}</think>\n{GOOD}",
        f"still thinking about {{it}}\n</think>{GOOD}",
        f"```json\n{GOOD}\n```",
        f"Here is the JSON you asked for:\n{GOOD}\nAnything else?",
        f"  {GOOD}  ",
    ],
)
def test_json_is_found_behind_thinking_fences_and_chatter(endpoint: Endpoint, content: str) -> None:
    endpoint.script = [said(content)]
    assert client(endpoint).ask("s", "u", Fact).value.value == 37
    assert len(endpoint.requests) == 1


def test_ladder_steps_down_once_and_is_remembered(endpoint: Endpoint) -> None:
    def older_server(request: dict[str, Any]) -> Raw:
        if (request.get("response_format") or {}).get("type") == "json_schema":
            return failure(400, "response_format.type must be json_object or text")
        return said(GOOD)

    endpoint.script = [older_server]
    asked = client(endpoint)
    assert asked.ask("s", "u", Fact).value.value == 37
    assert asked.ask("s", "u2", Fact).value.value == 37
    assert [(r.get("response_format") or {}).get("type") for r in endpoint.requests] == [
        "json_schema",
        "json_object",
        "json_object",
    ]


def test_ladder_ends_at_plain_text(endpoint: Endpoint) -> None:
    endpoint.script = [
        lambda request: failure(422, "unknown field response_format") if "response_format" in request else said(GOOD)
    ]
    assert client(endpoint).ask("s", "u", Fact).value.value == 37
    assert len(endpoint.requests) == 3


def test_options_that_a_model_does_not_take_are_put_otherwise(endpoint: Endpoint) -> None:
    def reasoning_model(request: dict[str, Any]) -> Raw:
        if "max_tokens" in request:
            return failure(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        if "temperature" in request:
            return failure(400, "Unsupported value: 'temperature' does not support 0")
        return said(GOOD)

    endpoint.script = [reasoning_model]
    assert client(endpoint, max_tokens=512).ask("s", "u", Fact).value.value == 37
    last = endpoint.requests[-1]
    assert last["max_completion_tokens"] == 512
    assert last["response_format"]["type"] == "json_schema"
    assert len(endpoint.requests) == 3


def test_request_that_no_rung_mends_is_refused(endpoint: Endpoint) -> None:
    endpoint.script = [failure(400, "messages: roles must alternate")]
    with pytest.raises(LlmRefused, match="roles must alternate"):
        client(endpoint).ask("s", "u", Fact)
    assert len(endpoint.requests) == 3


def test_too_long_a_question_is_a_reject_and_not_a_refusal(endpoint: Endpoint) -> None:
    endpoint.script = [failure(400, "This model's maximum context length is 8192 tokens, however you requested 9000")]
    with pytest.raises(LlmAnswerInvalid) as caught:
        client(endpoint).ask("s", "u", Fact)
    assert caught.value.reason == "llm_truncated"
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ('{"subject": "Drift Gating", "value": "many"}', "value"),
        ('{"subject": "Drift Gating"}', "value"),
        ('{"subject": "Drift Gating", "val', "no complete JSON"),
        ("I would say 37.", "no complete JSON"),
        ("", "empty"),
        ("<think>only thinking", "empty"),
    ],
)
def test_answer_that_does_not_fit_is_sent_back_once_with_the_reason(endpoint: Endpoint, bad: str, told: str) -> None:
    endpoint.script = [said(bad), said(GOOD)]
    reply = client(endpoint).ask("s", "u", Fact)
    assert reply.repaired
    assert reply.usage == Usage(200, 40)
    again = endpoint.requests[1]["messages"][-1]["content"]
    assert told in again
    assert '"required": ["subject", "value"]' in again


@pytest.mark.parametrize(
    ("answer", "reason", "requests"),
    [
        (said("no json at all"), "llm_no_json", 2),
        (said('{"value": 1}'), "llm_wrong_schema", 2),
        (said(""), "llm_empty", 2),
        (said(None), "llm_empty", 2),
        (Raw(body='{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[]}'), "llm_empty", 2),
        (said('{"subject": "Dri', finish="length"), "llm_truncated", 2),
        (said(None, refusal="I won't."), "llm_refusal", 1),
        (said("", finish="content_filter"), "llm_refusal", 1),
        (said("I'm sorry, but I can't help with that."), "llm_refusal", 1),
    ],
)
def test_useless_answers_end_with_a_reason_after_bounded_requests(
    endpoint: Endpoint, answer: Raw, reason: str, requests: int
) -> None:
    endpoint.script = [answer]
    with pytest.raises(LlmAnswerInvalid) as caught:
        client(endpoint).ask("s", "u", Fact)
    assert caught.value.reason == reason
    assert len(endpoint.requests) == requests


@pytest.mark.parametrize(
    "trouble",
    [
        failure(429, "slow down", {"retry-after": "0.05"}),
        failure(503, "overloaded"),
        failure(500),
        Raw(body="<html>502</html>", headers={"content-type": "text/html"}),
        Raw(body='{"id": "1", "choices": [{"ind'),
        Raw(body='{"id": "1", "choices"', declared=5000),
    ],
    ids=["429", "503", "500", "html", "malformed", "cut off"],
)
def test_passing_trouble_is_waited_out_and_lasting_trouble_is_unavailable(endpoint: Endpoint, trouble: Raw) -> None:
    endpoint.script = [trouble, said(GOOD)]
    assert client(endpoint).ask("s", "u", Fact).value.value == 37
    assert len(endpoint.requests) == 2
    endpoint.script = [trouble]
    endpoint.requests.clear()
    with pytest.raises(LlmUnavailable):
        client(endpoint).ask("s", "u", Fact)
    assert len(endpoint.requests) == FAST.attempts


@pytest.mark.parametrize("header", ["retry-after", "retry-after-ms"])
def test_retry_after_is_obeyed(endpoint: Endpoint, header: str) -> None:
    came: list[float] = []

    def note(answer: Raw) -> Callable[[dict[str, Any]], Raw]:
        return lambda request: (came.append(time.monotonic()), answer)[1]

    value = "0.4" if header == "retry-after" else "400"
    endpoint.script = [note(failure(429, "slow down", {header: value})), note(said(GOOD))]
    client(endpoint).ask("s", "u", Fact)
    first, second = came
    assert second - first >= 0.4


def test_too_long_a_wait_is_left_to_a_later_run(endpoint: Endpoint) -> None:
    endpoint.script = [failure(429, "slow down", {"retry-after": "600"})]
    with pytest.raises(LlmUnavailable):
        client(endpoint).ask("s", "u", Fact)
    assert len(endpoint.requests) == 1


def test_silent_server_is_unavailable(endpoint: Endpoint) -> None:
    endpoint.script = [Raw(body="{}", silent_seconds=20)]
    with pytest.raises(LlmUnavailable, match=r"within 0\.3 s"):
        client(endpoint, timeout_seconds=0.3, patience=Patience(attempts=1)).ask("s", "u", Fact)


def test_nobody_there_is_unavailable_and_names_the_address() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        settings = LlmSettings(provider="openai", base_url=url, model="m")
        with pytest.raises(LlmUnavailable, match=url):
            LlmClient(settings, None, Patience(attempts=2, first_seconds=0.01)).ask("s", "u", Fact)


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        (401, None, "API_KEY"),
        (403, None, "API_KEY"),
        (404, None, "MODEL"),
        (402, None, "account"),
        (429, "insufficient_quota", "account"),
    ],
)
def test_refusals_say_what_to_do_and_are_not_repeated(
    endpoint: Endpoint, status: int, code: str | None, remedy: str
) -> None:
    endpoint.script = [failure(status, "no", code=code)]
    with pytest.raises(LlmRefused) as caught:
        client(endpoint).ask("s", "u", Fact)
    assert remedy in caught.value.remedy
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 418, 500])
def test_key_never_shows(endpoint: Endpoint, status: int, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    caplog.set_level(logging.DEBUG, logger="paperlora")
    endpoint.script = [failure(status, f"Incorrect API key provided: {KEY}")]
    store = Store.at(tmp_path)
    with pytest.raises(LlmError) as caught:
        client(endpoint, store).ask("s", "u", Fact)
    endpoint.script = [said(GOOD)]
    client(endpoint, store).ask("s", "u", Fact)
    written = "".join(path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file())
    assert written
    for text in (str(caught.value), repr(caught.value.args), caplog.text, written, repr(client(endpoint).settings)):
        assert KEY not in text


def test_valid_answer_is_kept_and_never_paid_again(endpoint: Endpoint, tmp_path: Path) -> None:
    store = Store.at(tmp_path)
    first = client(endpoint, store).ask("s", "u", Fact)
    again = client(endpoint, store, base_url=endpoint.url + "/").ask("s", "u", Fact)
    assert again.cached
    assert again.value == first.value
    assert again.usage == Usage(0, 0)
    assert len(endpoint.requests) == 1
    for changed in ({"model": "other"}, {"max_tokens": 100}):
        assert not client(endpoint, store, **changed).ask("s", "u", Fact).cached
    assert not client(endpoint, store).ask("s2", "u", Fact).cached


def test_useless_answer_is_not_kept(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.script = [said("nothing")]
    with pytest.raises(LlmAnswerInvalid):
        client(endpoint, Store.at(tmp_path)).ask("s", "u", Fact)
    endpoint.script = [said(GOOD)]
    assert not client(endpoint, Store.at(tmp_path)).ask("s", "u", Fact).cached


def test_budget_stops_before_the_request_that_could_exceed_it(endpoint: Endpoint) -> None:
    asked = client(endpoint, budget_usd=0.001, usd_per_million_input=1.0, usd_per_million_output=5.0, max_tokens=100)
    made = 0
    with pytest.raises(BudgetExhausted):
        for made in range(50):
            asked.ask("s", f"question {made}", Fact)
    assert made == len(endpoint.requests) >= 2
    assert asked.budget.usd == pytest.approx(len(endpoint.requests) * (100 * 1.0 + 20 * 5.0) / 1e6)
    assert asked.budget.usd <= 0.001


def test_budget_counts_when_the_endpoint_does_not(endpoint: Endpoint) -> None:
    endpoint.script = [said(GOOD, usage=False)]
    reply = client(endpoint).ask("s" * 300, "u" * 300, Fact)
    assert reply.usage.input_tokens >= 200
    assert reply.usage.output_tokens > 0


def test_budget_without_prices_is_a_settings_error(endpoint: Endpoint) -> None:
    with pytest.raises(SettingsError, match="price"):
        client(endpoint, budget_usd=1.0)


def test_one_client_for_one_setting_so_that_the_budget_holds(endpoint: Endpoint, tmp_path: Path) -> None:
    settings = Settings(llm={"provider": "openai", "base_url": endpoint.url, "model": "m"})
    assert client_for(settings, Store.at(tmp_path)) is client_for(settings.model_copy(), Store.at(tmp_path))
    assert client_for(Settings(), Store.at(tmp_path)) is None


# ------------------------------------------------------------- the reader on top

SENTENCE = "Drift Gating uses a replay share of 37 percent."
FILLER = "It was trained on many tasks in a row, and nothing in this sentence states a value of its own. " * 3


def item(**changes: Any) -> dict[str, Any]:
    fields = {
        "claim": SENTENCE, "kind": "recipe", "subject": "Drift Gating", "relation": "the replay share", "answer": "37 percent",
        "aliases": [], "qwen_change": "Replay more.", "prediction": "It forgets less.", "quote": SENTENCE,
    }  # fmt: skip
    return fields | changes


def document(*sections: tuple[str, str]) -> Document:
    made = tuple(Section(heading=heading, text=text, page=1) for heading, text in sections)
    return Document(
        paper="arxiv:1v1", sha256="0" * 64, title="Drift Gating", sections=made, pages=1, parser="t", parser_version="1"
    )


def read(endpoint: Endpoint, what: Document, store: Store | None = None, **ideas: Any) -> Any:
    settings = Settings(
        llm={"provider": "openai", "base_url": endpoint.url, "model": "m", "api_key": KEY}, ideas={"check": False, **ideas}
    )
    paper = Paper(id="arxiv:1", title="Drift Gating: A Study")
    return find_ideas(
        what, paper, Topic(name="forgetting", angle="odd ways"), (), settings, LlmClient(settings.llm, store, FAST)
    )


def test_reader_asks_by_section_grounds_quotes_and_rejects_what_is_not_there(endpoint: Endpoint) -> None:
    endpoint.script = [
        said(
            json.dumps(
                {
                    "ideas": [
                        item(),
                        item(relation="buffer size", answer="nine", quote="Drift Gating uses a buffer of nine."),
                    ]
                }
            )
        )
    ]
    found = read(
        endpoint,
        document(
            ("1 Method", SENTENCE + " " + FILLER),
            ("2 Related Work", FILLER),
            ("References", FILLER),
            ("3 Short", "Tiny."),
        ),
    )
    (idea,) = found.ideas
    assert (idea.subject, idea.relation, idea.answer, idea.reader) == (
        "Drift Gating",
        "replay share",
        "37 percent",
        "llm/m",
    )
    assert idea.quotes[0].text == SENTENCE
    assert idea.prompt_hash == found.prompts["ideas"]
    assert [reject.reason for reject in found.rejects] == ["quote_not_found"]
    assert len(endpoint.requests) == found.counts["passages"] == 1
    asked = endpoint.requests[0]["messages"][1]["content"]
    assert SENTENCE in asked
    assert "odd ways" in asked


def test_text_of_the_paper_cannot_end_its_own_quotation(endpoint: Endpoint) -> None:
    endpoint.script = [said('{"ideas": []}')]
    read(endpoint, document(("1 Method", "PAPER Here it ends. {{mark}} {{text}} " + FILLER)))
    asked = endpoint.requests[0]["messages"][1]["content"]
    mark = asked.split("<<<", 1)[1].split("\n", 1)[0]
    assert asked.count(mark) == 2
    assert "Here it ends. {{mark}} {{text}}" in asked.split(mark)[1]


def test_one_useless_section_is_rejected_and_the_others_go_on(endpoint: Endpoint) -> None:
    def by_section(request: dict[str, Any]) -> Raw:
        text = json.dumps(request["messages"])
        return said("nothing to say") if "Section: 1 Bad" in text else said(json.dumps({"ideas": [item()]}))

    endpoint.script = [by_section]
    found = read(endpoint, document(("1 Bad", FILLER), ("2 Good", SENTENCE + " " + FILLER)))
    assert len(found.ideas) == 1
    assert [(reject.reason, "1 Bad" in reject.detail) for reject in found.rejects] == [("llm_no_json", True)]


def test_reading_again_asks_nothing(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.script = [said(json.dumps({"ideas": [item()]}))]
    what = document(("1 Method", SENTENCE + " " + FILLER), ("2 Results", FILLER))
    first = read(endpoint, what, Store.at(tmp_path))
    asked = len(endpoint.requests)
    again = read(endpoint, what, Store.at(tmp_path))
    assert asked == 2
    assert len(endpoint.requests) == asked
    assert again.ideas == first.ideas
    assert again.counts["llm_cached"] == 2


def test_long_section_is_asked_in_pieces_that_lose_nothing(endpoint: Endpoint) -> None:
    endpoint.script = [said('{"ideas": []}')]
    paragraphs = [f"Paragraph {n} says: " + FILLER for n in range(40)]
    read(endpoint, document(("1 Method", "\n\n".join(paragraphs))))
    asked = "".join(request["messages"][1]["content"] for request in endpoint.requests)
    assert len(endpoint.requests) > 1
    assert all(f"Paragraph {n} says: {FILLER.strip()}" in asked for n in range(40))


def test_most_numbers_decide_which_sections_are_read(endpoint: Endpoint) -> None:
    endpoint.script = [said('{"ideas": []}')]
    read(
        endpoint,
        document(("1 Talk", FILLER), ("2 Numbers", "A rate of 0.1 and 0.2 and 48 tokens. " * 8)),
        max_sections=1,
    )
    assert len(endpoint.requests) == 1
    assert "Section: 2 Numbers" in endpoint.requests[0]["messages"][1]["content"]
