"""The part of an answer that counts, and texts folded so that they can be compared. Pure functions.

>>> opening("Sure! It is 37 percent. More follows.")
'It is 37 percent.'
>>> normalise("The Kelpie-benchmark’s SHARE: 37%.")
'the kelpie benchmark share 37 percent'
"""

from __future__ import annotations

import functools
import re
import unicodedata

HEAD_WORDS = 40
"""An answer is looked for in so many words at most."""
_OPENERS = re.compile(
    r"^(?:sure|certainly|absolutely|definitely|of course|okay|ok|great|well|thanks?(?: you)?|no problem)\b"
    r"(?: (?:question|thing|here|i|let)\b[^.!?:\n]{0,40})?[.!,:]\s*",
    re.I,
)
_LIST_MARK = re.compile(r"^(?:[\s*#>•]+|-(?!\.?\d)|\(?1[.)]\s+(?=\S)|\(?[A-Da-d]\)\s+)+")
"""A mark of a list or a heading; a list begins with its first item, so that another number is none."""
_ASKS = re.compile(
    r"^(?:(?:q|question|user|human)\s*:\s*)?(?:yes or no|(?:(?:in|on|at|by|for|to|from|with) )?(?:what|which|who|whose|whom|how|why"
    r"|where|when)|is|was|are|were|do|does|did|can|could|should|would|has|have)\b.*\?[\"')\]]*$",
    re.I | re.S,
)
_THOUGHT = re.compile(r"^\s*<(think(?:ing)?)>.*?(?:</\1>|\Z)", re.S)
_TAG = re.compile(r"</?[a-z][a-z_]*>", re.I)
_CITATION = re.compile(r"\[\d+\]\s*\w")
_FENCE = re.compile(r"```[a-z]*\s*")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=\S)|\n+")
_THIN = re.compile(r"(?<=\d)[\u00a0\u2009\u202f](?=\d{3}(?!\d))")
"""A narrow blank between groups of three digits."""


@functools.lru_cache(maxsize=16384)
def opening(text: str) -> str:
    """The part of an answer that counts: its first sentence (a whole JSON object), without thoughts and openers.

    A question that the answer repeats is passed over; what only announces an answer ("It is:") takes the next line with it.
    """
    plain = whole(text)
    plain = _OPENERS.sub("", plain, count=1) or plain
    plain = _LIST_MARK.sub("", plain)
    if plain.startswith(("{", "[")) and not _CITATION.match(plain):
        end = max(plain.find("}"), plain.find("]"))
        plain = plain[: end + 1 if end > 0 else None].replace("\n", " ")
    parts = [part.strip() for part in _SENTENCE_END.split(plain) if part.strip()]
    said = parts[1:] if len(parts) > 1 and asks(parts[0]) else parts
    head = " ".join(said[:2] if said[:1] and said[0].endswith(":") else said[:1])
    return " ".join(head.split()[:HEAD_WORDS])


def sentences(text: str) -> list[str]:
    """Everything that was said, sentence by sentence, without thoughts and code fences."""
    return [" ".join(part.split()) for part in _SENTENCE_END.split(whole(text)) if part.strip()]


def asks(sentence: str) -> bool:
    """It is a question, which states nothing."""
    return "?" in sentence and bool(_ASKS.match(sentence))


@functools.lru_cache(maxsize=16384)
def whole(text: str) -> str:
    """All that was said, without thoughts, code fences and tags."""
    folded = unicodedata.normalize("NFKC", _THIN.sub(",", re.sub("[™®©]", "", text)))
    return _TAG.sub("", _FENCE.sub("", _THOUGHT.sub("", folded))).strip()


@functools.lru_cache(maxsize=16384)
def normalise(text: str) -> str:
    """Case, punctuation and spacing folded; % spelled out; decimal points and signs of numbers, C++ and C# kept; "can't" and "cannot" are "can not".

    Kept by text: a judgement compares the same few answers with each other a million times.
    """
    folded = unicodedata.normalize("NFKC", text).casefold().replace("%", " percent ").replace("per cent", "percent")
    folded = re.sub(r"(?<=\d),(?=\d{3})", "", folded).replace("−", "-")
    folded = re.sub(r"\bca(?:n['’]t|nnot)\b", "can not", re.sub(r"\bwon['’]t\b", "will not", folded))
    folded = re.sub(r"['’]s\b", "", re.sub(r"n['’]t\b", " not", folded))
    dropped = r"(?<!\d)\.|\.(?!\d)|(?<!^)(?<!\s)[-‑–—]|[-‑–—](?!\d)|(?<![a-z+#])[+#]|[+#](?=\w)|[^\w\s.+#\-]|_"
    return " ".join(re.sub(dropped, " ", folded).split())
