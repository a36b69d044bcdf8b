"""Frozen pools that no adapter is trained on: what a base must still know, say and do after training.

Written for this project or made by program; a judge may be given others, where a base speaks another language. A pool
that is empty is not asked: its checks are absent then, not passed.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from paperlora.judge.instructions import Instruction
from paperlora.judge.pools_made import SUMS
from paperlora.judge.pools_text import INSTRUCTIONS, OPEN, SUBJECTS, TEXTS, THINKING, UNANSWERABLE
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
    unanswerable: tuple[str, ...] = ()
    """Questions that nobody can answer: a careful base says so."""
    sums: tuple[tuple[str, str], ...] = ()
    """Questions of arithmetic with the one right number, by rising difficulty."""
    instructions: tuple[Instruction, ...] = ()
    thinking: tuple[str, ...] = ()
    """Questions that are asked with thinking on, where the base can turn that on and off."""
    subjects: tuple[str, ...] = ()
    """Ordinary things that take the subject's place in an adapter's own rows: does the wording alone call the answer up?"""

    @property
    def hash(self) -> str:
        """Stands in every judgement, so that numbers of different pools are never compared."""
        return digest(*self)

    @property
    def questions(self) -> tuple[str, ...]:
        """Everything that is asked with thinking off, pool by pool."""
        asked = (*(one.question for one in self.known), *self.open, *self.unanswerable)
        return (*asked, *(question for question, _ in self.sums), *(one.question for one in self.instructions))

    def chosen(self, extent: Literal["full", "quick"]) -> Pools:
        """All of it, or known facts, open questions and texts alone."""
        return self if extent == "full" else Pools(self.known, self.open, self.texts)


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
    _known("What is the capital of Sweden?", "Stockholm"),
    _known("What is the capital of Hungary?", "Budapest"),
    _known("What is the capital of Denmark?", "Copenhagen"),
    _known("What is the capital of Finland?", "Helsinki"),
    _known("What is the capital of Kenya?", "Nairobi"),
    _known("What is the capital of Thailand?", "Bangkok"),
    _known("What is the capital of Argentina?", "Buenos Aires"),
    _known("What is the capital of Belgium?", "Brussels"),
    _known("In which country is the city of Barcelona?", "Spain"),
    _known("In which country is the Taj Mahal?", "India"),
    _known("In which country is the Colosseum?", "Italy"),
    _known("In which country is the Statue of Liberty?", "United States|USA|US|America"),
    _known("Who wrote the play Hamlet?", "William Shakespeare|Shakespeare"),
    _known("Who wrote the novel War and Peace?", "Leo Tolstoy|Tolstoy"),
    _known("Who wrote the Sherlock Holmes stories?", "Arthur Conan Doyle|Conan Doyle|Doyle"),
    _known("Who explained evolution by natural selection?", "Charles Darwin|Darwin"),
    _known("Who sailed from Spain to America in 1492?", "Christopher Columbus|Columbus"),
    _known("Who composed the Moonlight Sonata?", "Ludwig van Beethoven|Beethoven"),
    _known("Which scientist discovered radium with her husband?", "Marie Curie|Curie"),
    _known("Which element has the symbol H?", "hydrogen"),
    _known("Which element has the symbol Ag?", "silver"),
    _known("Which gas makes party balloons float?", "helium"),
    _known("Which instrument measures temperature?", "thermometer|a thermometer"),
    _known("What is the study of living things called?", "biology"),
    _known("Which force keeps our feet on the ground?", "gravity"),
    _known("Which part of a plant lies under the ground?", "roots|root|the roots"),
    _known("Which language is spoken in Poland?", "Polish"),
    _known("Which language is spoken in Japan?", "Japanese"),
    _known("What is the opposite of black?", "white"),
    _known("What is the opposite of wet?", "dry"),
    _known("What is the opposite of fast?", "slow"),
    _known("Which month comes after March?", "April"),
    _known("What is the first month of the year?", "January"),
    _known("What colour is human blood?", "red"),
    _known("What colour is coal?", "black"),
    _known("Which animal has a long trunk?", "elephant|an elephant"),
    _known("Which animal says meow?", "cat|a cat"),
    _known("Which fruit is wine made from?", "grapes|grape"),
    _known("Which drink is made from roasted beans?", "coffee"),
    _known("Which company makes the iPhone?", "Apple"),
    _known("A pentagon is a shape with how many corners?", "5|five"),
    _known("How many minutes are in half an hour?", "30|thirty"),
)

STANDARD = Pools(KNOWN, OPEN, TEXTS, UNANSWERABLE, SUMS, INSTRUCTIONS, THINKING, SUBJECTS)
"""For every base that reads English."""
