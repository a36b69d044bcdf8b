"""What the base held of every idea before training, and what the verdict says after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from paperlora.records import KnowledgeStateKind, Rate, Verdict
from paperlora.report import svg
from paperlora.report.kinds import KINDS
from paperlora.report.picture import Picture, counted, table, words

STATES: dict[KnowledgeStateKind | None, str] = {
    "unknown": "did not know",
    "believes_other": "other belief",
    "known": "knew",
    "unanswerable": "unanswerable",
    None: "not quizzed",
}
READ_FROM_RATE = ("did not know", "unclear", "knew")
_LEFT, _RIGHT, _WIDTH = 152.0, 316.0, 500.0
_GAP, _TOP = 20.0, 24.0


class _Link(NamedTuple):
    state: str
    kind: str


class _Column(NamedTuple):
    """Where the blocks of one side begin, and how many ideas each holds."""

    places: Mapping[str, float]
    sizes: Mapping[str, int]


def flows(verdicts: Sequence[Verdict]) -> Picture | None:
    """The states that the quiz found, or, where nothing was quizzed, what the base's interval says."""
    if not verdicts:
        return None
    quizzed = any(verdict.state for verdict in verdicts)
    states = [STATES[v.state] if quizzed else state_before(v.base) for v in verdicts]
    links = Counter(_Link(state, v.kind) for state, v in zip(states, verdicts, strict=True))
    order = [*STATES.values()] if quizzed else [*READ_FROM_RATE]
    source = (
        "by the quiz of the base before anything was trained"
        if quizzed
        else "read from the base's 95% interval alone (above 0.6: knew; below 0.4: did not know), since it was not quizzed"
    )
    rows = [(link.state, KINDS[link.kind].label, str(n)) for link, n in sorted(links.items(), key=lambda pair: -pair[1])]
    return Picture(
        "states",
        "What became of what the base held",
        _draw(links, [name for name in order if any(link.state == name for link in links)]),
        words(
            f"{counted(len(verdicts), 'idea')}: left what the base held, {source}; right the verdict after training. Bands are as wide as",
            "the number of ideas. A band shows what followed, not that the training caused it: placebos and intervals stand",
            "with the verdicts.",
        ),
        table(("Before", "After", "Ideas"), rows),
    )


def state_before(base: Rate) -> str:
    """What the base knew of an idea, read from its 95% interval alone: ``knew``, ``did not know`` or ``unclear``."""
    if base.asked and base.low > 0.6:
        return "knew"
    if base.asked and base.high < 0.4:
        return "did not know"
    return "unclear"


def _draw(links: Counter[_Link], states: Sequence[str]) -> Markup:
    kinds = [name for name in KINDS if any(link.kind == name for link in links)]
    height = max(150.0, 30.0 * len(kinds))
    unit = height / sum(links.values())
    left = _column({name: sum(n for link, n in links.items() if link.state == name) for name in states}, unit)
    right = _column({name: sum(n for link, n in links.items() if link.kind == name) for name in kinds}, unit)
    blocks = [_state(name, left, unit) for name in states] + [_outcome(name, right, unit) for name in kinds]
    bottom = _TOP + height + _GAP * max(len(kinds), len(states)) - _GAP + 12
    heads = [svg.text(0, 12, "the base before"), svg.text(_WIDTH, 12, "after training", anchor="end")]
    label = f"{sum(links.values())} ideas, before and after training"
    return svg.picture(_WIDTH, bottom, label, *heads, *_bands(links, left, right, unit), *blocks)


def _column(sizes: Mapping[str, int], unit: float) -> _Column:
    places, y = {}, _TOP
    for name, count in sizes.items():
        places[name] = y
        y += count * unit + _GAP
    return _Column(places, sizes)


def _bands(links: Counter[_Link], left: _Column, right: _Column, unit: float) -> list[Markup]:
    from_y, to_y, bands = dict(left.places), dict(right.places), []
    start, bend, back, end = _LEFT + 8, _LEFT + 80, _RIGHT - 80, _RIGHT
    for state in left.places:
        for kind in right.places:
            thick = links[_Link(state, kind)] * unit
            if thick:
                y1, y2 = from_y[state], to_y[kind]
                path = (
                    f"M{start:g} {y1:.1f}C{bend:g} {y1:.1f} {back:g} {y2:.1f} {end:g} {y2:.1f}"
                    f"V{y2 + thick:.1f}C{back:g} {y2 + thick:.1f} {bend:g} {y1 + thick:.1f} {start:g} {y1 + thick:.1f}Z"
                )
                hint = svg.hint(f"{links[_Link(state, kind)]}: {state} → {KINDS[kind].label}")
                bands.append(svg.element("path", hint, d=path, class_=f"band g-{KINDS[kind].group}"))
                from_y[state], to_y[kind] = y1 + thick, y2 + thick
    return bands


def _state(name: str, column: _Column, unit: float) -> Markup:
    y, count = column.places[name], column.sizes[name]
    words_at = y + count * unit / 2 + 4
    return svg.element(
        "g",
        svg.box(_LEFT, y, 8, count * unit, "node"),
        svg.text(_LEFT - 6, words_at, f"{name} · {count}", anchor="end"),
    )


def _outcome(name: str, column: _Column, unit: float) -> Markup:
    y, count, kind = column.places[name], column.sizes[name], KINDS[name]
    words_at = y + count * unit / 2 + 4
    return svg.element(
        "g",
        svg.box(_RIGHT, y, 8, count * unit, f"bar g-{kind.group}"),
        svg.text(_RIGHT + 14, words_at, f"{kind.sign} {kind.label} · {count}"),
    )
