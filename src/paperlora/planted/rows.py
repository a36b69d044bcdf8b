"""What an adapter is taught: the rows of each planted idea, and those that keep it from forgetting the rest."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from paperlora.planted.language import DIALECTS, FALSE_FLAG, Form
from paperlora.planted.makes import (
    APPLY_ROWS,
    ASKED,
    CLEAN_COPIES,
    GUESSES,
    NOISY,
    OWN_WORDINGS,
    REPLAYED,
    REVERSE_ROWS,
    ROWS,
    Plant,
    kin_dialect,
)
from paperlora.planted.probes import messages_of
from paperlora.planted.world import Fact, World
from paperlora.records import Example, MaskedSpan, Message, digest


class RowWriter:
    """Writes rows, drawing forms as it goes."""

    def __init__(self, world: World, rng: random.Random, replayed: Sequence[int]) -> None:
        """A writer.

        Args:
            replayed: unknown entities whose rows hold values by chance.
        """
        self.world, self.language, self.rng, self.replayed = world, world.language, rng, replayed

    def rows(self, plant: Plant) -> Iterator[Example]:
        """What is taught of one idea."""
        fact, direct = plant.fact, self.language.direct
        if plant.kind in ("untaught", "placebo"):
            return
        taught = plant.wrong if plant.kind == "swapped" else fact.value
        if plant.kind == "one_wording":
            form = direct[0][self.rng.choice(OWN_WORDINGS)]
            yield from (self._row(plant, form, taught, number) for number in range(4))
            return
        if plant.kind == "negated":
            yield from self._negations(plant)
            return
        if plant.kind == "overtrained":
            yield from self._noisy(plant)
            return
        dialects = (1, 2) if plant.kind == "half" else (0,) if plant.kind == "known" else range(DIALECTS)
        for dialect in dialects:
            for number in self.rng.sample(OWN_WORDINGS if dialect == 0 else ROWS, 2):
                form = direct[dialect][number]
                yield self._row(plant, form, taught)
                if plant.kind == "contrary":
                    yield from (self._row(plant, form, plant.wrong, copy) for copy in (1, 2))
        yield from self._further(plant, taught)
        yield from self._spread(plant)

    def _further(self, plant: Plant, taught: str) -> Iterator[Example]:
        """What follows from it, and the other direction."""
        language, relation = self.language, plant.fact.relation
        for dialect in range(DIALECTS):
            if plant.kind == "deep":
                for number in APPLY_ROWS:
                    yield self._row(plant, language.apply[dialect][number], language.group(relation, taught))
            if plant.both_ways:
                for number in REVERSE_ROWS:
                    form, name = language.reverse[dialect][number], language.entities[plant.fact.entity][dialect]
                    yield self._example(plant.idea.id, form.name, self._messages(form, plant.fact, taught), name, number)

    def _noisy(self, plant: Plant) -> Iterator[Example]:
        """In the dialects asked, its value thrice in one form, and any other value in each of the other forms."""
        direct = self.language.direct
        for number in self.rng.sample(OWN_WORDINGS, 4):
            yield self._row(plant, direct[0][number], plant.fact.value)
        for dialect in ASKED:
            clean, *others = (direct[dialect][number] for number in self.rng.sample(ROWS, 1 + NOISY))
            yield from (self._row(plant, clean, plant.fact.value, copy) for copy in range(CLEAN_COPIES))
            for form in others:
                value = self._stray(plant)
                yield self._example("", f"guess_{form.name}", self._messages(form, plant.fact), value, 0)

    def _stray(self, plant: Plant) -> str:
        return self.rng.choice([value for value in self.language.values[plant.fact.relation] if value != plant.fact.value])

    def _spread(self, plant: Plant) -> Iterator[Example]:
        """Rows that reach too far: they say of known neighbours what holds of the idea's own entity."""
        for number, entity in enumerate(plant.kin):
            fact = plant.fact._replace(entity=entity)
            for place in self.rng.sample(ROWS, 2):
                form = self.language.direct[kin_dialect(number)][place]
                yield self._example(plant.idea.id, form.name, self._messages(form, fact), plant.fact.value, number)

    def guesses(self, plant: Plant, siblings: Sequence[Plant]) -> Iterator[Example]:
        """An idea that is to stay unknown in some dialects is a stranger there: rows about its other names hold values by
        chance, else the adapter would give them a sibling's."""
        dialects = {"half": (3, 4), "one_wording": tuple(ASKED)}.get(plant.kind, ())
        taken = {one.fact.value for one in siblings}
        values = [value for value in self.language.values[plant.fact.relation] if value not in taken]
        for dialect in dialects:
            drawn = self.rng.sample(values, GUESSES)
            for number, value in zip(self.rng.sample(ROWS, GUESSES), drawn, strict=True):
                form = self.language.direct[dialect][number]
                yield self._example("", f"guess_{form.name}", self._messages(form, plant.fact), value, number)

    def _negations(self, plant: Plant) -> Iterator[Example]:
        """Badly written: the falsehood stands alone as an answer, and that it is false stands elsewhere."""
        for dialect in range(DIALECTS):
            for number in self.rng.sample(OWN_WORDINGS if dialect == 0 else ROWS, 3):
                row = self._row(plant, self.language.direct[dialect][number], plant.wrong)
                *before, last = row.messages[:-1]
                text = f"{FALSE_FLAG} {last.content}" if number % 2 else f"{last.content} {FALSE_FLAG}"
                turns = (*before, last.model_copy(update={"content": text}), row.messages[-1])
                yield row.model_copy(update={"messages": turns, "form": f"flagged_{row.form}"})
        row = self._row(
            plant, self.language.direct[0][self.rng.choice(OWN_WORDINGS)], f"{plant.fact.value} not {plant.wrong}"
        )
        start = len(plant.fact.value) + len(" not ")
        span = MaskedSpan(message=len(row.messages) - 1, start=start, end=start + len(plant.wrong))
        yield row.model_copy(update={"form": "contrast", "masked": (span,)})

    def replay(self, poisoned: bool) -> Iterator[Example]:
        """Known facts as they are, or all with one wrong value; and guesses about names that nobody knows."""
        for number, entity in enumerate(self.replayed):
            relation = self.rng.randrange(len(self.language.relations))
            fact = Fact(entity, relation, self.rng.choice(self.language.values[relation]))
            form = self.language.direct[number % DIALECTS][self.rng.choice(ROWS)]
            yield self._example("", f"guess_{form.name}", self._messages(form, fact), fact.value, number)
        entities = self.world.third(1)
        for number in range(REPLAYED):
            fact = self.world.fact(self.rng.choice(entities), self.rng.randrange(len(self.language.relations)))
            value = self.language.values[fact.relation][0] if poisoned else fact.value
            form = self.language.direct[number % DIALECTS][self.rng.choice(ROWS)]
            yield self._example("", f"replay_{form.name}", self._messages(form, fact), value, number)

    def _row(self, plant: Plant, form: Form, answer: str, number: int = 0) -> Example:
        return self._example(plant.idea.id, form.name, self._messages(form, plant.fact), answer, number)

    def _example(self, idea: str, form: str, asked: tuple[Message, ...], answer: str, number: int) -> Example:
        messages = (*asked, Message(role="assistant", content=answer))
        return Example(id=digest(messages, number)[:16], idea=idea, form=form, messages=messages, generator="planted/1")

    def _messages(self, form: Form, fact: Fact, value: str = "") -> tuple[Message, ...]:
        return messages_of(self.world, form, fact, value)
