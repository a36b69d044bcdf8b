"""What came of it: seeds beside each other, adapters in a merge, strengths of a change, predictions beside what came."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from paperlora.judge.predictions import realised, score_prediction
from paperlora.judge.stability import UNSTABLE_ABOVE
from paperlora.records import AdapterReport, Kept, Merge, Prediction, ScalePoint, Stability, Verdict
from paperlora.report import svg
from paperlora.report.kinds import KINDS
from paperlora.report.lines import SHARE, Line, chart, drawn, span, tick
from paperlora.report.picture import Picture, counted, table, words
from paperlora.report.text import fraction, interval, number, signed, small
from paperlora.report.views import Index

# ------------------------------------------------------------------ seeds


def seeds(index: Index) -> Picture | None:
    """Ideas in adapters that differ by their seed alone; those that flipped first."""
    found = sorted(index.data.stability, key=lambda one: (not one.flipped, one.dataset, one.idea))
    if not found:
        return None
    flipped = sum(one.flipped for one in found)
    shaky = _shaky(found)
    lines = [_seed_line(one, index) for one in found]
    return Picture(
        "seeds",
        "Does the seed decide?",
        chart(lines, f"{flipped} of {len(found)} verdicts flip with the seed"),
        words(
            "Each line is one idea, each dot the share of right direct answers in an adapter trained with another seed; orange lines got different verdicts.",
            f"{flipped} of {len(found)} flipped ({number(100 * flipped / len(found), 0)}%).",
            f"More than {UNSTABLE_ABOVE:.0%} of those trained with {', '.join(shaky)}: single verdicts of such a recipe are UNSTABLE." if shaky else "",
            "Two dots apart are not yet two verdicts: a verdict flips only where its rule does.",
            drawn(len(found), "ideas"),
        ),
        table(("Idea", "Recipe", "Shares", "Verdicts"), [_seed_row(one, index) for one in found], "flipped first"),
        high=True,
    )  # fmt: skip


def _shaky(found: Sequence[Stability]) -> list[str]:
    """Recipes of which too many verdicts flip, each for itself as the judge counts them."""
    flips: dict[str, list[bool]] = defaultdict(list)
    for one in found:
        flips[one.recipe].append(one.flipped)
    return [recipe for recipe, own in flips.items() if sum(own) > UNSTABLE_ABOVE * len(own)]


def _seed_line(one: Stability, index: Index) -> Line:
    css = "curve minus-line" if one.flipped else "axis"
    dots = [svg.dot(SHARE(share), 0, 4.5, f"point g-{KINDS[kind].group}") for share, kind in zip(one.shares, one.kinds, strict=True)]
    kinds = ", ".join(KINDS[kind].label for kind in one.kinds)
    reach = (span(min(one.shares), max(one.shares), css),) if one.shares else ()
    return Line(("≠ " if one.flipped else "") + index.idea_code(one.idea), (*reach, *dots), f"{index.claim(one.idea)}: {kinds}")


def _seed_row(one: Stability, index: Index) -> tuple[str, ...]:
    shares, kinds = ", ".join(map(number, one.shares)), ", ".join(KINDS[kind].label for kind in one.kinds)
    return index.claim(one.idea), one.recipe, shares, ("flipped: " if one.flipped else "") + kinds


# ------------------------------------------------------------------ merges


def merges(index: Index) -> tuple[Picture, ...]:
    """What each merge keeps of each of its adapters."""
    return tuple(_merge(one, index) for one in index.data.merges)


def _merge(one: Merge, index: Index) -> Picture:
    kept = sorted(one.kept, key=lambda kept: kept.keeps.value)
    lost = sum(kept.keeps.high < 0 for kept in kept)
    how = f"density {small(one.density)}, " if one.density is not None else ""
    same = len(set(one.weights)) == 1
    weights = f"weight {small(one.weights[0])} each" if same else "weights " + ", ".join(map(small, one.weights[:12]))
    damage = ", ".join(f"{name.replace('_', ' ')} {signed(value, 3)}" for name, value in one.damage.items())
    return Picture(
        f"merge-{one.id}",
        f"Merge of {len(one.adapters)} by {one.method}",
        chart([_kept_line(k, index) for k in kept], f"what a merge of {len(one.adapters)} adapters keeps"),
        words(
            f"{counted(len(one.adapters), 'adapter')}, {how}{weights}{f', rank {one.rank}' if one.rank else ''}. Each line: right direct answers of the base (tick), of the adapter served alone (hollow)",
            f"and of the merge (filled). {lost} of {len(kept)} lost for sure (95% interval of the difference below 0); where it spans 0 nothing is shown either way.",
            "The merge is damaged." if one.damaged else "",
            f"{counted(len(one.diagnoses), 'idea')} right alone got lost in the merge." if one.diagnoses else "",
            drawn(len(kept), "adapters"),
            f"Damage measures: {damage}." if damage else "",
        ),
        table(
            ("Adapter", "Base", "Alone", "Merged", "Merged − alone"),
            [(index.code(k.adapter), fraction(k.base), fraction(k.alone), fraction(k.merged), interval(k.keeps)) for k in kept],
            "largest loss first",
        ),
        high=True,
    )  # fmt: skip


def _kept_line(kept: Kept, index: Index) -> Line:
    group = "wrong" if kept.keeps.high < 0 else "known"
    marks: list[Markup] = []
    if kept.alone.asked and kept.merged.asked:
        marks.append(span(kept.alone.share, kept.merged.share, f"thin g-{group}"))
    marks += [tick(kept.base.share)] if kept.base.asked else []
    marks += [svg.dot(SHARE(kept.alone.share), 0, 4.5, "point before")] if kept.alone.asked else []
    marks += [svg.dot(SHARE(kept.merged.share), 0, 4.5, f"point g-{group}")] if kept.merged.asked else []
    code = index.code(kept.adapter)
    return Line(code, tuple(marks), f"{code}: alone {fraction(kept.alone)}, merged {fraction(kept.merged)}, base {fraction(kept.base)}")


# ------------------------------------------------------------------ strengths


def scales(index: Index) -> Picture | None:
    """Ideas whose old answer survives, in their adapter at other strengths."""
    found: dict[tuple[str, str], list[ScalePoint]] = defaultdict(list)
    for point in index.data.scales:
        found[point.adapter, point.idea].append(point)
    if not found:
        return None
    ordered = sorted(found.values(), key=lambda points: -max(p.direct.share if p.direct.asked else 0 for p in points if p.harmless) if any(p.harmless for p in points) else 1)
    lines = [line for points in ordered for line in _scale_lines(sorted(points, key=lambda p: p.gamma), index)]
    return Picture(
        "scales",
        "Would a stronger dose have done it?",
        chart(lines, f"{len(found)} resisting ideas at several strengths of their adapter"),
        words(
            f"{counted(len(found), 'idea')} whose old answer survived, asked with ΔW multiplied by γ: right answers (filled) and the old answer (hollow). Squares: the guard broke",
            "(known facts lost or drift), so that this strength is no way out. One strength that works says that the amplitude was too small, not which training reaches it.",
            drawn(len(lines), "lines"),
        ),
        table(
            ("Idea", "Adapter", "γ", "Right", "Old answer", "Known kept", "Drift", "Harmless"),
            [
                (index.claim(p.idea), index.code(p.adapter), small(p.gamma), fraction(p.direct), fraction(p.old), fraction(p.known), signed(p.nll_drift, 3), "yes" if p.harmless else "no")
                for points in ordered
                for p in sorted(points, key=lambda p: p.gamma)
            ],
        ),
        high=True,
    )  # fmt: skip


def _scale_lines(points: Sequence[ScalePoint], index: Index) -> Iterator[Line]:
    for point in points:
        marks: list[Markup] = []
        if point.direct.asked and point.old.asked:
            right, old = SHARE(point.direct.share), SHARE(point.old.share)
            mark = svg.dot(right, 0, 4.5, "point g-known") if point.harmless else svg.box(right - 4.5, -4.5, 9, 9, "point g-wrong")
            marks = [svg.line(right, 0, old, 0, "grid"), svg.dot(old, 0, 4.5, "point before"), mark]
        said = f"γ {small(point.gamma)}: right {fraction(point.direct)}, old answer {fraction(point.old)}"
        yield Line(f"{index.idea_code(point.idea)} · γ {small(point.gamma)}", tuple(marks), said)


# ------------------------------------------------------------------ predictions


class Scored(NamedTuple):
    """A prediction beside what came."""

    prediction: Prediction
    action: str
    code: str
    """Of the later verdict."""
    came: float | None
    kept: bool | None
    """None where its measure was not taken."""


def predictions(index: Index) -> Picture | None:
    """Every prediction with a bound whose idea was judged again later; None where no diagnosis holds any."""
    written = [(d, p) for d in index.data.diagnoses for p in d.expects]
    if not written:
        return None
    scored = [*_score(index)]
    measured = [one for one in scored if one.kept is not None]
    kept = sum(bool(one.kept) for one in measured)
    shares = [one for one in measured if one.came is not None and 0 <= one.came <= 1 and 0 <= one.prediction.value <= 1]
    drawing = chart([_scored_line(one) for one in shares], f"{kept} of {len(measured)} predictions kept") if shares else Markup("")
    return Picture(
        "actions",
        "Predicted and realised",
        drawing,
        words(
            f"{counted(len(written), 'bound')} predicted with a next action. {len(measured)} could be checked at a later verdict of the same idea: {kept} kept.",
            f"{len(scored) - len(measured)} had a later verdict that doesn't hold the measure; {len(written) - len({(id(one.prediction)) for one in scored})} still wait for one.",
            "The bar reaches from the bound into what was predicted, the dot is what came." if shares else "",
            "A bound that was kept fits the cause and doesn't prove it: something else may have been changed as well.",
            drawn(len(shares), "predictions"),
        ),
        table(
            ("Verdict", "Action", "Predicted", "Came", "Kept"),
            [
                (one.code, one.action, _bound(one.prediction), "not measured" if one.came is None else small(one.came), {True: "yes", False: "no", None: "–"}[one.kept])
                for one in scored
            ],
        )
        if scored
        else None,
        high=True,
    )  # fmt: skip


def _score(index: Index) -> Iterator[Scored]:
    verdicts = {verdict.id: verdict for verdict in index.data.verdicts}
    later: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in index.data.verdicts:
        later[verdict.idea].append(verdict)
    for diagnosis in index.data.diagnoses:
        before = verdicts.get(diagnosis.verdict)
        for prediction in diagnosis.expects:
            after = _next(before, later[prediction.idea], index.data.rounds) if before else None
            report = index.reports.get(after.adapter) if after else None
            if after and report:
                yield _scored(prediction, diagnosis.action, after, report, index)


def _next(before: Verdict, candidates: Sequence[Verdict], rounds: Mapping[str, int]) -> Verdict | None:
    """The first verdict of a later judgement in another adapter; adapters that were judged together follow on nothing."""
    start = rounds.get(before.id, 0)
    after = [one for one in candidates if one.adapter != before.adapter and rounds.get(one.id, 0) > start]
    return min(after, key=lambda one: rounds.get(one.id, 0), default=None)


def _scored(prediction: Prediction, action: str, after: Verdict, report: AdapterReport, index: Index) -> Scored:
    came = realised(prediction.measure, after, report)
    kept = score_prediction(prediction, after, report)
    return Scored(prediction, action, index.idea_code(after.idea, after.adapter), came, kept)


def _bound(prediction: Prediction) -> str:
    sign = "≥" if prediction.bound == "at_least" else "≤"
    return f"{prediction.measure.replace('_', ' ')} {sign} {small(prediction.value)}"


def _scored_line(one: Scored) -> Line:
    assert one.came is not None
    end = 1.0 if one.prediction.bound == "at_least" else 0.0
    group = "known" if one.kept else "wrong"
    bar = svg.box(min(SHARE(one.prediction.value), SHARE(end)), -6, abs(SHARE(end) - SHARE(one.prediction.value)), 12, "noise")
    mark = svg.dot(SHARE(one.came), 0, 4.5, f"point g-{group}")
    sign = "✓" if one.kept else "✗"
    name = f"{one.code} {one.prediction.measure.replace('_', ' ')} {sign}"
    return Line(name, (bar, mark), f"{_bound(one.prediction)}, came {small(one.came)}: {one.action}")

