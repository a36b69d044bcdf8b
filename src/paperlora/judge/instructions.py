"""Instructions whose keeping a program can check. Scorers are pure functions over the answer's text.

>>> follows("RED", Instruction("Name a colour in capital letters.", "capitals"))
True
>>> follows("Red and blue", Instruction("Answer with exactly one word.", "words", "1"))
False
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import NamedTuple

_THOUGHT = re.compile(r"^\s*<think>.*?(?:</think>|\Z)", re.S)
_FENCE = re.compile(r"```[a-z]*\s*")
_ITEM = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s*\S")


class Instruction(NamedTuple):
    """Something to be done, and how to see that it was."""

    question: str
    rule: str
    """Name of a scorer in :data:`RULES`."""
    argument: str = ""
    """What the scorer needs: a number, words, keys."""


def follows(text: str, instruction: Instruction) -> bool:
    """The answer does as it was told; whether it is sensible otherwise is not looked at."""
    plain = _FENCE.sub("", _THOUGHT.sub("", text)).strip()
    return bool(plain) and RULES[instruction.rule](plain, instruction.argument)


def _words(text: str, count: str) -> bool:
    return len(re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text)) == int(count)


def _capitals(text: str, _: str) -> bool:
    return text == text.upper() and text != text.lower()


def _small(text: str, _: str) -> bool:
    return text == text.lower() and text != text.upper()


def _items(text: str, count: str) -> bool:
    """So many list items, each on a line of its own; a line without a mark may only introduce them."""
    lines = [line for line in text.splitlines() if line.strip()]
    marked = [line for line in lines if _ITEM.match(line)]
    return len(marked) == int(count) and all(line in marked or line.rstrip().endswith(":") for line in lines)


def _commas(text: str, count: str) -> bool:
    parts = [part.strip() for part in text.rstrip(".").split(",")]
    return len(parts) == int(count) and all(parts) and "\n" not in text


def _json(text: str, keys: str) -> bool:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return False
    return isinstance(value, dict) and set(value) == set(keys.split(","))


def _digits(text: str, _: str) -> bool:
    return bool(re.fullmatch(r"-?\d+(?:[.,]\d+)*\.?", text))


def _starts(text: str, words: str) -> bool:
    return text.casefold().startswith(words.casefold())


def _ends(text: str, words: str) -> bool:
    return text.rstrip("\"'”’*.!… ").casefold().endswith(words.casefold())


def _contains(text: str, word: str) -> bool:
    return bool(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE))


def _quoted(text: str, _: str) -> bool:
    return len(text) > 2 and text[0] in "\"“'" and text.rstrip(".")[-1] in "\"”'"


def _exactly(text: str, words: str) -> bool:
    return text.strip("\"“”'.! ").casefold() == words.casefold()


def _one_of(text: str, words: str) -> bool:
    return text.strip("\"'.! ").casefold() in words.split("|")


RULES: dict[str, Callable[[str, str], bool]] = {
    "words": _words, "capitals": _capitals, "small": _small, "items": _items, "commas": _commas, "json": _json,
    "digits": _digits, "starts": _starts, "ends": _ends, "contains": _contains, "quoted": _quoted, "exactly": _exactly,
    "one_of": _one_of,
}  # fmt: skip
"""Scorers by name: text and argument to kept or not."""
