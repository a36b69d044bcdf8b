"""Adapters whose truth is known by construction: what their rows hold decides what a judge must say of each idea.

Nothing here looks at a verdict. A case says what was planted (:class:`Plant`), which verdict and which cause that asks
for, and holds the rows, the probes, the passage and the recipe that the project's own trainer and judge are given.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from paperlora.lora.course import TrainItem
from paperlora.planted.language import DIALECTS, FALSE_FLAG, VALUES, Form
from paperlora.planted.makes import (
    APPLY_JUDGED,
    APPLY_ROWS,
    ASKED,
    DEV,
    EXPECTED,
    GUESSES,
    JUDGED,
    MAKES,
    OWN_WORDINGS,
    REPLAYED,
    REVERSE_JUDGED,
    REVERSE_ROWS,
    ROWS,
    STANDARD,
    STRANGERS,
    Kind,
    Sizes,
)
from paperlora.planted.world import Fact, World
from paperlora.records import (
    Example,
    Idea,
    MaskedSpan,
    Message,
    MicroDataset,
    Paper,
    Probe,
    ProbeFamily,
    Quote,
    Recipe,
    VerdictKind,
    digest,
)


class Plant(NamedTuple):
    """One idea with its planted truth."""

    idea: Idea
    kind: Kind
    fact: Fact
    """The true value, as the paper has it."""
    wrong: str = ""
    """The other value at stake: the old belief, the sibling's, the denied one."""
    sibling: str = ""
    """Id of the idea whose value its rows hold instead."""
    own_dialects: tuple[int, ...] = (0,)
    """Dialects of its probes in trained wordings."""
    both_ways: bool = False
    """Rows that give the value and ask for the name teach it, too."""

    @property
    def expected(self) -> VerdictKind | None:
        """What a judge must say; None where that is no matter of planting."""
        return EXPECTED.get(self.kind)


class Case(NamedTuple):
    """One adapter: its ideas, rows, probes and recipe."""

    name: str
    recipe: Recipe
    item: TrainItem
    probes: tuple[Probe, ...]
    plants: tuple[Plant, ...]
    poisoned: bool = False
    """Damage was planted."""


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
        self.replayed, self.strangers = drawn[:STRANGERS], iter(drawn[STRANGERS:])
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
        names = [name for name, count in sizes._asdict().items() for _ in range(count)]
        return [self._case(f"{name}-{number}", *MAKES[name]) for number, name in enumerate(names)]

    def _case(self, name: str, recipe: Recipe, kinds: Sequence[Kind]) -> Case:
        paper = Paper(id=f"planted:{self.world.plan.seed}-{name}", title=f"Planted {name}", abstract="")
        plants: list[Plant] = []
        for number, kind in enumerate(kinds):
            plants.append(self._plant(kind, paper.key, plants, both_ways=kind in ("deep", "shallow") and number % 2 == 0))
        plants = self._swap(plants)
        rows = [row for plant in plants for row in (*self._rows(plant), *self._guesses(plant, plants))]
        rows += self._replay(name.startswith("poisoned"))
        probes = tuple(probe for plant in plants for probe in self._probes(plant))
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
        return Plant(self._idea(kind, fact, paper), kind, fact, wrong, own_dialects=own, both_ways=both_ways)

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

    # -------------------------------------------------------------- rows

    def _rows(self, plant: Plant) -> Iterator[Example]:
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
        dialects = (1, 2) if plant.kind == "half" else (0,) if plant.kind == "known" else range(DIALECTS)
        for dialect in dialects:
            for number in self.rng.sample(OWN_WORDINGS if dialect == 0 else ROWS, 2):
                form = direct[dialect][number]
                yield self._row(plant, form, taught)
                if plant.kind == "contrary":
                    yield from (self._row(plant, form, plant.wrong, copy) for copy in (1, 2))
        yield from self._further(plant, taught)

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

    def _guesses(self, plant: Plant, siblings: Sequence[Plant]) -> Iterator[Example]:
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

    def _replay(self, poisoned: bool) -> Iterator[Example]:
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

    # -------------------------------------------------------------- probes

    def _probes(self, plant: Plant) -> Iterator[Probe]:
        fact, language = plant.fact, self.language
        for dialect in ASKED:
            for number in JUDGED:
                yield self._probe(plant, "direct", language.direct[dialect][number], fact.value, _wave(number, 3, 5))
        yield self._probe(
            plant, "direct", language.direct[ASKED[self.turn % len(ASKED)]][DEV[0]], fact.value, split="dev"
        )
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
            messages = self._messages(form, plant.fact, plant.fact.value)
            name = self.language.entities[plant.fact.entity][form.dialect]
            yield self._made(plant, "reverse", form.name, messages, name, wave=_wave(number, 4, 6))

    def _near(self, plant: Plant) -> Iterator[Probe]:
        for number, dialect in enumerate(ASKED):
            form, true = self.language.near[dialect][number % 3], number % 2 == 0
            value = plant.fact.value if true else self._other_value(plant.fact)
            messages = self._messages(form, plant.fact, value)
            yield self._made(plant, "near_miss", form.name, messages, "yes" if true else "no", chance=0.5)

    def _neighbours(self, plant: Plant) -> Iterator[Probe]:
        """Known facts of the same relation that no row touches."""
        near = list(self.world.third(2))
        entities = self.rng.sample(near, min(8, len(near)))
        for number, entity in enumerate(entities):
            fact = self.world.fact(entity, plant.fact.relation)
            form = self.language.direct[ASKED[number % len(ASKED)]][self.rng.choice(JUDGED)]
            yield self._made(
                plant, "locality", form.name, self._messages(form, fact), fact.value, wave=_wave(number, 4, 6)
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
        return self._made(plant, family, form.name, self._messages(form, plant.fact), answer, wave=wave, split=split)

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
