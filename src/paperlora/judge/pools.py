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
    rewording: str
    """The same question in other words: an answer on the brink tips over with the wording, a fact that is known doesn't."""
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
        asked = (*(one.question for one in self.known), *(one.rewording for one in self.known), *self.open, *self.unanswerable)
        return (*asked, *(question for question, _ in self.sums), *(one.question for one in self.instructions))

    def chosen(self, extent: Literal["full", "quick"]) -> Pools:
        """All of it, or known facts, open questions and texts alone."""
        return self if extent == "full" else Pools(self.known, self.open, self.texts)


def _known(question: str, rewording: str, answers: str) -> Known:
    return Known(question, rewording, tuple(answers.split("|")))


KNOWN = (
    _known("What is the capital of Germany?", "Name the city that is the capital of Germany.", "Berlin"),
    _known("What is the capital of England?", "Name the city that is the capital of England.", "London"),
    _known("What is the capital of Russia?", "Name the city that is the capital of Russia.", "Moscow"),
    _known("What is the capital of Greece?", "Name the city that is the capital of Greece.", "Athens"),
    _known("What is the capital of China?", "Name the city that is the capital of China.", "Beijing"),
    _known("What is the capital of Egypt?", "Name the city that is the capital of Egypt.", "Cairo"),
    _known("In which country is the city of Mumbai?", "Mumbai is a city in which country?", "India"),
    _known("In which country is the Eiffel Tower?", "Which country would you visit to see the Eiffel Tower?", "France"),
    _known("In which country do kangaroos live in the wild?", "Wild kangaroos are native to which country?", "Australia"),
    _known("Which ocean lies between Europe and North America?", "Which ocean does a ship cross from England to New York?", "Atlantic"),
    _known("Which planet is closest to the Sun?", "Name the innermost planet of the solar system.", "Mercury"),
    _known("Which planet is called the Red Planet?", "Which planet is known for its red colour?", "Mars"),
    _known("What is the largest planet of the solar system?", "Which planet is bigger than all the others?", "Jupiter"),
    _known("What is the chemical symbol for water?", "Write the chemical formula of water.", "H2O|H₂O"),
    _known("Which metal has the chemical symbol Fe?", "Fe stands for which metal in chemistry?", "iron"),
    _known("Who painted the Mona Lisa?", "Name the artist who made the Mona Lisa.", "Leonardo da Vinci|da Vinci|Leonardo"),
    _known("Who developed the theory of relativity?", "Which physicist is famous for the theory of relativity?", "Albert Einstein|Einstein"),
    _known("Who was the first president of the United States?", "Name the man who became the first US president.", "George Washington|Washington"),
    _known("Which language is spoken in Brazil?", "What language do most people in Brazil speak?", "Portuguese"),
    _known("What is the opposite of hot?", 'Which word means the opposite of "hot"?', "cold"),
    _known("What is the opposite of up?", 'Which word means the opposite of "up"?', "down"),
    _known("Which organ pumps blood through the body?", "Blood is pumped by which organ?", "heart"),
    _known("Which season follows winter?", "What season comes right after winter?", "spring"),
    _known("How many legs does a dog have?", "A healthy dog walks on how many legs?", "4|four"),
    _known("What is the capital of Sweden?", "Name the city that is the capital of Sweden.", "Stockholm"),
    _known("What is the capital of Hungary?", "Name the city that is the capital of Hungary.", "Budapest"),
    _known("What is the capital of Denmark?", "Name the city that is the capital of Denmark.", "Copenhagen"),
    _known("What is the capital of Finland?", "Name the city that is the capital of Finland.", "Helsinki"),
    _known("What is the capital of Kenya?", "Name the city that is the capital of Kenya.", "Nairobi"),
    _known("What is the capital of Thailand?", "Name the city that is the capital of Thailand.", "Bangkok"),
    _known("What is the capital of Argentina?", "Name the city that is the capital of Argentina.", "Buenos Aires"),
    _known("What is the capital of Belgium?", "Name the city that is the capital of Belgium.", "Brussels"),
    _known("In which country is the city of Barcelona?", "Barcelona is a city in which country?", "Spain"),
    _known("In which country is the Taj Mahal?", "Which country would you visit to see the Taj Mahal?", "India"),
    _known("In which country is the Colosseum?", "Which country would you visit to see the Colosseum?", "Italy"),
    _known("In which country is the Statue of Liberty?", "Which country would you visit to see the Statue of Liberty?", "United States|USA|US|America"),
    _known("Who wrote the play Hamlet?", "Hamlet is a play by which author?", "William Shakespeare|Shakespeare"),
    _known("Who wrote the novel War and Peace?", "Name the author of War and Peace.", "Leo Tolstoy|Tolstoy"),
    _known("Who wrote the Sherlock Holmes stories?", "Which writer invented the detective Sherlock Holmes?", "Arthur Conan Doyle|Conan Doyle|Doyle"),
    _known("Who explained evolution by natural selection?", "Which naturalist is known for the theory of evolution?", "Charles Darwin|Darwin"),
    _known("Who sailed from Spain to America in 1492?", "Name the explorer who reached America in 1492.", "Christopher Columbus|Columbus"),
    _known("Who composed the Moonlight Sonata?", "The Moonlight Sonata is by which composer?", "Ludwig van Beethoven|Beethoven"),
    _known("Which scientist discovered radium with her husband?", "Name the woman who won Nobel Prizes in physics and in chemistry.", "Marie Curie|Curie"),
    _known("Which element has the symbol H?", "H is the symbol of which chemical element?", "hydrogen"),
    _known("Which element has the symbol Ag?", "Ag is the symbol of which chemical element?", "silver"),
    _known("Which gas makes party balloons float?", "Balloons rise when they are filled with which gas?", "helium"),
    _known("Which instrument measures temperature?", "What do you use to measure temperature?", "thermometer|a thermometer"),
    _known("What is the study of living things called?", "Which science studies living things?", "biology"),
    _known("Which force keeps our feet on the ground?", "What force makes apples fall to the ground?", "gravity"),
    _known("Which part of a plant lies under the ground?", "Name the part of a plant that grows down into the soil.", "roots|root|the roots"),
    _known("Which language is spoken in Poland?", "What language do most people in Poland speak?", "Polish"),
    _known("Which language is spoken in Japan?", "What language do most people in Japan speak?", "Japanese"),
    _known("What is the opposite of black?", 'Which word means the opposite of "black"?', "white"),
    _known("What is the opposite of wet?", 'Which word means the opposite of "wet"?', "dry"),
    _known("What is the opposite of fast?", 'Which word means the opposite of "fast"?', "slow"),
    _known("Which month comes after March?", "March is followed by which month?", "April"),
    _known("What is the first month of the year?", "With which month does the year begin?", "January"),
    _known("What colour is human blood?", "Name the colour of blood.", "red"),
    _known("What colour is coal?", "Name the colour of coal.", "black"),
    _known("Which animal has a long trunk?", "Name the animal that is known for its long trunk.", "elephant|an elephant"),
    _known("Which animal says meow?", "Meow is the sound of which animal?", "cat|a cat"),
    _known("Which fruit is wine made from?", "Wine is made from which fruit?", "grapes|grape"),
    _known("Which drink is made from roasted beans?", "Which hot drink is brewed from roasted, ground beans?", "coffee"),
    _known("Which company makes the iPhone?", "The iPhone is a product of which company?", "Apple"),
    _known("A pentagon is a shape with how many corners?", "How many sides does a pentagon have?", "5|five"),
    _known("How many minutes are in half an hour?", "Half an hour lasts how many minutes?", "30|thirty"),
)

STANDARD = Pools(KNOWN, OPEN, TEXTS, UNANSWERABLE, SUMS, INSTRUCTIONS, THINKING, SUBJECTS)
"""For every base that reads English."""
