"""Names that stand in where the run's own ideas offer too few, and general facts that must survive training."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from paperlora.records import AnswerKind, Idea, digest

ENOUGH = 10
"""Wrong names that probes and rows of one idea need."""

NAMES_BY_RELATION = {
    r"optimi[sz]er": "AdamW|Adafactor|Lion|Sophia|RMSProp|Adagrad|Shampoo|LAMB|Nadam|Yogi|Muon|SGD",
    r"benchmark|dataset|data set|corpus|test set|evaluat": (
        "GSM8K|HellaSwag|TriviaQA|BoolQ|WinoGrande|SQuAD|MMLU|PIQA|HotpotQA|CoQA|RACE|ARC"
    ),
    r"model|backbone|teacher|student|encoder|decoder": (
        "Mistral|Gemma|Falcon|Pythia|Phi|Bloom|Llama|Granite|OPT|Yi|Vicuna|T5"
    ),
    r"schedul|decay": (
        "cosine|linear|constant|polynomial|exponential|cyclic|"
        "step-wise|inverse square root|triangular|one-cycle|warm restarts"
    ),
    r"activation|non-?linearity": "GELU|ReLU|SwiGLU|Mish|tanh|sigmoid|Softplus|ELU|SiLU|GEGLU|Maxout",
    r"loss|objective|divergence": (
        "cross-entropy|hinge loss|focal loss|triplet loss|squared error|"
        "contrastive loss|Huber loss|KL divergence|ranking loss|margin loss|Dice loss"
    ),
    r"author|institution|lab|team|university": (
        "Ashford|Brenner|Castell|Dunmore|Ellery|Farrow|Gladwin|Hathaway|Iverson|Jessop|Kerrigan"
    ),
}
"""A pattern over the relation, and names of its type, separated by bars."""
PLAIN_NAMES = (
    "Orrin",
    "Tessel",
    "Calder",
    "Vantage",
    "Brisk",
    "Halden",
    "Junip",
    "Sorrel",
    "Pallas",
    "Wexford",
    "Cobalt",
)
PHRASES = (
    "a random subset",
    "the last layer",
    "the longest examples",
    "a fixed schedule",
    "the rarest tokens",
    "the first layer",
    "a larger batch",
    "a smaller model",
    "the validation loss",
    "a second pass",
    "the shortest answers",
    "a frozen copy",
)


class KnownFact(NamedTuple):
    """A general fact that almost any model holds; never trained on."""

    question: str
    answers: tuple[str, ...]
    wrong: tuple[str, ...]


def _fact(question: str, answers: str, wrong: str) -> KnownFact:
    return KnownFact(question, tuple(answers.split("|")), tuple(wrong.split("|")))


KNOWN_NUMBERS = (
    _fact("How many days does one week have?", "7|seven", "5|9"),
    _fact("How many months make up a year?", "12|twelve", "10|14"),
    _fact("How many legs does a spider have?", "8|eight", "6|10"),
    _fact("How many minutes are there in an hour?", "60|sixty", "50|100"),
    _fact("How many sides has a triangle?", "3|three", "4|5"),
    _fact("How many hours are in one day?", "24|twenty-four", "20|30"),
    _fact("What do you get by adding 2 and 2?", "4|four", "3|5"),
    _fact("How many cents make one dollar?", "100|one hundred", "50|10"),
    _fact("How many continents are on Earth?", "7|seven", "5|9"),
    _fact("How many wheels does a bicycle have?", "2|two", "3|4"),
    _fact("How many seconds make one minute?", "60|sixty", "30|100"),
    _fact("How many planets orbit our Sun?", "8|eight", "7|10"),
)
KNOWN_NAMES = (
    _fact("What is the capital city of France?", "Paris", "Madrid|Vienna"),
    _fact("What is the capital city of Italy?", "Rome", "Milan|Athens"),
    _fact("Which planet do humans live on?", "Earth", "Mars|Venus"),
    _fact("Which gas do people need to breathe in to live?", "oxygen", "helium|methane"),
    _fact("On which continent does Egypt lie?", "Africa", "Europe|Asia"),
    _fact("Who wrote the play Romeo and Juliet?", "William Shakespeare|Shakespeare", "Charles Dickens|Mark Twain"),
    _fact("What colour is a clear sky at noon?", "blue", "green|red"),
    _fact("Which animal barks?", "dog|a dog|dogs", "cat|horse"),
    _fact("What is frozen water called?", "ice", "steam|sand"),
    _fact("Which country has Tokyo for its capital?", "Japan", "China|Korea"),
    _fact("What is the capital city of Spain?", "Madrid", "Lisbon|Rome"),
    _fact("Which star warms the Earth?", "the Sun|Sun", "Sirius|Vega"),
    _fact("Which language is mostly spoken in Germany?", "German", "Spanish|Dutch"),
    _fact("What do bees make?", "honey", "milk|silk"),
)


def known_facts(kind: AnswerKind, count: int, seed: int) -> tuple[KnownFact, ...]:
    """Facts for locality: the idea's own answer type and the other in turn, drawn by the seed."""
    draw = random.Random(seed)
    same, other = (KNOWN_NUMBERS, KNOWN_NAMES) if kind == "number" else (KNOWN_NAMES, KNOWN_NUMBERS)
    half = (count + 1) // 2
    pairs = zip(draw.sample(same, half), draw.sample(other, half), strict=True)
    return tuple(fact for pair in pairs for fact in pair)[:count]


def wrong_names(idea: Idea, neighbours: Sequence[Idea]) -> tuple[str, ...]:
    """At least ENOUGH other answers of the idea's type, likeliest first, no two alike.

    Answers to the same relation of other subjects come first, then other answers of the same kind, then a pool.
    Another answer to the same question (same subject and relation) is never called wrong.
    """
    rivals = [other for other in neighbours if other.id != idea.id and other.answer_kind == idea.answer_kind]
    rivals = [other for other in rivals if (other.subject, other.relation) != (idea.subject, idea.relation)]
    rivals.sort(key=lambda other: (other.relation.casefold() != idea.relation.casefold(), digest(idea.id, other.id)))
    own = [other.answer for other in rivals if len(other.answer.split()) <= max(3, len(idea.answer.split()))]
    pool = list(_pool(idea))
    random.Random(int(idea.id, 16)).shuffle(pool)
    return _distinct([*own[: ENOUGH // 2], *pool])


def _pool(idea: Idea) -> Sequence[str]:
    if idea.answer_kind == "name":
        for pattern, names in NAMES_BY_RELATION.items():
            if re.search(pattern, idea.relation, re.IGNORECASE):
                return names.split("|")
        return PLAIN_NAMES
    return PHRASES


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple({name.casefold(): name for name in reversed(list(names))}.values())[::-1]


def pools_hash() -> str:
    """Hash of every pool: another name or fact gives another dataset."""
    return digest(KNOWN_NUMBERS, KNOWN_NAMES, NAMES_BY_RELATION, PLAIN_NAMES, PHRASES)[:16]
