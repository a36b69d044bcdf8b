"""What is asked of each planted idea: forms that no row uses, in the families of the project's own probes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Literal

from paperlora.planted.language import DIALECTS, Form
from paperlora.planted.makes import (
    APPLY_JUDGED,
    ASKED,
    DEV,
    JUDGED,
    OWN_WORDINGS,
    REVERSE_JUDGED,
    ROWS,
    Plant,
    kin_dialect,
)
from paperlora.planted.world import Fact, World
from paperlora.records import Message, Probe, ProbeFamily, digest


class ProbeWriter:
    """Writes probes, drawing wrong answers and neighbours as it goes."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self.world, self.language, self.rng = world, world.language, rng

    def probes(self, plant: Plant, turn: int) -> Iterator[Probe]:
        """Everything that is asked about one idea.

        Args:
            turn: decides the dialect of the probe that draws its dose curve.
        """
        fact, language = plant.fact, self.language
        for dialect in ASKED:
            for number in JUDGED:
                yield self._probe(plant, "direct", language.direct[dialect][number], fact.value, _wave(number, 3, 5))
        for number in range(2 if plant.kind == "overtrained" else 1):
            dialect = ASKED[(turn + 2 * number) % len(ASKED)]
            yield self._probe(plant, "direct", language.direct[dialect][DEV[0]], fact.value, split="dev")
        for number, form in enumerate(own_wordings(self.world, plant)):
            yield self._probe(plant, "trained_form", form, fact.value, _wave(number, 6, 9))
        group = language.group(fact.relation, fact.value)
        for number, form in enumerate(language.apply[dialect][n] for n in APPLY_JUDGED for dialect in range(DIALECTS)):
            yield self._probe(plant, "implication", form, group, _wave(number, 6, 8))
        if plant.kind in ("deep", "shallow"):
            yield from self._reversed(plant)
        yield from self._near(plant)
        yield from self._neighbours(plant)

    def _reversed(self, plant: Plant) -> Iterator[Probe]:
        forms = (self.language.reverse[dialect][number] for number in REVERSE_JUDGED for dialect in ASKED)
        for number, form in enumerate(forms):
            messages = messages_of(self.world, form, plant.fact, plant.fact.value)
            name = self.language.entities[plant.fact.entity][form.dialect]
            yield self._made(plant, "reverse", form.name, messages, name, wave=_wave(number, 4, 6))

    def _near(self, plant: Plant) -> Iterator[Probe]:
        for number, dialect in enumerate(ASKED):
            form, true = self.language.near[dialect][number % 3], number % 2 == 0
            value = plant.fact.value if true else self._other_value(plant.fact)
            messages = messages_of(self.world, form, plant.fact, value)
            yield self._made(plant, "near_miss", form.name, messages, "yes" if true else "no", chance=0.5)

    def _neighbours(self, plant: Plant) -> Iterator[Probe]:
        """Known facts of the same relation: such as no row should touch, and none does unless what is planted spreads."""
        near = list(self.world.third(2))
        entities = plant.kin or self.rng.sample(near, min(8, len(near)))
        for number, entity in enumerate(entities):
            fact = self.world.fact(entity, plant.fact.relation)
            form = self.language.direct[kin_dialect(number)][self.rng.choice(JUDGED)]
            yield self._made(
                plant, "locality", form.name, messages_of(self.world, form, fact), fact.value, wave=_wave(number, 4, 6)
            )

    def _probe(
        self,
        plant: Plant,
        family: ProbeFamily,
        form: Form,
        answer: str,
        wave: int = 1,
        split: Literal["dev", "test"] = "test",
    ) -> Probe:
        return self._made(plant, family, form.name, messages_of(self.world, form, plant.fact), answer, wave=wave, split=split)

    def _made(
        self, plant: Plant, family: ProbeFamily, form: str, messages: tuple[Message, ...], answer: str, *, wave: int = 1,
        split: Literal["dev", "test"] = "test", chance: float = 0.0,
    ) -> Probe:  # fmt: skip
        wrong = () if family != "direct" else tuple(self._other_value(plant.fact) for _ in range(3))
        return Probe(
            id=digest(plant.idea.id, family, form, messages)[:16], idea=plant.idea.id, family=family, form=form,
            messages=messages, answers=(answer,), distractors=wrong, split=split, wave=wave,
            chance=chance,
        )  # fmt: skip

    def _other_value(self, fact: Fact) -> str:
        return self.rng.choice([value for value in self.language.values[fact.relation] if value != fact.value])


def messages_of(world: World, form: Form, fact: Fact, value: str = "") -> tuple[Message, ...]:
    """A form about a fact, as a conversation."""
    turns = world.language.turns(form, fact.entity, fact.relation, value)
    return tuple(Message(role="user" if n % 2 == 0 else "assistant", content=turn) for n, turn in enumerate(turns))


def own_wordings(world: World, plant: Plant) -> list[Form]:
    """Forms of the probes in trained wordings: those that rows of this idea's dataset are made of."""
    if plant.own_dialects == (0,):
        return [world.language.direct[0][number] for number in OWN_WORDINGS]
    return [world.language.direct[dialect][number] for number in ROWS for dialect in plant.own_dialects][:12]


def _wave(number: int, first: int, second: int) -> int:
    return 1 if number < first else 2 if number < second else 3
