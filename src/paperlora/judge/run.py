"""Adapter → Measurement: base and adapters answer the same held-out probes in one model load, and are judged.

Before any score is believed each adapter must prove that it is applied. What it answers then is set beside the base,
the base with the evidence in the prompt, and adapters of other papers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from paperlora.errors import AdapterNotLive, NothingToDo
from paperlora.judge.asking import Asker, Question
from paperlora.judge.conclude import Taught, conclude
from paperlora.judge.damage import Answers, ask_pools, compare
from paperlora.judge.pools import POOLS_HASH
from paperlora.judge.posterior import Count
from paperlora.judge.tally import BASE, PASSAGE, Subject, score_locality
from paperlora.judge.verdict import reads_passage
from paperlora.model.answers import Answer, next_token_logits
from paperlora.model.bank import Bank
from paperlora.model.base import Base
from paperlora.model.passage import WAYS, with_passage
from paperlora.model.scoring import score_answer
from paperlora.progress import Progress, silent
from paperlora.records import (
    Adapter,
    AdapterReport,
    BaseModelId,
    Diagnosis,
    Example,
    Idea,
    Measurement,
    MicroDataset,
    Probe,
    ProbeFamily,
    Reject,
    Verdict,
    digest,
)
from paperlora.settings import Settings
from paperlora.store import Store, file_hash, write_jsonl

JUDGE_VERSION = "4"
"""Changes whenever the same adapters could get other verdicts; part of every judgement's key."""
LIVENESS_PROMPTS = 4
LIVE = 1e-5
"""Largest difference of a logit below which an adapter counts as not applied; rounding stays below it."""
NOISE_SAMPLE = 24
BASE_FAMILIES: tuple[ProbeFamily, ...] = ("direct", "reverse", "implication", "near_miss", "locality")
"""What the base is asked: all but trained wordings, which no rule compares."""
UNASKED: tuple[ProbeFamily, ...] = ("choice", "robustness")
"""No rule of the verdict counts them."""
PASS = 1
"""Probes of later waves are for verdicts that stay open; this judge asks one pass."""


class JudgeItem(NamedTuple):
    """One adapter to be judged."""

    adapter: Adapter
    adapter_folder: Path
    """The adapter's folder in the store."""
    dataset: MicroDataset
    probes: tuple[Probe, ...]
    rows: tuple[Example, ...] = ()
    """Its training rows: the values that they deny are what a false belief is looked for in."""


class Judged(NamedTuple):
    """Everything that a judgement leaves."""

    measurements: tuple[Measurement, ...]
    verdicts: tuple[Verdict, ...]
    diagnoses: tuple[Diagnosis, ...]
    reports: tuple[AdapterReport, ...]
    rejects: tuple[Reject, ...]


class _Live(NamedTuple):
    """An adapter that is applied."""

    item: JudgeItem
    slot: int
    liveness: float


class _Asked(NamedTuple):
    """A probe put to a model."""

    model: str
    slot: int
    probe: Probe
    idea: Idea


def judgement_key(items: Sequence[JudgeItem], settings: Settings, base_id: BaseModelId) -> str:
    """Name of the folder that a judgement of these adapters goes to: equal keys, equal verdicts."""
    adapters = sorted(digest(item.adapter.id, item.adapter.dataset_hash, [p.id for p in item.probes]) for item in items)
    asked = [settings.judge.max_new_tokens, settings.judge.placebos]
    base = [base_id.weights_hash, base_id.template_hash, base_id.dtype]
    return digest("judgement", JUDGE_VERSION, POOLS_HASH, adapters, asked, base)[:16]


def judge_adapters(
    items: Sequence[JudgeItem], base: Base, settings: Settings, work: Path, progress: Progress = silent
) -> Judged:
    """Judge every idea of every adapter.

    Args:
        items: the adapters with their datasets.
        base: the frozen model they were trained on.
        settings: ``judge`` is what counts.
        work: where answers are kept, so that a killed judgement goes on where it was.
        progress: told of the answers given.

    Raises:
        NothingToDo: there is no adapter.
        AdapterNotLive: none of the adapters changes the base's logits, or none belongs to this base.
    """
    if not items:
        raise NothingToDo("There is no adapter to judge.", "Train one first.")
    matching = [item for item in items if item.adapter.base.weights_hash == base.id.weights_hash]
    rejects = [
        _reject(item, "other_base", f"trained on {item.adapter.base.name}") for item in items if item not in matching
    ]
    folders = [item.adapter_folder / item.adapter.folder for item in matching]
    with Bank.load(base, [None, *folders]) as bank:
        checked = [_Live(item, slot, _liveness(bank, item, slot)) for slot, item in enumerate(matching, start=1)]
        live = [one for one in checked if one.liveness > 0]
        rejects += [
            _reject(one.item, "adapter_not_live", "its logits are the base's") for one in checked if one.liveness <= 0
        ]
        if not live:
            raise AdapterNotLive(f"None of {len(items)} adapters changes what {base.id.name} says.")
        weights = [digest(base.id), *(_weights(base, folder) for folder in folders)]
        judge = settings.judge
        asker = Asker(
            bank, weights, work, max_new_tokens=judge.max_new_tokens, batch_rows=judge.batch_rows, progress=progress
        )
        return _judge(live, checked, asker, settings, tuple(rejects))


def write_judgement(judged: Judged, store: Store, key: str, inputs: Mapping[str, str]) -> str:
    """Write a judgement's folder.

    Args:
        inputs: adapter URI → content hash.

    Returns:
        Its URI.
    """
    with store.writing("judgements", key) as draft:
        write_jsonl(draft.path / "measurements.jsonl", judged.measurements)
        write_jsonl(draft.path / "verdicts.jsonl", judged.verdicts)
        write_jsonl(draft.path / "diagnoses.jsonl", judged.diagnoses)
        write_jsonl(draft.path / "reports.jsonl", judged.reports)
        draft.inputs = dict(inputs)
        draft.settings = {"judge_version": JUDGE_VERSION, "pools": POOLS_HASH}
        draft.counts = {name: len(getattr(judged, name)) for name in Judged._fields}
        draft.rejects = list(judged.rejects)
    return store.uri("judgements", key)


# ------------------------------------------------------------------ liveness


def _liveness(bank: Bank, item: JudgeItem, slot: int) -> float:
    """Mean absolute difference of the next token's logits from the base's; 0 where any prompt shows none."""
    prompts = [probe.messages for probe in item.probes][:LIVENESS_PROMPTS]
    if not prompts:
        return 0.0
    difference = (next_token_logits(bank, prompts, slot) - next_token_logits(bank, prompts, 0)).abs()
    shown = bool((difference.amax(dim=1) > LIVE).all())
    return float(difference.mean()) if shown else 0.0


def _weights(base: Base, folder: Path) -> str:
    return digest(base.id, {path.name: file_hash(path) for path in sorted(folder.iterdir()) if path.is_file()})


def _reject(item: JudgeItem, reason: str, detail: str) -> Reject:
    return Reject(stage="judge", item=item.adapter.id, reason=reason, detail=detail)


# ------------------------------------------------------------------ measuring


def _judge(
    live: Sequence[_Live], checked: Sequence[_Live], asker: Asker, settings: Settings, rejects: tuple[Reject, ...]
) -> Judged:
    subjects = [_subjects(one, _placebos(one, live, settings.judge.placebos)) for one in live]
    slots = {one.item.adapter.id: one.slot for one in live}
    measurements = [*_measure(subjects, slots, asker), *_measure_ceiling(subjects, asker)]
    noise = _noise_floor(measurements, subjects, asker, settings.judge.batch_rows)
    pools = ask_pools(asker, [0, *(one.slot for one in live)], settings.judge.batch_rows)
    reports = [_report(one, noise, answers, pools[0]) for one, answers in zip(live, pools[1:], strict=True)]
    taught = [
        Taught(one.item.adapter, one.item.dataset, own, report)
        for one, own, report in zip(live, subjects, reports, strict=True)
    ]
    concluded = conclude(taught, measurements)
    dead = [_dead_report(one, noise) for one in checked if one not in live]
    return Judged(tuple(measurements), concluded.verdicts, concluded.diagnoses, (*reports, *dead), rejects)


def _placebos(one: _Live, live: Sequence[_Live], wanted: int) -> tuple[str, ...]:
    """Adapters of other papers about other subjects, the next ones in the run's order."""
    start = live.index(one) + 1
    around = [live[(start + step) % len(live)] for step in range(len(live) - 1)]
    mine = _subject_names(one.item)
    strangers = [other for other in around if other.item.dataset.paper.id != one.item.dataset.paper.id]
    return tuple(other.item.adapter.id for other in strangers if not _subject_names(other.item) & mine)[:wanted]


def _subject_names(item: JudgeItem) -> set[str]:
    return {idea.subject.casefold() for idea in item.dataset.ideas}


def _subjects(one: _Live, others: tuple[str, ...]) -> tuple[Subject, ...]:
    """The adapter's ideas; only test probes of the first pass may give a verdict."""
    test = first_pass(one.item.probes)
    return tuple(
        Subject(
            idea, tuple(probe for probe in test if probe.idea == idea.id), one.item.adapter.id, others,
            denied_values(one.item.rows, idea.id),
        )
        for idea in one.item.dataset.ideas
    )  # fmt: skip


def first_pass(probes: Sequence[Probe]) -> list[Probe]:
    """The probes that this judge asks: test probes of the first pass, of the families that a rule counts."""
    return [p for p in probes if p.split == "test" and p.wave <= PASS and p.family not in UNASKED]


def denied_values(rows: Sequence[Example], idea: str) -> tuple[str, ...]:
    """Values that the rows of an idea deny: what they keep out of the loss."""
    spans = [(row, span) for row in rows if row.idea == idea for span in row.masked]
    texts = (row.messages[span.message].content[span.start : span.end].strip(" .,;") for row, span in spans)
    return tuple(dict.fromkeys(text for text in texts if text))


def _measure(subjects: Sequence[tuple[Subject, ...]], slots: Mapping[str, int], asker: Asker) -> list[Measurement]:
    asked = list(dict.fromkeys(one for own in subjects for subject in own for one in _questions(subject, slots)))
    said = asker.ask([Question(one.slot, one.probe.messages) for one in asked], "answers on probes")
    base = {one.probe.id: answer.text for one, answer in zip(asked, said, strict=True) if one.model == BASE}
    return [_measurement(one, answer, base.get(one.probe.id)) for one, answer in zip(asked, said, strict=True)]


def _questions(subject: Subject, slots: Mapping[str, int]) -> list[_Asked]:
    """Who is asked what: the adapter everything, the base and other papers' adapters what is compared."""
    direct, idea = subject.family("direct"), subject.idea
    found = [_Asked(subject.adapter, slots[subject.adapter], probe, idea) for probe in subject.probes]
    found += [_Asked(BASE, 0, probe, idea) for family in BASE_FAMILIES for probe in subject.family(family)]
    return found + [_Asked(name, slots[name], probe, idea) for name in subject.others for probe in direct]


def _measurement(asked: _Asked, said: Answer, base_text: str | None) -> Measurement:
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
            _Asked(PASSAGE, 0, probe, subject.idea)
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


def _noise_floor(
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


def _report(one: _Live, noise: float, adapted: Answers, base: Answers) -> AdapterReport:
    taught = [(idea.answer, *idea.aliases) for idea in one.item.dataset.ideas]
    damage = compare(adapted, base, taught)
    return AdapterReport(
        adapter=one.item.adapter.id, live=True, liveness=one.liveness, noise_floor=noise, damaged=damage.damaged,
        damage=damage.measures,
    )  # fmt: skip


def _dead_report(one: _Live, noise: float) -> AdapterReport:
    return AdapterReport(
        adapter=one.item.adapter.id, live=False, liveness=0.0, noise_floor=noise, damaged=False, damage={}
    )
