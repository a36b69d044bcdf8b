"""Whether an LLM that reads answers was believed: its agreement with the rules, beside the bar."""

from __future__ import annotations

from collections.abc import Iterator

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
        chart([line for one in found for line in _lines(one)], f"an LLM was believed in {believed} of {len(found)} judgements"),
        words(
            f"{counted(len(found), 'judgement')} that let an LLM read what no rule could. Dots: Cohen's κ with its 95% interval, of LLM and rules on answers that the rules decide, and of LLM and truth on answers made to be hard; tick: the bar.",
            f"It is believed only where both intervals lie whole at or above the bar: {believed} of {len(found)} times. {turned} of {counted(undecided, 'answer')} that no rule could read count as right by its word; the others stay wrong.",
            "What rules decide is easier than what they don't: therefore the hard ones. Parts below 0 are not drawn.",
            drawn(len(found), "judgements"),
        ),
        table(
            ("LLM", "κ [95%]", "Agreed", "κ on hard ones [95%]", "Agreed on hard ones", "Called right, LLM and rules", "Bar", "Believed", "Unread answers", "Right by its word", "Why"),
            [_row(one) for one in found],
            "newest first",
        ),
        high=True,
    )  # fmt: skip


def _lines(one: Agreement) -> Iterator[Line]:
    yield _line(one, one.kappa, f"decided, n = {one.asked}")
    if one.planted:
        yield _line(one, one.planted_kappa, f"hard, n = {one.planted}")


def _line(one: Agreement, kappa: Interval | None, name: str) -> Line:
    marks: list[Markup] = [tick(one.bar)]
    if kappa is not None:
        group = "good" if one.taken else "wrong"
        marks += [span(*_shown(kappa), f"thin g-{group}"), svg.dot(SHARE(max(kappa.value, 0.0)), 0, 4.5, f"point g-{group}")]
    return Line(f"{'✓' if one.taken else '✗'} {name}", tuple(marks), one.note)


def _shown(kappa: Interval) -> tuple[float, float]:
    return max(kappa.low, 0.0), max(kappa.high, 0.0)


def _row(one: Agreement) -> tuple[str, ...]:
    return (
        one.model or "none", _told(one.kappa), f"{one.agreed} of {one.asked}", _told(one.planted_kappa), f"{one.planted_agreed} of {one.planted}",
        f"{one.said_right}, {one.rules_right}", number(one.bar), "yes" if one.taken else "no", str(one.undecided), str(one.turned), one.note,
    )  # fmt: skip


def _told(kappa: Interval | None) -> str:
    return interval(kappa) if kappa else "not measured"
