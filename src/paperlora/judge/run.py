"""Adapter → Measurement: base and adapters answer the same held-out probes in one model load, and are judged.

Before any score is believed each adapter must prove that it is applied. What it answers then is set beside the base,
the base with the evidence in the prompt, and adapters of other papers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

from paperlora.errors import AdapterNotLive, NothingToDo
from paperlora.judge.again import swap_templates, think
from paperlora.judge.asking import Asker
from paperlora.judge.choosing import choice_texts, measure_choices
from paperlora.judge.conclude import Taught, conclude
from paperlora.judge.cross import cross_probe
from paperlora.judge.dose import ask_peaks, find_peaks
from paperlora.judge.grids import grids
from paperlora.judge.judged import JUDGE_VERSION, Judged, JudgeItem, Live
from paperlora.judge.llm_scorer import Reader, disbelieved, reader_for
from paperlora.judge.measure import measure, noise_floor
from paperlora.judge.pools import STANDARD, Pools
from paperlora.judge.reports import Examined, gains, report_damage
from paperlora.judge.scaling import stubborn, sweep_scales
from paperlora.judge.stability import steady
from paperlora.judge.subjects import Pair, longer, others_of, subjects_of
from paperlora.judge.tally import Subject
from paperlora.judge.why import Explained, explain
from paperlora.llm.budget import Account
from paperlora.model.answers import next_token_logits
from paperlora.model.bank import Bank
from paperlora.model.base import Base
from paperlora.progress import Progress, silent
from paperlora.records import (
    AdapterReport,
    BaseModelId,
    DosePoint,
    Measurement,
    Reject,
    ScalePoint,
    Verdict,
    digest,
)
from paperlora.settings import JudgeSettings, Settings
from paperlora.store import file_hash

JUDGING = Account(stage="judge")
LIVENESS_PROMPTS = 4
LIVE = 1e-5
"""Largest difference of a logit below which an adapter counts as not applied; rounding stays below it."""


def judgement_key(items: Sequence[JudgeItem], settings: Settings, base_id: BaseModelId, pools: Pools = STANDARD) -> str:
    """Name of the folder that a judgement of these adapters goes to: equal keys, equal verdicts.

    The placebos among them count: where those of a recipe change, its adapters are judged again.
    """
    adapters = sorted(
        digest(item.adapter.id, item.adapter.dataset_hash, [p.id for p in item.probes], item.placebo, item.content_hash)
        for item in items
    )
    judge = settings.judge
    asked = [judge.max_new_tokens, judge.placebos, judge.passes, judge.margins, judge.sure, judge.damage]
    families = [judge.choice, judge.robustness, judge.thinking, judge.thinking_tokens]
    base = [base_id.weights_hash, base_id.template_hash, base_id.dtype]
    inside = [judge.cross_nearest, judge.cross_random, judge.cross_probes, judge.intruder_layers]
    read = [settings.llm.model, judge.llm_sample, judge.llm_kappa] if judge.llm_judge else []
    tried = [judge.scale_sweep, judge.dose_peaks]
    return digest("judgement", JUDGE_VERSION, pools.hash, adapters, asked, families, base, tried, read, inside)[:16]


def judge_adapters(
    items: Sequence[JudgeItem], base: Base, settings: Settings, work: Path, progress: Progress = silent,
    pools: Pools = STANDARD, account: Account = JUDGING,
) -> Judged:  # fmt: skip
    """Judge every idea of every adapter.

    Args:
        items: the adapters with their datasets; placebo adapters among them answer beside the others.
        base: the frozen model they were trained on.
        settings: ``judge`` is what counts.
        work: where answers are kept, so that a killed judgement goes on where it was.
        progress: told of the answers given.
        pools: what damage is looked for in.
        account: whose budget an LLM that reads answers spends.

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
    if all(item.placebo for item in matching):
        trained = f"None of {len(items)} adapters was trained on {base.id.name}, but on {', '.join(sorted({item.adapter.base.name for item in items}))}."
        raise AdapterNotLive(trained, "Set PAPERLORA_BASE_MODEL (or base_model) to the base that they were trained on; in the demo --config var/demo.toml.")
    folders = [item.adapter_folder / item.adapter.folder for item in matching]
    with Bank.load(base, [None, *folders]) as bank:
        checked = [Live(item, slot, liveness(bank, item, slot)) for slot, item in enumerate(matching, start=1)]
        live = [one for one in checked if one.liveness > 0]
        rejects += [
            _reject(one.item, "adapter_not_live", "its logits are the base's") for one in checked if one.liveness <= 0
        ]
        if all(one.item.placebo for one in live):
            raise AdapterNotLive(f"None of {len(items)} adapters changes what {base.id.name} says.")
        weights = [digest(base.id), *(weights_hash(base, folder) for folder in folders)]
        judge = settings.judge
        asker = Asker(
            bank, weights, work, max_new_tokens=judge.max_new_tokens, batch_rows=judge.batch_rows, progress=progress
        )
        reader = reader_for(settings, account, progress)
        return _judge(live, checked, asker, settings, tuple(rejects), pools.chosen(judge.damage), reader)


# ------------------------------------------------------------------ liveness


def liveness(bank: Bank, item: JudgeItem, slot: int) -> float:
    """Mean absolute difference of the next token's logits from the base's; 0 where any prompt shows none."""
    prompts = [probe.messages for probe in item.probes][:LIVENESS_PROMPTS]
    if not prompts:
        return 0.0
    difference = (next_token_logits(bank, prompts, slot) - next_token_logits(bank, prompts, 0)).abs()
    shown = bool((difference.amax(dim=1) > LIVE).all())
    return float(difference.mean()) if shown else 0.0


def weights_hash(base: Base, folder: Path) -> str:
    """Of a peft adapter on this base: what its answers are kept under."""
    return digest(base.id, {path.name: file_hash(path) for path in sorted(folder.iterdir()) if path.is_file()})


def _reject(item: JudgeItem, reason: str, detail: str) -> Reject:
    return Reject(stage="judge", item=item.adapter.id, reason=reason, detail=detail)


# ------------------------------------------------------------------ judging


def _judge(
    live: Sequence[Live], checked: Sequence[Live], asker: Asker, settings: Settings, rejects: tuple[Reject, ...],
    pools: Pools, reader: Reader | None,
) -> Judged:  # fmt: skip
    judge, slots = settings.judge, {one.item.adapter.id: one.slot for one in live}
    reports = report_damage(asker, [_examined(one) for one in live], pools, judge.batch_rows)
    placebos, live = [one for one in live if one.item.placebo], [one for one in live if not one.item.placebo]
    others = [others_of(one, live, placebos, judge.placebos) for one in live]
    by_adapter = {report.adapter: report for report in reports}
    passes: dict[Pair, int] = {}
    while True:
        subjects = [subjects_of(one, names, passes, judge) for one, names in zip(live, others, strict=True)]
        unread = measure(subjects, slots, asker, judge.margins, choice_texts(subjects, slots))
        measurements, agreement = reader.read(unread, chain(*subjects)) if reader else (unread, None)
        taught = [_taught(one, own, by_adapter[one.item.adapter.id]) for one, own in zip(live, subjects, strict=True)]
        concluded = conclude(taught, measurements, judge.sure)
        wanted = longer(concluded.verdicts, live, passes, judge.passes)
        if not wanted:
            break
        passes |= wanted
    further = _ask_further(live, subjects, concluded.verdicts, measurements, slots, asker, judge)
    measurements = [*measurements, *further]
    concluded = conclude(taught, measurements, judge.sure)
    noise = noise_floor(unread, subjects, asker, judge.batch_rows)
    scales = _scales(live, concluded.verdicts, subjects, reports, asker, pools) if judge.scale_sweep else ()
    doses = _doses(live, concluded.verdicts, subjects, asker) if judge.dose_peaks else ()
    concluded = conclude(taught, measurements, judge.sure, scales, doses) if scales or doses else concluded
    every = [*reports, *(_dead_report(one) for one in checked if one.item.adapter.id not in by_adapter)]
    gained = gains(concluded.verdicts)
    noted = tuple(report.model_copy(update={"noise_floor": noise, "gain": gained.get(report.adapter)}) for report in every)
    seeded = steady([one.adapter for one in taught], concluded.verdicts)
    return Judged(
        tuple(measurements), seeded.verdicts, concluded.diagnoses, noted, (*rejects, *disbelieved(agreement)), scales=scales, doses=doses,
        stability=seeded.stability,
        grids=tuple(chain(*(grids(one.subjects, one.rows, measurements) for one in taught))),
        agreement=(agreement,) if agreement else (),
        whys=explain([Explained(one.subjects, one.rows) for one in taught], measurements),
        cross=cross_probe(taught, slots, asker, judge),
    )  # fmt: skip


def _scales(
    live: Sequence[Live], verdicts: Sequence[Verdict], subjects: Sequence[tuple[Subject, ...]],
    reports: Sequence[AdapterReport], asker: Asker, pools: Pools,
) -> tuple[ScalePoint, ...]:  # fmt: skip
    folders = {one.item.adapter.id: one.item.adapter_folder / one.item.adapter.folder for one in live}
    weights = {one.item.adapter.id: asker.weights[one.slot] for one in live}
    return sweep_scales(stubborn(verdicts, chain(*subjects), folders, weights, reports), asker, pools)


def _doses(
    live: Sequence[Live], verdicts: Sequence[Verdict], subjects: Sequence[tuple[Subject, ...]], asker: Asker
) -> tuple[DosePoint, ...]:
    adapters = {one.item.adapter.id: (one.item.adapter, one.item.adapter_folder) for one in live}
    return ask_peaks(find_peaks(verdicts, chain(*subjects), adapters), asker, partial(weights_hash, asker.bank.base))


def _ask_further(
    live: Sequence[Live], subjects: Sequence[tuple[Subject, ...]], verdicts: Sequence[Verdict],
    measurements: Sequence[Measurement], slots: Mapping[str, int], asker: Asker, judge: JudgeSettings,
) -> list[Measurement]:  # fmt: skip
    """What turns no verdict and is asked last: multiple choice, missed probes in trained wordings, thoughts."""
    rows = {one.item.adapter.id: one.item.rows for one in live}
    every = [subject for own in subjects for subject in own]
    swapped = swap_templates(every, verdicts, measurements, rows, slots, asker)
    return [*measure_choices(subjects, slots, asker), *swapped, *think(every, slots, asker, judge)]


def _taught(one: Live, subjects: tuple[Subject, ...], report: AdapterReport) -> Taught:
    return Taught(one.item.adapter, one.item.dataset, subjects, report, one.item.rows)


def _examined(one: Live) -> Examined:
    item = one.item
    return Examined(item.adapter, item.dataset.ideas, item.rows, one.slot, one.liveness, item.placebo)


def _dead_report(one: Live) -> AdapterReport:
    return AdapterReport(
        adapter=one.item.adapter.id, live=False, liveness=0.0, noise_floor=0.0, damaged=False, damage={},
        placebo=one.item.placebo,
    )  # fmt: skip
