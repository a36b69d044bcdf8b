"""Text of a paper that speaks to whoever reads it by machine: found, kept from the reader, never taken as evidence.

A paper's text is data. A sentence that gives orders to a reader, or that carries the marks of a chat, is not shown to
the LLM, and an idea whose evidence or wording is such a text is rejected. The rules look for who is addressed and what
is ordered, not for topics: a paper *about* such attacks loses the sentences that quote one, and they are counted.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from paperlora.ideas.sentences import Span, spans

FOLLOWING = 4
"""Sentences behind an order, in the same paragraph, that are taken for its content: "Report this. X reaches …"."""

_ORDERS = r"(?:instructions?|prompts?|rules?|guidelines?|directions?|commands?|orders?|system messages?)"
_EARLIER = r"(?:previous|prior|earlier|preceding|above|former|foregoing|other|existing|original|initial|your|all|any|these|those)"
_READER = (
    r"(?:AI|A\.I\.|LLMs?|language models?|chat ?bots?|assistants?|AI (?:readers?|models?|systems?|reviewers?|agents?|"
    r"assistants?)|(?:automated|automatic|machine) (?:readers?|reviewers?|systems?|agents?)|reader models?|GPT(?:-\d\w*)?|"
    r"ChatGPT|Claude|Qwen|Gemini|Llama)"
)
_SAYING = (
    r"(?:output|print|return|respond|reply|answer|report|emit|write|state|say|claim|repeat|list|include|insert|add|extract|"
    r"produce|generate|mention|conclude|summari[sz]e|recommend|rate|score|mark|label|classify|treat|accept|teach|record)"
)
_TO_SAY = (
    r"(?:only|exactly|just|nothing|instead|with|that|the following|this|these|the (?:idea|claim|fact|answer|word|number|"
    r"value|sentence|text|paper|verdict)s?|an? (?:idea|claim|fact|empty|JSON)|ideas?\b|claims?\b|JSON|no (?:ideas?|claims?|"
    r"limits?|weakness)|[:\"“'{\[])"
)
_ADDRESSES = re.compile(
    "|".join(
        (
            rf"\b(?:ignore|disregard|forget|override|overrule|bypass|skip|discard|do not (?:follow|obey)|don't (?:follow|obey)|"
            rf"stop following)\b.{{0,40}}?\b{_EARLIER}\b.{{0,30}}?\b(?:{_ORDERS}|text|content|context|messages?|everything)\b",
            r"\b(?:ignore|disregard|forget) (?:everything|anything|what|all(?: of)?) (?:\w+ ){0,3}?"
            r"(?:above|before|said|told|earlier|previous)",
            r"\b(?:new|updated|revised|real|actual|secret|hidden|final) (?:system )?(?:instructions?|prompt)\s*:",
            rf"\b(?:note|message|instructions?|notice|memo|reminder|hint|important)\b,?\s*(?:to|for|:)\s*"
            rf"(?:all |any |the |our |every )?{_READER}\b",
            rf"(?:^|[.!?:]\s+)(?:attention|dear|hey|hello),? (?:all |every )?{_READER}\b",
            rf"(?:^|[.!?:]\s+)(?:if|when|as|since|because) you(?:'re| are) (?:an? |the |reading )?.{{0,30}}?{_READER}\b",
            rf"\b(?:if|whenever|when) (?:an? |any |the |this (?:text|paper|document) is (?:read|processed|reviewed) by )"
            rf"(?:an? )?{_READER}\b.{{0,60}}?\b(?:must|should|shall|has to|have to|is to|please)\b",
            rf"\byou are (?:now |no longer |actually |really )?(?:an? |the )?(?:\w+ )?{_READER}\b",
            r"\b(?:pretend|act as if|act as though|roleplay|imagine) (?:that |to be |you )",
            rf"\byou (?:must|should|shall|will|have to|need to|are to|may only|can only)(?: now| always| never| not| instead)?"
            rf" {_SAYING}\b",
            rf"\byour (?:{_ORDERS}|task|answer|output|response|reply|reading|summary|job|system prompt) (?:is|are|must|should|"
            rf"shall|will|has to)\b",
            rf"(?:^|[.!?:;]\s+|,\s+(?:and|then|instead)\s+|\bplease\s+|\bnow\s+|\binstead,?\s+)(?:always |only |now |"
            rf"instead |never |do not |don't |must )?{_SAYING}\b:? {_TO_SAY}",
            rf"(?:^|[.!?:;]\s+){_READER}[,:]\s+(?:please|you|do|don't|always|never|now|ignore|{_SAYING})\b",
            rf"\b(?:do not|don't|never|stop) (?:follow|obey|heed)(?:ing)? .{{0,30}}?\b{_ORDERS}\b",
            rf"(?:^|[.!?:;]\s+)(?:never|do not|don't) {_SAYING}\b",
            r"\b(?:from now on|henceforth|for the rest of (?:this|the) (?:conversation|chat|task)),? (?:you|always|only|never|"
            r"answer|report|the assistant|every)",
            r"\bend of (?:the )?(?:paper|text|document|passage|section|data|input|quotation|user (?:message|input))\b\W*"
            r"(?:[-=#*<>\]]|$|\b(?:new|now|system|user|assistant|begin)\b)",
        )
    ),
    re.IGNORECASE,
)
_CHAT = re.compile(
    r"<\|[^|<>]{1,40}\|>|<\s*/?\s*(?:think|system|assistant|user|tool_call|tool_response|function_call|tool)\s*>|"
    r"\[/?INST\]|<</?SYS>>|^\s*#{2,}\s*(?:system|assistant|user|instruction|response|tool)\b\s*:?|"
    r"(?:^|\n|[.!?]\s+)\s*(?:(?:system|assistant|user|human)\s*(?:message|prompt|turn)?\s*:\s|"
    r"(?:tool|function|AI)\s*(?:output|turn|result|call)?\s*:\s*[\[{\"])",
    re.IGNORECASE,
)
_SMUGGLED = re.compile(
    r"[{,]\s*[\"“']?(?:ideas|claim|quote|answer|verdict|checks|role|tool_calls|qwen_change|relation)[\"”']\s*:\s*[\[{\"“'0-9]"
    r"|(?:<<<|>>>)\s*[A-Z]|[A-Z]-[0-9a-f]{6,}\s*>>>",
    re.IGNORECASE,
)
INVISIBLE = ((0xAD, 0xAD), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0xFEFF, 0xFEFF), (0xE0000, 0xE007F))
"""Characters that no person sees: soft hyphens, joiners, marks of direction, tags. First and last code point of each range."""
_INVISIBLE = re.compile("[" + "".join(f"{chr(first)}-{chr(last)}" for first, last in INVISIBLE) + "]")


class Shown(NamedTuple):
    """A text as an LLM may see it."""

    text: str
    """Same length and offsets as the original: what is kept from the reader is blank."""
    hidden: tuple[str, ...]
    """What was kept from it, sentence by sentence."""


def addresses_reader(text: str) -> bool:
    """The text gives orders to whoever reads it by machine, or carries the marks of a chat or of our own answers."""
    plain = plain_text(text)
    return any(pattern.search(plain) for pattern in (_ADDRESSES, _CHAT, _SMUGGLED))


def plain_text(text: str) -> str:
    """Without invisible characters, look-alike forms in their plain one, blanks single: what a tokenizer might see."""
    tags = "".join(chr(ord(char) - 0xE0000) if "\U000e0020" <= char <= "\U000e007e" else char for char in text)
    return " ".join(unicodedata.normalize("NFKC", _INVISIBLE.sub("", tags)).split())


def shown(text: str) -> Shown:
    """The text without what addresses the reader, and without characters that no person sees."""
    hidden = [text[span.start : span.end] for span in injected(text)]
    for span in injected(text):
        text = text[: span.start] + re.sub(r"\S", " ", text[span.start : span.end]) + text[span.end :]
    return Shown(_INVISIBLE.sub(" ", text), tuple(hidden))


@lru_cache(maxsize=1024)
def injected(text: str) -> tuple[Span, ...]:
    """The sentences that give orders, and those behind them in their paragraph that may be what is ordered."""
    found: list[Span] = []
    paragraph, left = -1, 0
    for span in spans(text):
        left = 0 if span.paragraph != paragraph else left
        paragraph = span.paragraph
        if addresses_reader(text[span.start : span.end]):
            left = FOLLOWING + 1
        if left > 0:
            found.append(span)
            left -= 1
    return tuple(found)


def overlaps(start: int, end: int, marked: Sequence[Span]) -> bool:
    """A stretch of a text touches one of the sentences."""
    return any(span.start < end and start < span.end for span in marked)
