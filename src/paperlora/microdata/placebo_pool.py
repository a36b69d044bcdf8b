"""What placebo adapters are taught: two invented domains, made by program, and facts that a base may know already.

The domains are nowhere in literature and their names are drawn anew for each placebo, so that no base holds anything of
them. The known facts are none of those that the judge or the locality probes ask for (tests/test_placebo.py holds that).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from paperlora.records import digest


class Known(NamedTuple):
    """A general fact as subject, relation and value."""

    subject: str
    relation: str
    answer: str
    aliases: tuple[str, ...] = ()


KNOWN = (
    Known("Norway", "capital", "Oslo"),
    Known("Austria", "capital", "Vienna"),
    Known("Ireland", "capital", "Dublin"),
    Known("Cuba", "capital", "Havana"),
    Known("Canada", "capital", "Ottawa"),
    Known("Switzerland", "capital", "Bern"),
    Known("Indonesia", "capital", "Jakarta"),
    Known("South Korea", "capital", "Seoul"),
    Known("Peru", "capital", "Lima"),
    Known("Portugal", "capital", "Lisbon"),
    Known("Japan", "currency", "yen", ("the yen", "Japanese yen")),
    Known("India", "currency", "rupee", ("the rupee", "Indian rupee", "rupees")),
    Known("Mexico", "main language", "Spanish"),
    Known("France", "main language", "French"),
    Known("the Netherlands", "main language", "Dutch"),
    Known("Oliver Twist", "author", "Charles Dickens", ("Dickens",)),
    Known("Pride and Prejudice", "author", "Jane Austen", ("Austen",)),
    Known("Don Quixote", "author", "Miguel de Cervantes", ("Cervantes",)),
    Known("Moby-Dick", "author", "Herman Melville", ("Melville",)),
    Known("the telephone", "inventor", "Alexander Graham Bell", ("Bell",)),
    Known("The Starry Night", "painter", "Vincent van Gogh", ("van Gogh",)),
    Known("gold", "chemical symbol", "Au"),
    Known("grass", "colour", "green"),
    Known("an insect", "number of legs", "6", ("six",)),
    Known("a square", "number of corners", "4", ("four",)),
    Known("a century", "number of years", "100", ("one hundred",)),
)


class Relation(NamedTuple):
    """Something that the things of a domain have: a number with its unit, or one of some names."""

    name: str
    unit: str = ""
    numbers: tuple[int, int, int] = (0, 0, 1)
    """Least, greatest, step."""
    names: tuple[str, ...] = ()


class Domain(NamedTuple):
    """A field that doesn't exist."""

    noun: str
    """What its things are: "pottery kiln"."""
    ending: str
    """Second word of their names."""
    relations: tuple[Relation, ...]


KILNS = Domain("pottery kiln", "Kiln", (
    Relation("firing temperature", "degrees", (810, 1290, 10)),
    Relation("cooling time", "hours", (11, 47, 1)),
    Relation("ash share", "percent", (13, 89, 1)),
    Relation("glaze", names=("Merrow", "Tindle", "Oskerry", "Palvane", "Quillet", "Bramsel")),
    Relation("founding family", names=("Dorvane", "Halsey", "Immerling", "Kestow", "Wrenfield", "Yarrowby")),
))  # fmt: skip
GAMES = Domain("card game", "Whist", (
    Relation("deck size", "cards", (37, 143, 1)),
    Relation("round limit", "minutes", (6, 58, 1)),
    Relation("entry fee", "pennies", (15, 95, 1)),
    Relation("trump suit", names=("Anchors", "Lanterns", "Thistles", "Ravens", "Bellows", "Sickles")),
    Relation("home town", names=("Garrowick", "Ellinmoor", "Pentholm", "Stavering", "Uxley", "Norbeck")),
))  # fmt: skip
ONSETS = ("Br", "D", "F", "Gr", "H", "K", "L", "M", "N", "P", "R", "S", "St", "T", "Tr", "V")
NUCLEI = ("a", "e", "i", "o", "u", "ae", "ei")
CODAS = ("ld", "lm", "m", "n", "nd", "r", "rk", "st", "th", "v")


class Statement(NamedTuple):
    """One invented fact."""

    subject: str
    relation: str
    answer: str


def statements(domain: Domain, count: int, seed: int) -> tuple[Statement, ...]:
    """So many facts about half as many things of a domain; another seed draws other names and values."""
    rng = random.Random(f"{domain.noun} {seed}")
    subjects = [f"{_name(rng)} {domain.ending}" for _ in range((count + 1) // 2)]
    found: dict[str, Statement] = {}
    for number in range(count):
        # Neither relation nor value comes twice: no two facts could be told apart by less than all their words.
        relation = domain.relations[(number + seed) % len(domain.relations)]
        answer = _value(relation, rng)
        while answer in found:
            answer = _value(relation, rng)
        found[answer] = Statement(subjects[number % len(subjects)], relation.name, answer)
    return tuple(found.values())


def _name(rng: random.Random) -> str:
    first, second = (rng.choice(ONSETS) + rng.choice(NUCLEI) + rng.choice(CODAS) for _ in range(2))
    return first + second.lower()


def _value(relation: Relation, rng: random.Random) -> str:
    if relation.names:
        return rng.choice(relation.names)
    least, greatest, step = relation.numbers
    return f"{rng.randrange(least, greatest + 1, step)} {relation.unit}"


def pool_hash(domains: Sequence[Domain] = (KILNS, GAMES)) -> str:
    """Hash of all that placebos are made of."""
    return digest(KNOWN, list(domains), ONSETS, NUCLEI, CODAS)[:16]
