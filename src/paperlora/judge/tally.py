"""Measurement → Tally: what the verdict's rules count, from what the models said.

Pure: it needs no model, so that any judgement can be counted again from its measurements.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from paperlora.judge.posterior import Count, p_above, p_mcnemar
from paperlora.judge.verdict import FALSE_BAR, NOTHING, Tally
from paperlora.model.scoring import (
    is_value,
    kind_of,
    normalise,
    same_statement,
    score,
    stated,
    states_value,
    value_kind,
)
from paperlora.records import Idea, Measurement, Probe, ProbeFamily, digest

BASE = "base"
PASSAGE = "base+passage"
SWAPPED = "+template"
"""Ending of an adapter's name for its answers to missed probes in trained wordings."""
THINKING = "+thinking"
"""Ending for its answers after a thought."""
DENIED = "denied"
"""Begins the form of near-miss probes that ask for a value which the adapter's rows deny."""
BELIEF_HELD = 0.5
"""Share of direct probes on which the base must state the same wrong value for it to count as a belief."""
SURE = 0.5
"""Likelihood a token (geometric mean): a wrong answer that the base gives less is a guess, however often it comes."""


class Subject(NamedTuple):
    """One idea in one adapter, with everything that is asked about it."""

    idea: Idea
    probes: tuple[Probe, ...]
    """Test probes of the idea."""
    adapter: str
    others: tuple[str, ...] = ()
    """Adapters of other papers that were asked its direct probes."""
    denied: tuple[str, ...] = ()
    """Values that its training rows deny."""
    rows: int | None = None
    """How many training rows teach it; None where they weren't given."""
    taught: tuple[str, ...] | None = None
    """Every answer in the adapter's rows about ideas; None where they weren't given."""

    def family(self, family: ProbeFamily) -> list[Probe]:
        """Its probes of one family."""
        return [probe for probe in self.probes if probe.family == family]


class Sheet:
    """Every measurement, by model and probe."""

    def __init__(self, measurements: Iterable[Measurement]) -> None:
        self._cells = {(one.model, one.probe): one for one in measurements}

    def said(self, model: str, probe: Probe) -> Measurement | None:
        """What a model answered; None where it wasn't asked."""
        return self._cells.get((model, probe.id))

    def answered(self, model: str, probes: Sequence[Probe]) -> list[tuple[Probe, Measurement]]:
        """The probes that a model was asked, with its answers."""
        pairs = ((probe, self.said(model, probe)) for probe in probes)
        return [(probe, said) for probe, said in pairs if said is not None]

    def count(self, model: str, probes: Sequence[Probe]) -> Count:
        """Right answers of a model among the probes it was asked."""
        scores = [said.score for _, said in self.answered(model, probes)]
        return Count(sum(score == 1.0 for score in scores), len(scores))

    def count_likelier(self, model: str, probes: Sequence[Probe]) -> Count:
        """Probes on which the right answer is likelier a token than any wrong one that was weighed beside it."""
        said = [one for _, one in self.answered(model, probes)]
        pairs = [
            (one.answer_loglik, one.distractor_loglik)
            for one in said
            if one.answer_loglik is not None and one.distractor_loglik is not None
        ]
        return Count(sum(right > wrong for right, wrong in pairs), len(pairs))


def question_of(probe: Probe) -> str:
    """All that was said before the answer."""
    return "\n".join(message.content for message in probe.messages)


def score_locality(text: str, base_text: str, probe: Probe) -> float:
    """1 where the answer states what the base's states, or both state the truth."""
    kind, question = kind_of(probe.answers), question_of(probe)
    both_right = all(score(one, probe.answers, kind) == 1.0 for one in (text, base_text))
    return float(both_right or same_statement(text, base_text, kind, question))


def tally(
    subject: Subject, sheet: Sheet, ideas: Sequence[Idea], neighbours: Count, sure: float = SURE, yes_bias: bool = False
) -> Tally:
    """Count one idea in one adapter.

    Args:
        subject: the idea, its probes and who was asked.
        sheet: all measurements.
        ideas: every idea of the run: their answers are what it may be confused with.
        neighbours: kept answers over all locality probes of the adapter.
        sure: likelihood a token from which a wrong answer that the base repeats counts as its belief.
        yes_bias: the adapter says yes to falsehoods of any kind, so that a yes to a denied value shows nothing.
    """
    direct, implication = subject.family("direct"), subject.family("implication")
    old, old_answer = _old_belief(subject, sheet, sure)
    confused, other = _confusion(subject, sheet, ideas)
    false_belief, false_value = _false_belief(subject, sheet, yes_bias)
    choice = subject.family("choice")
    return Tally(
        base=sheet.count(BASE, direct),
        adapted=sheet.count(subject.adapter, direct),
        others=_mean([sheet.count(name, direct) for name in subject.others]),
        trained_form=sheet.count(subject.adapter, subject.family("trained_form")),
        implication=sheet.count(subject.adapter, implication),
        chance=sum(map(_chance, implication)) / len(implication) if implication else 0.0,
        reverse=sheet.count(subject.adapter, subject.family("reverse")),
        ceiling=sheet.count(PASSAGE, direct),
        locality=sheet.count(subject.adapter, subject.family("locality")),
        neighbours=neighbours,
        old=old,
        old_answer=old_answer,
        confused=confused,
        confused_with=other.id if other else None,
        confused_answer=other.answer if other else "",
        false_belief=false_belief,
        false_value=false_value,
        p_value=_p_value(subject, sheet),
        choice=sheet.count(subject.adapter, choice),
        choice_base=sheet.count(BASE, choice),
        content=sheet.count_likelier(subject.adapter, choice),
        content_base=sheet.count_likelier(BASE, choice),
        robustness=sheet.count(subject.adapter, subject.family("robustness")),
        swapped=sheet.count(subject.adapter + SWAPPED, direct),
        thinking=sheet.count(subject.adapter + THINKING, direct),
    )


def count_neighbours(subjects: Sequence[Subject], sheet: Sheet) -> Count:
    """Kept answers over the locality probes of one adapter; a question that several ideas share counts once."""
    distinct = {question_of(probe): probe for subject in subjects for probe in subject.family("locality")}
    return sheet.count(subjects[0].adapter, list(distinct.values())) if subjects else NOTHING


def affirms_falsehoods(subjects: Sequence[Subject], sheet: Sheet) -> Count:
    """Of all yes-or-no probes of one adapter that are to be denied, those that it affirms.

    Values that its rows deny are left aside: who believes one of them need not say yes to anything else.
    """
    closed = [probe for s in subjects for probe in s.probes if probe.family in ("near_miss", "implication")]
    closed = [probe for probe in closed if not probe.form.startswith(DENIED)]
    false = [
        probe for probe in closed if kind_of(probe.answers) == "choice" and stated(probe.answers[0], "choice") == "no"
    ]
    said = sheet.answered(subjects[0].adapter, false) if subjects else []
    return Count(sum(stated(answer.text, "choice") == "yes" for _, answer in said), len(said))


def _chance(probe: Probe) -> float:
    """Yes-or-no probes of revisions that don't name their chance are guessed in half of the cases."""
    return probe.chance or (0.5 if kind_of(probe.answers) == "choice" else 0.0)


def _mean(counts: Sequence[Count]) -> Count | None:
    """Mean right answers over as many probes as one of them was asked: several adapters on the same probes are not
    as many independent trials."""
    asked = [count for count in counts if count.asked]
    if not asked:
        return None
    share = sum(count.right for count in asked) / sum(count.asked for count in asked)
    probes = max(count.asked for count in asked)
    return Count(min(round(share * probes, 6), probes), probes)


class _Belief(NamedTuple):
    seen: Count
    value: str


def _old_belief(subject: Subject, sheet: Sheet, sure: float) -> _Belief:
    """How often the adapter states the wrong value that the base stated on at least half of the direct probes.

    A base that doesn't know guesses, and its guess may be the same each time: nothing was believed, so nothing resists.
    Where likelihoods were measured, the base must be sure of its answer.
    """
    direct, kind = subject.family("direct"), value_kind(subject.idea)
    wrong = [(probe, said.text) for probe, said in sheet.answered(BASE, direct) if not said.score]
    values = Counter(filter(is_value, (stated(text, kind, question_of(probe)) for probe, text in wrong)))
    if not values:
        return _Belief(NOTHING, "")
    value = max(values, key=lambda text: (values[text], text))  # of equals always the same one, in whatever order
    held = sum(states_value(text, (value,)) for _, text in wrong)
    if held < BELIEF_HELD * len(direct) or not _is_sure(subject, sheet, value, sure):
        return _Belief(NOTHING, "")
    said = sheet.answered(subject.adapter, direct)
    survives = sum(states_value(answer.text, (value,)) and not answer.score for _, answer in said)
    return _Belief(Count(survives, len(said)), value)


def _is_sure(subject: Subject, sheet: Sheet, value: str, sure: float) -> bool:
    said = [one for _, one in sheet.answered(BASE, subject.family("direct")) if states_value(one.text, (value,))]
    weighed = [one.said_loglik for one in said if one.said_loglik is not None]
    return not weighed or sum(weighed) / len(weighed) >= math.log(sure)


class _Confusion(NamedTuple):
    seen: Count
    idea: Idea | None


def _confusion(subject: Subject, sheet: Sheet, ideas: Sequence[Idea]) -> _Confusion:
    """The other idea whose answer the adapter gives most often where the base doesn't, and more often than the base does.

    What the base guessed there already and the adapter left standing is no confusion.
    Among the answers of a whole run there is one that fits nearly any guess. An adapter can only mistake an idea for one
    that its own rows hold: where these are known, others are no candidates. Of ideas whose answers come equally often,
    those of its own paper go first, whatever order the run has.
    """
    direct = subject.family("direct")
    adapted, base = sheet.answered(subject.adapter, direct), sheet.answered(BASE, direct)
    held = {probe.id: said.text for probe, said in base}
    missed = [(said.text, held.get(probe.id, "")) for probe, said in adapted if not said.score]
    best = _Confusion(NOTHING, None)
    for other in sorted(ideas, key=lambda one: (one.paper != subject.idea.paper, one.id)):
        if other.id == subject.idea.id or _agree(other, subject.idea) or not _is_taught(subject, other):
            continue
        accepted = (other.answer, *other.aliases)
        now = [(states_value(text, accepted), states_value(before, accepted)) for text, before in missed]
        given, total = sum(said and not before for said, before in now), sum(said for said, _ in now)
        if given > best.seen.right and total > sum(states_value(said.text, accepted) for _, said in base):
            best = _Confusion(Count(given, len(adapted)), other)
    return best


def _is_taught(subject: Subject, other: Idea) -> bool:
    accepted = (other.answer, *other.aliases)
    return subject.taught is None or any(states_value(text, accepted) for text in subject.taught)


def _agree(other: Idea, idea: Idea) -> bool:
    """Their answers can't be told apart."""
    mine, theirs = (idea.answer, *idea.aliases), (other.answer, *other.aliases)
    if normalise(idea.answer) in {normalise(text) for text in theirs}:
        return True
    return states_value(other.answer, mine) or states_value(idea.answer, theirs)


def _false_belief(subject: Subject, sheet: Sheet, yes_bias: bool) -> _Belief:
    """How often the adapter affirms a value that its own rows deny and that the base didn't affirm there.

    It may state it on direct probes, or say yes where it is asked for it. The yes counts with the direct answers, never
    alone, and only where the adapter says no to other falsehoods; of the two counts the one that shows more is taken.
    """
    best = _Belief(NOTHING, "")
    for value in sorted(subject.denied):
        stated_ = _affirmed(subject.family("direct"), subject, sheet, partial(states_value, answers=(value,)))
        closed = [probe for probe in subject.family("near_miss") if asks_denied(probe, value)]
        yes = NOTHING if yes_bias else _affirmed(closed, subject, sheet, lambda text: stated(text, "choice") == "yes")
        both = Count(stated_.right + yes.right, stated_.asked + yes.asked)
        more = max((stated_, both), key=lambda count: p_above(count, FALSE_BAR))
        if more.right and p_above(more, FALSE_BAR) > p_above(best.seen, FALSE_BAR):
            best = _Belief(more, value)
    return best


def _affirmed(probes: Sequence[Probe], subject: Subject, sheet: Sheet, affirmed: Callable[[str], bool]) -> Count:
    """Probes that the adapter answers wrongly in this way and the base doesn't."""
    said = sheet.answered(subject.adapter, probes)
    new = 0
    for probe, answer in said:
        base = sheet.said(BASE, probe)
        believed = base is not None and affirmed(base.text)
        new += affirmed(answer.text) and not answer.score and not believed
    return Count(new, len(said))


def denied_probes(probes: Sequence[Probe], idea: Idea, denied: Sequence[str]) -> tuple[Probe, ...]:
    """The idea's true near-miss probes once more, with a value that its rows deny in place of its own.

    Rows that call a claim false can teach it (2605.13829): whether that happened has to be asked for that claim.
    """
    true = [probe for probe in probes if probe.family == "near_miss" and stated(probe.answers[0], "choice") == "yes"]
    return tuple(
        made for value in denied for probe in true if (made := _with_value(probe, idea.answer, value)) is not None
    )


def asks_denied(probe: Probe, value: str) -> bool:
    """It is one of :func:`denied_probes`, for this value."""
    return probe.form.startswith(DENIED) and probe.distractors == (value,)


def _with_value(probe: Probe, own: str, value: str) -> Probe | None:
    last = probe.messages[-1]
    if last.content.count(own) != 1:
        return None
    messages = (*probe.messages[:-1], last.model_copy(update={"content": last.content.replace(own, value)}))
    return probe.model_copy(
        update={
            "id": digest(DENIED, probe.id, value)[:16], "form": f"{DENIED}_{probe.form}", "messages": messages,
            "answers": ("No", "Incorrect", "Wrong", "False"), "distractors": (value,),
        }
    )  # fmt: skip


def _p_value(subject: Subject, sheet: Sheet) -> float:
    """The adapter must beat the base and each other adapter, so that the largest p of the paired tests counts."""
    direct = subject.family("direct")
    return max(_p_against(subject.adapter, rival, direct, sheet) for rival in (BASE, *subject.others))


def _p_against(adapter: str, rival: str, direct: Sequence[Probe], sheet: Sheet) -> float:
    wins = losses = 0
    for probe in direct:
        mine, theirs = sheet.said(adapter, probe), sheet.said(rival, probe)
        if mine is not None and theirs is not None:
            wins += mine.score > theirs.score
            losses += mine.score < theirs.score
    return p_mcnemar(wins, losses)
