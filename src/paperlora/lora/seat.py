"""One adapter while it is trained: its plan, how far it is, and the slot of the bank it sits in."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from paperlora.lora.course import Course, Held
from paperlora.lora.keep import hold
from paperlora.lora.optimiser import RowAdamW, RowUpdate
from paperlora.lora.schedule import learning_rate
from paperlora.lora.state import Kept, Progress, load_state, save_state
from paperlora.lora.telemetry import LayerNorms, StepTelemetry, write_telemetry
from paperlora.model.bank import Bank, SlotInfo
from paperlora.records import Adapter, Checkpoint
from paperlora.store import Store, write_json


class Seat:
    """An adapter in a slot. Beginning it fills the slot: with fresh weights, or with those a kill left."""

    def __init__(self, course: Course, slot: int, bank: Bank, optimiser: RowAdamW, work: Path) -> None:
        self.course, self.slot = course, slot
        self._bank, self._optimiser, self._folder = bank, optimiser, work / course.key
        self._since = time.monotonic()
        recipe = course.recipe
        bank.clear(slot)
        self.held = hold(course, bank, slot) if recipe.keep else ()
        """What stays the base's in each row."""
        bank.begin(slot, SlotInfo(recipe.rank, recipe.alpha, recipe.rslora), recipe.seed)
        optimiser.clear(slot)
        kept = load_state(self._folder)
        self.progress = kept.progress if kept else Progress()
        if kept is not None:
            for matrix, row in ((bank.weights, kept.weights), (optimiser.mean, kept.mean), (optimiser.square, kept.square)):
                matrix[slot] = bank.widen(row.to(matrix.device), recipe.rank)
        self.saved_step = self.progress.step
        self._telemetry = list(self.progress.telemetry)

    @property
    def step(self) -> int:
        """Steps done."""
        return self.progress.step

    @property
    def ended(self) -> bool:
        """Its dose is reached, or it was stopped before."""
        return self.step >= self.course.steps or bool(self.progress.stopped)

    @property
    def made(self) -> Path:
        """What the finished adapter's folder will hold."""
        return self._folder / "made"

    # ------------------------------------------------------------ a step

    def held_now(self) -> list[Held]:
        """What stays the base's in the rows of the next step; empty where the recipe keeps nothing."""
        return [self.held[place] for place in self.course.places(self.step)] if self.held else []

    def plan_update(self, loss: float, norm: float) -> RowUpdate | None:
        """What the optimiser shall do with this adapter's gradient; None where loss or gradient is no number."""
        if not (math.isfinite(norm) and math.isfinite(loss)):
            return None
        recipe, step = self.course.recipe, self.step + 1
        rate = learning_rate(step - 1, self.course.steps, recipe)
        return RowUpdate(self.slot, step, rate, recipe.weight_decay, min(1.0, recipe.max_grad_norm / (norm + 1e-6)))

    def stepped(self, update: RowUpdate, loss: float, norm: float, tokens: int, loss_tokens: int, neighbours: int) -> None:
        """Note a step that was done."""
        self.progress = self.progress.model_copy(update={"step": update.step})
        self._telemetry.append(
            StepTelemetry(
                step=update.step, epoch=self.course.epoch(update.step), loss=loss, gradient_norm=norm, learning_rate=update.rate,
                tokens=tokens, loss_tokens=loss_tokens, neighbours=neighbours, seconds=self._seconds(), time=time.time(),
            )
        )  # fmt: skip

    def spent(self, seconds: float, joules: float | None, peak_bytes: int) -> None:
        """Note this adapter's share of what a step cost."""
        was = self.progress
        self.progress = was.model_copy(update={
            "device_seconds": was.device_seconds + seconds, "peak_bytes": max(was.peak_bytes, peak_bytes),
            "joules": None if joules is None else (was.joules or 0.0) + joules,
        })  # fmt: skip

    # ------------------------------------------------------------ the dose curve

    @property
    def due(self) -> bool:
        """A point of the dose curve is to be saved now."""
        return self.step in self.course.checkpoints

    def recent_loss(self) -> float:
        """Mean loss since the last point of the dose curve."""
        before = self.progress.checkpoints[-1].step
        recent = [line.loss for line in self._telemetry if line.step > before]
        return sum(recent) / len(recent)

    def checkpoint(self, loss: float, margins: dict[str, float], drift: float) -> None:
        """Save a point of the dose curve, the last one where the recipe says that it is enough."""
        self.progress = self.progress.model_copy(update={"stopped": self._enough(margins, drift)})
        name = "adapter" if self.ended else f"checkpoints/step-{self.step:05d}"
        self._bank.save(self.slot, self.made / name)
        delta = self._bank.delta_norms(self.slot)
        relative = {layer: norm / self._bank.base_norms[layer] for layer, norm in delta.items()}
        point = Checkpoint(
            step=self.step, epoch=self.course.epoch(self.step), folder=name, loss=loss, delta_norm=_total(delta.values()),
            dev_margin=margins, drift=drift,
        )  # fmt: skip
        was = self.progress
        self.progress = was.model_copy(update={
            "checkpoints": (*was.checkpoints, point), "norms": (*was.norms, LayerNorms(step=self.step, delta=delta, relative=relative)),
        })  # fmt: skip

    def _enough(self, margins: dict[str, float], drift: float) -> str:
        """Why the training ends here; empty where it goes on, or has reached its dose anyway."""
        recipe, before = self.course.recipe, self.progress.checkpoints[-1:]
        if not self.step or self.step >= self.course.steps:
            return ""
        if recipe.max_drift is not None and drift > recipe.max_drift:
            return f"drift of {drift:.3f} nats a token at step {self.step}, at most {recipe.max_drift:g}"
        if recipe.flat_gain and before and before[0].step and margins:
            gain = _mean(margins.values()) - _mean(before[0].dev_margin.values())
            if gain < recipe.flat_gain:
                return f"the dose curve rose by {gain:.3f} nats a token up to step {self.step}, less than {recipe.flat_gain:g}"
        return ""

    # ------------------------------------------------------------ the end, or a pause

    def finish(self, store: Store, trainer: int) -> None:
        """Put the finished adapter into the store, and forget the work."""
        course, adapter = self.course, self._record()
        with store.writing("adapters", course.key) as draft:
            shutil.copytree(self.made, draft.path, dirs_exist_ok=True)
            write_json(draft.path / "adapter.json", adapter)
            write_telemetry(draft.path, self._telemetry, adapter.checkpoints, self.progress.norms)
            draft.inputs = {course.item.dataset.id: course.item.dataset_hash}
            draft.settings = {"recipe": course.recipe.model_dump(), "trainer": trainer}
            draft.models = {"base": self._bank.base.id.name}
            draft.counts = {"rows": adapter.rows, "steps": adapter.steps, "tokens": adapter.tokens}
            draft.rejects = list(course.rejects)
        self.forget()

    def forget(self) -> None:
        """Remove the work folder."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _record(self) -> Adapter:
        course, lines, was = self.course, self._telemetry, self.progress
        last_epoch = lines[-max(1, round(len(course.rows) / course.recipe.batch_size)) :]
        last, base = was.checkpoints[-1], self._bank.base
        return Adapter(
            id=f"{course.item.dataset.id}/{course.key[-12:]}", dataset=course.item.dataset.id,
            dataset_hash=course.item.dataset_hash, paper=course.item.dataset.paper.key, topic=course.item.dataset.topic,
            recipe=course.recipe, base=base.id, checkpoints=was.checkpoints, steps=self.step, stopped=was.stopped, rows=len(course.rows),
            tokens=sum(line.tokens for line in lines), loss_tokens=sum(line.loss_tokens for line in lines),
            seconds=self._seconds(), device_seconds=was.device_seconds, joules=was.joules, peak_bytes=was.peak_bytes,
            final_loss=sum(line.loss for line in last_epoch) / len(last_epoch), delta_norm=last.delta_norm,
            relative_delta_norm=last.delta_norm / _total(self._bank.base_norms.values()), rejects=course.rejects,
        )  # fmt: skip

    def save(self) -> None:
        """Keep the training so that it can go on from here, in any slot of any bank."""
        rank = self.course.recipe.rank
        rows = (self._bank.narrow(matrix[self.slot], rank) for matrix in (self._bank.weights, self._optimiser.mean, self._optimiser.square))
        progress = self.progress.model_copy(update={"telemetry": tuple(self._telemetry), "seconds": self._seconds()})
        save_state(self._folder, Kept(progress, *rows))
        self.saved_step = self.step

    def _seconds(self) -> float:
        return self.progress.seconds + time.monotonic() - self._since


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)


def _total(norms: Iterable[float]) -> float:
    return math.sqrt(sum(norm**2 for norm in norms))
