"""The judge on planted truth: a confusion matrix over worlds that it was not calibrated on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from paperlora.bench.result import Result, Row
from paperlora.planted.trial import Figures, Trial, WorldTrial, figures, run_trial
from paperlora.planted.world import WorldPlan
from paperlora.progress import Progress, silent

SHORT = {
    "ABSORBED_DEEP": "deep", "ABSORBED_SHALLOW": "shallow", "PARTIAL": "partial", "VERBATIM_ONLY": "verbatim",
    "CONFUSED": "confused", "RESISTED": "resisted", "NOT_LEARNED": "unlearned", "FALSE_BELIEF": "false",
    "ALREADY_KNOWN": "known", "UNJUDGEABLE": "broken", "DAMAGED": "damaged", "INCONCLUSIVE": "open",
}  # fmt: skip
"""Columns of the matrix."""


def bench_judge_planted(worlds: int, shelf: Path, work: Path, progress: Progress = silent) -> Result:
    """Try the judge on so many worlds; the second half of them is reported.

    Args:
        shelf: models folder, where the worlds' models are kept.
        work: where adapters and answers are kept; a second run costs seconds.
    """
    trial = run_trial([WorldPlan(seed=seed) for seed in range(worlds)], shelf, work, progress=progress)
    found = figures(trial.reported)
    return Result(
        "judge on planted truth",
        tuple(_matrix(found)),
        (*_halves(trial), *_notes(trial, found)),
        ("torch", "transformers"),
    )


def _matrix(found: Figures) -> list[Row]:
    rows = []
    for kind, name in SHORT.items():
        cells: dict[str, float | int | str] = {SHORT[seen]: found.confusion[(kind, seen)] or "·" for seen in SHORT}
        if any(planted == kind for planted, _ in found.confusion):
            rows.append(Row(name, cells))
    return rows


def _halves(trial: Trial) -> list[str]:
    halves = {
        "Calibrated on": trial.calibrated,
        "Reported": trial.reported,
        "All": (*trial.calibrated, *trial.reported),
    }
    return [f"{name}: {_scores(worlds)}" for name, worlds in halves.items() if worlds]


def _scores(worlds: Sequence[WorldTrial]) -> str:
    found = figures(worlds)
    return (
        f"{len(worlds)} worlds, {found.ideas} ideas; macro-F1 {found.macro_f1:.3f} ({found.low:.3f} to {found.high:.3f}); falsely "
        f"absorbed {found.false_absorbed} of {found.not_absorbed}; cause named right {found.causes_right} of {found.causes}; "
        f"left out {sum(found.left_out.values())}."
    )


def _notes(trial: Trial, found: Figures) -> list[str]:
    every = figures((*trial.calibrated, *trial.reported))
    bars = ", ".join(f"{bar:g}: {score:.3f}" for bar, score in trial.bars.items())
    left = ", ".join(f"{why} × {count}" for why, count in sorted(every.left_out.items())) or "none"
    rejects = [
        f"{reject.item}: {reject.reason}" for one in (*trial.calibrated, *trial.reported) for reject in one.rejects
    ]
    return [
        "Rows are what was planted, columns what the judge said, in the worlds that nothing was calibrated on.",
        f"Likelihood from which a repeated wrong answer is a belief: {trial.sure:g}; macro-F1 on the first half by that bar: {bars}.",
        f"Base against base: {every.noise_floor:.3f} of the probes scored otherwise when asked again.",
        f"Damage flag as held-out facts have it: {every.damage_right} of {every.adapters} adapters.",
        f"Confusions traced to the right idea: {every.siblings_right} of {every.siblings}.",
        f"Left out, since the adapter verifiably didn't become what was planted: {left}.",
        f"With these counted as they were meant, macro-F1 is {found.with_left_out:.3f} (all worlds: {every.with_left_out:.3f}).",
        *([f"Adapters dropped: {'; '.join(rejects)}."] if rejects else []),
    ]
