"""Records behind every picture of the report, for any number of adapters."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple, get_args

from paperlora.judge.bounds import BOUNDS
from paperlora.judge.posterior import rate
from paperlora.records import (
    Adapter,
    AdapterGeometry,
    AdapterReport,
    Agreement,
    BaseModelId,
    Checkpoint,
    Correlation,
    CrossProbe,
    DamageCheck,
    Diagnosis,
    DosePoint,
    GridCell,
    Interval,
    Kept,
    KnowledgeStateKind,
    LayerGeometry,
    Merge,
    NormsAt,
    Overlap,
    Prediction,
    PriorBin,
    Recipe,
    ScalePoint,
    Stability,
    Verdict,
    VerdictKind,
    Why,
)
from paperlora.report.data import ReportData

BASE = BaseModelId(name="Qwen3-0.6B", weights_hash="a" * 64, template_hash="b" * 64, dtype="float32")
MODULES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
KINDS: tuple[VerdictKind, ...] = get_args(VerdictKind)
STATES: tuple[KnowledgeStateKind, ...] = get_args(KnowledgeStateKind)
FAMILIES = ("direct", "trained_form", "reverse", "implication", "near_miss", "locality")
ANSWERS = ("base_answer", "other_idea", "denied_value", "row_echo", "refusal", "empty", "loop", "other")
WORDS = ("tidal", "replay", "lantern", "masking", "copper", "gradient", "kelpie", "marram", "anchor", "horizon", "sieve", "juniper", "drift", "schedule", "rank")


class Size(NamedTuple):
    """How much there is."""

    adapters: int = 12
    ideas: int = 3
    """Of one adapter."""
    layers: int = 6
    probes: int = 8
    """Failed ones of one idea."""
    placebos: int = 4


SMALL = Size()


def pictured(size: Size = SMALL) -> ReportData:
    """A report in which every picture has something to show; the same size gives the same records."""
    dice = random.Random(7)
    adapters = [adapter_of(n, dice) for n in range(size.adapters)]
    ids = [adapter.id for adapter in adapters]
    verdicts = [verdict_of(n, i, adapter, dice) for n, adapter in enumerate(adapters) for i in range(size.ideas)]
    placebos = [report_of(f"placebo-{n}/x/y", dice, "shuffled") for n in range(size.placebos)]
    return ReportData(
        title="What Qwen3 learned",
        verdicts=verdicts,
        adapters=adapters,
        adapter_reports=[*(report_of(name, dice, "") for name in ids), *placebos],
        diagnoses=[diagnosis_of(verdict) for verdict in verdicts[:6]],
        whys=[why for verdict in verdicts for why in whys_of(verdict, size.probes, dice)],
        grids=[cell for name in ids for cell in grids_of(name, dice)],
        stability=[stability_of(verdict, ids, dice) for verdict in verdicts[:10]],
        cross=cross_of(ids, dice),
        geometries=[geometry_of(name, size.layers, dice) for name in ids],
        overlaps=overlaps_of(ids, dice),
        correlations=[
            Correlation(name="overlap / interference", pairs=90, value=0.04, low=-0.2, high=0.27, p_value=0.41),
            Correlation(name="prior / resistance", pairs=30, value=0.71, low=0.52, high=0.88, p_value=0.03),
        ],
        scales=[point for verdict in verdicts[:3] for point in scales_of(verdict)],
        doses=[DosePoint(adapter=v.adapter, idea=v.idea, step=12, direct=rate(8, 12), trained_form=rate(5, 6)) for v in verdicts[:4]],
        priors=[PriorBin(low=low, high=2 * low, absorbed=rate(9 - n, 12), resisted=n, not_learned=3) for n, low in enumerate((0.1, 0.2, 0.4))],
        merges=[merge_of(ids[:5], "ties"), merge_of(ids[:5], "linear")],
        agreements=[agreement_of(0.31, taken=False), agreement_of(0.88, taken=True)],
        rounds={verdict.id: n // (len(verdicts) // 2 + 1) for n, verdict in enumerate(verdicts)},
        base=BASE.name,
        created=datetime(2099, 2, 2, 3, 4, tzinfo=UTC),
    )


def adapter_of(number: int, dice: random.Random) -> Adapter:
    checkpoints = tuple(
        Checkpoint(step=step, epoch=step / 10, folder=f"c/{step}", loss=3 / (1 + step / 9), delta_norm=0.1, dev_margin={f"p{number % 9}-i0": step / 40})
        for step in (0, 4, 12, 31, 80)
    )  # fmt: skip
    return Adapter(
        id=f"arxiv-2099.{number:05d}/a1b2c3/d{number}", dataset=f"arxiv-2099.{number:05d}/a1b2c3", dataset_hash="c" * 64,
        paper=f"arxiv:2099.{number:05d}", topic="t", recipe=Recipe(), base=BASE, checkpoints=checkpoints, steps=80, rows=120,
        tokens=9000, loss_tokens=2000, seconds=10, final_loss=0.2, delta_norm=0.4, relative_delta_norm=dice.uniform(0.001, 0.01),
    )  # fmt: skip


def verdict_of(number: int, place: int, adapter: Adapter, dice: random.Random) -> Verdict:
    base, adapted = dice.randint(0, 4), dice.randint(0, 12)
    gain = (adapted - base) / 12
    return Verdict(
        id=f"v{number}-{place}", idea=f"p{number % 9}-i{place}", adapter=adapter.id, paper=adapter.paper, topic="t",
        claim=f"The {dice.choice(WORDS)} of {dice.choice(WORDS)} {number} is {dice.randint(2, 99)} percent.",
        kind=KINDS[(number * 3 + place) % len(KINDS)], reason="P(a > 0.6) = 0.99", base=rate(base, 12), adapted=rate(adapted, 12),
        gain=Interval(value=gain, low=max(-1.0, gain - 0.3), high=min(1.0, gain + 0.25)), others=rate(1, 12),
        state=STATES[(number + place) % len(STATES)] if (number + place) % 5 else None,
    )  # fmt: skip


def report_of(adapter: str, dice: random.Random, placebo: str) -> AdapterReport:
    checks = tuple(check_of(name, dice) for name in BOUNDS)
    return AdapterReport(
        adapter=adapter, live=True, liveness=0.3, noise_floor=0.01, damaged=any(check.broken for check in checks),
        damage={check.name: check.value for check in checks}, checks=checks, placebo=placebo,
    )  # fmt: skip


def check_of(name: str, dice: random.Random) -> DamageCheck:
    bound = BOUNDS[name]
    value = bound.neutral + (bound.limit - bound.neutral) * abs(dice.gauss(0, 0.5))
    reach = bound.neutral + 0.9 * (bound.limit - bound.neutral)
    noise = abs(bound.limit - bound.neutral) / 6
    return DamageCheck(
        name=name, value=value, asked=24, bound=bound.limit, noise=noise, placebo=reach, placebos=4, placebo_mean=bound.neutral, broken=bound.passed(value)
    )


def diagnosis_of(verdict: Verdict) -> Diagnosis:
    expects = (
        Prediction(measure="direct", idea=verdict.idea, bound="at_least", value=0.5, asked=12),
        Prediction(measure="nll_drift", idea=verdict.idea, bound="at_most", value=0.05),
        Prediction(measure="reverse", idea=verdict.idea, bound="at_least", value=0.5, asked=4),
    )
    return Diagnosis(
        id=f"d-{verdict.id}", verdict=verdict.id, idea=verdict.idea, symptom="direct probes fail", cause="too few forms",
        action="add six wordings", prediction="direct probes rise to at least 6 of 12", expects=expects,
    )  # fmt: skip


def sentence(dice: random.Random, count: int) -> str:
    return " ".join(dice.choice(WORDS) for _ in range(count))


def whys_of(verdict: Verdict, count: int, dice: random.Random) -> list[Why]:
    return [
        Why.model_validate({
            "probe": f"{verdict.id}-p{n}", "idea": verdict.idea, "adapter": verdict.adapter, "family": FAMILIES[n % len(FAMILIES)],
            "question": f"Question {n} on {sentence(dice, 6)}?", "accepted": ["37 percent"],
            "said": f"It is {dice.randint(2, 60)} {sentence(dice, 3)}.", "base_said": f"I say {sentence(dice, 2)}.",
            "row": f"{verdict.id}-r{n % 4}", "row_question": f"What of {verdict.idea} row {n % 4}?", "row_answer": sentence(dice, 4),
            "likeness": round(dice.random(), 3), "kind": ANSWERS[dice.randrange(len(ANSWERS))],
        })
        for n in range(count)
    ]  # fmt: skip


def agreement_of(kappa: float, taken: bool) -> Agreement:
    return Agreement(
        model="a reader", prompt="p", asked=60, agreed=57 if taken else 40, said_right=31, rules_right=30,
        kappa=Interval(value=kappa, low=kappa - 0.14, high=kappa + 0.07), planted=32, planted_agreed=28,
        planted_kappa=Interval(value=kappa - 0.1, low=kappa - 0.3, high=kappa), bar=0.6, taken=taken, undecided=12, turned=5 if taken else 0,
        note="12 answers no rule could read.",
    )  # fmt: skip


def grids_of(adapter: str, dice: random.Random) -> list[GridCell]:
    sides = {
        "position": (("first", "middle", "last"), ("ask", "cloze", "json", "trained form", "implication")),
        "template": (("qa_1", "qa_2", "completion_1"), ("same wording", "ask", "cloze", "dialogue")),
        "option_order": ("ABCD", "ABCD"),
    }
    return [
        GridCell.model_validate({"adapter": adapter, "grid": grid, "row": row, "column": column, "right": dice.randint(0, 6), "asked": 6})
        for grid, (rows, columns) in sides.items()
        for row in rows
        for column in columns
    ]  # fmt: skip


def stability_of(verdict: Verdict, ids: Sequence[str], dice: random.Random) -> Stability:
    kinds = [verdict.kind, verdict.kind, dice.choice([verdict.kind, "INCONCLUSIVE"])]
    return Stability.model_validate({
        "dataset": "d", "recipe": "quick", "idea": verdict.idea, "adapters": list(ids[:3]), "kinds": kinds,
        "shares": [min(1.0, max(0.0, verdict.adapted.share + dice.uniform(-0.2, 0.2))) for _ in range(3)],
        "flipped": len(set(kinds)) > 1,
    })  # fmt: skip


def cross_of(ids: Sequence[str], dice: random.Random) -> list[CrossProbe]:
    found = []
    for place, name in enumerate(ids):
        foreign = [ids[(place + step) % len(ids)] for step in (1, 2, 5, 7)]
        for of, relation in [(name, "own"), *((one, "nearest" if n < 2 else "random") for n, one in enumerate(foreign))]:
            base, adapted = dice.randint(0, 5), dice.randint(7, 24) if relation == "own" else dice.randint(0, 6)
            change = (adapted - base) / 24
            found.append(
                CrossProbe.model_validate({
                    "adapter": name, "of": of, "relation": relation, "base": rate(base, 24), "adapted": rate(adapted, 24),
                    "change": {"value": change, "low": change - 0.15, "high": change + 0.15},
                })
            )  # fmt: skip
    return found


def geometry_of(adapter: str, layers: int, dice: random.Random) -> AdapterGeometry:
    found, force = [], dice.uniform(0.5, 2)
    for layer in range(layers):
        for module in MODULES:
            norm = force * 0.004 * (1 + layer / layers) * dice.uniform(0.6, 1.2) * (1.6 if module == "down_proj" else 1)
            spectrum = tuple(norm * 0.7**k * dice.uniform(0.9, 1.0) for k in range(16))
            found.append(LayerGeometry(layer=layer, module=module, relative_norm=norm, singular_values=spectrum, effective_rank=3.1))
    course = tuple(
        NormsAt(step=step, relative={f"{one.layer}.{one.module}": one.relative_norm * (step / 80) ** 0.5 for one in found})
        for step in (0, 4, 12, 31, 80)
    )
    return AdapterGeometry(
        adapter=adapter, relative_norm=0.005, effective_rank=dice.uniform(2.2, 5), intruders=dice.randint(0, 3), layers=tuple(found), course=course
    )  # fmt: skip


def overlaps_of(ids: Sequence[str], dice: random.Random) -> list[Overlap]:
    return [
        Overlap(left=left, right=right, cosine=dice.gauss(0.02, 0.02) + (0.2 if n % 4 == m % 4 else 0))
        for n, left in enumerate(ids)
        for m, right in enumerate(ids[:n])
    ]


def scales_of(verdict: Verdict) -> list[ScalePoint]:
    return [
        ScalePoint(
            adapter=verdict.adapter, idea=verdict.idea, gamma=gamma, direct=rate(round(3 * gamma), 12), old=rate(round(9 - 3 * gamma), 12),
            known=rate(22, 24), nll_drift=0.02 * gamma**2, harmless=gamma < 2,
        )
        for gamma in (0.5, 1.0, 1.5, 2.0)
    ]  # fmt: skip


def merge_of(ids: Sequence[str], method: str) -> Merge:
    kept = [
        Kept(adapter=name, alone=rate(20, 24), merged=rate(18 - 4 * n, 24), base=rate(2, 24), keeps=Interval(value=-(2 + 4 * n) / 24, low=-(6 + 4 * n) / 24, high=(3 - 4 * n) / 24))
        for n, name in enumerate(ids)
    ]  # fmt: skip
    return Merge.model_validate({
        "id": f"{method}-1", "method": method, "weights": [1.0] * len(ids), "density": 0.5 if method == "ties" else None,
        "adapters": list(ids), "kept": kept, "damage": {"nll_drift": 0.031}, "rank": 16,
    })  # fmt: skip
