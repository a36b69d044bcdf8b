"""What an answer states, and whether that is an accepted answer. Pure functions over text.

An answer counts by what it says first: its first sentence, without the words of the question. Whoever lists several
values, or names a known wrong one beside the right one, has not answered.

>>> score("The replay share is 37%.", ("37 percent",), "number")
1.0
>>> score("40 percent or 37 percent", ("37 percent",), "number")
0.0
>>> score("It was evaluated on Kelpie.", ("Kelpie",), "name", wrong=("Marrow",))
1.0
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from paperlora.model.choices import CHOICE_OF as CHOICE_OF
from paperlora.model.choices import choice_of
from paperlora.model.folding import asks, sentences, whole
from paperlora.model.folding import normalise as normalise
from paperlora.model.folding import opening as opening
from paperlora.model.quantities import Quantity, comparable, quantities, same_quantity
from paperlora.model.stance import (
    denied,
    is_bounded,
    is_reference,
    names_bound,
    number_denied,
    offers_another,
    refuses,
    without_leading_no,
)
from paperlora.records import Idea, Probe, ProbeFamily

ScoreKind = Literal["number", "name", "phrase", "choice"]
LOOP = 3
"""Times that the same three words must come to make a loop."""
VALUED: tuple[ProbeFamily, ...] = ("direct", "trained_form", "robustness")
"""Families whose probes ask for an idea's value."""
OPEN: tuple[ProbeFamily, ...] = (*VALUED, "reverse", "implication")
"""Families whose answers are free text: rules may fail to read them."""
LONGEST_VALUE = 6
"""Words; a longer statement is talk, not a value."""
SHARED_WORDS = 0.5
"""Share of an accepted answer's telling words that another wording of it must hold to be taken for a paraphrase."""

_STOP = set(
    """a an the is are was were be been being it its it's this that these those of in on at to for with by from as and or
    which what who whom whose how many much does do did has have had there here answer value i we they you our their my
    used uses use using""".split()  # noqa: SIM905 - a list of sixty words is unreadable
)
_VAGUE = re.compile(r"\b(?:half|thirds?|quarters?|fifths?|tenths?|dozens?|hundreds?|thousands?|millions?|twice|double|triple)\b", re.I)
_STUTTER = re.compile(r"([^\W\d_]{1,12}?)\1{7,}")
"""Letters that stand eight times in a row."""
_OUT_OF = re.compile(r"\s*(?:out of|of|/)\s*(?:the\s+)?([1-9]\d*)\b")
_JSON_KEY = re.compile(r'"[^"]*"\s*:')
_FROM_TO = re.compile(r"\bfrom\s+\S+(?:\s+[a-z%]+)?\s+(?:down |up )?to\s+", re.I)


def score(
    text: str, answers: Sequence[str], kind: ScoreKind, *, question: str = "", wrong: Sequence[str] = (), source: str = ""
) -> float:
    """1 where the text states an accepted answer, else 0.

    Args:
        text: what the model said, whole.
        answers: accepted answers, the canonical one first; its unit is the unit that is asked for.
        kind: how answers are compared: numbers by value and unit, names and phrases word by word, choices by meaning.
        question: the question; numbers and words that only repeat it state nothing.
        wrong: known wrong answers; where one is affirmed in the same sentence, the answer is not accepted.
        source: the claim that the answer is from; where it speaks of a bound ("more than 37"), an answer may.
    """
    head = opening(text)
    if not head or not answers or asks(head):
        return 0.0
    if kind == "choice":
        return float(choice_of(head) is not None and choice_of(head) == CHOICE_OF.get(normalise(answers[0])))
    if kind == "number" and quantities(answers[0]):
        return float(_number_right(head, answers, question, source))
    right = any(affirms(head, answer) for answer in answers)
    misled = any(affirms(head, other) for other in wrong if not _overlap(other, answers))
    return float(right and not misled)


def kind_of(answers: Sequence[str]) -> ScoreKind:
    """How the accepted answers of a probe are compared, read from the canonical one."""
    first = normalise(answers[0])
    if first in CHOICE_OF:
        return "choice"
    found = quantities(answers[0])
    return "number" if found and found[0].start == len(answers[0]) - len(answers[0].lstrip("~≈$ (")) else "phrase"


def score_answer(text: str, probe: Probe, idea: Idea) -> float:
    """Score of a free answer to any probe but a locality probe."""
    kind = kind_of(probe.answers)
    if probe.family in VALUED and kind != "choice":
        kind = value_kind(idea)
    # Numbers in the name of what is asked about ("Llama 2") are no answer; every other number is one.
    context = f"{idea.subject} {idea.relation}" if kind == "number" else ""
    return score(text, probe.answers, kind, question=context, wrong=probe.distractors, source=idea.claim)


def undecided(text: str, probe: Probe, idea: Idea) -> bool:
    """Whether the rules can't tell if an answer is right: a third outcome beside right and wrong.

    It counts as wrong (:func:`score_answer` gives 0) until somebody settles it. True only for free text
    (:data:`OPEN`) that is neither empty, nor a loop, nor scored right, nor to be answered by yes or no, and that either

    - **hides** the accepted value: it stands somewhere behind the thought, not denied, but beside other values, after
      the first sentence or beyond the words that count; or
    - **paraphrases** it: the opening holds at least half of the telling words of an accepted answer of several words
      ("training in two stages" for "two-stage training") and no known wrong answer; or
    - says a number in **words that are no number** ("about a third").

    Everything else is wrong beyond doubt: another value alone, a refusal, silence.

    Args:
        text: what the model said, whole.
        probe: what it was asked.
        idea: what the probe is about.
    """
    kind = value_kind(idea) if probe.family in VALUED else kind_of(probe.answers)
    closed = probe.family not in OPEN or kind_of(probe.answers) == "choice"
    if closed or not opening(text) or repeats_itself(text) or score_answer(text, probe, idea) == 1.0:
        return False
    said = sentences(text)
    if kind == "number":
        held = any(_holds_number(sentence, probe.answers) for sentence in said)
        return held or (not quantities(whole(text)) and bool(_VAGUE.search(whole(text))))
    if any(affirms(sentence, answer) for sentence in said for answer in probe.answers):
        return True
    misled = any(affirms(sentence, other) for sentence in said for other in probe.distractors)
    return not misled and any(_paraphrases(opening(text), answer) for answer in probe.answers)


def _holds_number(text: str, answers: Sequence[str]) -> bool:
    """An accepted number stands there, not negated."""
    accepted = [quantity for answer in answers for quantity in quantities(answer)[:1]]
    return any(
        any(same_quantity(found, quantity) for quantity in accepted) and not number_denied(text, found)
        for found in quantities(text)
    )


def _paraphrases(head: str, answer: str) -> bool:
    """Most telling words of an answer of several words, in any order and ending; where it stands whole it was denied."""
    if normalise(answer) in normalise(head):
        return False
    wanted = {_stem(word) for word in re.split(r"[\s-]+", normalise(answer)) if word not in _STOP}
    said = {_stem(word) for word in re.split(r"[\s-]+", normalise(head))}
    return len(wanted) > 1 and len(wanted & said) >= max(SHARED_WORDS * len(wanted), 1)


def _stem(word: str) -> str:
    """A word without its ending, so that "stages" is "stage" and "trained" is "training"."""
    return word[:5].rstrip("es") if len(word) > 4 else word.rstrip("s")


def answer_after_thought(text: str, ended: bool) -> str:
    """What a model says after its thought: all of it where it didn't think, nothing where the thought never ended.

    Templates may open the thought in the prompt, so that only its end is seen.
    """
    if "</think>" in text:
        return text.rsplit("</think>", 1)[1].strip()
    return text if ended and "<think>" not in text else ""


def value_kind(idea: Idea) -> ScoreKind:
    """How answers to the question for an idea's value are compared."""
    return "number" if idea.answer_kind == "number" and quantities(idea.answer) else "phrase"


def affirms(head: str, phrase: str) -> bool:
    """The phrase stands in the sentence as whole words and is not negated there."""
    wanted, sentence = normalise(phrase), normalise(without_leading_no(head))
    if not wanted:
        return False
    places = re.finditer(rf"(?<!\w){re.escape(wanted)}(?:e?s)?(?![\w+#])(?!\.\d)", sentence)
    return any(not denied(sentence[: place.start()], sentence[place.end() :]) for place in places)


def states_value(text: str, answers: Sequence[str], question: str = "") -> bool:
    """The text states one of these values, whatever kind it is of: for values of other ideas and old beliefs."""
    return bool(answers) and score(text, answers, kind_of(answers), question=question) == 1.0


def stated(text: str, kind: ScoreKind, question: str = "") -> str:
    """The value an answer states, in a form that can be compared and counted; empty where it states none, as
    "I don't know." does.

    For a number "37 percent"; for a choice "yes"; for a name the words of the first sentence that the question
    doesn't hold: "It is evaluated on the GLUE benchmark." after "On which benchmark is it evaluated?" → "glue".
    """
    head = opening(text)
    if kind == "choice":
        return choice_of(head) or ""
    if kind == "number":
        found = _stated_numbers(head, question, ())
        return f"{found[0].value:g} {found[0].unit or ''}".strip() if found else ""
    if refuses(normalise(head)):
        return ""
    echoed = set(normalise(question).split()) | _STOP
    return " ".join(word for word in normalise(head).split() if word not in echoed)


def is_value(statement: str) -> bool:
    """What an answer states (:func:`stated`, empty for a refusal) is a value: short."""
    return bool(statement) and len(statement.split()) <= LONGEST_VALUE


def same_statement(left: str, right: str, kind: ScoreKind, question: str = "") -> bool:
    """Both answers state the same value (or, where neither states one, say the same words)."""
    values = stated(left, kind, question), stated(right, kind, question)
    if not all(values):
        return normalise(opening(left)) == normalise(opening(right))
    if kind == "number":
        one, other = (quantities(value) for value in values)
        return bool(one and other and same_quantity(one[0], other[0]))
    return values[0] == values[1]


def repeats_itself(text: str) -> bool:
    """The same three words come over and over, or the same letters without a blank between."""
    words = normalise(text).split()
    triples = Counter(tuple(words[start : start + 3]) for start in range(len(words) - 2))
    return (bool(triples) and max(triples.values()) >= LOOP) or any(map(_STUTTER.search, words))


def _number_right(head: str, answers: Sequence[str], question: str, source: str) -> bool:
    accepted = [quantity for answer in answers for quantity in quantities(answer)[:1]]
    canonical = accepted[0]
    stated_ = _stated_numbers(head, question, accepted, names_bound(f"{source} {answers[0]}"))
    if not stated_:
        return False
    found = _as_share(head, stated_[0]) if canonical.unit == "percent" else stated_[0]
    if found is stated_[0] and offers_another(head, *stated_):
        return False
    return comparable(found.unit, canonical.unit) and any(same_quantity(found, quantity) for quantity in accepted)


def _as_share(head: str, found: Quantity) -> Quantity:
    """ "37 of 40" as percent."""
    whole_ = _OUT_OF.match(head[found.end :]) if found.unit is None else None
    return found._replace(value=100 * found.value / int(whole_[1]), unit="percent") if whole_ else found


def _stated_numbers(head: str, question: str, accepted: Sequence[Quantity], bounds: bool = False) -> list[Quantity]:
    """The sentence's numbers from the first that is stated on: not denied, no bound (unless these are asked for), no
    reference, no echo of the question, the end of a "from … to …"."""
    head = _JSON_KEY.sub(lambda key: " " * len(key[0]), head)
    echoed = [q for q in quantities(question) if not any(same_quantity(q, other) for other in accepted)]
    skip = {match.end() for match in _FROM_TO.finditer(head)}
    found = quantities(head)
    for place, quantity in enumerate(found):
        if quantity.start in skip and _ends_range(head, quantity):
            return found[place:]
    for place, quantity in enumerate(found):
        echo = any(same_quantity(quantity, other) for other in echoed)
        out = number_denied(head, quantity) or (not bounds and is_bounded(head, quantity)) or is_reference(head, quantity)
        if not echo and not out:
            return found[place:]
    return []


def _ends_range(head: str, quantity: Quantity) -> bool:
    """ "… from A to B": B is what came out, unless another number was stated before."""
    opened = head[: quantity.start].casefold().rfind("from ")
    return not quantities(head[:opened])


def _overlap(other: str, answers: Sequence[str]) -> bool:
    """A wrong answer that is part of a right one ("Kelpie" beside "Kelpie-2") can't tell them apart."""
    words = set(normalise(other).split())
    return any(words <= set(normalise(answer).split()) for answer in answers)
