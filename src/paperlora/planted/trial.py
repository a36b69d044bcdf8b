"""The judge on trial: planted ideas through the product's own quiz, training and judging, verdicts beside the truth.

Each world's adapters are trained by :func:`~paperlora.lora.train.train_adapters` in a bank and judged by
:func:`~paperlora.judge.run.judge_adapters`, as papers' adapters are. The worlds are parted into two halves: on each a bar
is calibrated, with which the other one is reported.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from paperlora.judge.judged import Judged, JudgeItem
from paperlora.judge.run import judge_adapters
from paperlora.judge.stability import FLAG
from paperlora.judge.tally import SURE
from paperlora.lora.train import train_adapters
from paperlora.microdata.quiz import quiz, quizzed_by_probes
from paperlora.model.bank import Bank
from paperlora.model.base import Base
from paperlora.planted.beliefs import Graded
from paperlora.planted.cases import Case, plan_cases
from paperlora.planted.figures import ABSORBED, SPREADS, Damaged, Outcome, Seeded, WorldTrial, figures
from paperlora.planted.makes import STANDARD, Kind, Sizes
from paperlora.planted.making import open_world
from paperlora.planted.truth import STANDS, Shares, Verified, lean, say, verify
from paperlora.planted.world import World, WorldPlan
from paperlora.progress import Progress, silent
from paperlora.records import Adapter, AdapterReport, Reject, Verdict
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
    "contrary": ("conflict in the data",),
    "overtrained": ("overtrained",),
    "spreading": ("the adapter spreads beyond its facts",),
}  # fmt: skip
"""How the right cause begins, for each planting that failed to teach."""
ONE_WAY_CAUSE = "known in one direction only"
"""Right of every idea that is truly known in one direction only, whatever else is right."""
OVERTRAINED_CAUSE = "overtrained"
"""Right of every wording that was truly known more widely at an earlier checkpoint."""
DAMAGE_CAUSE = "the dose displaces what the base knew"
ALONG: tuple[Kind, ...] = ("overtrained", "one_wording", "graded")
"""Plantings whose truth is looked at along the whole training."""
OF_THE_BASE: tuple[Kind, ...] = ("known", "broken")
"""Plantings in whose verdict no adapter has a part: no seed can turn it."""
BARS = (0.2, 0.5, 0.7)
"""Likelihoods that are tried as the bar between guess and belief."""


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
    """Make the world, quiz its base, train its adapters, verify what was planted.

    Args:
        shelf: models folder.
        work: everything else; what is there from an earlier trial of the same plan is reused.
    """
    world, base = open_world(plan, shelf, progress)
    with Bank.load(base, [None]) as bank:
        leanings = lean(world, bank)
    cases = [_quizzed(case, base) for case in plan_cases(world, sizes, leanings)]
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


def _quizzed(case: Case, base: Base) -> Case:
    """What the base holds beforehand stands in the dataset, as it does in a paper's."""
    found = quiz([quizzed_by_probes(plant.idea, case.probes) for plant in case.plants], base)
    dataset = case.item.dataset.model_copy(update={"states": tuple(found.values())})
    return case._replace(item=case.item._replace(dataset=dataset))


def judge_world(prepared: Prepared, sure: float = SURE, progress: Progress = silent) -> WorldTrial:
    """The product's judge on a prepared world, compared with its truth. Answers are kept: another bar asks nothing again."""
    settings, place = trial_settings(prepared.place, sure), prepared.place / "judging"
    judged = judge_adapters(prepared.items, prepared.base, settings, place, progress, prepared.world.pools())
    return _compare(prepared, judged)


def trial_settings(place: Path, sure: float) -> Settings:
    """The product's own, but for short answers (values are single words here) and the bar on trial."""
    standard = Settings()
    judge = standard.judge.model_copy(update={"max_new_tokens": 6, "batch_rows": 64, "sure": sure})
    return standard.model_copy(update={"home": place, "judge": judge})


class Fold(NamedTuple):
    """One half of the worlds, judged with what the other half taught."""

    bars: dict[float, float]
    """Macro-F1 on the other half by the bar of belief."""
    sure: float
    """The one that was chosen there."""
    reported: tuple[WorldTrial, ...]


class Trial(NamedTuple):
    """Worlds in two halves, each calibrating for the other."""

    folds: tuple[Fold, ...]

    @property
    def reported(self) -> tuple[WorldTrial, ...]:
        """Every world, judged with a bar that it had no part in."""
        return tuple(one for fold in self.folds for one in fold.reported)


def run_trial(
    plans: Sequence[WorldPlan], shelf: Path, work: Path, sizes: Sizes = STANDARD, progress: Progress = silent
) -> Trial:
    """Calibrate on each half of the worlds, report on the other.

    Only the bar between guess and belief is calibrated; those of the method stand. Of equal bars the one nearest to the
    product's own is taken.
    """
    judged: list[dict[float, WorldTrial]] = []
    for number, plan in enumerate(plans, start=1):
        within = _within(progress, f"world {number} of {len(plans)}")
        prepared = prepare(plan, shelf, work, sizes, within)
        judged.append({bar: judge_world(prepared, bar, within) for bar in BARS})
    halves = judged[: len(plans) // 2], judged[len(plans) // 2 :]
    return Trial((fold(halves[1], halves[0]), fold(halves[0], halves[1])))


def _within(progress: Progress, place: str) -> Progress:
    return lambda label, done, total: progress(f"{place}: {label}", done, total)


def fold(calibrating: Sequence[dict[float, WorldTrial]], reporting: Sequence[dict[float, WorldTrial]]) -> Fold:
    """Choose a bar on the ones, report the others with it.

    Args:
        calibrating: worlds, each judged with every bar.
        reporting: the same of others.
    """
    scores = {bar: figures([one[bar] for one in calibrating]).macro_f1 for bar in BARS}
    sure = max(BARS, key=lambda bar: (round(scores[bar], 6), -abs(bar - SURE)))
    return Fold(scores, sure, tuple(one[sure] for one in reporting))


def _paired(cases: Sequence[Case], uris: Sequence[str]) -> list[tuple[Case, str]]:
    """Cases with their adapters; those that diverged have none."""
    found = {(adapter.dataset, adapter.recipe.seed): uri for uri in uris for adapter in (_adapter(Path(uri)),)}
    keys = [(case.item.dataset.id, case.recipe.seed) for case in cases]
    return [(case, found[key]) for case, key in zip(cases, keys, strict=True) if key in found]


def _adapter(folder: Path) -> Adapter:
    return read_json(folder / "adapter.json", Adapter)


def _item(case: Case, folder: Path) -> JudgeItem:
    placebo = "known" if case.placebo else ""
    return JudgeItem(_adapter(folder), folder, case.item.dataset, case.probes, case.item.rows, placebo)


def _verify(world: World, base: Base, cases: Sequence[Case], items: Sequence[JudgeItem]) -> list[list[Verified]]:
    earlier = [_along(world, base, case, item) for case, item in zip(cases, items, strict=True)]
    with Bank.load(base, [None, *(item.adapter_folder / item.adapter.folder for item in items)]) as bank:
        both = enumerate(zip(cases, earlier, strict=True), start=1)
        return [verify(world, bank, case, slot, along) for slot, (case, along) in both]


def _along(world: World, base: Base, case: Case, item: JudgeItem) -> list[list[Shares]]:
    """What each checkpoint between the first step and the last says."""
    if not any(plant.kind in ALONG for plant in case.plants):
        return []
    points = [one for one in item.adapter.checkpoints if 0 < one.step < item.adapter.steps]
    with Bank.load(base, [None, *(item.adapter_folder / one.folder for one in points)]) as bank:
        return [say(world, bank, case, slot) for slot in range(1, len(points) + 1)]


# ------------------------------------------------------------------ verdicts beside the truth


def _compare(prepared: Prepared, judged: Judged) -> WorldTrial:
    seed = prepared.world.plan.seed
    verdicts = {(one.adapter, one.idea): one for one in judged.verdicts}
    causes: dict[str, list[str]] = {}
    for diagnosis in judged.diagnoses:
        causes.setdefault(diagnosis.verdict, []).append(diagnosis.cause)
    outcomes, graded, damage = [], [], []
    reports = {report.adapter: report for report in judged.reports}
    for item, own in zip(prepared.items, prepared.verified, strict=True):
        damage.append(_damaged(own[0], reports[item.adapter.id]))
        for one in own:
            verdict = verdicts.get((item.adapter.id, one.plant.idea.id))
            if verdict is not None and one.plant.kind == "graded":
                graded.append(_graded(prepared.world, one, verdict))
            elif verdict is not None and not one.case.repeat:
                outcomes.append(_outcome(seed, one, verdict, tuple(causes.get(verdict.id, ()))))
    noise = max((report.noise_floor for report in judged.reports), default=0.0)
    rejects = (*prepared.dropped, *judged.rejects)
    seeds = tuple(_seeded(prepared, verdicts))
    return WorldTrial(seed, tuple(outcomes), tuple(damage), noise, rejects, tuple(graded), seeds)


def _damaged(one: Verified, report: AdapterReport) -> Damaged:
    held = sum(check.placebos > 0 for check in report.checks)
    return Damaged(one.case.name, one.case.poisoned, one.kept, report.damaged, one.case.placebo, held)


def _graded(world: World, one: Verified, verdict: Verdict) -> Graded:
    believed = one.plant.fact._replace(value=one.plant.wrong)
    along = tuple(seen.says(one.plant.wrong) > STANDS for seen in (*one.earlier, one.behaviour.adapted))
    return Graded(
        world.plan.seed, world.purity(believed), verdict.prior or 0.0, one.resists, one.behaviour.adapted.right >= 0.6,
        verdict.kind, one.case.recipe.seed, one.plant.idea.id, one.behaviour.base.says(one.plant.wrong), along,
    )  # fmt: skip


def _seeded(prepared: Prepared, verdicts: Mapping[tuple[str, str], Verdict]) -> Iterator[Seeded]:
    """Ideas of which a verdict was given with every seed."""
    found: dict[tuple[str, int], list[tuple[Verified, Verdict]]] = defaultdict(list)
    for item, own in zip(prepared.items, prepared.verified, strict=True):
        for number, one in enumerate(own):
            verdict = verdicts.get((item.adapter.id, one.plant.idea.id))
            if verdict is not None and one.plant.kind not in OF_THE_BASE:
                found[one.case.name, number].append((one, verdict))
    for (name, _), pairs in found.items():
        if len(pairs) > 1:
            kinds, bands = tuple(verdict.kind for _, verdict in pairs), tuple(one.band for one, _ in pairs)
            flagged = any(FLAG in verdict.flags for _, verdict in pairs)
            yield Seeded(prepared.world.plan.seed, name, pairs[0][0].plant.kind, kinds, bands, flagged)


def _outcome(seed: int, one: Verified, verdict: Verdict, causes: tuple[str, ...]) -> Outcome:
    blocked = "DAMAGED" in verdict.flags and verdict.kind in (*ABSORBED, "INCONCLUSIVE")
    behaviour = one.behaviour
    return Outcome(
        world=seed, case=one.case.name, kind=one.plant.kind,
        expected=_expected(one), verdict="DAMAGED" if blocked else _found(verdict, causes),
        reason=verdict.reason, flags=verdict.flags, causes=causes, cause_right=_cause_right(one, causes),
        names_sibling=verdict.confused_with == one.plant.sibling if one.plant.kind == "swapped" else None,
        asked=verdict.adapted.asked, why_not=one.why_not,
        false_success=verdict.kind in ABSORBED and not blocked and (behaviour.adapted.right < 0.6 or behaviour.base.right >= 0.6),
        flag_truths=tuple(_flag_truths(one, verdict)), state=verdict.state, state_truth=one.held,
        right=behaviour.adapted.right,
    )  # fmt: skip


def _expected(one: Verified) -> str:
    if one.damaged:
        return "DAMAGED"
    return SPREADS if one.plant.kind == "spreading" else str(one.plant.expected)


def _found(verdict: Verdict, causes: Sequence[str]) -> str:
    """An open verdict that is explained by changed neighbours says what it is about."""
    spreads = verdict.kind == "INCONCLUSIVE" and any(cause.startswith(CAUSES["spreading"]) for cause in causes)
    return SPREADS if spreads else verdict.kind


def _cause_right(one: Verified, named: Sequence[str]) -> bool | None:
    wanted = (DAMAGE_CAUSE,) if one.case.poisoned else CAUSES.get(one.plant.kind, ())
    if one.one_way:
        wanted = (*wanted, ONE_WAY_CAUSE)
    if one.plant.kind == "one_wording" and one.overtrained:
        wanted = (*wanted, OVERTRAINED_CAUSE)
    return any(cause.startswith(wanted) for cause in named) if wanted else None


def _flag_truths(one: Verified, verdict: Verdict) -> list[tuple[str, bool]]:
    """ONE_WAY is said of what is absorbed alone, LOCKED of what can be judged."""
    found = []
    if one.one_way is not None and verdict.kind in ABSORBED:
        found.append(("ONE_WAY", one.one_way))
    if one.locked is not None and verdict.kind != "UNJUDGEABLE":
        found.append(("LOCKED", one.locked))
    return found
