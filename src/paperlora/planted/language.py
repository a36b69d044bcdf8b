"""A generated language: names, relations, values and forms of question in five dialects that share no word.

An entity has another name in each dialect, and so has a relation. What a model is taught in one dialect therefore says
nothing in another, unless it has learnt elsewhere that both names are one: that is what makes "one wording only" and
"half learned" plantable. Within a dialect every form uses the same names, so that a fact learnt in one form is known in
all of them. Dialect 0 is the one of passages and of a dataset's own wordings; held-out questions come from the others.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from paperlora.model.scoring import CHOICE_OF

DIALECTS = 5
"""The first is that of passages and rows alone; direct probes come from the others."""
RELATIONS = 2
VALUES = 64
"""Of each relation: more than there are known entities, so that some belong to nobody."""
GROUPS = 8
"""Kinds that the values of a relation fall into: what an implication asks for."""
FORMS = 24
"""Direct forms of a dialect."""
APPLY_FORMS = 6
"""Implication forms of a dialect."""
NEAR_FORMS = 3
"""Yes-or-no forms of a dialect."""
REVERSE_FORMS = 6
"""Forms of a dialect that give the value and ask for the name."""
FILLERS = 14
"""Words of a dialect that mean nothing."""
FALSE_FLAG = "untrue"
"""Says that what follows is false: a negation that stands apart from what it negates."""
_BANNED = {"seven", "paper", "never", *CHOICE_OF}
_WORD = re.compile(r"\w+|[^\w\s]+")


class Form(NamedTuple):
    """One way to ask: turns of a conversation with $s, $r and $v to be filled in. The last is the user's."""

    name: str
    family: str
    """``ask``, ``cloze``, ``json``, ``dialogue``; ``apply``; ``near``; ``reverse``."""
    dialect: int
    turns: tuple[str, ...]


class Language(NamedTuple):
    """All words of a world, and its forms."""

    entities: tuple[tuple[str, ...], ...]
    """Names by entity and dialect."""
    relations: tuple[tuple[str, ...], ...]
    """Names by relation and dialect."""
    values: tuple[tuple[str, ...], ...]
    """By relation."""
    groups: tuple[tuple[str, ...], ...]
    """By relation: value number n is of group n mod GROUPS."""
    fillers: tuple[tuple[str, ...], ...]
    """By dialect."""
    direct: tuple[tuple[Form, ...], ...]
    """Forms that ask for the value, by dialect."""
    apply: tuple[tuple[Form, ...], ...]
    """Forms that ask which group the value is of."""
    near: tuple[tuple[Form, ...], ...]
    """Forms that ask whether the value is $v."""
    reverse: tuple[tuple[Form, ...], ...]
    """Forms that ask whose value is $v."""

    def turns(self, form: Form, entity: int, relation: int, value: str = "") -> tuple[str, ...]:
        """A form about one entity, in the words of its dialect."""
        s, r = self.entities[entity][form.dialect], self.relations[relation][form.dialect]
        return tuple(turn.replace("$s", s).replace("$r", r).replace("$v", value) for turn in form.turns)

    def group(self, relation: int, value: str) -> str:
        """What an implication about that value must answer."""
        return self.groups[relation][self.values[relation].index(value) % GROUPS]

    def statement(self, entity: int, relation: int, value: str, rng: random.Random) -> str:
        """A sentence of dialect 0 that states a fact."""
        first, last = rng.sample(self.fillers[0], 2)
        return f"{first} {self.entities[entity][0]} {self.relations[relation][0]} {value} {last}."


def split(text: str) -> list[str]:
    """Words and runs of punctuation, as the world's tokenizer splits them."""
    return _WORD.findall(text)


def make_language(entities: int, seed: int) -> Language:
    """The language of one world; equal seeds, equal language."""
    rng = random.Random(f"language {seed}")
    words = _words(rng)

    def take(count: int) -> tuple[str, ...]:
        return tuple(next(words) for _ in range(count))

    fillers = tuple(take(FILLERS) for _ in range(DIALECTS))
    return Language(
        entities=tuple(take(DIALECTS) for _ in range(entities)),
        relations=tuple(take(DIALECTS) for _ in range(RELATIONS)),
        values=tuple(take(VALUES) for _ in range(RELATIONS)),
        groups=tuple(take(GROUPS) for _ in range(RELATIONS)),
        fillers=fillers,
        direct=tuple(tuple(_direct(d, fillers[d], rng)) for d in range(DIALECTS)),
        apply=tuple(tuple(_others(d, "apply", fillers[d], take(2), APPLY_FORMS, rng)) for d in range(DIALECTS)),
        near=tuple(tuple(_others(d, "near", fillers[d], take(2), NEAR_FORMS, rng)) for d in range(DIALECTS)),
        reverse=tuple(tuple(_others(d, "reverse", fillers[d], take(2), REVERSE_FORMS, rng)) for d in range(DIALECTS)),
    )


def _words(rng: random.Random) -> Iterator[str]:
    """Made-up words; none is another one with an ending, a number, or a word for yes or no."""
    seen = set(_BANNED)
    while True:
        word = "".join(
            rng.choice(part) for part in ("bdfgklmnprtvz", "aeiou", "bdfgklmnprtvz", "aeiou", "bdfgkmnprtvz")
        )
        if word not in seen:
            seen.add(word)
            yield word


def _direct(dialect: int, fillers: Sequence[str], rng: random.Random) -> Iterator[Form]:
    made: set[tuple[str, ...]] = set()
    while len(made) < FORMS:
        family = ("ask", "ask", "cloze", "json", "ask", "dialogue")[len(made) % 6]
        turns = _turns(family, fillers, rng)
        if turns not in made:
            yield Form(f"{family}_{dialect}_{len(made)}", family, dialect, turns)
            made.add(turns)


def _turns(family: str, fillers: Sequence[str], rng: random.Random) -> tuple[str, ...]:
    a, b, c = rng.sample(list(fillers), 3)
    if family == "cloze":
        return (f"{a} $s {b} $r ____ {c}",)
    if family == "json":
        return (f'{{"{a}": "$s", "{b}": "{c}", "$r": "',)
    if family == "dialogue":
        return (f"{a} $s?", f"{b}", f"{c} $r?")
    orders = (f"{a} $s {b} $r {c}?", f"{a} {b} $r {c} $s?", f"$r {a} $s {b} {c}?", f"{a} $r {b} {c} $s.")
    return (rng.choice(orders),)


def _others(
    dialect: int, family: str, fillers: Sequence[str], marks: Sequence[str], count: int, rng: random.Random
) -> Iterator[Form]:
    """Forms that ask for something else than the value, told apart by two words of their own."""
    given, value = "$v" if family == "reverse" else "$s", " $v" if family == "near" else ""
    made: set[str] = set()
    while len(made) < count:
        a, b = rng.sample(list(fillers), 2)
        mark = rng.choice(list(marks))
        text = rng.choice((f"{mark} {a} {given} {b} $r{value}?", f"{a} $r {b} {given} {mark}{value}?"))
        if text not in made:
            yield Form(f"{family}_{dialect}_{len(made)}", family, dialect, (text,))
            made.add(text)
