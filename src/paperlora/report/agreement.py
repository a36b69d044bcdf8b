"""Whether an LLM that reads answers was believed: its agreement with the rules, beside the bar."""

from __future__ import annotations

from markupsafe import Markup

from paperlora.records import Agreement, Interval
from paperlora.report import svg
from paperlora.report.lines import SHARE, Line, chart, drawn, span, tick
from paperlora.report.picture import Picture, counted, table, words
from paperlora.report.text import interval, number
from paperlora.report.views import Index


def agreement(index: Index) -> Picture | None:
    """Every reading by an LLM, newest first; None where none was asked for."""
    found = index.data.agreements[::-1]
    if not found:
        return None
    believed, turned = sum(one.taken for one in found), sum(one.turned for one in found)
    undecided = sum(one.undecided for one in found)
    return Picture(
        "agreement",
        "May an LLM read the answers?",
        chart([_line(one) for one in found], f"an LLM was believed in {believed} of {len(found)} judgements"),
        words(
            f"{counted(len(found), 'judgement')} that let an LLM read what no rule could. Dot: Cohen's κ of LLM and rules on answers that the rules decide, with its 95% interval; tick: the bar.",
            f"It is believed only where the whole interval lies at or above the bar: {believed} of {len(found)} times. {turned} of {counted(undecided, 'answer')} that no rule could read count as right by its word; the others stay wrong.",
            "What rules decide is easier than what they don't, so that κ is an upper estimate. Parts below 0 are not drawn.",
            drawn(len(found), "judgements"),
        ),
        table(
            ("LLM", "κ [95%]", "Agreed", "Called right, LLM and rules", "Bar", "Believed", "Unread answers", "Right by its word", "Why"),
            [_row(one) for one in found],
            "newest first",
        ),
        high=True,
    )  # fmt: skip


def _line(one: Agreement) -> Line:
    marks: list[Markup] = [tick(one.bar)]
    if one.kappa is not None:
        group = "good" if one.taken else "wrong"
        marks += [span(*_shown(one.kappa), f"thin g-{group}"), svg.dot(SHARE(max(one.kappa.value, 0.0)), 0, 4.5, f"point g-{group}")]
    return Line(f"{'✓' if one.taken else '✗'} n = {one.asked}", tuple(marks), one.note)


def _shown(kappa: Interval) -> tuple[float, float]:
    return max(kappa.low, 0.0), max(kappa.high, 0.0)


def _row(one: Agreement) -> tuple[str, ...]:
    return (
        one.model or "none", interval(one.kappa) if one.kappa else "not measured", f"{one.agreed} of {one.asked}",
        f"{one.said_right}, {one.rules_right}", number(one.bar), "yes" if one.taken else "no", str(one.undecided), str(one.turned), one.note,
    )  # fmt: skip
