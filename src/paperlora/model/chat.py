"""The one chat rendering: what is trained on, asked and scored goes through here, and nowhere else.

The model's own template writes the text. A training row is the prompt as it will be asked, token for token, and then
the answer; that is checked for every row, since some templates write the last turn otherwise than their prompt
promises (Qwen3's writes an empty ``<think>`` block into it: part of the prompt here, so it carries no loss).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from paperlora.errors import ModelUnavailable
from paperlora.records import MaskedSpan, Message

EMPTY_THINK = re.compile(r"<think>\s*</think>\s*")


class Rendered(NamedTuple):
    """One training row as the model sees it."""

    ids: tuple[int, ...]
    """Tokens up to and with the end of the last turn."""
    loss: tuple[bool, ...]
    """Whether the token is one to be learnt; as long as ``ids``."""

    @property
    def prompt_tokens(self) -> int:
        """Tokens before the first one with loss."""
        return self.loss.index(True)


def render_prompt(tokenizer: Any, messages: Sequence[Message], *, thinking: bool = False) -> tuple[int, ...]:
    """Tokens of a question, up to where the answer begins; thinking is off where the template can turn it off."""
    return tuple(_encode(tokenizer, _text(tokenizer, messages, prompt=True, thinking=thinking)).input_ids)


def can_think(tokenizer: Any) -> bool:
    """The template can turn thinking on and off: the model is a hybrid."""
    question = (Message(role="user", content="Hello"),)
    on, off = (_text(tokenizer, question, prompt=True, thinking=thinking) for thinking in (True, False))
    return on != off


def render_example(tokenizer: Any, messages: Sequence[Message], masked: Sequence[MaskedSpan] = ()) -> Rendered:
    """Tokens of a training row; loss on the last assistant turn's content and on the token that ends it.

    Args:
        masked: spans of the last message that carry no loss, in characters of its content; a token that touches one
            carries none. Spans of other messages change nothing: these never carry loss.

    Raises:
        ModelUnavailable: the template doesn't continue its own prompt, or leaves nothing to learn.
    """
    if not messages or messages[-1].role != "assistant":
        raise ModelUnavailable("A training row must end with the assistant's turn.", "Correct the dataset's rows.")
    full = _text(tokenizer, messages, prompt=False, thinking=False)
    prompt = _own_prompt(tokenizer, messages, full)
    encoded = _encode(tokenizer, full, offsets=True)
    prompt_ids = _encode(tokenizer, prompt).input_ids
    if list(encoded.input_ids[: len(prompt_ids)]) != list(prompt_ids):
        raise ModelUnavailable(
            "The tokens of a row don't continue the tokens of its prompt.", "Correct the row's answer."
        )
    content = _content(messages[-1].content, full, len(prompt))
    spans = [_shift(span, content) for span in masked if span.message == len(messages) - 1]
    return _mark(encoded, len(prompt_ids), content.end, spans)


def _text(tokenizer: Any, messages: Sequence[Message], *, prompt: bool, thinking: bool) -> str:
    turns = [{"role": message.role, "content": message.content} for message in messages]
    return str(
        tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=prompt, **({} if thinking else {"enable_thinking": False})
        )
    )


def _encode(tokenizer: Any, text: str, *, offsets: bool = False) -> Any:
    return tokenizer(text, add_special_tokens=False, return_offsets_mapping=offsets)


def _own_prompt(tokenizer: Any, messages: Sequence[Message], full: str) -> str:
    """The longest text that belongs to the prompt: with the empty think block where the template writes one."""
    for thinking in (False, True):
        prompt = _text(tokenizer, messages[:-1], prompt=True, thinking=thinking)
        if full.startswith(prompt):
            block = EMPTY_THINK.match(full, len(prompt))
            return full[: block.end()] if block else prompt
    raise ModelUnavailable("The chat template writes another text before an answer than it writes as a prompt.")


class _Content(NamedTuple):
    """Where the answer's content stands in the rendered text."""

    start: int
    end: int
    dropped: int
    """Characters of the content before ``start`` that the template left out."""


def _content(content: str, full: str, start: int) -> _Content:
    """Templates may strip white space around a content."""
    for text in (content, content.lstrip("\n"), content.strip()):
        if text.strip() and full.startswith(text, start):
            return _Content(start, start + len(text), content.index(text))
    answer = content.rsplit("</think>", 1)[-1].strip()
    if "</think>" in content and answer and answer in full[start:]:
        # A row with reasoning: the template writes it anew, so only its answer keeps its place.
        end = full.index(answer, start) + len(answer)
        return _Content(start, end, len(content.rstrip()) - (end - start))
    raise ModelUnavailable(
        "The chat template changes the text of an answer.", "Correct the row: its answer is empty or altered."
    )


def _shift(span: MaskedSpan, content: _Content) -> tuple[int, int]:
    """The span in characters of the whole text."""
    lead = content.start - content.dropped
    return max(lead + span.start, content.start), lead + span.end


def _mark(encoded: Any, prompt_tokens: int, end_of_content: int, spans: Sequence[tuple[int, int]]) -> Rendered:
    ids, loss = list(encoded.input_ids[:prompt_tokens]), [False] * prompt_tokens
    for token, (start, end) in zip(
        encoded.input_ids[prompt_tokens:], encoded.offset_mapping[prompt_tokens:], strict=True
    ):
        ids.append(token)
        loss.append(not any(start < high and low < end for low, high in spans))
        if start >= end_of_content:
            break  # the token that ends the turn; what a template writes after it is never seen
    if not any(loss):
        raise ModelUnavailable("A row carries no loss at all.", "Correct the row: its whole answer is masked.")
    return Rendered(tuple(ids), tuple(loss))
