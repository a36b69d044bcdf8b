"""Adapters whose truth is known by construction: what their rows hold decides what a judge must say of each idea.

Nothing here looks at a verdict. A case says what was planted (:class:`~paperlora.planted.makes.Plant`), which verdict and
which cause that asks for, and holds the rows (:mod:`~paperlora.planted.rows`), the probes
(:mod:`~paperlora.planted.probes`), the passage and the recipe that the project's own trainer and judge are given.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from itertools import cycle
from typing import NamedTuple

from paperlora.lora.course import TrainItem
from paperlora.planted.language import VALUES
from paperlora.planted.makes import KIN, MAKES, REPEATED, STANDARD, STRANGERS, Kind, Plant, Sizes
from paperlora.planted.probes import ProbeWriter
from paperlora.planted.rows import RowWriter
from paperlora.planted.world import Fact, World
from paperlora.records import Idea, MicroDataset, Paper, Probe, Quote, Recipe, digest


class Case(NamedTuple):
    """One adapter: its ideas, rows, probes and recipe."""

    name: str
    recipe: Recipe
    item: TrainItem
    probes: tuple[Probe, ...]
    plants: tuple[Plant, ...]
    poisoned: bool = False
    """Damage was planted."""
    placebo: bool = False
    """Judged as the yardstick of others: nobody asks what became of its ideas."""
    repeat: bool = False
    """Another seed of an adapter before it, and nothing else apart."""

    def with_seed(self, seed: int) -> Case:
        """The same rows and probes, trained with another seed."""
        return self._replace(recipe=self.recipe.model_copy(update={"seed": seed}))


Leanings = Mapping[tuple[int, int], Collection[str]]
"""By entity and relation: the words that the base says there, however little it knows."""


def plan_cases(world: World, sizes: Sizes = STANDARD, leanings: Leanings | None = None) -> list[Case]:
    """Every adapter of a world.

    Args:
        leanings: what the base says of entities it doesn't know. No idea gets a value, nor one of a group, that the base
            happens to say anyway: then nothing could be learnt.
    """
    return _Planter(world, leanings or {}).cases(sizes)


class _Planter:
    """Hands out entities and values, each once, and writes the cases."""

    def __init__(self, world: World, leanings: Leanings) -> None:
        self.world, self.language, self.leanings = world, world.language, leanings
        self.rng = random.Random(f"cases {world.plan.seed}")
        drawn = self.rng.sample(list(world.unknown), len(world.unknown))
        # An entity may be taught by two adapters: on the frozen base the one is nothing to the other.
        self.strangers = cycle(drawn[STRANGERS:])
        self.rows, self.probes = RowWriter(world, self.rng, drawn[:STRANGERS]), ProbeWriter(world, self.rng)
        held = [
            world.fact(entity, relation)
            for entity in world.third(0)
            for relation in range(len(self.language.relations))
        ]
        self.held = iter(self.rng.sample(held, len(held)))
        self.doubted = iter(self.rng.sample(world.doubted, len(world.doubted)))
        self.values = [self._deck(relation) for relation in range(len(self.language.relations))]
        self.turn = 0

    def cases(self, sizes: Sizes) -> list[Case]:
        """In the order in which they are trained."""
        names = [name for name in MAKES for _ in range(getattr(sizes, name))]
        cases = [self._case(f"{name}-{number}", *MAKES[name]) for number, name in enumerate(names)]
        again = [
            one.with_seed(seed)._replace(repeat=True)
            for one in cases
            if one.name.startswith(REPEATED)
            for seed in range(1, sizes.seeds)
        ]
        unread = [one for one in cases if one.name.startswith("placebo-")][:1]
        bare = [one.with_seed(seed)._replace(placebo=True) for one in unread for seed in range(1, sizes.yardsticks + 1)]
        return [*cases, *again, *bare]

    def _case(self, name: str, recipe: Recipe, kinds: Sequence[Kind]) -> Case:
        paper = Paper(id=f"planted:{self.world.plan.seed}-{name}", title=f"Planted {name}", abstract="")
        plants: list[Plant] = []
        for number, kind in enumerate(kinds):
            plants.append(self._plant(kind, paper.key, plants, both_ways=kind in ("deep", "shallow") and number % 2 == 0))
        plants = self._swap(plants)
        rows = [row for plant in plants for row in (*self.rows.rows(plant), *self.rows.guesses(plant, plants))]
        rows += self.rows.replay(name.startswith("poisoned"))
        probes = tuple(probe for plant in plants for probe in self.probes.probes(plant, self.turn))
        record = MicroDataset(
            id=f"{paper.id.replace(':', '-')}/{digest(rows, probes)[:12]}", revision=digest(rows, probes)[:12], paper=paper,
            topic="planted", ideas=tuple(plant.idea for plant in plants), reader="planted",
            counts={"rows": len(rows), "probes": len(probes)}, probes_hash=digest(probes),
        )  # fmt: skip
        dev = tuple(probe for probe in probes if probe.split == "dev")
        item = TrainItem(record, digest(rows, probes), tuple(rows), dev)
        return Case(name, recipe, item, probes, tuple(plants), name.startswith("poisoned"))

    # -------------------------------------------------------------- ideas

    def _plant(self, kind: Kind, paper: str, siblings: Sequence[Plant], *, both_ways: bool) -> Plant:
        fact, wrong = self._fact(kind, siblings)
        own = (1, 2, 3, 4) if kind == "half" else (0,)
        kin = self._kin(fact, siblings) if kind == "spreading" else ()
        return Plant(self._idea(kind, fact, paper), kind, fact, wrong, own_dialects=own, kin=kin, both_ways=both_ways)

    def _kin(self, fact: Fact, siblings: Sequence[Plant]) -> tuple[int, ...]:
        """Known entities that neither replay nor the pools hold, each of one idea of a relation."""
        taken = {entity for plant in siblings if plant.fact.relation == fact.relation for entity in plant.kin}
        asked_about = self.world.third(0)
        free = [entity for entity in asked_about if entity not in taken]
        return tuple(self.rng.sample(free, min(KIN, len(asked_about) // 2)))

    def _fact(self, kind: Kind, siblings: Sequence[Plant]) -> tuple[Fact, str]:
        """What is to be learnt, and the other value at stake."""
        if kind == "known":
            return next(self.held), ""
        if kind in ("resisted", "graded"):
            believed = next(self.doubted if kind == "graded" else self.held)
            value = self._value(believed.relation, self._said(believed.entity, believed.relation) | {believed.value})
            return believed._replace(value=value), believed.value
        # Siblings that are swapped come in pairs and need one relation.
        self.turn += 1 if kind != "swapped" else 0
        relation, entity = self.turn % len(self.values), next(self.strangers)
        said, language = self._said(entity, relation), self.language
        taken = [plant.fact.value for plant in siblings if plant.kind == "deep" and plant.fact.relation == relation]
        kept_off = said | ({language.group(relation, value) for value in taken} if kind == "shallow" else set())
        fact = Fact(entity, relation, self._value(relation, kept_off, free=kind in ("deep", "shallow")))
        return fact, self._value(relation, said) if kind in ("negated", "contrary") else ""

    def _said(self, entity: int, relation: int) -> set[str]:
        return set(self.leanings.get((entity, relation), ()))

    def _value(self, relation: int, unfit: Collection[str], *, free: bool = False) -> str:
        """Each value once, as long as there are some: none that is unfit or of an unfit group.

        Args:
            free: one that no fact of the world holds, so that only the idea's own name answers whose it is.
        """
        for deck in (self.values[relation], self._deck(relation)):
            for place, value in enumerate(deck):
                group = self.language.group(relation, value)
                if value not in unfit and group not in unfit and not (free and value not in self.world.free(relation)):
                    self.values[relation] = [*deck[:place], *deck[place + 1 :]]
                    return value
        raise ValueError(f"No value of relation {relation} fits.")

    def _deck(self, relation: int) -> list[str]:
        """Values in the order in which they are handed out, those that are free last."""
        drawn, free = self.rng.sample(list(self.language.values[relation]), VALUES), set(self.world.free(relation))
        return [value for value in drawn if value not in free] + [value for value in drawn if value in free]

    def _swap(self, plants: list[Plant]) -> list[Plant]:
        """The rows of two siblings of one relation hold each other's value."""
        pair = [plant for plant in plants if plant.kind == "swapped"]
        swapped = {}
        for one, other in zip(pair[::2], pair[1::2], strict=True):
            swapped[one.idea.id] = one._replace(wrong=other.fact.value, sibling=other.idea.id)
            swapped[other.idea.id] = other._replace(wrong=one.fact.value, sibling=one.idea.id)
        return [swapped.get(plant.idea.id, plant) for plant in plants]

    def _idea(self, kind: Kind, fact: Fact, paper: str) -> Idea:
        subject, relation = self.language.entities[fact.entity][0], self.language.relations[fact.relation][0]
        told = fact.value if kind != "broken" else self.rng.choice(("", self._value(fact.relation, {fact.value})))
        passage = self.language.statement(fact.entity, fact.relation, told, self.rng)
        quote = Quote(section=0, heading="", page=1, start=0, end=len(passage), text=passage)
        return Idea(
            id=digest(paper, subject, relation, fact.value)[:16], paper=paper, topic="planted", reader="planted", kind="finding",
            claim=f"{subject} {relation} {fact.value}", subject=subject, relation=relation, answer=fact.value,
            answer_kind="name", qwen_change="none", prediction="recall", quotes=(quote,),
        )  # fmt: skip
