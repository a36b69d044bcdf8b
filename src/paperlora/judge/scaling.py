"""Resisting ideas in their adapters at other strengths: does a larger ΔW flip the old answer, and at what price?

Every strength is a slot of one bank beside the base, so that all of them answer in the same batches. An adapter's weights
stay as they are; what x A B is multiplied with changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from paperlora.judge.asking import Asker, Question
from paperlora.judge.bounds import BOUNDS, SURE, p_lost
from paperlora.judge.pools import Known, Pools
from paperlora.judge.posterior import Count, rate
from paperlora.judge.tally import Subject
from paperlora.model.answers import Answer
from paperlora.model.bank import Bank
from paperlora.model.drift import drifts
from paperlora.model.scoring import kind_of, score, score_answer, states_value
from paperlora.records import AdapterReport, Message, ScalePoint, Verdict, digest

GAMMAS = (0.5, 1.0, 1.5, 2.0)
"""Strengths of the method's section 5."""
GUARDED = 24
"""Known facts asked at each strength."""
READ = 4
"""Unrelated texts read at each strength."""
KNOWN_LOSS = -BOUNDS["known_change"].limit


class Stubborn(NamedTuple):
    """The resisting ideas of one adapter."""

    adapter: str
    folder: Path
    """Of its peft adapter."""
    weights: str
    """Hash of base and adapter, as answers are kept under it."""
    ideas: tuple[tuple[Subject, str], ...]
    """Each with the base's old answer."""
    limit: float
    """Drift of unrelated text (nats a token) from which the adapter counts as damaged."""


def stubborn(
    verdicts: Iterable[Verdict], subjects: Iterable[Subject], folders: Mapping[str, Path], weights: Mapping[str, str],
    reports: Iterable[AdapterReport],
) -> tuple[Stubborn, ...]:  # fmt: skip
    """The adapters that hold resisting ideas.

    Args:
        folders: adapter id → folder of its peft adapter.
        weights: adapter id → hash under which its answers are kept.
    """
    by_pair = {(subject.adapter, subject.idea.id): subject for subject in subjects}
    found: dict[str, list[tuple[Subject, str]]] = {}
    for verdict in verdicts:
        if verdict.kind == "RESISTED" and verdict.old_answer:
            found.setdefault(verdict.adapter, []).append((by_pair[verdict.adapter, verdict.idea], verdict.old_answer))
    limits = {report.adapter: _limit(report) for report in reports}
    return tuple(
        Stubborn(name, folders[name], weights[name], tuple(ideas), limits[name]) for name, ideas in found.items()
    )


def _limit(report: AdapterReport) -> float:
    """The bound that was held against this adapter; the method's own where none was."""
    return next((check.bound for check in report.checks if check.name == "nll_drift"), BOUNDS["nll_drift"].limit)


def sweep_scales(resisting: Sequence[Stubborn], asker: Asker, pools: Pools) -> tuple[ScalePoint, ...]:
    """Each resisting idea at each strength, asked its own direct probes, with what the guard set shows.

    Args:
        asker: its base and memory are used; its bank stays as it is.
        pools: known facts and texts of the guard set.
    """
    return tuple(point for one in resisting for point in _sweep(one, asker, pools))


def _sweep(one: Stubborn, asker: Asker, pools: Pools) -> list[ScalePoint]:
    with Bank.load(asker.bank.base, [None, *(one.folder for _ in GAMMAS)]) as bank:
        for slot, gamma in enumerate(GAMMAS, start=1):
            bank.amplify(slot, gamma)
        keys = [one.weights if gamma == 1 else digest(one.weights, gamma) for gamma in GAMMAS]
        own = asker.on(bank, [asker.weights[0], *keys])
        guards = _guards(own, pools, one.limit)
        tried = [
            (subject, old, slot) for subject, old in one.ideas for slot in range(1, len(GAMMAS) + 1)
        ]
        asked = [Question(slot, probe.messages) for subject, _, slot in tried for probe in subject.family("direct")]
        said = iter(own.ask(asked, "resisting ideas at other strengths"))
        return [
            _point(one, subject, old, GAMMAS[slot - 1], guards[slot - 1], list(islice(said, len(subject.family("direct")))))
            for subject, old, slot in tried
        ]


class _Guard(NamedTuple):
    known: Count
    drift: float
    harmless: bool


def _guards(asker: Asker, pools: Pools, limit: float) -> list[_Guard]:
    """What each strength leaves of known facts and unrelated text."""
    facts, slots = pools.known[:GUARDED], range(len(GAMMAS) + 1)
    asked = [Question(slot, (Message(role="user", content=fact.question),)) for slot in slots for fact in facts]
    said = asker.ask(asked, "known facts at other strengths")
    base, *others = (said[slot * len(facts) : (slot + 1) * len(facts)] for slot in slots)
    read = drifts(asker.bank, pools.texts[:READ], list(slots)[1:])
    found = []
    for answers, drifted in zip(others, read, strict=True):
        held = [
            _right(after, fact) for fact, after, before in zip(facts, answers, base, strict=True) if _right(before, fact)
        ]
        known = Count(sum(held), len(held))
        change = sum(drift.change for drift in drifted) / len(drifted)
        found.append(_Guard(known, change, change < limit and p_lost(known, KNOWN_LOSS) < SURE))
    return found


def _right(said: Answer, fact: Known) -> bool:
    return score(said.text, fact.answers, kind_of(fact.answers)) == 1.0


def _point(
    one: Stubborn, subject: Subject, old: str, gamma: float, guard: _Guard, said: Sequence[Answer]
) -> ScalePoint:
    pairs = list(zip(subject.family("direct"), said, strict=True))
    right = [score_answer(answer.text, probe, subject.idea) == 1.0 for probe, answer in pairs]
    stays = [states_value(answer.text, (old,)) and not good for (_, answer), good in zip(pairs, right, strict=True)]
    return ScalePoint(
        adapter=one.adapter, idea=subject.idea.id, gamma=gamma, direct=rate(sum(right), len(right)),
        old=rate(sum(stays), len(stays)), known=rate(int(guard.known.right), int(guard.known.asked)),
        nll_drift=round(guard.drift, 4), harmless=guard.harmless,
    )  # fmt: skip
