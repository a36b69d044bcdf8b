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
    _fact("How many days has a leap year?", "366", "365|364"),
    _fact("How many zeros are in one million?", "6|six", "5|9"),
    _fact("How many arms does an octopus have?", "8|eight", "6|10"),
    _fact("How many degrees does a right angle measure?", "90|ninety", "45|180"),
    _fact("How many days are in January?", "31|thirty-one", "30|28"),
    _fact("How many teeth does an adult human have?", "32|thirty-two", "24|40"),
    _fact("How many keys does a piano have?", "88|eighty-eight", "64|100"),
    _fact("How many cards are in a standard deck?", "52|fifty-two", "48|60"),
    _fact("How many degrees are in a full circle?", "360", "180|400"),
    _fact("How many kidneys does a healthy person have?", "2|two", "1|4"),
    _fact("In which year did the First World War begin?", "1914", "1918|1939"),
    _fact("In which year did the Titanic sink?", "1912", "1898|1920"),
    _fact("In which year was the Declaration of Independence signed?", "1776", "1812|1865"),
    _fact("How many millimetres are in a centimetre?", "10|ten", "100|12"),
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
    _fact("In which country are the pyramids of Giza?", "Egypt", "Iraq|Mexico"),
    _fact("Which country is home to the giant panda?", "China", "Japan|India"),
    _fact("What is the largest country by area?", "Russia", "Canada|Brazil"),
    _fact("Which animal is the tallest on land?", "giraffe|the giraffe", "elephant|camel"),
    _fact("Which animal is the fastest runner on land?", "cheetah|the cheetah", "horse|lion"),
    _fact("Which element has the symbol C?", "carbon", "calcium|copper"),
    _fact("Who described gravity after watching an apple fall?", "Isaac Newton|Newton", "Galileo|Darwin"),
    _fact("Who painted the ceiling of the Sistine Chapel?", "Michelangelo", "Raphael|Picasso"),
    _fact("Who invented a practical light bulb?", "Thomas Edison|Edison", "Tesla|Watt"),
    _fact("Which desert covers much of North Africa?", "Sahara|the Sahara", "Gobi|Atacama"),
    _fact("Which river flows through London?", "Thames|the Thames", "Seine|Rhine"),
    _fact("Which river flows through Egypt?", "Nile|the Nile", "Congo|Danube"),
    _fact("Which language do people in Italy speak?", "Italian", "Greek|French"),
    _fact("Which season comes after summer?", "autumn|fall", "winter|spring"),
    _fact("Which day follows Friday?", "Saturday", "Sunday|Thursday"),
    _fact("What colour is a ripe banana?", "yellow", "blue|purple"),
    _fact("What colour is snow?", "white", "black|red"),
    _fact("Into which organ goes the air that people breathe?", "lungs|lung|the lungs", "stomach|kidneys"),
    _fact("What do we call the making of food from light by plants?", "photosynthesis", "digestion|erosion"),
    _fact("Which continent is the coldest?", "Antarctica", "Europe|Asia"),
    _fact("Which sport is played at Wimbledon?", "tennis", "golf|cricket"),
    _fact("What is the opposite of day?", "night", "noon|week"),
    _fact("Who was the first man in space?", "Yuri Gagarin|Gagarin", "John Glenn|Buzz Aldrin"),
)


def known_facts(kind: AnswerKind, count: int, seed: int, sure: frozenset[str] | None = None) -> tuple[KnownFact, ...]:
    """Facts for locality: the idea's own answer type and the other in turn, drawn by the seed.

    Args:
        kind: of the idea's answer.
        count: wanted; fewer come where the base knows fewer.
        seed: decides which.
        sure: questions that the base at hand answers rightly: what it doesn't know has no answer that could be kept.
            None: all are taken for known.
    """
    draw = random.Random(seed)
    piles = (KNOWN_NUMBERS, KNOWN_NAMES) if kind == "number" else (KNOWN_NAMES, KNOWN_NUMBERS)
    known = [[fact for fact in pile if sure is None or fact.question in sure] for pile in piles]
    same, other = (draw.sample(pile, len(pile)) for pile in known)
    pairs = [fact for pair in zip(same, other, strict=False) for fact in pair]
    return tuple([*pairs, *same[len(other) :], *other[len(same) :]][:count])


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
