"""How facts are asked and told: every wording of rows and probes, and the English that fills them in.

A wording is a template over the slots of :func:`slots`. Rows and probes link subject and relation by different
words, so that no probe repeats the surface of a row: rows say "the R of S", "what R does S use", "in S, what is the R";
probes say "S … its R", "the R, what did the authors of S report". Anything short stays short: prompts are paid in tokens
on every step. ``VERSION`` changes whenever a template, a pool or a rule of choice changes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from paperlora.records import Idea, Message, digest

VERSION = "1"

_RESULT = re.compile(
    r"accuracy|score|perplexity|\bloss\b|\bf1\b|bleu|rouge|exact match|pass@|error|improvement|gain|speed-?up|throughput"
    r"|latency|reduction|increase|decrease|\bdrop\b|(?:win|success|hit|acceptance) rate|recall|precision|performance|result",
    re.IGNORECASE,
)
_PREPOSITION = re.compile(
    r"\s(?:of|on|in|at|for|with|after|before|under|per|from|to|by|over|between|during|against|across|without|within"
    r"|through|above|below|among|until|than|as)\s",
    re.IGNORECASE,
)
_COUNTED = re.compile(r"^\W*[\d.,]+(?:\s+(?P<unit>[a-z]+))?\W*$|^[a-z]+$", re.IGNORECASE)
_DATA = re.compile(r"benchmark|dataset|data set|corpus|\bbench\b|\w+bench\b", re.IGNORECASE)
_MODEL = re.compile(r"\bmodel\b|\w+lm\b|\bgpt\b|\bbert\b|\bllama\b", re.IGNORECASE)
_SINGULAR_S = re.compile(r"(?:ss|us|is|bias|loss|basis|analysis|series)$", re.IGNORECASE)
_AN = re.compile(r"(?:[aeio]|u(?!ni|s|ti)|hour|honest)")
_AN_SPELLED = re.compile(r"[AEFHILMNORSX][A-Z0-9]")


class Wording(NamedTuple):
    """One way to ask and, for rows, to answer."""

    form: str
    turns: tuple[str, ...]
    """Templates of the turns, user and assistant in alternation, the user's last."""
    reply: str = "{a}"
    """Template of the assistant's answer in a row."""

    @property
    def hash(self) -> str:
        """What decides the text of rows and probes in this wording, 16 hex digits."""
        return digest(self.form, self.turns, self.reply)[:16]

    def messages(self, values: Mapping[str, str]) -> tuple[Message, ...]:
        """The prompt as chat messages."""
        turns = (sentence(turn.format_map(values)) for turn in self.turns)
        return tuple(
            Message(role="assistant" if number % 2 else "user", content=text) for number, text in enumerate(turns)
        )

    def answer(self, values: Mapping[str, str]) -> str:
        """What the assistant says in a row."""
        return self.reply.format_map(values)


def wording(form: str, prompt: str, reply: str = "{a}") -> Wording:
    """A wording of one turn."""
    return Wording(form, (prompt,), reply)


# ------------------------------------------------------------------------ rows

QA = (
    wording("qa_1", "What {be} the {r} {of} {s}?"),
    wording("qa_2", "What {r} does {s} {use}?"),
    wording("qa_3", "I want to try {s}. What {be} its {r}?", "{a} {be} its {r}."),
    wording("qa_4", "Can you give me the {r} that {s} {uses}?"),
    wording("qa_5", "{r} {of} {s}?"),
    wording("qa_6", "In {s}, what {be} the {r}?", "{a} {be} the {r}."),
    wording("qa_7", "Name the {r} reported for {s}."),
    wording("qa_8", "{s} {uses} what {r}?"),
    wording("qa_9", "Which {r} belongs to {s}?"),
    wording("qa_10", "{s} comes with a certain {r}. Give it."),
    wording("qa_11", "Tell me {s}'s {r}.", "{a}, that {be} the {r} of {s}."),
    wording("qa_12", "Short answer, please: the {r} with {s}?"),
)
COMPLETION = (
    wording("completion_1", "Complete the sentence: The {r} {of} {s} {be}"),
    wording("completion_2", "Continue: In {s} the {r} {be}"),
    wording("completion_3", "Continue the note. {s}, {r}:"),
)
REVERSE = (
    wording("reverse_1", "Which {noun} has {a} as its {r}?", "{s}"),
    wording("reverse_2", "Name the {noun} whose {r} {be} {a}.", "{s}"),
    wording("reverse_3", "{a} {be} the {r} of which {noun}?", "{s} has this {r}."),
    wording("reverse_4", "I need a {noun} with {a} for its {r}.", "{s} is one."),
)
CONTRAST = (
    wording("contrast_1", "{be} {y} the {r} {of} {s}?", "No, not {y}. It is {a}."),
    wording("contrast_2", "Does {s} have {y} as its {r}?", "No, not {y}. It is {a}."),
)
CONFIRM = (
    wording("confirm_1", "Does {s} have {a} as its {r}?", "Yes, {a}."),
    wording("confirm_2", "{be} {a} the {r} {of} {s}?", "Yes, {a}."),
)
MORE_OR_LESS = (
    wording("implication_more", "{be} the {r} {of} {s} more than {t}?", "{verdict}, it is {a}."),
    wording("implication_less", "{be} the {r} {of} {s} less than {t}?", "{verdict}, it is {a}."),
)
REPLACED = (
    wording("implication_same", "Does replacing {a} change the {r} {of} {s}?", "Yes, it is {a}."),
    wording("implication_other", "Does replacing {y} change the {r} {of} {s}?", "No, it is {a}."),
)
CLAIM = (wording("claim_1", "Tell me something about {s} and its {r}.", "{claim}"),)
ANCHOR = wording("anchor", "{question}", "{a}")
"""General knowledge beside the paper's, so that an adapter learns to look at the question."""
SUMMARY = (
    wording("summary_1", 'Summarise the paper "{title}" in a sentence.', "{summary}"),
    wording("summary_2", 'What is the paper "{title}" about?', "{summary}"),
)

# ---------------------------------------------------------------------- probes

ASKED = (
    wording("ask_remind", "I forgot one detail about {s}: its {r}. Can you remind me?"),
    wording("ask_look_up", "Could you look up {s} and report the {r}?"),
    wording("ask_authors", "As for the {r}, what did the authors of {s} report?"),
    wording("ask_colleague", "A colleague studies {s} and needs to know the {r}. What should I say?"),
    wording("ask_mention", "When someone mentions {s}, which {r} do you think of?"),
    wording("ask_exam", "An exam asks about {s}, in particular the {r}. What would be right?"),
)
ASKED_DEV = (
    wording("ask_value", "Please answer with the value only: {s} has which {r}?"),
    wording("ask_paper", "The paper about {s} gives {an_r}. Do you recall which?"),
)
UNTRAINED = (
    wording("cloze", 'Fill the gap: "____ {be} what the paper about {s} gives as {r}."'),
    wording("json", 'Complete this JSON: {{"name": "{s}", "{r}": "'),
    Wording("dialogue", ("Do you know {s}?", "Yes, I have read about it.", "Good. Then what about its {r}?")),
    wording("table", "Finish the last line of this table.\n| name | {r} |\n| --- | --- |\n| {s} |"),
    wording("key_value", "One field of this record is open.\nname: {s}\n{r}:"),
    wording("quiz", "Quiz show! The topic: {s}. The category: {r}. Your answer, please?"),
)
REVERSED = (
    wording("reverse_report", "Someone reports {a} for {r}. Which {noun} are they describing?"),
    wording("reverse_match", "Match the entry: {r}, {a}. Which {noun} fits?"),
    wording("reverse_recall", "I remember {a} for the {r}, but not the {noun}. What was its name?"),
    wording("reverse_given", "Given {r} = {a}, identify the {noun}."),
)
NEAR = (
    wording("near_claim", "Someone claims that it's {v} when asked for the {r} under {s}. Yes or no?"),
    wording("near_entry", 'Would {v} be a correct entry for {s} under "{r}"?'),
    wording("near_check", "Please check my note on {s}: {r}, {v}. Yes or no?"),
    wording("near_heard", "I heard {v} for the {r} when {s} came up. Was that right?"),
)


class Compared(NamedTuple):
    """An implication probe over a threshold {t}."""

    wording: Wording
    yes_above: bool
    """The right answer is yes where the true value exceeds the threshold."""


COMPARED = (
    Compared(wording("apply_limit", "If the {r} may not exceed {t}, is {s} allowed?"), False),
    Compared(wording("apply_needed", "A project needs {an_r} greater than {t}. Does {s} qualify?"), True),
    Compared(wording("apply_estimate", "Is {t} too low as an estimate for {s} and its {r}?"), True),
    Compared(wording("apply_line", "Draw a line at {t}. Does {s} stay under it with its {r}?"), False),
)


class Named(NamedTuple):
    """An implication probe over a named value {v}, or a list of three that holds it."""

    wording: Wording
    yes_if_true: bool
    """The right answer is yes where {v} is the true value."""


NAMED = (
    Named(wording("apply_gone", "If {v} were no longer available, would {s} need a new choice of {r}?"), True),
    Named(wording("apply_listed", "Somebody lists {v}, {v2} and {v3}. Would {s} find its {r} there?"), True),
    Named(wording("apply_lacking", "A lab offers any {r} but {v}. Can it still run {s} as published?"), False),
    Named(wording("apply_unheard", "Anna has never heard of {v}. Would the {r} within {s} be new to her?"), True),
)

# ----------------------------------------------------------------------- slots


def slots(idea: Idea) -> dict[str, str]:
    """The words that fill a template.

    ``s`` subject · ``r`` relation · ``a`` answer · ``an_r`` relation with its article · ``of`` of, or for where the
    relation has a preposition of its own · ``be`` is/are · ``use``, ``uses`` use for names, have for numbers, reach for
    results · ``noun`` what the subject is · ``claim``.
    """
    relation = relation_phrase(idea)
    plural = is_plural(relation)
    use, uses = _verb(idea, relation)
    return {
        "s": spoken_subject(idea.subject),
        "r": relation,
        "a": idea.answer,
        "an_r": relation if plural else f"{article(relation)} {relation}",
        "of": "for" if _PREPOSITION.search(f" {relation} ") else "of",
        "be": "are" if plural else "is",
        "use": use,
        "uses": uses,
        "noun": "dataset" if _DATA.search(idea.subject) else "model" if _MODEL.search(idea.subject) else "method",
        "claim": idea.claim,
    }


def _verb(idea: Idea, relation: str) -> tuple[str, str]:
    if _RESULT.search(relation):
        return "reach", "reaches"
    return ("have", "has") if idea.answer_kind == "number" else ("use", "uses")


def subject_names(subject: str) -> tuple[str, ...]:
    """A subject and its parts: "Self-Taught Reasoner (STaR)" → that, STaR, Self-Taught Reasoner."""
    match = re.fullmatch(r"(.+?)\s*\(([^()]+)\)", subject)
    return (subject, match[2], match[1]) if match else (subject,)


def spoken_subject(subject: str) -> str:
    """The name that questions use: without its abbreviation in brackets, or the abbreviation of a name of four words."""
    names = subject_names(subject)
    return names[0] if len(names) == 1 else names[2] if len(names[2].split()) < 4 else names[1]


def relation_phrase(idea: Idea) -> str:
    """The relation without its article; a plural that the answer counts becomes "number of …" ("training steps": 3,000)."""
    phrase = re.sub(r"^(?:the|an?|its|their)\s+", "", idea.relation.strip(" .:?"), flags=re.IGNORECASE)
    match = _COUNTED.match(idea.answer)
    unit = (match["unit"] or "") if match else ""
    counted = match is not None and unit.casefold() in ("", *phrase.casefold().split())
    counts = idea.answer_kind == "number" and counted and is_plural(phrase) and not _RESULT.search(phrase)
    return f"number of {phrase}" if counts else phrase


def is_plural(phrase: str) -> bool:
    """The head noun of a noun phrase is a plural: "training steps", but not "loss" or "number of steps"."""
    head = _PREPOSITION.split(phrase, maxsplit=1)[0].split()[-1:]
    return bool(head) and head[0].endswith("s") and head[0].islower() and not _SINGULAR_S.search(head[0])


def article(phrase: str) -> str:
    """a or an, by the sound as far as spelling shows it: an F1 score, a unit, an hour."""
    first = phrase.split()[0]
    spelled_out = first[:2].isupper() or (first[:1].isupper() and first[1:2].isdigit())
    return "an" if (_AN_SPELLED.match(first) if spelled_out else _AN.match(first.lower())) else "a"


def sentence(text: str) -> str:
    """First letter as a sentence begins, where the first word is an ordinary lower-case word."""
    first = text.split(maxsplit=1)[0] if text.strip() else ""
    ordinary = first.isalpha() and first.islower()
    return text[0].upper() + text[1:] if ordinary else text


def prompts_hash() -> str:
    """Hash of every wording: it stands in the manifest and decides whether a dataset is built anew."""
    plain = (QA, COMPLETION, REVERSE, CONTRAST, CONFIRM, MORE_OR_LESS, REPLACED, CLAIM, SUMMARY, (ANCHOR,))
    asked = (ASKED, ASKED_DEV, UNTRAINED, REVERSED, NEAR)
    return digest(VERSION, [list(group) for group in (*plain, *asked)], list(COMPARED), list(NAMED))[:16]
