"""What a training leaves as the base has it: its guesses about the words of questions, and its own answers.

A few dozen short rows learnt by heart make an adapter sure of everything: on SmolLM2 unrelated text then costs .5 nats a token
more than before, whatever is taught (docs/log.md). So the recipe's ``keep`` holds it to the base's own distributions, not only
to the words that the base happened to say (self-distillation, 2402.13669; KL to the model before, 1606.09282). The words
of every row's question are computed anyway, so that this costs the output head alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from paperlora.lora.course import Course, Held
from paperlora.model.bank import Bank
from paperlora.model.chat import Rendered
from paperlora.model.packing import Block, pack

TOKENS_AT_ONCE = 512


def hold(course: Course, bank: Bank, slot: int) -> tuple[Held, ...]:
    """What is kept in each row of a course, in their order.

    Args:
        slot: one in which no adapter stands: it answers as the base.
    """
    spans = [(range(course.shared, row.prompt_tokens - 1), _answer(course, number)) for number, row in enumerate(course.rows)]
    states = _states(course, bank, slot)
    return tuple(
        Held(question, answer, torch.cat([own[_own(question, course.shared)], own[_own(answer, course.shared)]]))
        for (question, answer), own in zip(spans, states, strict=True)
    )


def _answer(course: Course, number: int) -> range:
    """The places before the tokens of a replayed answer."""
    row = course.rows[number]
    return range(row.prompt_tokens - 1, len(row.ids) - 1) if number in course.replayed else range(0)


def _own(places: range, shared: int) -> slice:
    """Where they stand among the row's own tokens."""
    return slice(places.start - shared, places.stop - shared) if places else slice(0, 0)


@torch.no_grad()
def _states(course: Course, bank: Bank, slot: int) -> Iterator[Tensor]:
    """Hidden states of every row's own tokens."""
    for part in _parts(course):
        shared = [Block(course.rows[0].ids[: course.shared], slot)] if course.shared else []
        own = [Block(row.ids[course.shared :], slot, 0 if shared else None) for row in part]
        packed = pack([*shared, *own], bank.base.device)
        hidden = bank.hidden(packed)
        for block, start in zip(own, packed.starts[len(shared) :], strict=True):
            yield hidden[start : start + len(block.ids)].clone()


def _parts(course: Course) -> Iterator[list[Rendered]]:
    part: list[Rendered] = []
    for row in course.rows:
        if part and sum(len(one.ids) for one in part) + len(row.ids) > TOKENS_AT_ONCE:
            yield part
            part = []
        part.append(row)
    yield part


class Aim(NamedTuple):
    """What a step brings down for one adapter, nats."""

    loss: Tensor
    """Mean over its answers' tokens."""
    whole: Tensor
    """With what the recipe keeps."""


def aim(losses: Tensor, strayed: Tensor, answered: Sequence[bool], keep: float) -> Aim:
    """Put together what is learnt and what is kept.

    Args:
        losses: of the answers that are learnt, a number a token.
        strayed: divergences from the base of all tokens that are held.
        answered: whether each of these belongs to a replayed answer: those count with the losses.
        keep: weight of all others, those of questions.
    """
    mine = torch.tensor(answered, dtype=torch.bool, device=strayed.device)
    loss = (losses.sum() + strayed[mine].sum()) / (len(losses) + sum(answered))
    questions = strayed[~mine]
    return Aim(loss, loss + keep * questions.sum() / max(len(questions), 1))
