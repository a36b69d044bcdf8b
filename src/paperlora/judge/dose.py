"""Was it known at an earlier checkpoint? Where an idea's dev margin peaked and fell, the peak is asked its direct probes.

A margin is measured on one or two dev wordings and may rise and fall for no reason; what the checkpoint answers decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from paperlora.judge.asking import Asker, Question
from paperlora.judge.posterior import rate
from paperlora.judge.tally import Subject
from paperlora.model.answers import Answer
from paperlora.model.bank import Bank
from paperlora.model.scoring import score_answer
from paperlora.records import Adapter, Checkpoint, DosePoint, Idea, Probe, Rate, Verdict

DOUBTFUL = ("VERBATIM_ONLY", "PARTIAL", "INCONCLUSIVE")
"""Verdicts that too long a training may explain."""
PEAK = 0.5
"""Nats a token that the dev margin must lose after its peak to count as overtraining."""


class Peak(NamedTuple):
    """One checkpoint of one adapter, and the ideas whose margin was highest there."""

    adapter: str
    checkpoint: Checkpoint
    folder: Path
    """Of its peft adapter."""
    subjects: tuple[Subject, ...]


def peak_of(adapter: Adapter, idea: str) -> Checkpoint | None:
    """The checkpoint at which an idea's dev margin was highest, where it fell clearly afterwards.

    A margin that was never above 0, or not above the untrained one, has no peak worth going back to: training had not
    brought the right answer forward there. The rows' own loss must have fallen since, else it is no overtraining.
    """
    curve = [one for one in adapter.checkpoints if idea in one.dev_margin]
    if len(curve) < 2:
        return None
    margins = [one.dev_margin[idea] for one in curve]
    best = max(range(len(curve)), key=lambda index: margins[index])
    rose = bool(curve[0].step) or margins[best] - margins[0] > PEAK
    fell = margins[best] > 0 and margins[best] - margins[-1] > PEAK and curve[-1].loss <= curve[best].loss
    return curve[best] if rose and fell else None


def find_peaks(
    verdicts: Iterable[Verdict], subjects: Iterable[Subject], adapters: Mapping[str, tuple[Adapter, Path]]
) -> tuple[Peak, ...]:
    """The checkpoints worth asking; one whose folder is gone is left out.

    Args:
        adapters: by id, each with its folder in the store.
    """
    by_pair = {(subject.adapter, subject.idea.id): subject for subject in subjects}
    found: dict[tuple[str, int], Peak] = {}
    for verdict in verdicts:
        adapter, folder = adapters[verdict.adapter]
        checkpoint = peak_of(adapter, verdict.idea) if verdict.kind in DOUBTFUL else None
        if checkpoint is None or not (folder / checkpoint.folder).is_dir():
            continue
        key, subject = (adapter.id, checkpoint.step), by_pair[verdict.adapter, verdict.idea]
        known = found.get(key, Peak(adapter.id, checkpoint, folder / checkpoint.folder, ()))
        found[key] = known._replace(subjects=(*known.subjects, subject))
    return tuple(found.values())


def ask_peaks(peaks: Sequence[Peak], asker: Asker, hash_of: Callable[[Path], str]) -> tuple[DosePoint, ...]:
    """What each peak answers, direct and in trained wordings.

    Args:
        asker: its base and memory are used; its bank stays as it is.
        hash_of: of a peft adapter's folder: what its answers are kept under.
    """
    if not peaks:
        return ()
    with Bank.load(asker.bank.base, [None, *(peak.folder for peak in peaks)]) as bank:
        own = asker.on(bank, [asker.weights[0], *(hash_of(peak.folder) for peak in peaks)])
        asked = [
            (slot, peak, subject, _probes(subject)) for slot, peak in enumerate(peaks, start=1) for subject in peak.subjects
        ]
        questions = [Question(slot, probe.messages) for slot, _, _, probes in asked for probe in probes]
        said = iter(own.ask(questions, "peaks of the dose curve"))
        return tuple(_point(peak, subject, list(islice(said, len(probes)))) for _, peak, subject, probes in asked)


def _probes(subject: Subject) -> list[Probe]:
    return [*subject.family("direct"), *subject.family("trained_form")]


def _point(peak: Peak, subject: Subject, said: Sequence[Answer]) -> DosePoint:
    direct = len(subject.family("direct"))
    probes = _probes(subject)
    return DosePoint(
        adapter=peak.adapter, idea=subject.idea.id, step=peak.checkpoint.step,
        direct=_rate(probes[:direct], said[:direct], subject.idea), trained_form=_rate(probes[direct:], said[direct:], subject.idea),
    )  # fmt: skip


def _rate(probes: Sequence[Probe], said: Sequence[Answer], idea: Idea) -> Rate:
    scores = [score_answer(answer.text, probe, idea) for probe, answer in zip(probes, said, strict=True)]
    return rate(sum(score == 1.0 for score in scores), len(scores))
