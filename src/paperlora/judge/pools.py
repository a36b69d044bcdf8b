"""Frozen pools that no adapter is trained on: what a base must still know and say after training.

Written for this project; a judge may be given others, where a base speaks another language.
"""

from __future__ import annotations

from typing import NamedTuple

from paperlora.records import digest


class Known(NamedTuple):
    """A fact that almost every language model holds."""

    question: str
    answers: tuple[str, ...]


class Pools(NamedTuple):
    """What every adapter is asked besides its own ideas."""

    known: tuple[Known, ...]
    """Facts that the base may hold; those that it does are what an adapter can lose."""
    open: tuple[str, ...]
    """Questions with many good answers."""
    texts: tuple[str, ...]
    """Text that has nothing to do with any idea."""

    @property
    def hash(self) -> str:
        """Stands in every judgement, so that numbers of different pools are never compared."""
        return digest(self.known, self.open, self.texts)


def _known(question: str, answers: str) -> Known:
    return Known(question, tuple(answers.split("|")))


KNOWN = (
    _known("What is the capital of Germany?", "Berlin"),
    _known("What is the capital of England?", "London"),
    _known("What is the capital of Russia?", "Moscow"),
    _known("What is the capital of Greece?", "Athens"),
    _known("What is the capital of China?", "Beijing"),
    _known("What is the capital of Egypt?", "Cairo"),
    _known("In which country is the city of Mumbai?", "India"),
    _known("In which country is the Eiffel Tower?", "France"),
    _known("In which country do kangaroos live in the wild?", "Australia"),
    _known("Which ocean lies between Europe and North America?", "Atlantic"),
    _known("Which planet is closest to the Sun?", "Mercury"),
    _known("Which planet is called the Red Planet?", "Mars"),
    _known("What is the largest planet of the solar system?", "Jupiter"),
    _known("What is the chemical symbol for water?", "H2O|H₂O"),
    _known("Which metal has the chemical symbol Fe?", "iron"),
    _known("Who painted the Mona Lisa?", "Leonardo da Vinci|da Vinci|Leonardo"),
    _known("Who developed the theory of relativity?", "Albert Einstein|Einstein"),
    _known("Who was the first president of the United States?", "George Washington|Washington"),
    _known("Which language is spoken in Brazil?", "Portuguese"),
    _known("What is the opposite of hot?", "cold"),
    _known("What is the opposite of up?", "down"),
    _known("Which organ pumps blood through the body?", "heart"),
    _known("Which season follows winter?", "spring"),
    _known("How many legs does a dog have?", "4|four"),
)

OPEN = (
    "Suggest a name for a small bakery.",
    "What could I cook with rice and eggs?",
    "Name something to do on a rainy day.",
    "What makes a good friend?",
    "Describe the sea in one sentence.",
    "Give one tip for sleeping better.",
    "Why do people like music?",
    "What would you pack for a trip to the mountains?",
    "Write one sentence about autumn.",
    "How can a shy person meet others?",
    "What is a useful thing to learn?",
    "Name an animal and say why you like it.",
)

TEXTS = (
    "The old lighthouse stood at the end of a narrow path. In winter the waves reached its lowest steps, and the keeper "
    "carried his lamp oil up in two small cans. Nobody in the village could remember a night on which the light had failed.",
    "To grow tomatoes on a balcony, choose a pot of at least ten litres and a place with six hours of sun. Water the soil "
    "in the morning, not the leaves, and tie the stem to a stick as soon as it begins to lean.",
    "A river carries more sand after heavy rain because the water moves faster and has more force. Where it slows down, in "
    "a bend or at the sea, the grains sink to the ground and build banks that change from year to year.",
    "The committee met on Tuesday to discuss the new library. Several members asked for longer opening hours, while others "
    "were worried about the cost. In the end they agreed to try it for six months and to count the visitors.",
)

STANDARD = Pools(KNOWN, OPEN, TEXTS)
"""For every base that reads English."""
