"""Answers that no rule can read, read by an LLM: blind, and believed only as far as it agrees with the rules.

The LLM sees a question, its accepted answers and one answer; never which model gave it, nor whether a rule could decide.
Answers of base and adapters come mixed, in the order of their hashes. Among them are a sample of answers that the rules
decide, right and wrong ones in equal parts, and answers that are made to be hard (:mod:`paperlora.judge.llm_controls`). On
either its agreement is measured as Cohen's κ (doi:10.1177/001316446002000104). Where one of the lower bounds stays below
the bar, its word is not taken and every undecided answer stays wrong. What rules decide is easier than what they don't: a
reader that only looks for the accepted words agrees with the rules, and with the made answers by chance.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from pydantic import BaseModel

from paperlora.errors import LlmAnswerInvalid, LlmError
from paperlora.judge.llm_controls import plant
from paperlora.judge.posterior import rate
from paperlora.judge.tally import Subject, question_of
from paperlora.llm.client import Account, LlmClient, Question, Reply, client_for
from paperlora.model.scoring import OPEN, opening, undecided
from paperlora.progress import Progress, silent
from paperlora.prompts import Pair, load_pair
from paperlora.records import Agreement, Idea, Interval, Measurement, Probe, Reject, digest
from paperlora.settings import Settings
from paperlora.store import Store

PROMPT = "grade"
LONGEST = 1200
"""Characters of an answer that are shown; no answer of this judge is longer."""
_ORDER = re.compile(
    r"\b(?:verdict|graders?|graded|grade[: ]|markers?|marks? (?:this|it|me|as)|accepted answers?"
    r"|(?:ignore|disregard) (?:the|all|any|previous|these))|\bsystem ?:",
    re.IGNORECASE,
)
"""Words of answers that speak to whoever marks them."""
_CHAT_MARKS = re.compile(r"<\|(?=[a-z_]+\|>)")


class Grade(BaseModel):
    """What the LLM says of one answer. Nothing more is asked for: a reason after the verdict changes none and is three quarters
    of the reply (28 of 37 tokens, measured)."""

    verdict: Literal["right", "wrong"]


class Scored(NamedTuple):
    """Measurements, and how they were read."""

    measurements: list[Measurement]
    agreement: Agreement | None
    """None where no LLM was asked for."""


class _Item(NamedTuple):
    """One question with one answer, whoever gave it."""

    probe: Probe
    text: str
    undecided: bool
    right: bool
    """By the rules; of a planted answer, by construction."""
    kind: str = ""
    """What a planted answer does; empty for one that somebody gave."""

    @property
    def key(self) -> str:
        """Decides the order in which answers are shown, and which of them are drawn as the sample."""
        return digest("grade", question_of(self.probe), self.text)


class Reader:
    """An LLM that reads what rules can't; without an endpoint it says so and changes nothing."""

    def __init__(self, settings: Settings, llm: LlmClient | None, progress: Progress = silent) -> None:
        self._judge, self._llm, self._progress = settings.judge, llm, progress
        self._prompt: Pair = load_pair(PROMPT)

    def read(self, measurements: Sequence[Measurement], subjects: Iterable[Subject]) -> Scored:
        """Score what no rule could, where the LLM's agreement allows it.

        Args:
            measurements: as the rules score them.
            subjects: hold the probes and the ideas that were asked about.
        """
        asked = {probe.id: (probe, subject.idea) for subject in subjects for probe in subject.probes}
        items = _items(measurements, asked)
        open_items = [item for item in items if item.undecided]
        known = _controls(items, self._judge.llm_sample) if open_items else []
        if self._llm is None:
            reason = "there is no LLM endpoint (llm.provider is extractive)"
            return Scored(list(measurements), self._agreement([], {}, open_items, reason))
        grades, failure = self._grade(sorted([*open_items, *known], key=lambda item: item.key))
        agreement = self._agreement(known, grades, open_items, failure)
        if not agreement.taken:
            return Scored(list(measurements), agreement)
        turned = {(item.probe.id, item.text) for item in open_items if grades.get(item.key)}
        return Scored([_turn(one, turned) for one in measurements], agreement)

    def _grade(self, items: Sequence[_Item]) -> tuple[dict[str, bool], str]:
        """Right or not by :attr:`_Item.key`, and why no more could be asked; what can't be read is missing."""
        assert self._llm is not None
        found: dict[str, bool] = {}
        try:
            for index, reply in self._llm.ask_many([_question(item, self._prompt) for item in items]):
                if isinstance(reply, Reply):
                    found[items[index].key] = reply.value.verdict == "right" and not _gives_orders(items[index])
                elif not isinstance(reply, LlmAnswerInvalid):
                    return found, f"the endpoint failed: {reply}"
                self._progress("answers read by an LLM", len(found), len(items))
        except LlmError as error:
            return found, f"the endpoint failed: {error}"
        return found, ""

    def _agreement(
        self, known: Sequence[_Item], grades: Mapping[str, bool], open_items: Sequence[_Item], failure: str
    ) -> Agreement:
        """A reply that can't be read counts as "wrong", as it does where an answer is undecided."""
        shown = [item for item in known if not failure or item.key in grades]
        sample, planted = _pairs(shown, grades, made=False), _pairs(shown, grades, made=True)
        kappa, hard, bar = cohen(sample), cohen(planted), self._judge.llm_kappa
        taken = not failure and all(one is not None and one.low >= bar for one in (kappa, hard))
        turned = sum(grades.get(item.key, False) for item in open_items) if taken else 0
        found = Agreement(
            model=self._llm.settings.model if self._llm else "", prompt=self._prompt.hash, asked=len(sample),
            agreed=_agreed(sample), said_right=sum(said for _, said in sample), rules_right=sum(right for right, _ in sample),
            kappa=kappa, planted=len(planted), planted_agreed=_agreed(planted), planted_kappa=hard, bar=bar, taken=taken,
            unreadable=sum(item.key not in grades for item in (*shown, *open_items)), undecided=len(open_items),
            turned=turned, note="",
        )  # fmt: skip
        return found.model_copy(update={"note": _note(found, failure, _misread(shown, grades))})


def reader_for(settings: Settings, account: Account, progress: Progress = silent) -> Reader | None:
    """The reader of these settings; None where ``judge.llm_judge`` is off.

    Args:
        account: whose budget it spends.
    """
    if not settings.judge.llm_judge:
        return None
    return Reader(settings, client_for(settings, Store.at(settings.store_root), account), progress)


def disbelieved(agreement: Agreement | None) -> tuple[Reject, ...]:
    """A reject for each reading whose word is not taken, so that it is counted where rejects are."""
    if agreement is None or agreement.taken or not agreement.undecided:
        return ()
    return (Reject(stage="judge", item=f"llm:{agreement.model}", reason="llm_not_believed", detail=agreement.note),)


def cohen(pairs: Sequence[tuple[bool, bool]]) -> Interval | None:
    """Cohen's κ of two raters with its 95% interval; None where one of them never varies, or nothing was compared.

    The interval is that of the share on which they agree (Jeffreys), chance agreement taken as it was seen: unlike the
    normal one it does not shrink to a point where they always agree.
    """
    if not pairs:
        return None
    total = len(pairs)
    first, second = sum(left for left, _ in pairs) / total, sum(right for _, right in pairs) / total
    chance = first * second + (1 - first) * (1 - second)
    if first in (0.0, 1.0) or chance == 1.0:
        return None
    agreed = rate(sum(left == right for left, right in pairs), total)
    bounds = (min(agreed.low, agreed.share), agreed.share, max(agreed.high, agreed.share))
    low, value, high = ((share - chance) / (1 - chance) for share in bounds)
    return Interval(value=value, low=low, high=high)


def _items(measurements: Sequence[Measurement], asked: Mapping[str, tuple[Probe, Idea]]) -> list[_Item]:
    """Distinct pairs of question and answer among the free answers."""
    found: dict[tuple[str, str], _Item] = {}
    for one in measurements:
        if one.family not in OPEN or one.thinking or one.probe not in asked or not opening(one.text):
            continue
        probe, idea = asked[one.probe]
        is_open = one.score != 1.0 and undecided(one.text, probe, idea)
        found.setdefault((one.probe, one.text), _Item(probe, one.text, is_open, one.score == 1.0))
    return list(found.values())


def _sample(decided: Sequence[_Item], wanted: int) -> list[_Item]:
    """So many decided answers, half of them right where there are enough of both, drawn by their hashes."""
    right, wrong = (sorted((i for i in decided if i.right is side), key=lambda i: i.key) for side in (True, False))
    half = wanted // 2
    return [*right[: max(half, wanted - len(wrong))], *wrong[: max(wanted - half, wanted - len(right))]]


def _controls(items: Sequence[_Item], wanted: int) -> list[_Item]:
    """Answers whose truth is known: decided ones, and such as are planted on the same questions."""
    planted = [
        _Item(one.probe, one.text, False, one.kind.right, one.kind.name) for one in plant(item.probe for item in items)
    ]
    taken = {item.key for item in planted}
    return [*_sample([item for item in items if not item.undecided and item.key not in taken], wanted), *planted]


def _pairs(known: Sequence[_Item], grades: Mapping[str, bool], *, made: bool) -> list[tuple[bool, bool]]:
    """What is true and what was said, of the planted answers or of the others."""
    return [(item.right, grades.get(item.key, False)) for item in known if bool(item.kind) == made]


def _agreed(pairs: Sequence[tuple[bool, bool]]) -> int:
    return sum(true == said for true, said in pairs)


def _question(item: _Item, prompt: Pair) -> Question:
    accepted = "; ".join(dict.fromkeys(item.probe.answers))
    question, answer = _line(question_of(item.probe)), _line(item.text)
    mark = f"ANSWER-{digest(question, accepted, answer)[:12]}"
    user = prompt.user.render(mark=mark, question=question, accepted=_line(accepted), answer=answer)
    return Question(prompt.system.render(), user, Grade)


def _gives_orders(item: _Item) -> bool:
    """An undecided answer speaks to its marker, in words that the question did not bring up. No reading of it is taken: a
    small LLM obeyed all such answers (measured). Planted ones are not spared, so that obedience shows."""
    asked = f"{question_of(item.probe)} {' '.join(item.probe.answers)}"
    return item.undecided and bool(_ORDER.search(item.text)) and not _ORDER.search(asked)


def _line(text: str) -> str:
    """One line without marks of a chat: no answer can begin a line, or a turn, of its own."""
    return _CHAT_MARKS.sub("<| ", " ".join(text.split()))[:LONGEST]


def _turn(one: Measurement, turned: set[tuple[str, str]]) -> Measurement:
    if one.thinking or (one.probe, one.text) not in turned:
        return one
    return one.model_copy(update={"score": 1.0, "decided_by": "llm"})


def _note(found: Agreement, failure: str, misread: str) -> str:
    waiting = f"{found.undecided} answers no rule could read"
    if not found.undecided:
        return "Rules could read every answer: no LLM was asked."
    if failure:
        return f"{waiting}; all of them stay wrong, since {failure}."
    unread = f" {found.unreadable} of its replies held no verdict." if found.unreadable else ""
    if found.kappa is None or found.planted_kappa is None:
        missing = f"{found.asked} decided" if found.kappa is None else f"{found.planted} planted"
        return f"{waiting}; all of them stay wrong: its agreement couldn't be measured on {missing} answers.{unread}"
    shown = f"{_shown(found.kappa)} on {found.asked} decided answers, {_shown(found.planted_kappa)} on {found.planted} made to be hard"
    if not found.taken:
        return (
            f"{waiting}; all of them stay wrong: {shown}, and a lower bound lies below {found.bar:g}.{misread}{unread}"
        )
    return f"{waiting}; {found.turned} of them count as right by its word: {shown}.{unread}"


def _shown(kappa: Interval) -> str:
    return f"κ = {kappa.value:.2f} ({kappa.low:.2f} to {kappa.high:.2f})"


def _misread(known: Sequence[_Item], grades: Mapping[str, bool]) -> str:
    """The kind of made answer that it gets wrong most often."""
    missed = Counter(item.kind for item in known if item.kind and grades.get(item.key, False) != item.right)
    if not missed:
        return ""
    kind, times = missed.most_common(1)[0]
    return f" Worst read: answers that {kind} ({times} of {sum(item.kind == kind for item in known)} misread)."
