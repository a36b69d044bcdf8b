"""What base and adapters answer, as measurements: scored, and beside wrong answers where that is asked for.

Everything goes through an :class:`~paperlora.judge.asking.Asker`, so that another pass computes only what is new.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from paperlora.judge.asking import Asker, Question
from paperlora.judge.posterior import Count
from paperlora.judge.tally import BASE, PASSAGE, Subject, score_locality
from paperlora.judge.verdict import reads_passage
from paperlora.model.answers import Answer, Continuation
from paperlora.model.passage import WAYS, with_passage
from paperlora.model.scoring import score_answer
from paperlora.records import Idea, Measurement, Probe, ProbeFamily

NOISE_SAMPLE = 24
DISTRACTORS = 3
"""Wrong answers scored beside the right one."""
BASE_FAMILIES: tuple[ProbeFamily, ...] = ("direct", "reverse", "implication", "near_miss", "locality")
"""What the base is asked: all but trained wordings and robustness, which no rule compares."""
WEIGHED: tuple[ProbeFamily, ...] = ("choice",)
"""Families of which no text is asked: see :mod:`paperlora.judge.choosing`."""


class Asked(NamedTuple):
    """A probe put to a model."""

    model: str
    slot: int
    probe: Probe
    idea: Idea


def measure(
    subjects: Sequence[tuple[Subject, ...]], slots: Mapping[str, int], asker: Asker, margins: int,
    beside: Sequence[Continuation] = (),
) -> list[Measurement]:  # fmt: skip
    """Every measurement of these ideas: adapters, base, adapters of other papers, base with the passage.

    Args:
        subjects: the ideas of each adapter, with the probes that they have come to.
        slots: adapter id → slot of the bank.
        margins: direct probes of each idea on which answers are also weighed by likelihood.
        beside: texts that the asker will be told to weigh later: in the same passes they cost less.
    """
    return [*_measure(subjects, slots, asker, margins, beside), *_measure_ceiling(subjects, asker)]


def noise_floor(
    measurements: Sequence[Measurement], subjects: Sequence[tuple[Subject, ...]], asker: Asker, batch_rows: int
) -> float:
    """Share of direct probes on which the base, asked again in other batches, scores otherwise."""
    before = {one.probe: one.score for one in measurements if one.model == BASE}
    direct = [(subject.idea, probe) for own in subjects for subject in own for probe in subject.family("direct")]
    sample = direct[:: max(1, len(direct) // NOISE_SAMPLE)][:NOISE_SAMPLE]
    again = asker.ask_afresh([Question(0, probe.messages) for _, probe in sample], max(1, batch_rows // 3))
    changed = [
        score_answer(a.text, probe, idea) != before[probe.id] for (idea, probe), a in zip(sample, again, strict=True)
    ]
    return sum(changed) / len(changed) if changed else 0.0


def _measure(
    subjects: Sequence[tuple[Subject, ...]], slots: Mapping[str, int], asker: Asker, margins: int,
    beside: Sequence[Continuation],
) -> list[Measurement]:  # fmt: skip
    asked = list(dict.fromkeys(one for own in subjects for subject in own for one in _questions(subject, slots)))
    weighed = {probe.id for own in subjects for subject in own for probe in subject.family("direct")[:margins]}
    own = {BASE, *(subject.adapter for part in subjects for subject in part)}
    places = [n for n, one in enumerate(asked) if one.probe.id in weighed and one.model in own]
    known = [Continuation(asked[n].probe.messages, text, asked[n].slot) for n in places for text in _choices(asked[n].probe)]
    said = asker.ask(
        [Question(one.slot, one.probe.messages) for one in asked], "answers on probes", beside=[*known, *beside]
    )
    base = {one.probe.id: answer.text for one, answer in zip(asked, said, strict=True) if one.model == BASE}
    measured = [_measurement(one, answer, base.get(one.probe.id)) for one, answer in zip(asked, said, strict=True)]
    for place, changes in zip(
        places, _margins([asked[n] for n in places], [said[n] for n in places], asker), strict=True
    ):
        measured[place] = measured[place].model_copy(update=changes)
    return measured


def _margins(asked: Sequence[Asked], said: Sequence[Answer], asker: Asker) -> Iterator[dict[str, float | None]]:
    """Likelihoods of the right answer, of the best wrong one, and of what the base said itself."""
    texts = [_texts(one, answer) for one, answer in zip(asked, said, strict=True)]
    wanted = [
        Continuation(one.probe.messages, text, one.slot) for one, own in zip(asked, texts, strict=True) for text in own
    ]
    scored = dict(zip(wanted, asker.weigh(wanted), strict=True))
    for one, answer, own in zip(asked, said, texts, strict=True):
        found = {text: scored[Continuation(one.probe.messages, text, one.slot)].per_token for text in own}
        wrong = [found[text] for text in one.probe.distractors[:DISTRACTORS] if text in found]
        yield {
            "answer_loglik": found.get(one.probe.answers[0]) if wrong else None,
            "distractor_loglik": max(wrong, default=None),
            "said_loglik": found.get(answer.text),
        }


def _texts(one: Asked, said: Answer) -> tuple[str, ...]:
    """What is weighed after a probe: of the base also what it said, which tells a belief from a guess."""
    own = [said.text] if one.model == BASE and said.ended and said.text.strip() else []
    return tuple(dict.fromkeys([*_choices(one.probe), *own]))


def _choices(probe: Probe) -> tuple[str, ...]:
    """The right answer and wrong ones, where there are any."""
    wrong = [text for text in probe.distractors[:DISTRACTORS] if text.strip()]
    right = [probe.answers[0]] if wrong and probe.answers[0].strip() else []
    return (*right, *wrong)


def _questions(subject: Subject, slots: Mapping[str, int]) -> list[Asked]:
    """Who is asked what: the adapter everything, the base and other papers' adapters what is compared."""
    direct, idea = subject.family("direct"), subject.idea
    spoken = [probe for probe in subject.probes if probe.family not in WEIGHED]
    found = [Asked(subject.adapter, slots[subject.adapter], probe, idea) for probe in spoken]
    found += [Asked(BASE, 0, probe, idea) for family in BASE_FAMILIES for probe in subject.family(family)]
    return found + [Asked(name, slots[name], probe, idea) for name in subject.others for probe in direct]


def _measurement(asked: Asked, said: Answer, base_text: str | None) -> Measurement:
    probe = asked.probe
    if probe.family == "locality":
        score = score_locality(said.text, said.text if base_text is None else base_text, probe)
    else:
        score = score_answer(said.text, probe, asked.idea)
    return Measurement(
        probe=probe.id, idea=probe.idea, family=probe.family, model=asked.model, text=said.text, score=score, ended=said.ended
    )  # fmt: skip


def _measure_ceiling(subjects: Sequence[tuple[Subject, ...]], asker: Asker) -> list[Measurement]:
    """The base with the evidence in the prompt, on every direct probe.

    Where that leaves an idea unjudgeable, what failed is asked in the next way: one success shows that a probe can be
    answered from its passage.
    """
    ideas = [subject for own in subjects for subject in own]
    found: dict[str, Measurement] = {}
    for way in range(WAYS):
        doubtful = [subject for subject in ideas if not _is_answerable(subject, found)]
        asked = [
            Asked(PASSAGE, 0, probe, subject.idea)
            for subject in doubtful
            for probe in subject.family("direct")
            if probe.id not in found or not found[probe.id].score
        ]
        questions = [Question(0, with_passage(one.probe, one.idea)[way]) for one in asked]
        said = asker.ask(questions, f"answers with the passage, way {way + 1}") if asked else []
        for one, answer in zip(asked, said, strict=True):
            measured = _measurement(one, answer, None)
            if one.probe.id not in found or measured.score:
                found[one.probe.id] = measured
    return list(found.values())


def _is_answerable(subject: Subject, found: Mapping[str, Measurement]) -> bool:
    scores = [found[probe.id].score for probe in subject.family("direct") if probe.id in found]
    return reads_passage(Count(sum(scores), len(scores)))
