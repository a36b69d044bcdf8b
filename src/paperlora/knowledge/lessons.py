"""Verdict → Lesson, and which lessons the next run is told.

A lesson fades with time, and a later lesson of another kind about the same idea refutes it. Verdicts that conclude
nothing (INCONCLUSIVE, UNJUDGEABLE) refute nothing. What three adapters in a row failed to learn is to be
left alone until its lessons have faded: the ledger of anti-examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal

from paperlora.records import Diagnosis, Lesson, Verdict, VerdictKind, digest

Advice = Literal["do", "avoid", "repeat_with_more_probes", "skip"]

RETIRE_AFTER = 3
"""Adapters that failed one after another, after which an idea is not taught again."""
FADED = 0.05
"""Weight below which a lesson is no longer recalled: four half-lives and a bit."""
CONCLUDES_NOTHING: frozenset[VerdictKind] = frozenset({"INCONCLUSIVE", "UNJUDGEABLE"})
LEARNED: frozenset[VerdictKind] = frozenset({"ABSORBED_DEEP", "ABSORBED_SHALLOW"})

ADVICE: dict[VerdictKind, Advice] = {
    "UNJUDGEABLE": "repeat_with_more_probes",
    "INCONCLUSIVE": "repeat_with_more_probes",
    "ALREADY_KNOWN": "skip",
    "ABSORBED_DEEP": "do",
    "ABSORBED_SHALLOW": "do",
    "PARTIAL": "do",
    "VERBATIM_ONLY": "do",
    "NOT_LEARNED": "do",
    "RESISTED": "do",
    "CONFUSED": "do",
    "FALSE_BELIEF": "avoid",
}
"""``do``: what the lesson's text says. One failure is a reason to teach otherwise, not to give up: only a belief in the
negation is to be avoided at once, since teaching it did harm."""

OUTCOME: dict[VerdictKind, str] = {
    "UNJUDGEABLE": "could not be judged",
    "INCONCLUSIVE": "stayed undecided",
    "ALREADY_KNOWN": "was known to the base before training",
    "ABSORBED_DEEP": "was absorbed and is applied",
    "ABSORBED_SHALLOW": "was absorbed, but is not shown to be applied",
    "PARTIAL": "was learned in part",
    "VERBATIM_ONLY": "is recited in trained wordings only",
    "NOT_LEARNED": "was not learned",
    "RESISTED": "was resisted: the base's old answer survives",
    "CONFUSED": "is confused with another idea",
    "FALSE_BELIEF": "left a belief in the value it denies",
}


def lessons_from(verdicts: Sequence[Verdict], diagnoses: Sequence[Diagnosis], now: datetime) -> tuple[Lesson, ...]:
    """One lesson an idea, with its evidence: verdicts of further seeds (flag REPEAT) tell how steady the first one is, not
    another thing that was learnt.

    Args:
        now: when the judgement was made; a naive time is taken as UTC.
    """
    causes: dict[str, list[Diagnosis]] = {}
    for diagnosis in diagnoses:
        causes.setdefault(diagnosis.verdict, []).append(diagnosis)
    return tuple(_lesson(verdict, causes.get(verdict.id, []), _aware(now)) for verdict in verdicts if "REPEAT" not in verdict.flags)


def weight(lesson: Lesson, now: datetime) -> float:
    """What a lesson still counts for: 1 when new, half after its half-life, 0 when refuted."""
    if lesson.refuted_by:
        return 0.0
    days = max((_aware(now) - _aware(lesson.created)).total_seconds(), 0.0) / 86400
    return float(0.5 ** (days / lesson.half_life_days))


def refute(lessons: Iterable[Lesson]) -> tuple[Lesson, ...]:
    """The same lessons, oldest first, each marked with the next later one on its idea that says otherwise."""
    ordered = sorted(lessons, key=lambda lesson: (_aware(lesson.created), lesson.id))
    return tuple(_marked(lesson, ordered[place + 1 :]) for place, lesson in enumerate(ordered))


def recall(lessons: Iterable[Lesson], topic: str, now: datetime | None = None, limit: int = 50) -> tuple[Lesson, ...]:
    """What a run on this topic is told: the last word on each idea, the weightiest first.

    Args:
        lessons: the knowledge core.
        topic: only its lessons.
        now: the present by default.
        limit: most lessons returned.
    """
    at = now or datetime.now(UTC)
    ideas: dict[str, list[Lesson]] = {}
    for lesson in refute(lesson for lesson in lessons if lesson.topic == topic):
        ideas.setdefault(lesson.idea, []).append(lesson)
    last = [_last_word(history) for history in ideas.values()]
    kept = [lesson for lesson in last if weight(lesson, at) >= FADED]
    return tuple(sorted(kept, key=lambda lesson: (-weight(lesson, at), lesson.id))[:limit])


def _lesson(verdict: Verdict, diagnoses: Sequence[Diagnosis], now: datetime) -> Lesson:
    advice = ADVICE[verdict.kind]
    dataset = verdict.adapter.rpartition("/")[0]
    return Lesson(
        id=f"lesson:{digest(verdict.id, verdict.kind, now.isoformat())[:16]}",
        topic=verdict.topic,
        paper=verdict.paper,
        idea=verdict.idea,
        verdict=verdict.id,
        kind=verdict.kind,
        text=_text(verdict, diagnoses),
        advice=advice,
        evidence=(dataset, verdict.adapter, verdict.id),
        created=now,
    )


def _text(verdict: Verdict, diagnoses: Sequence[Diagnosis]) -> str:
    a, b = verdict.adapted, verdict.base
    counts = f"{a.right} of {a.asked} held-out questions right after training, {b.right} of {b.asked} before"
    damaged = " by a damaged adapter" if "DAMAGED" in verdict.flags else ""
    told = f"“{verdict.claim.rstrip('.')}” {OUTCOME[verdict.kind]}{damaged} ({counts})."
    return f"{told} {_next_step(verdict, diagnoses)}"


def _next_step(verdict: Verdict, diagnoses: Sequence[Diagnosis]) -> str:
    if verdict.kind == "ALREADY_KNOWN":
        return "Don't teach it again."
    if diagnoses:
        return " ".join(f"Likely cause: {one.cause}. Next: {one.action}." for one in diagnoses)
    return "Teach ideas of this kind in the same way."


def _marked(lesson: Lesson, later: Sequence[Lesson]) -> Lesson:
    if lesson.refuted_by:
        return lesson
    by = next((one for one in later if one.idea == lesson.idea and _contradicts(one, lesson)), None)
    return lesson.model_copy(update={"refuted_by": by.id}) if by else lesson


def _contradicts(later: Lesson, earlier: Lesson) -> bool:
    return later.kind != earlier.kind and later.kind not in CONCLUDES_NOTHING


def _last_word(history: Sequence[Lesson]) -> Lesson:
    """The latest lesson that concludes something (else the latest), retired where too many runs failed on end."""
    concluded = [lesson for lesson in history if lesson.kind not in CONCLUDES_NOTHING]
    last = (concluded or list(history))[-1]
    failures = _failures(concluded)
    if failures < RETIRE_AFTER:
        return last
    text = f"{last.text} Retired: {failures} adapters one after another failed."
    return last.model_copy(update={"advice": "avoid", "text": text})


def _failures(concluded: Sequence[Lesson]) -> int:
    """Adapters that failed since the last success; one that was judged again is no new attempt."""
    adapters: set[str] = set()
    for lesson in reversed(concluded):
        if lesson.kind in LEARNED or lesson.kind == "ALREADY_KNOWN":
            break
        adapters.add(lesson.evidence[1])
    return len(adapters)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
