"""What the demo prints at its end."""

from __future__ import annotations

from rich.console import Console

from paperlora.control.demo import adapter_table, verdict_tables
from paperlora.judge.posterior import Count, gain, rate
from paperlora.records import Verdict, VerdictKind


def told(adapter: str, kind: VerdictKind, right: int, *flags: str) -> Verdict:
    return Verdict(
        id=f"v-{adapter}-{kind}-{right}", idea=f"i{right}", adapter=adapter, paper=f"arxiv:{adapter}", topic="t", claim=f"It is {right} percent.",
        kind=kind, reason="r", flags=flags, base=rate(0, 12), adapted=rate(right, 12), gain=gain(Count(right, 12), [Count(0, 12)]),
        trained_form=rate(6, 6),
    )  # fmt: skip


def printed(what: object) -> str:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(what)
    return capture.get()


def test_adapters_are_told_with_what_they_gain_over_their_ideas_and_whether_damage_was_shown() -> None:
    one = [told("a", "ABSORBED_SHALLOW", 11), told("a", "ABSORBED_SHALLOW", 9), told("a", "UNJUDGEABLE", 0)]
    two = [told("b", "PARTIAL", 6, "DAMAGED"), told("b", "NOT_LEARNED", 0, "DAMAGED")]
    lines = printed(adapter_table((*one, *two))).splitlines()
    row = {name: next(line for line in lines if line.strip().startswith(name)) for name in ("arxiv:a", "arxiv:b", "all")}
    # Unjudgeable ideas count among the answers, not in the gain: (11 + 9) / 24.
    assert "20/36" in row["arxiv:a"] and "18/18" in row["arxiv:a"] and "+0.83" in row["arxiv:a"] and "not shown" in row["arxiv:a"]
    assert "+0.25" in row["arxiv:b"] and "yes" in row["arxiv:b"]
    assert "26/60" in row["all"] and "+0.54" in row["all"]
    # Two ideas that differ by half leave the mean open.
    assert "-1.00…+1.00" in lines[lines.index(row["arxiv:b"]) + 1]


def test_each_paper_has_its_table_and_each_idea_its_line() -> None:
    text = printed(verdict_tables((told("a", "PARTIAL", 6, "DAMAGED"), told("b", "RESISTED", 0))))
    assert text.index("arxiv:a") < text.index("PARTIAL") < text.index("DAMAGED") < text.index("arxiv:b") < text.index("RESISTED")
    assert "6/12" in text and "0/12" in text
