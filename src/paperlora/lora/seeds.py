"""Which adapters are trained again with other seeds: what the seed alone decides is no knowledge. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from paperlora.records import Recipe, digest


class Course(NamedTuple):
    """A dataset and how it is trained."""

    dataset: str
    """Its content hash."""
    place: int
    """Where it stands among the datasets of the run."""
    recipe: Recipe


def repeats(datasets: Sequence[str], recipes: Sequence[Recipe], share: float, seeds: int) -> list[Course]:
    """Further courses: a share of all pairs of dataset and recipe, each with as many seeds more as make up ``seeds``.

    Which pairs is decided by their digests, so that it neither depends on the order nor on what the datasets hold. The share
    is rounded down: a run of fewer adapters than 1 / share is not repeated at all.

    Args:
        datasets: content hashes.
        recipes: of the run; those that differ by name or seed alone are one.
        share: of the adapters, 0 to 1.
        seeds: in all, the recipe's own included; where the run asks for several seeds itself, these count.
    """
    kinds: dict[str, list[Recipe]] = {}
    for recipe in recipes:
        kinds.setdefault(recipe.dose, []).append(recipe)
    pairs = [(place, dose) for place in range(len(datasets)) for dose in kinds]
    lots = sorted(pairs, key=lambda pair: digest("repeat", datasets[pair[0]], pair[1]))
    chosen = sorted(lots[: int(share * len(pairs) + 1e-9)])
    return [Course(datasets[place], place, recipe) for place, dose in chosen for recipe in _further(kinds[dose], seeds)]


def _further(known: Sequence[Recipe], seeds: int) -> list[Recipe]:
    """The same recipe with the next seeds that it doesn't have yet."""
    taken = {recipe.seed for recipe in known}
    free = (seed for seed in range(known[0].seed + 1, known[0].seed + 1 + seeds + len(taken)) if seed not in taken)
    return [known[0].model_copy(update={"seed": seed}) for seed, _ in zip(free, range(max(seeds - len(taken), 0)), strict=False)]
