"""When what happens in a training: order of the rows, learning rate, checkpoints. Pure functions of recipe and step."""

from __future__ import annotations

import functools
import math
import random

from paperlora.records import Recipe


def total_steps(rows: int, recipe: Recipe) -> int:
    """Optimiser steps that make up the dose."""
    steps = max(1, math.ceil(rows * recipe.epochs / recipe.batch_size))
    if recipe.episodes:
        steps = recipe.episodes * recipe.episode_steps
    return min(steps, recipe.max_steps) if recipe.max_steps else steps


def batch(step: int, rows: int, recipe: Recipe) -> list[int]:
    """Indices of the rows of a step (from 0): one shuffled epoch behind the other, cut into equal batches."""
    places = range(step * recipe.batch_size, (step + 1) * recipe.batch_size)
    return [_epoch(recipe.seed, place // rows, rows)[place % rows] for place in places]


@functools.lru_cache(maxsize=4096)
def _epoch(seed: int, epoch: int, rows: int) -> tuple[int, ...]:
    order = list(range(rows))
    random.Random(f"{seed}:{epoch}").shuffle(order)
    return tuple(order)


def learning_rate(step: int, steps: int, recipe: Recipe) -> float:
    """Learning rate of a step (from 0): a linear rise, then a cosine down to the final share at the last step."""
    warmup = math.ceil(steps * recipe.warmup_share)
    if step < warmup:
        return recipe.learning_rate * (step + 1) / warmup
    done = (step - warmup) / max(steps - 1 - warmup, 1)
    share = recipe.final_lr_share + (1 - recipe.final_lr_share) * (1 + math.cos(math.pi * done)) / 2
    return recipe.learning_rate * share


def checkpoint_steps(steps: int, recipe: Recipe) -> tuple[int, ...]:
    """Steps (counted from 1) after which a point of the dose curve is saved: the last, half of it, a quarter …, and the
    end of every episode."""
    ends = {steps - back * recipe.episode_steps for back in range(recipe.episodes)}
    return tuple(sorted({max(1, round(steps / 2**back)) for back in range(recipe.checkpoints)} | {end for end in ends if end > 0}))
