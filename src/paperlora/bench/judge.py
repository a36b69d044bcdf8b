"""The judge on planted truth: a confusion matrix over worlds that it was not calibrated on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from paperlora.bench.matrix import Cell, matrix_plot
from paperlora.bench.result import Result, Row
from paperlora.planted.beliefs import Foretold, Graded, foretells
from paperlora.planted.figures import SPREADS, Figures, figures
from paperlora.planted.trial import Trial, run_trial
from paperlora.planted.world import WorldPlan
from paperlora.progress import Progress, silent
from paperlora.records import Rate

SHORT = {
    "ABSORBED_DEEP": "deep", "ABSORBED_SHALLOW": "shallow", "PARTIAL": "partial", "VERBATIM_ONLY": "verbatim",
    "CONFUSED": "confused", "RESISTED": "resisted", "NOT_LEARNED": "unlearned", "FALSE_BELIEF": "false",
    "ALREADY_KNOWN": "known", "UNJUDGEABLE": "broken", "DAMAGED": "damaged", SPREADS: "spreads", "INCONCLUSIVE": "open",
}  # fmt: skip
"""Columns of the matrix."""


def bench_judge_planted(worlds: int, shelf: Path, work: Path, progress: Progress = silent) -> Result:
    """Try the judge on so many worlds; each half of them is reported with the bar that the other half chose.

    Args:
        shelf: models folder, where the worlds' models are kept.
        work: where adapters and answers are kept; a second run trains and asks nothing again.
    """
    import torch

    threads = torch.get_num_threads()
    # So small a model's products are over before a second thread has woken up.
    torch.set_num_threads(1)
    try:
        trial = run_trial([WorldPlan(seed=seed) for seed in range(worlds)], shelf, work, progress=progress)
    finally:
        torch.set_num_threads(threads)
    return trial_result(trial)


def trial_result(trial: Trial) -> Result:
    """A trial as a table: the matrix with each state's figures, then flags, then causes."""
    found = figures(trial.reported)
    rows = (*_matrix(found), *_flags(found), *_causes(found))
    return Result("judge on planted truth", rows, tuple(_notes(trial, found)), ("torch", "transformers"))


def matrix_svg(result: Result) -> str:
    """The confusion matrix of :func:`bench_judge_planted` as a picture that stands alone."""
    names = list(SHORT.values())
    rows = [row for row in result.rows if row.what in names]
    seen = [name for name in names if any(_count(row, name) for row in rows)]
    cells = [[Cell(_count(row, name), row.what == name) for name in seen] for row in rows]
    return matrix_plot([row.what for row in rows], seen, cells, "Planted (rows) and found (columns)")


def _count(row: Row, name: str) -> int:
    value = row.figures.get(name)
    return value if isinstance(value, int) else 0


def _matrix(found: Figures) -> Iterator[Row]:
    for kind, name in SHORT.items():
        state = found.states.get(kind)
        if state is not None:
            cells: dict[str, float | int | str] = {SHORT[seen]: found.confusion[(kind, seen)] or "·" for seen in SHORT}
            scores = {"precision": state.precision.share, "recall": state.recall.share, "F1": state.f1}
            yield Row(name, {**cells, **scores, "low": state.low, "high": state.high})


def _flags(found: Figures) -> Iterator[Row]:
    for name, flag in sorted(found.flags.items()):
        yield Row(f"flag {name}", {"precision": flag.precision.share, "recall": flag.recall.share, "low": flag.recall.low, "high": flag.recall.high})


def _causes(found: Figures) -> Iterator[Row]:
    for kind, right in sorted(found.causes.items()):
        yield Row(f"cause of {kind}", {"recall": right.share, "low": right.low, "high": right.high})


def _notes(trial: Trial, found: Figures) -> Iterator[str]:
    yield "Rows are what was planted, columns what the judge said, in worlds that had no part in choosing its bar."
    yield f"{len(trial.reported)} worlds: {_scores(found)}"
    for number, fold in enumerate(trial.folds, start=1):
        bars = ", ".join(f"{bar:g}: {score:.3f}" for bar, score in fold.bars.items())
        yield (
            f"Half {number} alone: {_scores(figures(fold.reported))} Likelihood from which a repeated wrong answer is a belief: "
            f"{fold.sure:g}; macro-F1 on the other half by that bar: {bars}."
        )
    yield f"Base against base: {found.noise_floor:.3f} of the probes scored otherwise when asked again."
    for name, flag in sorted(found.flags.items()):
        yield f"Flag {name}: {_of(flag.precision)} of those that carry it deserve it; {_of(flag.recall)} that deserve it carry it."
    yield f"Confusions traced to the right idea: {_of(found.siblings)}."
    yield f"What the quiz before training says of the base, where that is clear: right for {_of(found.knowledge)}."
    near = ", ".join(f"{SHORT[kind]} {count}" for kind, count in found.near_bar.most_common()) or "none"
    yield f"Absorbed plantings of which less than .8 is truly known: {near}."
    yield from _beliefs(found.graded)
    yield from _repeats(found)
    left = ", ".join(f"{why} × {count}" for why, count in sorted(found.left_out.items())) or "none"
    yield f"Left out, since the adapter verifiably didn't become what was planted: {left}."
    yield f"With these counted as they were meant, macro-F1 is {found.with_left_out:.3f}."
    rejects = [f"{reject.item}: {reject.reason}" for one in trial.reported for reject in one.rejects]
    if rejects:
        yield f"Adapters dropped: {'; '.join(rejects)}."


def _scores(found: Figures) -> str:
    return (
        f"{found.ideas} ideas; macro-F1 {found.macro_f1:.3f} ({found.low:.3f} to {found.high:.3f}, adapters drawn); falsely "
        f"absorbed {found.false_absorbed} of {found.not_absorbed}; cause named right {_of(found.causes_right)}; "
        f"left out {sum(found.left_out.values())}."
    )


def _of(count: Rate) -> str:
    return f"{count.right} of {count.asked}"


def _beliefs(graded: Sequence[Graded]) -> Iterator[str]:
    """Does the strength of a belief foretell whether it resists?"""
    last = [one for one in graded if not one.seed]
    called = sum((one.verdict == "RESISTED") == one.resists for one in last)
    yield (
        f"Graded beliefs: {sum(one.resists for one in last)} of {len(last)} resist a middling dose; the verdict agrees for {called}. "
        f"Which of two beliefs of one adapter stands after one dose, by the quiz's prior: {_foretold(foretells(graded, lambda one: one.prior))}; "
        f"by the share of lessons that told it: {_foretold(foretells(graded, lambda one: one.purity))}."
    )
    yield f"At the end of the dose alone, by the prior: {_foretold(foretells([one._replace(along=one.along[-1:]) for one in graded], lambda one: one.prior))}."


def _foretold(found: Foretold | None) -> str:
    return "no pair to compare" if found is None else f"AUC {found.auc:.2f} ({found.low:.2f} to {found.high:.2f}, {found.pairs} pairs)"


def _repeats(found: Figures) -> Iterator[str]:
    """Seeds and placebos."""
    for name in dict.fromkeys(one.case.partition("-")[0] for one in found.seeds):
        own = [one for one in found.seeds if one.case.startswith(name)]
        agree = sum(one.flipped == one.truly for one in own)
        yield (
            f"Three seeds of {name}, {len(own)} ideas: verdicts of {sum(one.flipped for one in own)} hang on the seed, the truth of "
            f"{sum(one.truly for one in own)}; the two agree for {agree}."
        )
    broken, true = sum(one.found for one in found.placebos), sum(one.true for one in found.placebos)
    yield (
        f"{len(found.placebos)} placebos: {broken} called damaged, {true} truly are; {found.measured_beside} other adapters were held "
        "against those of their recipe."
    )
