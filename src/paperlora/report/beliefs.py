"""What training met and when: the strength of old beliefs beside what became of them, and ideas at their peaks."""

from __future__ import annotations

from markupsafe import Markup

from paperlora.judge.prior import NAME
from paperlora.records import DosePoint, PriorBin
from paperlora.report import svg
from paperlora.report.lines import SHARE, Line, chart, drawn, span
from paperlora.report.picture import Picture, counted, table, words
from paperlora.report.text import fraction, number, rate
from paperlora.report.views import Index


def priors(index: Index) -> Picture | None:
    """Share absorbed by how strongly the base believed otherwise; None where nothing was quizzed and came to an end."""
    found = index.data.priors
    if not found:
        return None
    power = next((one for one in index.data.correlations if one.name == NAME), None)
    asked = sum(one.absorbed.asked for one in found)
    return Picture(
        "priors",
        "Did a strong belief foretell resistance?",
        chart([_bin_line(one) for one in found], "share absorbed, by the strength of the old answer"),
        words(
            f"{counted(asked, 'verdict')} that came out absorbed, resisted or not learned, by the likelihood a token that the base gave its own wrong answer before training.",
            "Dot: share absorbed, with its 95% interval.",
            f"AUC {number(power.value)} [{number(power.low)}, {number(power.high)}], p = {number(power.p_value, 3)} by permuting the ideas' priors; ½ is nil."
            if power
            else "Too few ideas for an AUC.",
            "An idea in several adapters counts in each, so that the intervals are too narrow where that is so.",
        ),
        table(
            ("Prior", "Absorbed", "Resisted", "Not learned"),
            [(_range(one), rate(one.absorbed), str(one.resisted), str(one.not_learned)) for one in found],
        ),
        high=True,
    )  # fmt: skip


def _range(one: PriorBin) -> str:
    return f"{number(one.low)} to {number(one.high)}"


def _bin_line(one: PriorBin) -> Line:
    marks: tuple[Markup, ...] = ()
    if one.absorbed.asked:
        marks = (span(one.absorbed.low, one.absorbed.high, "thin g-known"), svg.dot(SHARE(one.absorbed.share), 0, 4.5, "point g-known"))
    return Line(f"{_range(one)} · {one.absorbed.asked}", marks, f"prior {_range(one)}: absorbed {rate(one.absorbed)}")


def peaks(index: Index) -> Picture | None:
    """Ideas at the checkpoint with their highest dev margin beside the last one; None where no peak was asked."""
    found = sorted(index.data.doses, key=lambda one: -_lead(one, index))
    if not found:
        return None
    return Picture(
        "peaks",
        "Was an earlier checkpoint better?",
        chart([_peak_line(one, index) for one in found], f"{len(found)} ideas at their peaks and at the end"),
        words(
            f"{counted(len(found), 'idea')} asked again at the checkpoint at which its dev margin was highest: right direct answers there (filled) and in the final adapter (hollow).",
            "Looking at several checkpoints finds a better one by chance now and then: only a later run on fresh probes shows that less training helps.",
            drawn(len(found), "ideas"),
        ),
        table(
            ("Idea", "Adapter", "Step", "Right there", "Trained wordings there", "Right at the end"),
            [
                (index.claim(one.idea), index.code(one.adapter), str(one.step), fraction(one.direct), fraction(one.trained_form), _final(one, index))
                for one in found
            ],
            "largest lead over the final adapter first",
        ),
        high=True,
    )  # fmt: skip


def _lead(one: DosePoint, index: Index) -> float:
    last = index.verdict_of.get((one.idea, one.adapter))
    return one.direct.share - last.adapted.share if last and last.adapted.asked and one.direct.asked else -1.0


def _final(one: DosePoint, index: Index) -> str:
    last = index.verdict_of.get((one.idea, one.adapter))
    return fraction(last.adapted) if last else "–"


def _peak_line(one: DosePoint, index: Index) -> Line:
    last = index.verdict_of.get((one.idea, one.adapter))
    marks: list[Markup] = []
    if last and last.adapted.asked and one.direct.asked:
        marks.append(span(one.direct.share, last.adapted.share, "axis"))
    marks += [svg.dot(SHARE(last.adapted.share), 0, 4.5, "point before")] if last and last.adapted.asked else []
    marks += [svg.dot(SHARE(one.direct.share), 0, 4.5, "point g-known")] if one.direct.asked else []
    code = index.idea_code(one.idea, one.adapter)
    return Line(f"{code} · step {one.step}", tuple(marks), f"step {one.step}: {fraction(one.direct)}, at the end {_final(one, index)}")
