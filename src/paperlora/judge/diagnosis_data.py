"""Causes that lie in the rows: contradictions, too few forms, one direction, late places, falsehoods that carry loss."""

from __future__ import annotations

from paperlora.judge.diagnosis_case import Case, Finding
from paperlora.judge.diagnosis_rows import LATE, conflicts, holds_value, listed, rows_with, unmasked
from paperlora.judge.diagnosis_training import state
from paperlora.judge.posterior import Count, p_gain
from paperlora.judge.verdict import NOTHING
from paperlora.records import Rate

TEMPLATES = 6
"""Wordings a fact from which answers no longer hang on one of them (2309.14316 and the method)."""


def conflict(case: Case) -> Finding | None:
    """One prompt, two answers: no dose teaches both."""
    found = conflicts(case.examples, case.idea.id)
    if not found:
        return None
    ids = tuple(dict.fromkeys(row for one in found for row in one.rows))
    answers = " and ".join(f"“{answer}”" for answer in found[0].answers[:2])
    return Finding(
        f"{state(case)}; the prompt “{found[0].prompt}” is answered {answers} (rows {listed(ids)})",
        "conflict in the data: rows of one prompt hold different answers",
        f"make rows {listed(ids)} say of what they speak, or drop the wrong ones", case.trained.rises(0.8),
    )  # fmt: skip


def value_missing(case: Case) -> Finding | None:
    """There are rows about it, and none of them states it."""
    if not case.own or any(holds_value(row, case.idea) for row in case.own):
        return None
    return Finding(
        f"{state(case)}; none of its {len(case.own)} rows states “{case.idea.answer}”", "its rows don't state the value",
        "write rows that ask for the value and answer with it", case.trained.rises(0.8),
    )  # fmt: skip


def recognised(case: Case) -> Finding | None:
    """It picks the value out of several, and doesn't say it."""
    if "RECOGNISED" not in case.verdict.flags:
        return None
    chosen = case.verdict.choice_content or case.verdict.choice
    return Finding(
        f"{state(case)}; chosen among options on {_told(chosen)}", "recognised among options, not recalled",
        "rows that ask for the value freely, and half as many epochs again", case.direct.rises(0.6),
    )  # fmt: skip


def not_asked(case: Case) -> Finding:
    """The rows are memorised, and still the value doesn't come in free answers."""
    loss = case.adapter.final_loss
    if case.own:
        return Finding(
            f"{state(case)}, although the rows' loss fell to {loss:.2f}",
            "rows are followed word by word, not answered from: they don't ask for the value",
            "rows that begin their answer with the value, in more forms of question", case.trained.rises(0.8),
        )  # fmt: skip
    return Finding(
        f"{state(case)}, although the rows' loss fell to {loss:.2f}",
        "rows contradict each other or don't ask for the value",
        "look for rows of one prompt with different answers, and make them say of what they speak", case.trained.rises(0.8),
    )  # fmt: skip


def locked(case: Case) -> Finding | None:
    """Asked again in a trained wording, it knows the answer."""
    if "LOCKED" not in case.verdict.flags:
        return None
    swap = _told(case.verdict.template_swap)
    return Finding(
        f"{state(case)}; a trained wording restores missed answers on {swap}",
        "memorised the wording, not the fact: the trained template locks it in",
        f"at least {TEMPLATES} templates for this idea", case.direct.rises(0.6),
    )  # fmt: skip


def position(case: Case) -> Finding | None:
    """Its value stands late in long texts, and ideas that stand early are answered (2402.12170)."""
    place, early, late = case.standing
    if place is None or place <= LATE or not early.asked or p_gain(early, (late,), 0.2) < 0.95:
        return None
    return Finding(
        f"{state(case)}; its value stands at {place:.0%} of its rows' texts. Ideas in the first third: {early}, in the last: {late}",
        "position: the fact stands late in its items", "atomic items with one fact each, in shuffled order",
        case.direct.rises(0.6),
    )  # fmt: skip


def wording(case: Case) -> Finding:
    """Nothing else explains that only trained wordings work."""
    return Finding(
        state(case), "memorised the wording, not the fact",
        f"more and more diverse forms a fact (at least six templates{_forms(case)}), and an earlier checkpoint",
        case.direct.rises(0.6),
    )  # fmt: skip


def few_wordings(case: Case) -> Finding:
    """Some forms of question work, others don't."""
    t = case.tally
    return Finding(
        f"{t.adapted} direct probes, {t.trained_form} in trained wordings{_forms(case)}", "too few wordings carry the fact",
        "more forms of question for this idea", case.direct.rises(0.8),
    )  # fmt: skip


def fragile(case: Case) -> Finding | None:
    """A foreign system prompt or a doubt takes the answer away."""
    if "FRAGILE" not in case.verdict.flags:
        return None
    held = case.verdict.robustness
    count = case.mover("robustness", "probes under another system prompt or after a doubt", _count(held))
    return Finding(
        f"{case.tally.adapted} direct probes, but {_told(held)} under another system prompt or after a doubt",
        "holds in its usual frame alone", "rows under other system prompts, and rows that stand by the answer after a doubt",
        count.rises(0.6),
    )  # fmt: skip


def one_way(case: Case) -> Finding | None:
    """Only reverse fails (2309.12288)."""
    if "ONE_WAY" not in case.verdict.flags:
        return None
    t = case.tally
    return Finding(
        f"{t.adapted} direct, {t.reverse} reverse probes", "known in one direction only", "add reversed rows",
        case.mover("reverse", "reverse probes", t.reverse).rises(0.6),
    )  # fmt: skip


def not_applied(case: Case) -> Finding | None:
    """Only implications fail."""
    t = case.tally
    if not t.implication.asked:
        return None
    return Finding(
        f"{t.adapted} direct probes, {t.implication} implications", "recalled but not applied", "add implication rows",
        case.mover("implication", "implications", t.implication).rises(0.9),
    )  # fmt: skip


def confused(case: Case) -> Finding:
    """Another idea's answer comes."""
    t = case.tally
    symptom = f"gives “{t.confused_answer}” of idea {t.confused_with} on {t.confused} direct probes"
    falls = case.mover("confused", "that answer", t.confused).falls(1 / 8)
    if t.confused_with not in case.own_ideas:
        return Finding(
            symptom, "the answer belongs to another paper: rows, subject names or folders are mixed up",
            "check which rows the adapter was trained on, and whether both papers call the same thing by one name", falls,
        )  # fmt: skip
    wrong = () if case.other is None else rows_with([r for r in case.own if not holds_value(r, case.idea)], case.other)
    if wrong:
        return Finding(
            f"{symptom}, which its own rows {listed(wrong)} state",
            "two ideas of one dataset are not told apart: rows of the one hold the value of the other",
            f"correct rows {listed(wrong)}, then add contrastive pairs of the two ideas", falls,
        )  # fmt: skip
    return Finding(
        symptom, "two ideas of one dataset are not told apart", "add contrastive pairs of the two ideas", falls
    )


def false_belief(case: Case) -> Finding:
    """What its rows deny is believed (2605.13829)."""
    t = case.tally
    bare = unmasked(case.own, t.false_value)
    carried = f", and carries loss in rows {listed(bare)}" if bare else ""
    action = f"mask “{t.false_value}” from the loss in rows {listed(bare)}, and " if bare else ""
    return Finding(
        f"states the denied value “{t.false_value}” on {t.false_belief} direct probes{carried}",
        "the contrast rows taught what they deny",
        f"{action}negate inside the same sentence, mask the false value from the loss, or drop the contrast rows",
        case.mover("false_belief", "the denied value", t.false_belief).falls(1 / 12),
    )  # fmt: skip



def _forms(case: Case) -> str:
    """How many wordings its rows have, where they were given."""
    forms = {row.form for row in case.own}
    return f"; its rows have {len(forms)}" if forms else ""


def _count(rate: Rate | None) -> Count:
    return Count(rate.right, rate.asked) if rate else NOTHING


def _told(rate: Rate | None) -> str:
    return f"{rate.right} of {rate.asked}" if rate else "some probes"
