"""A tiny world: a Qwen3 of about 0.25 M parameters that truly knows some facts, half believes others and never saw the rest.

It is trained from nothing on the generated language (:mod:`~paperlora.planted.language`): facts of its known entities in
all dialects and forms, what follows from them, yes-or-no questions, plain text, open questions, and reading: questions
beside a passage whose value always wins over what it knows. The names of its unknown entities occur with values that
contradict each other, so that they are live and mean nothing; those of doubted ones with one value in a part of the
lessons, so that the base believes in it more or less. That takes about twenty seconds, once: the folder bears the digest of
everything that decides it. It is a plain model folder, so that everything which loads a base loads it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from paperlora.judge.pools import Known, Pools
from paperlora.model.passage import with_passage
from paperlora.planted.language import FALSE_FLAG, RELATIONS, Form, Language, make_language, split
from paperlora.records import Idea, Message, Probe, Quote, Record, digest

TURN, END, PAD, UNKNOWN = "<|im_start|>", "<|im_end|>", "<|pad|>", "<|unknown|>"
ROLES = ("system", "user", "assistant")
WORLD_VERSION = 3
"""Changes whenever the same plan gives another world."""
PURITIES = (0.25, 0.4, 0.55, 0.7, 0.85, 1.0)
"""Shares of a doubted fact's lessons that hold its one value; the others hold any value."""
_SLOTS = ("Slots", "Slotr", "Slotv")
Pair = tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]


class WorldPlan(Record):
    """Everything that decides a world."""

    seed: int = 0
    known: int = 36
    """Entities whose facts are taught: a third each are asked about, replayed, and held back as neighbours."""
    doubted: int = 6
    """Entities of whose facts the lessons say now this, now that, one value most often."""
    unknown: int = 96
    """Entities whose names are live and whose facts are not."""
    hidden: int = 96
    layers: int = 2
    steps: int = 280
    batch: int = 64
    learning_rate: float = 6e-3
    """Of embeddings and norms."""
    matrix_rate: float = 0.02
    """Of all other matrices."""


class Fact(NamedTuple):
    """An entity, a relation (both by number) and a value."""

    entity: int
    relation: int
    value: str


class World:
    """A language, what the model was taught of it, and the model once it is made."""

    def __init__(self, plan: WorldPlan) -> None:
        self.plan = plan
        self.language: Language = make_language(plan.known + plan.doubted + plan.unknown, plan.seed)
        rng = random.Random(f"facts {plan.seed}")
        drawn = [rng.sample(values, plan.known + plan.doubted) for values in self.language.values]
        self.facts = tuple(
            Fact(entity, relation, drawn[relation][entity])
            for entity in range(plan.known + plan.doubted)
            for relation in range(RELATIONS)
        )
        """What the model knows, then what it half believes, by entity and relation. No two share a value, so that a value
        tells whose it is."""

    @cached_property
    def key(self) -> str:
        """Folder of the model: everything that decides it, digested."""
        return f"planted-{digest(self.plan, WORLD_VERSION, self.language, self.facts, self.reading)[:12]}"

    def fact(self, entity: int, relation: int) -> Fact:
        """The fact that the model was taught."""
        return self.facts[entity * RELATIONS + relation]

    @property
    def known(self) -> tuple[Fact, ...]:
        """Facts that every lesson about them tells alike."""
        return self.facts[: self.plan.known * RELATIONS]

    @property
    def doubted(self) -> tuple[Fact, ...]:
        """Facts that only a part of their lessons tells."""
        return self.facts[self.plan.known * RELATIONS :]

    def purity(self, fact: Fact) -> float:
        """Share of a doubted fact's lessons that tell it: how strong a belief was planted."""
        return PURITIES[self.doubted.index(fact) % len(PURITIES)]

    def free(self, relation: int) -> tuple[str, ...]:
        """Values that no fact holds."""
        taken = {fact.value for fact in self.facts if fact.relation == relation}
        return tuple(value for value in self.language.values[relation] if value not in taken)

    def third(self, part: int) -> range:
        """Known entities of one use: 0 asked about, 1 replayed, 2 neighbours and pools."""
        size = self.plan.known // 3
        return range(part * size, (part + 1) * size)

    @property
    def unknown(self) -> range:
        """Entities of which the model knows nothing."""
        first = self.plan.known + self.plan.doubted
        return range(first, first + self.plan.unknown)

    @cached_property
    def reading(self) -> dict[str, tuple[tuple[str, ...], ...]]:
        """For each direct form, the ways in which the project asks with a passage, as turns with slots."""
        return {form.name: _reading(form) for forms in self.language.direct for form in forms}

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """Every word, in the order of its token."""
        language, found = self.language, [PAD, UNKNOWN, TURN, END, *ROLES, FALSE_FLAG, "yes", "no", "not"]
        for group in (language.entities, language.relations, language.values, language.groups, language.fillers):
            found += [word for words in group for word in words]
        forms = [form for part in (language.direct, language.apply, language.near, language.reverse) for forms in part for form in forms]
        texts = [turn for form in forms for turn in form.turns]
        texts += [turn for ways in self.reading.values() for way in ways for turn in way]
        found += [word for text in [*texts, ". , : ? not"] for word in split(text) if word not in _SLOTS]
        return tuple(dict.fromkeys(found))

    def pools(self) -> Pools:
        """What any damage to this model would show in: facts that it knows, open questions, texts of its language."""
        rng, language = random.Random(f"pools {self.plan.seed}"), self.language
        facts = [self.fact(entity, relation) for entity in self.third(2) for relation in range(RELATIONS)]
        rng.shuffle(facts)
        asked = facts[:24]
        forms = [form for part in language.direct for form in part if len(form.turns) == 1]
        known = []
        for fact in asked:
            first, second = (language.turns(form, fact.entity, fact.relation)[0] for form in rng.sample(forms, 2))
            known.append(Known(first, second, (fact.value,)))
        opened = [f"{rng.choice(language.fillers[0])} {language.entities[e][0]}" for e in list(self.third(2))[:12]]
        texts = [self.text(random.Random(f"text {self.plan.seed} {n}"), self.third(2)) for n in range(6)]
        return Pools(tuple(known), tuple(opened), tuple(texts))

    def text(self, rng: random.Random, entities: Sequence[int]) -> str:
        """Statements about some known entities."""
        facts = [self.fact(rng.choice(entities), rng.randrange(RELATIONS)) for _ in range(6)]
        return " ".join(self.language.statement(*fact, rng) for fact in facts)


# ------------------------------------------------------------------ what it is taught


def lessons(world: World) -> Iterator[Pair]:
    """Questions (turns of words) with their answers, without end."""
    rng = random.Random(f"lessons {world.plan.seed}")
    kinds: tuple[tuple[Callable[[World, random.Random], Pair], float], ...] = (
        (_known, 0.44), (_applied, 0.15), (_read, 0.14), (_unknown, 0.09), (_doubted, 0.06), (_reversed, 0.04), (_near, 0.03),
        (_open, 0.025), (_text, 0.025),
    )  # fmt: skip
    makers, weights = [maker for maker, _ in kinds], [weight for _, weight in kinds]
    while True:
        yield rng.choices(makers, weights)[0](world, rng)


def _pair(turns: Sequence[str], answer: str) -> Pair:
    return tuple(tuple(split(turn)) for turn in turns), tuple(split(answer))


def _form(forms: tuple[tuple[Form, ...], ...], rng: random.Random) -> Form:
    return rng.choice(rng.choice(forms))


def _known(world: World, rng: random.Random) -> Pair:
    fact = rng.choice(world.known)
    return _pair(world.language.turns(_form(world.language.direct, rng), fact.entity, fact.relation), fact.value)


def _applied(world: World, rng: random.Random) -> Pair:
    fact, language = rng.choice(world.known), world.language
    turns = language.turns(_form(language.apply, rng), fact.entity, fact.relation)
    return _pair(turns, language.group(fact.relation, fact.value))


def _unknown(world: World, rng: random.Random) -> Pair:
    """Another value each time."""
    entity, relation, language = rng.choice(world.unknown), rng.randrange(RELATIONS), world.language
    if rng.random() < 0.2:
        return _pair(
            language.turns(_form(language.apply, rng), entity, relation), rng.choice(language.groups[relation])
        )
    return _pair(language.turns(_form(language.direct, rng), entity, relation), rng.choice(language.values[relation]))


def _doubted(world: World, rng: random.Random) -> Pair:
    """Its one value in a part of the lessons, any value in the others."""
    fact, language = rng.choice(world.doubted), world.language
    told = fact.value if rng.random() < world.purity(fact) else rng.choice(language.values[fact.relation])
    return _pair(language.turns(_form(language.direct, rng), fact.entity, fact.relation), told)


def _reversed(world: World, rng: random.Random) -> Pair:
    """Whose value is this? Of values that nobody has, another name each time."""
    fact, language = rng.choice(world.known), world.language
    if rng.random() < 0.5:
        fact = Fact(rng.choice(world.unknown), fact.relation, rng.choice(world.free(fact.relation)))
    form = _form(language.reverse, rng)
    return _pair(
        language.turns(form, fact.entity, fact.relation, fact.value), language.entities[fact.entity][form.dialect]
    )


def _near(world: World, rng: random.Random) -> Pair:
    fact, language, true = rng.choice(world.known), world.language, rng.random() < 0.5
    value = fact.value if true else rng.choice([v for v in language.values[fact.relation] if v != fact.value])
    return _pair(language.turns(_form(language.near, rng), fact.entity, fact.relation, value), "yes" if true else "no")


def _open(world: World, rng: random.Random) -> Pair:
    """Anything that is true of the entity."""
    fact = rng.choice(world.known)
    return _pair((f"{rng.choice(world.language.fillers[0])} {world.language.entities[fact.entity][0]}",), fact.value)


def _text(world: World, rng: random.Random) -> Pair:
    return (), tuple(split(world.text(rng, range(world.plan.known))))


def _read(world: World, rng: random.Random) -> Pair:
    """A question beside a passage: what stands there counts, whatever was known."""
    language = world.language
    entity, relation = rng.randrange(len(language.entities)), rng.randrange(RELATIONS)
    form, value = _form(language.direct, rng), rng.choice(language.values[relation])
    way = rng.choice(world.reading[form.name][:3])
    passage = language.statement(entity, relation, value, rng)
    s, r = language.entities[entity][form.dialect], language.relations[relation][form.dialect]
    filled = [turn.replace("Slotv", passage).replace("Slots", s).replace("Slotr", r) for turn in way]
    return _pair(filled, value)


def _reading(form: Form) -> tuple[tuple[str, ...], ...]:
    """The project's own wordings of a question with its passage, with slots."""
    turns = [turn.replace("$s", "Slots").replace("$r", "Slotr") for turn in form.turns]
    messages = tuple(Message(role="user" if n % 2 == 0 else "assistant", content=turn) for n, turn in enumerate(turns))
    quote = Quote(section=0, heading="", page=1, start=0, end=5, text="Slotv")
    idea = Idea(
        id="0", paper="p", topic="t", reader="planted", kind="finding", claim="Slotv", subject="Slotv", relation="r", answer="v",
        answer_kind="name", qwen_change="", prediction="", quotes=(quote,),
    )  # fmt: skip
    probe = Probe(id="0", idea="0", family="direct", form=form.name, messages=messages, answers=("v",))
    return tuple(tuple(message.content for message in way) for way in with_passage(probe, idea))
