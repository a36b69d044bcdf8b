"""What is asked once more: missed probes in a trained wording, and some probes with thinking on.

Such answers stand beside the plain ones, under the adapter's name with an ending, so that no count mixes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from paperlora.judge.asking import Asker, Manner, Question
from paperlora.judge.posterior import Count, p_above
from paperlora.judge.tally import SWAPPED, THINKING, Sheet, Subject
from paperlora.model.answers import Answer, Sampling
from paperlora.model.chat import can_think
from paperlora.model.scoring import affirms, answer_after_thought, opening, score_answer, stated
from paperlora.records import Example, Idea, Measurement, Message, Probe, Verdict
from paperlora.settings import JudgeSettings

THINKING_PROBES = 4
"""Direct probes of an idea that are asked with thinking on."""
HOW_TO_THINK = Sampling(temperature=0.6, top_p=0.95, top_k=20, seed=0)
"""Qwen3's own advice; greedy thoughts run into loops (the method, §1)."""


class _Again(NamedTuple):
    subject: Subject
    probe: Probe
    messages: tuple[Message, ...]


def swap_templates(
    subjects: Sequence[Subject], verdicts: Sequence[Verdict], measurements: Sequence[Measurement],
    rows: Mapping[str, Sequence[Example]], slots: Mapping[str, int], asker: Asker,
) -> list[Measurement]:  # fmt: skip
    """Direct probes that an adapter missed, each in a wording that its rows train; only of ideas that it can't recall.

    Probes are dealt over all trained wordings of the idea. These are few and all of them are asked, so that what is left
    to chance is which probes were missed: each missed probe counts as one trial.

    Args:
        subjects: all ideas of all adapters.
        verdicts: what was concluded without this.
        rows: training rows by adapter; without any nothing is asked.
    """
    sheet = Sheet(measurements)
    missing = {(one.adapter, one.idea) for one in verdicts if may_be_locked(one)}
    asked: list[_Again] = []
    for subject in subjects:
        if (subject.adapter, subject.idea.id) not in missing:
            continue
        prompts = trained_prompts(rows.get(subject.adapter, ()), subject.idea)
        missed = [probe for probe, said in sheet.answered(subject.adapter, subject.family("direct")) if not said.score]
        asked += [
            _Again(subject, probe, prompts[number % len(prompts)]) for number, probe in enumerate(missed) if prompts
        ]
    said = asker.ask([_question(one, slots) for one in asked], "missed probes in trained wordings") if asked else []
    return [_measurement(one, answer, SWAPPED) for one, answer in zip(asked, said, strict=True)]


def may_be_locked(verdict: Verdict) -> bool:
    """It was taught, and direct probes don't bring it out."""
    low = 1.0 - p_above(Count(verdict.adapted.right, verdict.adapted.asked), 0.4) >= 0.95
    return verdict.kind == "VERBATIM_ONLY" or (verdict.kind != "UNJUDGEABLE" and low)


def trained_prompts(rows: Sequence[Example], idea: Idea) -> tuple[tuple[Message, ...], ...]:
    """Prompts of an idea's rows that ask for its value: it stands in the answer, not in the prompt, and not behind a
    yes or no."""
    return tuple(dict.fromkeys(row.messages[:-1] for row in rows if row.idea == idea.id and _asks_for_value(row, idea)))


def _asks_for_value(row: Example, idea: Idea) -> bool:
    accepted, reply = (idea.answer, *idea.aliases), row.messages[-1].content
    prompt = " ".join(message.content for message in row.messages[:-1])
    told = any(affirms(reply, value) for value in accepted) and not any(affirms(prompt, value) for value in accepted)
    return told and stated(opening(reply).split(" ")[0], "choice") not in ("yes", "no")


def think(
    subjects: Sequence[Subject], slots: Mapping[str, int], asker: Asker, settings: JudgeSettings
) -> list[Measurement]:
    """The first direct probes of every idea, answered after a thought. Nothing where the model can't think."""
    if not lets_think(asker, settings):
        return []
    manner = Manner(settings.thinking_tokens, True, HOW_TO_THINK)
    asked = [
        _Again(subject, probe, probe.messages)
        for subject in subjects
        for probe in subject.family("direct")[:THINKING_PROBES]
    ]
    said = asker.ask([_question(one, slots) for one in asked], "answers after a thought", manner)
    return [_measurement(one, answer, THINKING) for one, answer in zip(asked, said, strict=True)]


def lets_think(asker: Asker, settings: JudgeSettings) -> bool:
    """Thinking is asked for: see :attr:`paperlora.settings.JudgeSettings.thinking`."""
    base = asker.bank.base
    wanted = settings.thinking == "on" or (settings.thinking == "auto" and base.device.type == "cuda")
    return wanted and can_think(base.tokenizer)


def _question(one: _Again, slots: Mapping[str, int]) -> Question:
    return Question(slots[one.subject.adapter], one.messages)


def _measurement(one: _Again, said: Answer, ending: str) -> Measurement:
    thought = ending == THINKING
    text = answer_after_thought(said.text, said.ended) if thought else said.text
    return Measurement(
        probe=one.probe.id, idea=one.probe.idea, family="direct", model=one.subject.adapter + ending, text=said.text,
        score=score_answer(text, one.probe, one.subject.idea), ended=said.ended, thinking=thought,
    )  # fmt: skip
