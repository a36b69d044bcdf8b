"""Micro-datasets → adapters: one bank of LoRAs, each trained as if it were alone.

A step takes every seated adapter's next rows through the frozen base in one pass and updates each adapter by itself: its
own order of rows, loss (mean over its tokens), gradient clipping, learning rate, step count and end. So K adapters of a
bank come out as K separate trainings would (tests/test_train.py), only sooner. When one ends, the next micro-dataset
takes its seat while the others go on; where memory runs out, half of them stand up and wait.

Left out of the method on purpose: dropout (the trainings are short and judged on unseen wordings anyway) and gradient
accumulation (a batch of short rows fits). Replay of the base's own answers is a matter of the rows, not of the trainer.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from paperlora.errors import NothingToDo, TrainingDiverged
from paperlora.lora.course import Course, Targets, TrainItem, lay_out, plan_course
from paperlora.lora.fit import seats_that_fit
from paperlora.lora.guard import unrelated
from paperlora.lora.keep import Aim, aim
from paperlora.lora.meter import Meter
from paperlora.lora.optimiser import RowAdamW, RowUpdate
from paperlora.lora.seat import Seat
from paperlora.model.answers import log_likelihoods
from paperlora.model.bank import Bank, SlotInfo
from paperlora.model.base import Base
from paperlora.model.divergence import token_divergences
from paperlora.model.packing import Block, Packed, pack
from paperlora.progress import Progress, silent
from paperlora.records import BaseModelId, Recipe, Reject, digest
from paperlora.store import Store, fail_point, slug

__all__ = ["BankTraining", "TrainItem", "adapter_key", "train_adapters"]

TRAINER = 1
"""Part of every adapter's key: a change that gives other weights for the same rows and recipe raises it."""
SAVE_SECONDS = 20.0
"""Longest work that a kill can cost."""
SAVE_SHARE = 0.05
"""Share of the time that saving may take; where it is slow, the pause between two saves grows."""
CPU_TOKENS = 512
"""Tokens that go through the base at once on a CPU."""
MARGIN_ROWS = 64
"""Answers scored at once at a checkpoint."""


def adapter_key(item: TrainItem, recipe: Recipe, base_id: BaseModelId) -> str:
    """Folder name of an adapter: what decides its weights, digested. The base's name decides nothing, its weights do."""
    base = (base_id.weights_hash, base_id.template_hash, base_id.dtype)
    return f"{slug(item.dataset.id)}-{digest(item.dataset_hash, recipe, base, TRAINER)[:12]}"


def train_adapters(
    items: Sequence[TrainItem], recipe: Recipe | Sequence[Recipe], base: Base, store: Store, work: Path, *, bank_size: int,
    progress: Progress = silent, dropped: list[Reject] | None = None,
) -> tuple[str, ...]:  # fmt: skip
    """Train an adapter for each micro-dataset; what is complete in the store is reused, what was killed goes on.

    Args:
        recipe: one for all, or one for each item: ranks may differ within a bank.
        work: where the state of running trainings is kept.
        bank_size: most adapters trained at once, fewer where memory asks for it; 0: as many as fit.
        dropped: takes a reject for each item that diverged or has no usable row.

    Returns:
        URIs of the adapters' folders, in the order of the items; dropped items are left out.

    Raises:
        NothingToDo: no item has a usable row.
        TrainingDiverged: no adapter is left.
    """
    recipes = [recipe] * len(items) if isinstance(recipe, Recipe) else list(recipe)
    keys = [adapter_key(item, one, base.id) for item, one in zip(items, recipes, strict=True)]
    rejects = [] if dropped is None else dropped
    planned = {key: (item, one) for key, item, one in zip(keys, items, recipes, strict=True) if not store.has("adapters", key)}
    courses = _plan(planned, base, rejects)
    if courses:
        BankTraining(courses, base, store, work, rejects, progress, seats=bank_size).run()
    done = tuple(store.uri("adapters", key) for key in keys if store.has("adapters", key))
    if not done:
        kind = TrainingDiverged if any(reject.reason == "diverged" for reject in rejects) else NothingToDo
        raise kind(
            "; ".join(f"{reject.item}: {reject.reason}, {reject.detail}" for reject in rejects) or "Nothing to train."
        )
    return done


def _plan(planned: dict[str, tuple[TrainItem, Recipe]], base: Base, rejects: list[Reject]) -> list[Course]:
    courses: list[Course] = []
    for key, (item, recipe) in planned.items():
        try:
            courses.append(plan_course(key, item, recipe, base))
        except NothingToDo as error:
            rejects.append(Reject(stage="train", item=item.dataset.id, reason="no_rows", detail=error.message))
    return courses


class _Pass(NamedTuple):
    """What one forward and backward pass found of one adapter."""

    seat: Seat
    loss: float
    """Mean over its tokens, nats."""
    norm: float
    """Of its gradient."""
    tokens: int
    loss_tokens: int


def _at(hidden: Tensor, packed: Packed, places: Sequence[tuple[int, int]]) -> Tensor:
    """Hidden states at these blocks and offsets."""
    return hidden[[packed.starts[block] + offset for block, offset in places]]


class BankTraining:
    """All courses through one bank: as many at once as there are seats, until every adapter is in the store."""

    def __init__(
        self, courses: Sequence[Course], base: Base, store: Store, work: Path, rejects: list[Reject],
        progress: Progress = silent, *, seats: int | None = None,
    ) -> None:  # fmt: skip
        """Make room; trainings that a kill left in the work folder go on where they were.

        Args:
            rejects: what was dropped so far; adapters that diverge are added.
            seats: most adapters at once; as many as fit by default.
        """
        self.base, self.store, self.work, self.rejects, self.progress = base, store, work, rejects, progress
        self.waiting = deque(courses)
        self.limit = min(seats or seats_that_fit(base, courses), len(courses))
        """Seats in use; halved where memory runs out."""
        self.bank = Bank(base, [SlotInfo(0, 0.0)] * self.limit, max(course.recipe.rank for course in courses))
        self.bank.train()
        self.optimiser = RowAdamW(self.bank)
        self.meter = Meter(base.device)
        # Nobody is seated yet: every slot is the bare base.
        alone = log_likelihoods(self.bank, unrelated(0), batch_rows=MARGIN_ROWS)
        self.base_loss = -sum(one.per_token for one in alone) / len(alone)
        self.seats: list[Seat] = []
        self.passes = 0
        self._updating = False
        self._total = sum(course.steps for course in courses)
        self._ended = 0
        self._saved, self._pause = time.monotonic(), SAVE_SECONDS
        work.mkdir(parents=True, exist_ok=True)

    def run(self) -> None:
        """Train until every adapter ended; each goes into the store as soon as it is done.

        A cancellation, a time-out or an error leaves the trainings where they can go on.
        """
        try:
            while self._fill_seats():
                self._step()
                self.progress("training steps", self._ended + sum(seat.step for seat in self.seats), self._total)
                fail_point(f"train:step-{self.passes}")
        except BaseException:
            # In the middle of an update weights and step counts don't belong together: then the last save holds.
            if not self._updating:
                self._save_all()
            raise
        self.bank.remove()

    # ------------------------------------------------------------ seats

    def _fill_seats(self) -> bool:
        """Seat who waits; False when nobody is left."""
        while self.waiting and len(self.seats) < self.limit:
            taken = {seat.slot for seat in self.seats}
            slot = next(slot for slot in range(self.bank.slots) if slot not in taken)
            self.seats.append(Seat(self.waiting.popleft(), slot, self.bank, self.optimiser, self.work))
        # Tokens lie in the order of the slots, whoever came first.
        self.seats.sort(key=lambda seat: seat.slot)
        return bool(self.seats)

    def _leave(self, seat: Seat) -> None:
        self.seats.remove(seat)
        self.bank.clear(seat.slot)

    def _make_room(self) -> None:
        """Half of the adapters stand up and wait until the others ended; the last one computes layers twice instead."""
        self.bank.recompute = len(self.seats) == 1
        self.limit = max(len(self.seats) // 2, 1)
        for seat in self.seats[self.limit :]:
            seat.save()
            self._leave(seat)
            self.waiting.appendleft(seat.course)
        if self.base.device.type == "cuda":
            torch.cuda.empty_cache()

    # ------------------------------------------------------------ a step

    def _step(self) -> None:
        began = time.monotonic()
        try:
            passes = self._backward()
        except torch.OutOfMemoryError:
            if len(self.seats) == 1 and self.bank.recompute:
                raise
            self._make_room()
            return
        for one in passes:
            if not one.seat.progress.checkpoints and one.seat.step == 0:
                self._checkpoint([(one.seat, one.loss)])
        self._update(passes)
        self.passes += 1
        self._share_cost(passes, time.monotonic() - began)
        due = [seat for seat in self.seats if seat.due]
        self._checkpoint([(seat, seat.recent_loss()) for seat in due])
        for seat in due:
            self._end_or_save(seat)
        if time.monotonic() - self._saved > self._pause:
            self._save_all()

    def _backward(self) -> list[_Pass]:
        """Loss and gradients of every seated adapter."""
        self.bank.train()
        found = [one for group in self._groups() for one in self._pass(group)]
        norms = self.optimiser.norms([one.seat.slot for one in found])
        return [one._replace(norm=norm) for one, norm in zip(found, norms.tolist(), strict=True)]

    def _groups(self) -> list[list[Seat]]:
        """Seats that go through the base together: all on a GPU, no more tokens than stay in a CPU's caches there."""
        groups: list[list[Seat]] = []
        room = 0
        for seat in self.seats:
            tokens = sum(len(row.ids) for row in seat.course.batch(seat.step))
            if not groups or (self.base.device.type == "cpu" and tokens > room):
                groups.append([])
                room = CPU_TOKENS
            groups[-1].append(seat)
            room -= tokens
        return groups

    def _pass(self, seats: Sequence[Seat]) -> list[_Pass]:
        """One forward and backward pass over the rows of some adapters; norms are not known yet."""
        blocks: list[Block] = []
        laid: list[Targets] = []
        tokens: list[int] = []
        for seat in seats:
            course, rows = seat.course, seat.course.batch(seat.step)
            own = lay_out(rows, course.shared, seat.slot, seat.held_now(), len(blocks))
            blocks += own.blocks
            laid.append(own)
            tokens.append(sum(len(row.ids) for row in rows))
        packed = pack(blocks, self.base.device)
        with self.bank.step(packed):
            hidden = self.bank.hidden(packed)
            targets = [token for own in laid for token in own.tokens]
            wanted = torch.tensor(targets, dtype=torch.long, device=self.base.device)
            losses = self.bank.token_losses(_at(hidden, packed, [place for own in laid for place in own.places]), wanted)
            parts = losses.split([len(own.tokens) for own in laid])
            aims = [self._aim(*one, hidden, packed) for one in zip(seats, laid, parts, strict=True)]
            torch.stack([aim.whole for aim in aims]).sum().backward()
        means = torch.stack([aim.loss.detach() for aim in aims]).tolist()
        learnt = [len(own.tokens) + sum(own.answered) for own in laid]
        found = zip(seats, means, tokens, learnt, strict=True)
        return [_Pass(seat, loss, math.nan, count, carried) for seat, loss, count, carried in found]

    def _aim(self, seat: Seat, laid: Targets, losses: Tensor, hidden: Tensor, packed: Packed) -> Aim:
        """What one adapter's step brings down: the loss of its answers, and how far its guesses on questions strayed."""
        if not seat.held:
            return Aim(loss := losses.mean(), loss)
        states = torch.cat([one.states for one in seat.held_now()])
        strayed = token_divergences(self.bank, _at(hidden, packed, laid.kept), states)
        return aim(losses, strayed, laid.answered, seat.course.recipe.keep)

    def _update(self, passes: Sequence[_Pass]) -> None:
        planned: list[tuple[_Pass, RowUpdate]] = []
        for one in passes:
            update = one.seat.plan_update(one.loss, one.norm)
            if update is None:
                self._give_up(one.seat)
            else:
                planned.append((one, update))
        self._updating = True
        self.optimiser.update([update for _, update in planned])
        for one, update in planned:
            one.seat.stepped(update, one.loss, one.norm, one.tokens, one.loss_tokens, len(passes) - 1)
        self._updating = False

    def _give_up(self, seat: Seat) -> None:
        detail = f"the loss became NaN or infinite at step {seat.step} of {seat.course.steps}"
        self.rejects.append(Reject(stage="train", item=seat.course.item.dataset.id, reason="diverged", detail=detail))
        self._ended += seat.course.steps
        self._leave(seat)
        seat.forget()

    def _share_cost(self, passes: Sequence[_Pass], seconds: float) -> None:
        total, joules, peak = sum(one.tokens for one in passes), self.meter.joules(), self.meter.peak_bytes()
        for one in passes:
            share = one.tokens / total
            one.seat.spent(seconds * share, None if joules is None else joules * share, peak)

    # ------------------------------------------------------------ the dose curve

    def _checkpoint(self, due: Sequence[tuple[Seat, float]]) -> None:
        """A point of the dose curve for each of them."""
        seats = [seat for seat, _ in due]
        for (seat, loss), margins, drift in zip(due, self._margins(seats), self._drifts(seats), strict=True):
            seat.checkpoint(loss, margins, drift)

    def _margins(self, seats: Sequence[Seat]) -> list[dict[str, float]]:
        """Each idea's mean margin of the right answer over the best wrong one (nats a token), on dev probes."""
        texts = [text for seat in seats for margin in seat.course.margins for text in margin.texts(seat.slot)]
        scored = iter(log_likelihoods(self.bank, texts, batch_rows=MARGIN_ROWS))
        found: list[dict[str, float]] = []
        for seat in seats:
            margins: dict[str, list[float]] = {}
            for margin in seat.course.margins:
                right, *wrong = [next(scored).per_token for _ in margin.answers]
                margins.setdefault(margin.idea, []).append(right - max(wrong))
            found.append({idea: sum(all_) / len(all_) for idea, all_ in margins.items()})
        return found

    def _drifts(self, seats: Sequence[Seat]) -> list[float]:
        """How much each adapter lost on answers that it isn't taught, in nats a token."""
        if all(seat.step == 0 for seat in seats):
            return [0.0] * len(seats)  # B is zero: they are the base
        losses = [-one.per_token for one in log_likelihoods(self.bank, [t for seat in seats for t in unrelated(seat.slot)], batch_rows=MARGIN_ROWS)]
        count = len(unrelated(0))
        return [sum(losses[start : start + count]) / count - self.base_loss for start in range(0, len(losses), count)]

    def _end_or_save(self, seat: Seat) -> None:
        if not seat.ended:
            seat.save()
            return
        seat.finish(self.store, TRAINER)
        self._ended += seat.course.steps
        self._leave(seat)

    def _save_all(self) -> None:
        before = time.monotonic()
        for seat in self.seats:
            if seat.step > seat.saved_step:
                seat.save()
        self._saved = time.monotonic()
        self._pause = max(SAVE_SECONDS, (self._saved - before) / SAVE_SHARE)
