"""What merged adapters keep: each adapter's direct probes, put to the base, to the adapter alone and to every merge.

All of them answer in one model load. What a merge lost is explained idea by idea: another adapter's answer means that the
two get in each other's way when they are combined, neither answer that the merge blurred it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from paperlora.errors import AdapterNotLive, SettingsError
from paperlora.judge.asking import Asker, Question
from paperlora.judge.damage import ask_pools, compare, cues_of
from paperlora.judge.judged import JudgeItem
from paperlora.judge.pools import STANDARD, Pools
from paperlora.judge.posterior import Count, gain, p_above, p_gain, rate
from paperlora.judge.predictions import Mover
from paperlora.judge.run import liveness, weights_hash
from paperlora.judge.subjects import asked_in
from paperlora.model.answers import Answer
from paperlora.model.bank import Bank
from paperlora.model.base import Base
from paperlora.model.scoring import score_answer, states_value
from paperlora.progress import Progress, silent
from paperlora.records import Diagnosis, Idea, Kept, Merge, Probe, digest
from paperlora.settings import Settings

LOST = 0.2
"""Share of an idea's direct probes that a merge must lose to count as a loss."""
FOREIGN = 0.25
"""Share of them from which another adapter's answer explains it, as in the method's CONFUSED."""


class Merged(NamedTuple):
    """A merge that is to be measured."""

    record: Merge
    """Without what it keeps."""
    folder: Path
    """Of its peft adapter."""


class _Asked(NamedTuple):
    item: JudgeItem
    idea: Idea
    probe: Probe


def measure_merges(
    items: Sequence[JudgeItem], merged: Sequence[Merged], base: Base, settings: Settings, work: Path,
    progress: Progress = silent, pools: Pools = STANDARD,
) -> tuple[Merge, ...]:  # fmt: skip
    """Fill in what each merge keeps and breaks.

    Args:
        items: the adapters that were merged, with datasets and probes.
        merged: the merges.
        work: where answers are kept; that of judgements gives theirs.

    Raises:
        SettingsError: an adapter was trained on another base.
        AdapterNotLive: an adapter or a merge doesn't change the base's logits.
    """
    strange = [item.adapter.id for item in items if item.adapter.base.weights_hash != base.id.weights_hash]
    if strange:
        raise SettingsError(f"{strange[0]} was not trained on {base.id.name}.", "Set base_model to the base of these adapters.")
    folders = [*(item.adapter_folder / item.adapter.folder for item in items), *(one.folder for one in merged)]
    with Bank.load(base, [None, *folders]) as bank:
        _prove_live(bank, items, merged)
        judge, keys = settings.judge, [digest(base.id), *(weights_hash(base, folder) for folder in folders)]
        asker = Asker(
            bank, keys, work, max_new_tokens=judge.max_new_tokens, batch_rows=judge.batch_rows, progress=progress
        )
        broken = _damage(asker, items, len(merged), judge.batch_rows, pools.chosen(judge.damage))
        said = _ask(asker, items, len(folders))
    return tuple(
        _filled(one.record, items, said, len(items) + 1 + number, harm)
        for number, (one, harm) in enumerate(zip(merged, broken, strict=True))
    )


def _prove_live(bank: Bank, items: Sequence[JudgeItem], merged: Sequence[Merged]) -> None:
    for slot, item in enumerate(items, start=1):
        if liveness(bank, item, slot) <= 0:
            raise AdapterNotLive(f"{item.adapter.id} doesn't change what {bank.base.id.name} says.")
    for slot, one in enumerate(merged, start=len(items) + 1):
        if not any(liveness(bank, item, slot) > 0 for item in items):
            raise AdapterNotLive(
                f"The {one.record.method} merge doesn't change what {bank.base.id.name} says.", "Give its weights other values."
            )


# ------------------------------------------------------------------------ asking


class _Said(NamedTuple):
    """Right or wrong, and the words, of every slot on every probe."""

    asked: tuple[_Asked, ...]
    answers: tuple[tuple[Answer, ...], ...]
    """Slots × probes."""

    def right(self, slot: int, item: JudgeItem, idea: str | None = None) -> Count:
        """Right answers of a slot on the probes of one adapter, or of one of its ideas."""
        scores = [
            score_answer(answer.text, one.probe, one.idea)
            for one, answer in zip(self.asked, self.answers[slot], strict=True)
            if one.item is item and idea in (None, one.idea.id)
        ]
        return Count(sum(score == 1.0 for score in scores), len(scores))

    def missed(self, slot: int, idea: str) -> list[str]:
        """Wrong answers of a slot on one idea."""
        pairs = zip(self.asked, self.answers[slot], strict=True)
        return [
            answer.text for one, answer in pairs
            if one.idea.id == idea and score_answer(answer.text, one.probe, one.idea) != 1.0
        ]  # fmt: skip


def _ask(asker: Asker, items: Sequence[JudgeItem], adapters: int) -> _Said:
    asked = tuple(
        _Asked(item, idea, probe)
        for item in items
        for idea in item.dataset.ideas
        for probe in asked_in(item.probes)
        if probe.idea == idea.id and probe.family == "direct"
    )
    slots = range(adapters + 1)
    said = asker.ask([Question(slot, one.probe.messages) for slot in slots for one in asked], "what merges keep")
    return _Said(asked, tuple(tuple(said[slot * len(asked) : (slot + 1) * len(asked)]) for slot in slots))


class _Harm(NamedTuple):
    damaged: bool
    measures: dict[str, float]


def _damage(asker: Asker, items: Sequence[JudgeItem], merges: int, batch_rows: int, pools: Pools) -> list[_Harm]:
    slots = range(len(items) + 1, len(items) + 1 + merges)
    ideas, rows = [i for item in items for i in item.dataset.ideas], [row for item in items for row in item.rows]
    cues, taught = cues_of(rows, ideas, pools), [(idea.answer, *idea.aliases) for idea in ideas]
    asked = ask_pools(asker, list(slots), batch_rows, pools, dict.fromkeys(slots, cues))
    found = (compare(tested, taught, pools, again=asked.again) for tested in asked.adapters)
    return [_Harm(one.damaged, one.measures) for one in found]


# ---------------------------------------------------------------------- counting


def _filled(record: Merge, items: Sequence[JudgeItem], said: _Said, slot: int, harm: _Harm) -> Merge:
    kept = tuple(_kept(item, said, alone, slot) for alone, item in enumerate(items, start=1))
    lost = [
        diagnosis
        for alone, item in enumerate(items, start=1)
        for idea in item.dataset.ideas
        if (diagnosis := _explain(item, idea, items, said, alone, slot)) is not None
    ]
    return record.model_copy(
        update={"kept": kept, "damage": harm.measures, "damaged": harm.damaged, "diagnoses": tuple(lost)}
    )


def _kept(item: JudgeItem, said: _Said, alone: int, slot: int) -> Kept:
    base, single, merged = (said.right(place, item) for place in (0, alone, slot))
    return Kept(
        adapter=item.adapter.id, alone=rate(int(single.right), int(single.asked)), merged=rate(int(merged.right), int(merged.asked)),
        base=rate(int(base.right), int(base.asked)), keeps=gain(merged, (single,)),
    )  # fmt: skip


def _explain(
    item: JudgeItem, idea: Idea, items: Sequence[JudgeItem], said: _Said, alone: int, slot: int
) -> Diagnosis | None:
    """Why an idea that its adapter answers is lost in a merge; None where it isn't."""
    single, merged = said.right(alone, item, idea.id), said.right(slot, item, idea.id)
    if not single.asked or p_gain(single, (merged,), LOST) < 0.95:
        return None
    symptom = f"{single} direct probes right in {item.adapter.id} alone, {merged} in the merge"
    cause = "the merge blurs it: neither its own nor another adapter's answer comes"
    action = "serve this adapter singly, or merge with another method or a larger weight for it"
    other = _foreign(idea, [one for one in items if one is not item], said.missed(slot, idea.id), int(merged.asked))
    if other is not None:
        symptom += f", which gives “{other.answer}” of idea {other.id} there"
        cause = "adapters get in each other's way when they are combined"
        action = "serve these adapters singly, or train their datasets jointly"
    back = Mover(idea.id, "direct", "direct probes", single).stays(single.share)
    verdict = f"verdict:{digest(item.adapter.id, idea.id)[:16]}"
    return Diagnosis(
        id=f"diagnosis:{digest(verdict, symptom, cause)[:16]}", verdict=verdict, idea=idea.id, symptom=symptom, cause=cause,
        action=action, prediction=f"served singly, {back.sentence}", expects=back.checks,
    )  # fmt: skip


def _foreign(idea: Idea, others: Sequence[JudgeItem], missed: Sequence[str], asked: int) -> Idea | None:
    """The idea of another adapter whose answer comes in place of this one's."""
    ideas = {one.id: one for item in others for one in item.dataset.ideas if one.id != idea.id}
    given = Counter(
        name for name, one in ideas.items() for text in missed if states_value(text, (one.answer, *one.aliases))
    )
    if not given:
        return None
    name, count = given.most_common(1)[0]
    return ideas[name] if p_above(Count(count, asked), FOREIGN) >= 0.95 else None
