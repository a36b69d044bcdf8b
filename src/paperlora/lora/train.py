"""Micro-datasets → adapters: one bank of LoRAs after another, each trained as if it were alone.

A step takes every running adapter's next rows through the frozen base in one pass and updates each adapter by itself:
its own order of rows, loss (mean over its tokens), gradient clipping, learning rate and end. So K adapters of a bank come
out as K separate trainings would (tests/test_train.py), only sooner.

Left out of the method on purpose: dropout (the trainings are short and judged on unseen wordings anyway), gradient
accumulation (a batch of short rows fits), replay of the base's own answers (a matter of the rows, not of the trainer).
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from paperlora.errors import NothingToDo, TrainingDiverged
from paperlora.lora.course import Course, TrainItem, lay_out, plan_course
from paperlora.lora.schedule import learning_rate
from paperlora.lora.state import BankState, SlotState, load_state, save_state
from paperlora.lora.telemetry import StepTelemetry, write_telemetry
from paperlora.model.answers import log_likelihoods
from paperlora.model.bank import Bank
from paperlora.model.base import Base
from paperlora.model.packing import Block, pack
from paperlora.progress import Progress, silent
from paperlora.records import Adapter, BaseModelId, Checkpoint, Recipe, Reject, digest
from paperlora.store import Store, fail_point, slug, write_json

__all__ = ["TrainItem", "adapter_key", "train_adapters"]

TRAINER = 1
"""Part of every adapter's key: a change that gives other weights for the same rows and recipe raises it."""
SAVE_SECONDS = 20.0
"""Longest work that a kill can cost."""
SAVE_SHARE = 0.05
"""Share of the time that saving may take; where it is slow, the pause between two saves grows."""
BETAS, EPSILON = (0.9, 0.999), 1e-8
"""AdamW's, as in torch."""
MARGIN_ROWS = 64
"""Answers scored at once at a checkpoint."""


def adapter_key(item: TrainItem, recipe: Recipe, base_id: BaseModelId) -> str:
    """Folder name of an adapter: what decides its weights, digested. The base's name decides nothing, its weights do."""
    base = (base_id.weights_hash, base_id.template_hash, base_id.dtype)
    return f"{slug(item.dataset.id)}-{digest(item.dataset_hash, recipe, base, TRAINER)[:12]}"


def train_adapters(
    items: Sequence[TrainItem], recipe: Recipe, base: Base, store: Store, work: Path, *, bank_size: int,
    progress: Progress = silent,
    dropped: list[Reject] | None = None,
) -> tuple[str, ...]:  # fmt: skip
    """Train an adapter for each micro-dataset; what is complete in the store is reused, a killed bank goes on.

    Args:
        work: where the state of running banks is kept.
        bank_size: adapters trained at once.
        dropped: takes a reject for each item that diverged or has no usable row.

    Returns:
        URIs of the adapters' folders, in the order of the items; dropped items are left out.

    Raises:
        NothingToDo: no item has a usable row.
        TrainingDiverged: no adapter is left.
    """
    keys = [adapter_key(item, recipe, base.id) for item in items]
    rejects = [] if dropped is None else dropped
    for start in range(0, len(items), bank_size):
        chosen = dict(zip(keys[start : start + bank_size], items[start : start + bank_size], strict=True))
        if all(store.has("adapters", key) for key in chosen):
            continue
        courses = _plan(chosen, recipe, base, rejects)
        if courses:
            folder = work / digest(list(chosen))[:16]
            BankTraining(courses, base, store, folder, rejects, progress).run()
    done = tuple(store.uri("adapters", key) for key in keys if store.has("adapters", key))
    if not done:
        kind = TrainingDiverged if any(reject.reason == "diverged" for reject in rejects) else NothingToDo
        raise kind(
            "; ".join(f"{reject.item}: {reject.reason}, {reject.detail}" for reject in rejects) or "Nothing to train."
        )
    return done


def _plan(chosen: dict[str, TrainItem], recipe: Recipe, base: Base, rejects: list[Reject]) -> list[Course]:
    courses: list[Course] = []
    for key, item in chosen.items():
        try:
            courses.append(plan_course(key, item, recipe, base, len(courses)))
        except NothingToDo as error:
            rejects.append(Reject(stage="train", item=item.dataset.id, reason="no_rows", detail=error.message))
    return courses


class _Losses(NamedTuple):
    """One step of one slot, before its update."""

    slot: int
    loss: Tensor
    """Mean over its tokens, nats."""
    tokens: int
    loss_tokens: int


class BankTraining:
    """One bank from its first step, or from where a kill left it, to its adapters in the store."""

    def __init__(
        self, courses: Sequence[Course], base: Base, store: Store, folder: Path, rejects: list[Reject],
        progress: Progress = silent,
    ) -> None:  # fmt: skip
        """Begin, or go on where the folder holds a state. All recipes of a bank have one rank.

        Args:
            rejects: what was dropped so far; adapters that diverge are added.
        """
        self.courses, self.base, self.store, self.folder, self.rejects, self.progress = (
            tuple(courses), base, store, folder, rejects, progress,
        )  # fmt: skip
        recipes = [course.recipe for course in courses]
        self.bank = Bank.fresh(
            base,
            len(courses),
            recipes[0].rank,
            [recipe.alpha for recipe in recipes],
            [recipe.seed for recipe in recipes],
        )
        self.bank.train()
        self.mean, self.square = torch.zeros_like(self.bank.weights), torch.zeros_like(self.bank.weights)
        self.step, self.slots = 0, [SlotState() for _ in courses]
        self.telemetry: list[list[StepTelemetry]] = [[] for _ in courses]
        self._done = {slot for slot, course in enumerate(courses) if store.has("adapters", course.key)}
        self._began = time.monotonic()
        self._saved, self._pause = self._began, SAVE_SECONDS
        self._resume()

    # ------------------------------------------------------------ the loop

    def run(self) -> None:
        """Train until every adapter ended; each goes into the store as soon as it is done."""
        total = sum(course.steps for course in self.courses)
        while running := self._running():
            self._step(running)
            self.progress("training steps", sum(map(self._steps_done, range(len(self.courses)))), total)
            fail_point(f"train:step-{self.step}")
        self.bank.remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _running(self) -> list[int]:
        return [
            slot
            for slot, course in enumerate(self.courses)
            if self.step < course.steps and not self.slots[slot].diverged and slot not in self._done
        ]

    def _steps_done(self, slot: int) -> int:
        ended = slot in self._done or self.slots[slot].diverged
        return self.courses[slot].steps if ended else min(self.step, self.courses[slot].steps)

    def _step(self, running: Sequence[int]) -> None:
        losses = self._backward(running)
        if self.step == 0:
            self._checkpoint({one.slot: float(one.loss) for one in losses})
        self.step += 1
        for one in losses:
            self._update(one)
        due = [slot for slot in running if self._is_due(slot)]
        if due:
            self._checkpoint({slot: self._recent_loss(slot) for slot in due})
        for slot in due:
            if self.step == self.courses[slot].steps:
                self._finish(slot)
        if due or time.monotonic() - self._saved > self._pause:
            self._save()

    def _backward(self, running: Sequence[int]) -> list[_Losses]:
        """Loss and gradients of every running slot, in one pass over all their rows."""
        self.bank.train()
        blocks: list[Block] = []
        places: list[tuple[int, int]] = []
        targets: list[int] = []
        sizes, tokens = [], []
        for slot in running:
            course, rows = self.courses[slot], self.courses[slot].batch(self.step)
            laid = lay_out(rows, course.shared, slot)
            places += [(len(blocks) + block, offset) for block, offset in laid.places]
            blocks += [
                block if block.parent is None else block._replace(parent=len(blocks) + block.parent)
                for block in laid.blocks
            ]
            targets += laid.tokens
            sizes.append(len(laid.tokens))
            tokens.append(sum(len(row.ids) for row in rows))
        packed = pack(blocks, self.base.device)
        hidden = self.bank.hidden(packed)[[packed.starts[block] + offset for block, offset in places]]
        losses = self.bank.token_losses(hidden, torch.tensor(targets, device=self.base.device))
        means = [part.mean() for part in losses.split(sizes)]
        torch.stack(means).sum().backward()
        return [_Losses(*one) for one in zip(running, [mean.detach() for mean in means], tokens, sizes, strict=True)]

    def _update(self, step: _Losses) -> None:
        """Clip and apply one slot's gradient: AdamW as torch computes it (1711.05101)."""
        assert self.bank.gradients is not None
        slot, course, gradient = step.slot, self.courses[step.slot], self.bank.gradients[step.slot]
        recipe, norm = course.recipe, float(gradient.norm())
        if not (math.isfinite(norm) and math.isfinite(float(step.loss))):
            self._give_up(slot)
            return
        gradient *= min(1.0, recipe.max_grad_norm / (norm + 1e-6))
        rate = learning_rate(self.step - 1, course.steps, recipe)
        weights, mean, square = self.bank.weights[slot], self.mean[slot], self.square[slot]
        weights *= 1 - rate * recipe.weight_decay
        mean.lerp_(gradient, 1 - BETAS[0])
        square.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        spread = square.sqrt().div_(math.sqrt(1 - BETAS[1] ** self.step)).add_(EPSILON)
        weights.addcdiv_(mean, spread, value=-rate / (1 - BETAS[0] ** self.step))
        self.telemetry[slot].append(
            StepTelemetry(
                step=self.step, epoch=course.epoch(self.step), loss=float(step.loss), gradient_norm=norm,
                learning_rate=rate, tokens=step.tokens, loss_tokens=step.loss_tokens, seconds=self._seconds(),
                time=time.time(),
            )
        )  # fmt: skip

    def _give_up(self, slot: int) -> None:
        detail = f"the loss became NaN or infinite at step {self.step} of {self.courses[slot].steps}"
        self.slots[slot] = self.slots[slot].model_copy(update={"diverged": detail})
        self._drop(slot)

    def _drop(self, slot: int) -> None:
        item, detail = self.courses[slot].item.dataset.id, self.slots[slot].diverged
        self.rejects.append(Reject(stage="train", item=item, reason="diverged", detail=detail))

    # ------------------------------------------------------------ the dose curve

    def _is_due(self, slot: int) -> bool:
        return self.step in self.courses[slot].checkpoints and not self.slots[slot].diverged

    def _recent_loss(self, slot: int) -> float:
        before = self.slots[slot].checkpoints[-1].step
        recent = [line.loss for line in self.telemetry[slot] if line.step > before]
        return sum(recent) / len(recent)

    def _checkpoint(self, losses: dict[int, float]) -> None:
        """Save a point of the dose curve for each slot that has a finite loss."""
        due = [slot for slot, loss in losses.items() if math.isfinite(loss)]
        margins = self._margins(due)
        for slot in due:
            course = self.courses[slot]
            name = "adapter" if self.step == course.steps else f"checkpoints/step-{self.step:05d}"
            self.bank.save(slot, self.folder / course.key / name)
            point = Checkpoint(
                step=self.step, epoch=course.epoch(self.step), folder=name, loss=losses[slot],
                delta_norm=self._delta_norm(slot), dev_margin=margins[slot],
            )  # fmt: skip
            self.slots[slot] = self.slots[slot].model_copy(
                update={"checkpoints": (*self.slots[slot].checkpoints, point)}
            )

    def _delta_norm(self, slot: int) -> float:
        return math.sqrt(sum(norm**2 for norm in self.bank.delta_norms(slot).values()))

    def _margins(self, slots: Sequence[int]) -> dict[int, dict[str, float]]:
        """Each idea's mean margin of the right answer over the best wrong one (nats a token), on dev probes."""
        asked = [(slot, margin) for slot in slots for margin in self.courses[slot].margins]
        texts = [text for _, margin in asked for text in (margin.right, *margin.wrong)]
        found = iter(log_likelihoods(self.bank, texts, batch_rows=MARGIN_ROWS))
        margins: dict[int, dict[str, list[float]]] = {slot: {} for slot in slots}
        for slot, margin in asked:
            right = next(found).per_token
            best = max(next(found).per_token for _ in margin.wrong)
            margins[slot].setdefault(margin.idea, []).append(right - best)
        return {slot: {idea: sum(all_) / len(all_) for idea, all_ in ideas.items()} for slot, ideas in margins.items()}

    # ------------------------------------------------------------ the end

    def _finish(self, slot: int) -> None:
        """Put a finished adapter into the store."""
        course, adapter = self.courses[slot], self._record(slot)
        with self.store.writing("adapters", course.key) as draft:
            shutil.copytree(self.folder / course.key, draft.path, dirs_exist_ok=True)
            write_json(draft.path / "adapter.json", adapter)
            write_telemetry(draft.path, self.telemetry[slot], adapter.checkpoints)
            draft.inputs = {course.item.dataset.id: course.item.dataset_hash}
            draft.settings = {"recipe": course.recipe.model_dump(), "trainer": TRAINER}
            draft.models = {"base": self.base.id.name}
            draft.counts = {"rows": adapter.rows, "steps": adapter.steps, "tokens": adapter.tokens}
            draft.rejects = list(course.rejects)
        self._done.add(slot)

    def _record(self, slot: int) -> Adapter:
        course, lines, points = self.courses[slot], self.telemetry[slot], self.slots[slot].checkpoints
        last_epoch = lines[-max(1, round(len(course.rows) / course.recipe.batch_size)) :]
        return Adapter(
            id=f"{course.item.dataset.id}/{course.key[-12:]}", dataset=course.item.dataset.id,
            dataset_hash=course.item.dataset_hash, paper=course.item.dataset.paper.key, topic=course.item.dataset.topic,
            recipe=course.recipe, base=self.base.id, checkpoints=points, steps=course.steps, rows=len(course.rows),
            tokens=sum(line.tokens for line in lines), loss_tokens=sum(line.loss_tokens for line in lines),
            seconds=self._seconds(), final_loss=sum(line.loss for line in last_epoch) / len(last_epoch),
            delta_norm=points[-1].delta_norm, relative_delta_norm=points[-1].delta_norm / self.bank.base_norm(),
            rejects=course.rejects,
        )  # fmt: skip

    # ------------------------------------------------------------ a kill

    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def _save(self) -> None:
        before = time.monotonic()
        slots = [
            slot.model_copy(update={"telemetry": tuple(lines)})
            for slot, lines in zip(self.slots, self.telemetry, strict=True)
        ]
        state = BankState(step=self.step, seconds=self._seconds(), slots=tuple(slots))
        save_state(self.folder, state, {"weights": self.bank.weights, "mean": self.mean, "square": self.square})
        self._saved = time.monotonic()
        self._pause = max(SAVE_SECONDS, (self._saved - before) / SAVE_SHARE)

    def _resume(self) -> None:
        found = load_state(self.folder, self.base.device)
        if found is None:
            return
        state, tensors = found
        self.bank.weights, self.mean, self.square = tensors["weights"], tensors["mean"], tensors["square"]
        self.step, self.slots = state.step, list(state.slots)
        self.telemetry = [list(slot.telemetry) for slot in state.slots]
        self._began -= state.seconds
        for index, slot in enumerate(self.slots):
            if slot.diverged:
                self._drop(index)
