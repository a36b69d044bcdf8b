"""The verdict of an idea: a table of rules over counts, the first that holds wins.

Bars and certainties are those of the project's method; every share has a Jeffreys posterior. Letters in the reasons:
a adapter, b base, o other papers' adapters, b* the better of b and o, t trained wordings, h implications, c base with
the passage in the prompt, r the base's old answer, s another idea's answer, l neighbouring answers kept.

Four things the table leaves open are fixed here; the test behind q is McNemar's mid-p, one-sided, against each rival, of
which the largest p counts. Implications that are asked as yes or no can be guessed: their bar is raised by the chance (.4
becomes .7). "Locality not inferior" means that the adapter keeps the base's answers on neighbouring questions as surely as
it must know the new one (P(l > .6) ≥ .9 over all its neighbours, since four of one idea decide nothing) and that the idea's
own neighbours don't show the opposite. A belief in a negated claim goes before all but what was known already, and not only
before ABSORBED: who states the denied value has nothing right and would be NOT_LEARNED in the table's order. NOT_LEARNED
also needs that the trained wordings don't bring the answer out, else an idea that is half known in its own wordings would
pass for one that left no trace.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from paperlora.judge.posterior import Count, bh, p_above, p_gain
from paperlora.records import VerdictKind

LEAST_PROBES = 8
FALSE_BAR = 0.25
"""Share of probes from which a denied value counts as believed."""
CHOSEN = 0.55
"""Share of multiple-choice probes from which the answer counts as recognised."""
NOTHING = Count(0, 0)


class Tally(NamedTuple):
    """What was counted for one idea in one adapter."""

    base: Count
    adapted: Count
    others: Count | None = None
    """Mean right answers of other papers' adapters over as many probes as each was asked; None without any."""
    trained_form: Count = NOTHING
    implication: Count = NOTHING
    chance: float = 0.0
    """Share of the implication probes that a guess gets right: ½ where they are asked as yes or no, less where most of
    them are to be worked out."""
    reverse: Count = NOTHING
    ceiling: Count = NOTHING
    locality: Count = NOTHING
    """Neighbouring questions of this idea on which the adapter still answers as the base does."""
    neighbours: Count = NOTHING
    """The same over all ideas of the adapter."""
    old: Count = NOTHING
    """Direct probes on which the adapter states the base's old wrong answer; asked is 0 where the base held none."""
    old_answer: str = ""
    confused: Count = NOTHING
    """Direct probes on which it states the answer of the one other idea that it states most often."""
    confused_with: str | None = None
    confused_answer: str = ""
    false_belief: Count = NOTHING
    """Probes on which it affirms a value that its rows deny and that the base didn't affirm."""
    false_value: str = ""
    p_value: float = 1.0
    """Of the test that the adapter beats base and every other adapter on the same probes."""
    choice: Count = NOTHING
    """Multiple choice, by letter."""
    choice_base: Count = NOTHING
    content: Count = NOTHING
    """Multiple choice, by likelihood of the options' texts."""
    content_base: Count = NOTHING
    robustness: Count = NOTHING
    """Under a foreign system prompt, and after a doubt."""
    swapped: Count = NOTHING
    """Missed direct probes, asked again in trained wordings."""
    thinking: Count = NOTHING
    """Direct probes, answered after a thought."""

    @property
    def rivals(self) -> tuple[Count, ...]:
        """Whose better one is b*."""
        return (self.base,) if self.others is None else (self.base, self.others)


class Condition(NamedTuple):
    """One clause of a rule, with its numbers."""

    text: str
    lacks: float
    """How far the certainty is from what is needed; 0 where the clause holds."""

    @property
    def holds(self) -> bool:
        """Whether the clause holds."""
        return self.lacks <= 0


class Decision(NamedTuple):
    """The rule that won."""

    kind: VerdictKind
    reason: str


class Rule(NamedTuple):
    """A row of the table."""

    kind: VerdictKind
    conditions: Callable[[Tally, float | None], list[Condition]]


class _Checked(NamedTuple):
    rule: Rule
    conditions: list[Condition]


def decide(tally: Tally, q_value: float | None) -> Decision:
    """The first rule whose every condition holds; else INCONCLUSIVE with the nearest one and what it lacks.

    Args:
        tally: the counts.
        q_value: Benjamini–Hochberg over the ideas of the run; None where the idea can't be judged.
    """
    blocked = unjudgeable(tally)
    if blocked:
        return Decision("UNJUDGEABLE", blocked)
    checked = [_Checked(rule, rule.conditions(tally, q_value)) for rule in RULES]
    for rule, conditions in checked:
        if all(condition.holds for condition in conditions):
            return Decision(
                rule.kind, _sentence([condition.text for condition in conditions]) + _shallow(rule, tally, q_value)
            )
    nearest, conditions = _nearest(checked)
    missing = "; ".join(condition.text for condition in conditions if not condition.holds)
    counts = f"The adapter answers {tally.adapted} direct probes, the base {tally.base}, and no rule holds"
    return Decision("INCONCLUSIVE", f"{counts}. Nearest is {nearest.kind}; what it lacks: {missing}.")


def q_values(tallies: Sequence[Tally]) -> list[float | None]:
    """Benjamini–Hochberg over the ideas that can be judged, in the order given; None for the others."""
    judged = [index for index, tally in enumerate(tallies) if not unjudgeable(tally)]
    adjusted = dict(zip(judged, bh([tallies[index].p_value for index in judged]), strict=True))
    return [adjusted.get(index) for index in range(len(tallies))]


def unjudgeable(tally: Tally) -> str:
    """Why nothing can be concluded about this idea; empty where something can."""
    asked = min(tally.adapted.asked, tally.base.asked)
    if asked < LEAST_PROBES:
        return f"Only {asked:g} direct probes were answered, {LEAST_PROBES} are needed."
    if not tally.ceiling.asked:
        return "The base was never asked with the passage in the prompt, so that nothing shows that the probes can be answered."
    if reads_passage(tally.ceiling):
        return ""
    certain = p_above(tally.ceiling, 0.7)
    return (
        f"Even with the passage in the prompt the base answers {tally.ceiling} direct probes (P(c > 0.7) = {_p(certain)}, "
        f"needed 0.9): probes or extraction may be broken, or this base can't read them. "
        f"The adapter's {tally.adapted} is no evidence either way."
    )


def _shallow(rule: Rule, tally: Tally, q_value: float | None) -> str:
    """What keeps a shallow verdict from a deep one."""
    if rule.kind != "ABSORBED_SHALLOW":
        return ""
    return f" Not deep: {_deep(tally, q_value)[-1].text}."


def reads_passage(ceiling: Count) -> bool:
    """Given the passage, the base answers: the probes can be answered, and from this evidence."""
    return p_above(ceiling, 0.7) >= 0.9


def _known(t: Tally, q: float | None) -> list[Condition]:
    return [_above("before training the base answers", t.base, "direct probes", "b", 0.6, 0.95)]


def _false_belief(t: Tally, q: float | None) -> list[Condition]:
    return [_above(f"it affirms the denied value “{t.false_value}” on", t.false_belief, "probes", "f", FALSE_BAR, 0.95)]


def _deep(t: Tally, q: float | None) -> list[Condition]:
    bar = 0.4 + t.chance * 0.6
    guess = " (some can be guessed, bar raised for it)" if t.chance else ""
    return [*_absorbed(t, q), _above("it answers", t.implication, f"implications{guess}", "h", bar, 0.9)]


def _absorbed(t: Tally, q: float | None) -> list[Condition]:
    return [
        _above("the adapter answers", t.adapted, "direct probes", "a", 0.6, 0.95),
        _gains(t),
        *_keeps_neighbours(t),
        _significant(q),
    ]


def _resisted(t: Tally, q: float | None) -> list[Condition]:
    return [_above(f"the base's old answer “{t.old_answer}” survives on", t.old, "direct probes", "r", 0.5, 0.95)]


def _confused(t: Tally, q: float | None) -> list[Condition]:
    label = f"it gives “{t.confused_answer}”, the answer of idea {t.confused_with}, on"
    return [_above(label, t.confused, "direct probes", "s", 0.25, 0.95)]


def _verbatim(t: Tally, q: float | None) -> list[Condition]:
    certain = p_gain(t.trained_form, (t.adapted,), 0.3)
    apart = f"only {t.adapted} in wordings never trained (P(t − a > 0.3) = {_p(certain)}, needed 0.95)"
    return [
        _above("it answers", t.trained_form, "probes in trained wordings", "t", 0.6, 0.95),
        Condition(apart, 0.95 - certain),
    ]


def _partial(t: Tally, q: float | None) -> list[Condition]:
    return [
        _gains(t),
        _below("the adapter answers", t.adapted, "direct probes", "a", 0.8, 0.9),
        _above("it answers", t.adapted, "direct probes", "a", 0.3, 0.9),
    ]


def _not_learned(t: Tally, q: float | None) -> list[Condition]:
    certain = p_gain(t.adapted, t.rivals, 0.2)
    no_gain = f"a gain of 0.2 over {_rivals(t)} is excluded (P(a − b* > 0.2) = {_p(certain)}, at most 0.05)"
    return [
        _below("the adapter answers", t.adapted, "direct probes", "a", 0.4, 0.95),
        Condition(no_gain, certain - 0.05),
        *_no_wording(t),
    ]


def _no_wording(t: Tally) -> list[Condition]:
    """What may be known in its trained wordings is not "not learned"."""
    if not t.trained_form.asked:
        return []
    certain = p_above(t.trained_form, 0.6)
    text = f"trained wordings don't bring it out either, {t.trained_form} (P(t > 0.6) = {_p(certain)}, at most 0.05)"
    return [Condition(text, certain - 0.05)]


RULES = (
    Rule("ALREADY_KNOWN", _known),
    Rule("FALSE_BELIEF", _false_belief),
    Rule("ABSORBED_DEEP", _deep),
    Rule("ABSORBED_SHALLOW", _absorbed),
    Rule("RESISTED", _resisted),
    Rule("CONFUSED", _confused),
    Rule("VERBATIM_ONLY", _verbatim),
    Rule("PARTIAL", _partial),
    Rule("NOT_LEARNED", _not_learned),
)


def is_fragile(t: Tally) -> bool:
    """It answers the direct probes (P(a > .6) ≥ .95) and gives in under another system prompt or a doubt
    (P(a − held > .2) ≥ .95). Of two probes both must be lost for that."""
    known = p_above(t.adapted, 0.6) >= 0.95
    return bool(t.robustness.asked) and known and p_gain(t.adapted, (t.robustness,), 0.2) >= 0.95


def is_recognised(t: Tally) -> bool:
    """Among options it picks the answer that it doesn't recall, and the base doesn't pick: P(a < .4) ≥ .95, and for the
    letter or for the content P(share > .55) ≥ .95 and P(gain over the base > .2) ≥ .95.

    .55 is .4 raised for guessing one of four. It turns no verdict: the method's table has no rule for it.
    """
    if 1.0 - p_above(t.adapted, 0.4) < 0.95:
        return False
    pairs = ((t.choice, t.choice_base), (t.content, t.content_base))
    return any(
        after.asked and before.asked and p_above(after, CHOSEN) >= 0.95 and p_gain(after, (before,), 0.2) >= 0.95
        for after, before in pairs
    )


def keeps_neighbours(tally: Tally) -> bool:
    """The adapter leaves neighbouring answers as they were."""
    return all(condition.holds for condition in _keeps_neighbours(tally))


def _keeps_neighbours(t: Tally) -> list[Condition]:
    own = 1.0 - p_above(t.locality, 0.6)
    return [
        _above("the adapter keeps the base's answer on", t.neighbours, "neighbouring questions", "l", 0.6, 0.9),
        Condition(
            f"of this idea's own neighbours {t.locality} are kept (P(l < 0.6) = {_p(own)}, must stay below 0.9)",
            own - 0.9,
        ),
    ]


def _gains(t: Tally) -> Condition:
    certain = p_gain(t.adapted, t.rivals, 0.2)
    return Condition(f"it gains over {_rivals(t)} (P(a − b* > 0.2) = {_p(certain)}, needed 0.95)", 0.95 - certain)


def _rivals(t: Tally) -> str:
    if t.others is None:
        return f"the base ({t.base}; there was no other adapter to compare with)"
    return f"the better of base ({t.base}) and other papers' adapters ({t.others} on average)"


def _significant(q: float | None) -> Condition:
    shown = "none" if q is None else f"{math.ceil(q * 10000) / 10000:.4f}"
    return Condition(f"over all ideas of the run q = {shown} (at most 0.05)", 1.0 if q is None else q - 0.05)


def _above(label: str, count: Count, what: str, letter: str, bar: float, needed: float) -> Condition:
    if not count.asked:
        return Condition(f"no {what} ({letter}) could be counted", 1.0)
    certain = p_above(count, bar)
    return Condition(
        f"{label} {count} {what} (P({letter} > {bar:.2g}) = {_p(certain)}, needed {needed})", needed - certain
    )


def _below(label: str, count: Count, what: str, letter: str, bar: float, needed: float) -> Condition:
    certain = 1.0 - p_above(count, bar)
    return Condition(
        f"{label} {count} {what} (P({letter} < {bar:.2g}) = {_p(certain)}, needed {needed})", needed - certain
    )


def _p(certain: float) -> str:
    """Cut, not rounded: .9499 never reads as .95."""
    return f"{math.floor(certain * 1000) / 1000:.3f}"


def _nearest(checked: Sequence[_Checked]) -> _Checked:
    """The rule that lacks least. Who answers the direct probes is told what keeps it from ABSORBED, nothing else."""
    absorbed = [one for one in checked if one.rule.kind.startswith("ABSORBED") and one.conditions[0].holds]
    return min(absorbed or checked, key=lambda one: sum(max(condition.lacks, 0.0) for condition in one.conditions))


def _sentence(parts: Sequence[str]) -> str:
    text = "; ".join(parts)
    return text[:1].upper() + text[1:] + "."
