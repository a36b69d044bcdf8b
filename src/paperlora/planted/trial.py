"""The judge on trial: planted ideas through the product's own training and judging, verdicts beside the truth.

Each world's adapters are trained by :func:`~paperlora.lora.train.train_adapters` in a bank and judged by
:func:`~paperlora.judge.run.judge_adapters`, as papers' adapters are. The worlds are parted into two halves: on one a bar
may be calibrated, on the other the result is reported.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from paperlora.judge.run import Judged, JudgeItem, judge_adapters
from paperlora.judge.tally import SURE
from paperlora.lora.train import train_adapters
from paperlora.model.bank import Bank
from paperlora.model.base import Base
from paperlora.planted.cases import STANDARD, Case, Kind, Sizes, plan_cases
from paperlora.planted.making import open_world
from paperlora.planted.truth import HARMLESS, Verified, verify
from paperlora.planted.world import World, WorldPlan
from paperlora.progress import Progress, silent
from paperlora.records import Adapter, Reject, Verdict
from paperlora.settings import Settings
from paperlora.store import Store, read_json

CAUSES: dict[Kind, tuple[str, ...]] = {
    "broken": ("probes or extraction are broken",),
    "low_dose": ("undertrained",),
    "untaught": ("no row teaches it",),
    "placebo": ("no row teaches it",),
    "one_wording": ("memorised the wording",),
    "half": ("too few wordings carry the fact",),
    "shallow": ("recalled but not applied",),
    "resisted": ("a strong earlier belief",),
    "swapped": ("two ideas of one dataset are not told apart",),
    "negated": ("the contrast rows taught what they deny",),
}  # fmt: skip
"""How the right cause begins, for each planting that failed to teach."""
DAMAGE_CAUSE = "the dose displaces what the base knew"
ABSORBED = ("ABSORBED_DEEP", "ABSORBED_SHALLOW")
BARS = (0.2, 0.35, 0.5, 0.7)
"""Likelihoods that are tried as the bar between guess and belief."""
DRAWS = 500
"""Resamples of an interval."""


class Outcome(NamedTuple):
    """One planted idea and what the judge said of it."""

    world: int
    case: str
    kind: Kind
    expected: str
    """The verdict that the planting asks for; DAMAGED where success was spoilt on purpose."""
    verdict: str
    """What came; DAMAGED where a success, or what could be one, is blocked by that flag."""
    reason: str
    flags: tuple[str, ...]
    causes: tuple[str, ...]
    cause_right: bool | None
    """None where nothing failed."""
    names_sibling: bool | None
    """Whether a confusion was traced to the right idea; None where none was planted."""
    asked: int
    """Direct probes that it took."""
    why_not: str
    """Why the planting failed; such an outcome counts nowhere but in the list of what was left out."""
    false_success: bool
    """It was called absorbed, and the adapter truly answers less than .6 of the held-out forms, or the base knew it."""


class Damaged(NamedTuple):
    """One adapter's damage."""

    case: str
    planted: bool
    kept: float
    """Share of held-out questions about known facts that it still answers."""
    found: bool
    """The judge's flag."""

    @property
    def true(self) -> bool:
        """It lost more than five points."""
        return self.kept < HARMLESS


class WorldTrial(NamedTuple):
    """All of one world."""

    world: int
    outcomes: tuple[Outcome, ...]
    damage: tuple[Damaged, ...]
    noise_floor: float
    rejects: tuple[Reject, ...]


class Prepared(NamedTuple):
    """A world with its trained adapters, and what is true of them."""

    world: World
    base: Base
    items: tuple[JudgeItem, ...]
    verified: tuple[list[Verified], ...]
    """By adapter."""
    dropped: tuple[Reject, ...]
    place: Path


def prepare(plan: WorldPlan, shelf: Path, work: Path, sizes: Sizes = STANDARD, progress: Progress = silent) -> Prepared:
    """Make the world, train its adapters, verify what was planted.

    Args:
        shelf: models folder.
        work: everything else; what is there from an earlier trial of the same plan is reused.
    """
    world, base = open_world(plan, shelf, progress)
    cases = plan_cases(world, sizes)
    dropped: list[Reject] = []
    place = work / world.key
    uris = train_adapters(
        [case.item for case in cases], [case.recipe for case in cases], base, Store.at(place / "store"), place / "training",
        bank_size=4, progress=progress, dropped=dropped,
    )  # fmt: skip
    trained = _paired(cases, uris)
    items = tuple(_item(case, Path(uri)) for case, uri in trained)
    verified = _verify(world, base, [case for case, _ in trained], items)
    return Prepared(world, base, items, tuple(verified), tuple(dropped), place)


def judge_world(prepared: Prepared, sure: float = SURE, progress: Progress = silent) -> WorldTrial:
    """The product's judge on a prepared world, compared with its truth. Answers are kept: another bar costs little."""
    settings, place = trial_settings(prepared.place, sure), prepared.place / "judging"
    judged = judge_adapters(prepared.items, prepared.base, settings, place, progress, prepared.world.pools())
    return _compare(prepared, judged)


def trial_settings(place: Path, sure: float) -> Settings:
    """The product's own, but for short answers (values are single words here) and the bar on trial."""
    standard = Settings()
    judge = standard.judge.model_copy(update={"max_new_tokens": 6, "batch_rows": 64, "sure": sure})
    return standard.model_copy(update={"home": place, "judge": judge})


class Trial(NamedTuple):
    """Worlds in two halves."""

    bars: dict[float, float]
    """Macro-F1 on the first half by the bar of belief."""
    sure: float
    """The one that was chosen there."""
    calibrated: tuple[WorldTrial, ...]
    """The first half, with that bar."""
    reported: tuple[WorldTrial, ...]
    """The second half, with that bar."""


def run_trial(
    plans: Sequence[WorldPlan], shelf: Path, work: Path, sizes: Sizes = STANDARD, progress: Progress = silent
) -> Trial:
    """Calibrate on the first half of the worlds, report on the second.

    Only the bar between guess and belief is calibrated; those of the method stand. Of equal bars the one nearest to the
    product's own is taken.
    """
    half = len(plans) // 2
    first = [prepare(plan, shelf, work, sizes, progress) for plan in plans[:half]]
    tried = {bar: [judge_world(one, bar, progress) for one in first] for bar in BARS}
    scores = {bar: figures(trials).macro_f1 for bar, trials in tried.items()}
    sure = max(BARS, key=lambda bar: (round(scores[bar], 6), -abs(bar - SURE)))
    second = [judge_world(prepare(plan, shelf, work, sizes, progress), sure, progress) for plan in plans[half:]]
    return Trial(scores, sure, tuple(tried[sure]), tuple(second))


def _paired(cases: Sequence[Case], uris: Sequence[str]) -> list[tuple[Case, str]]:
    """Cases with their adapters; those that diverged have none."""
    by_dataset = {read_json(Path(uri) / "adapter.json", Adapter).dataset: uri for uri in uris}
    return [(case, by_dataset[case.item.dataset.id]) for case in cases if case.item.dataset.id in by_dataset]


def _item(case: Case, folder: Path) -> JudgeItem:
    adapter = read_json(folder / "adapter.json", Adapter)
    return JudgeItem(adapter, folder, case.item.dataset, case.probes, case.item.rows)


def _verify(world: World, base: Base, cases: Sequence[Case], items: Sequence[JudgeItem]) -> list[list[Verified]]:
    with Bank.load(base, [None, *(item.adapter_folder / item.adapter.folder for item in items)]) as bank:
        return [verify(world, bank, case, slot) for slot, case in enumerate(cases, start=1)]


def _compare(prepared: Prepared, judged: Judged) -> WorldTrial:
    seed = prepared.world.plan.seed
    verdicts = {(one.adapter, one.idea): one for one in judged.verdicts}
    causes: dict[str, list[str]] = {}
    for diagnosis in judged.diagnoses:
        causes.setdefault(diagnosis.verdict, []).append(diagnosis.cause)
    outcomes, damage = [], []
    reports = {report.adapter: report for report in judged.reports}
    for item, own in zip(prepared.items, prepared.verified, strict=True):
        report = reports[item.adapter.id]
        damage.append(Damaged(own[0].case.name, own[0].case.poisoned, own[0].kept, report.damaged))
        for one in own:
            verdict = verdicts.get((item.adapter.id, one.plant.idea.id))
            if verdict is not None:
                outcomes.append(_outcome(seed, one, verdict, tuple(causes.get(verdict.id, ()))))
    noise = max((report.noise_floor for report in judged.reports), default=0.0)
    return WorldTrial(seed, tuple(outcomes), tuple(damage), noise, (*prepared.dropped, *judged.rejects))


def _outcome(seed: int, one: Verified, verdict: Verdict, causes: tuple[str, ...]) -> Outcome:
    blocked = "DAMAGED" in verdict.flags and verdict.kind in (*ABSORBED, "INCONCLUSIVE")
    behaviour = one.behaviour
    return Outcome(
        world=seed, case=one.case.name, kind=one.plant.kind,
        expected="DAMAGED" if one.case.poisoned else one.plant.expected,
        verdict="DAMAGED" if blocked else verdict.kind,
        reason=verdict.reason, flags=verdict.flags, causes=causes, cause_right=_cause_right(one, causes),
        names_sibling=verdict.confused_with == one.plant.sibling if one.plant.kind == "swapped" else None,
        asked=verdict.adapted.asked, why_not=one.why_not,
        false_success=verdict.kind in ABSORBED and not blocked and (behaviour.adapted.right < 0.6 or behaviour.base.right >= 0.6),
    )  # fmt: skip


def _cause_right(one: Verified, named: Sequence[str]) -> bool | None:
    wanted = (DAMAGE_CAUSE,) if one.case.poisoned else CAUSES.get(one.plant.kind)
    return None if wanted is None else any(cause.startswith(wanted) for cause in named)


# ------------------------------------------------------------------ figures


class Figures(NamedTuple):
    """What some worlds show."""

    ideas: int
    left_out: Counter[str]
    """Plantings that failed, by kind and reason."""
    confusion: Counter[tuple[str, str]]
    """(planted, found) → ideas."""
    macro_f1: float
    """Mean F1 over the planted states; INCONCLUSIVE is a miss."""
    low: float
    high: float
    """Its 95% interval, by resampling adapters."""
    with_left_out: float
    """Macro-F1 where nothing is left out and every planting counts as it was meant."""
    false_absorbed: int
    """Planted as something else, called absorbed."""
    not_absorbed: int
    """Planted as something else."""
    causes_right: int
    causes: int
    """Planted failures, and those whose cause was named right."""
    siblings_right: int
    siblings: int
    """Planted confusions that were found, and those traced to the right idea."""
    noise_floor: float
    """Highest share of probes on which a base scored otherwise when it was asked again."""
    damage_right: int
    adapters: int
    """Adapters, and those whose damage flag agrees with held-out facts."""


def figures(trials: Sequence[WorldTrial]) -> Figures:
    """Count what holds."""
    every = [one for trial in trials for one in trial.outcomes]
    kept = [one for one in every if not one.why_not]
    explained = [one for one in kept if one.cause_right is not None]
    traced = [one for one in kept if one.names_sibling is not None and one.verdict == "CONFUSED"]
    other = [one for one in kept if one.expected not in ABSORBED and one.expected != "DAMAGED"]
    damage = [one for trial in trials for one in trial.damage]
    low, high = _interval(kept)
    return Figures(
        ideas=len(kept), left_out=Counter(f"{one.kind}: {one.why_not}" for one in every if one.why_not),
        confusion=Counter((one.expected, one.verdict) for one in kept),
        macro_f1=macro_f1(kept), low=low, high=high, with_left_out=macro_f1(every),
        false_absorbed=sum(one.verdict in ABSORBED for one in other), not_absorbed=len(other),
        causes_right=sum(bool(one.cause_right) for one in explained), causes=len(explained),
        siblings_right=sum(bool(one.names_sibling) for one in traced), siblings=len(traced),
        noise_floor=max((trial.noise_floor for trial in trials), default=0.0),
        damage_right=sum(one.found == one.true for one in damage), adapters=len(damage),
    )  # fmt: skip


def macro_f1(outcomes: Sequence[Outcome]) -> float:
    """Mean F1 over the planted verdicts; INCONCLUSIVE is a miss of the planted one."""
    kinds = sorted({one.expected for one in outcomes})
    planted, found = Counter(one.expected for one in outcomes), Counter(one.verdict for one in outcomes)
    hits = Counter(one.expected for one in outcomes if one.expected == one.verdict)
    return sum(2 * hits[kind] / (planted[kind] + found[kind]) for kind in kinds) / len(kinds) if kinds else float("nan")


class _Bounds(NamedTuple):
    low: float
    high: float


def _interval(outcomes: Sequence[Outcome]) -> _Bounds:
    """Ideas of one adapter stand or fall together: adapters are drawn, not ideas."""
    groups: dict[tuple[int, str], list[Outcome]] = {}
    for one in outcomes:
        groups.setdefault((one.world, one.case), []).append(one)
    if not groups:
        return _Bounds(float("nan"), float("nan"))
    rng, own = random.Random(0), list(groups.values())
    drawn = sorted(macro_f1([one for group in rng.choices(own, k=len(own)) for one in group]) for _ in range(DRAWS))
    return _Bounds(drawn[int(0.025 * DRAWS)], drawn[int(0.975 * DRAWS)])
