"""General prompts that a base answers itself: what it says is replayed among every paper's rows.

Written for this project. They share no question and no fact with the judge's frozen pools, with the locality probes or
with the anchors (tests/test_replay.py holds that), else an adapter would be trained on what shows its damage. Facts and
sums carry their answers: what the base gets wrong is not replayed. Open prompts ask for one sentence: long answers are
learnt by heart within a few epochs, which harms more than it keeps (docs/log.md).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from paperlora.records import digest

PromptKind = Literal["fact", "arithmetic", "open", "instruction", "talk"]


class Prompt(NamedTuple):
    """Something that has nothing to do with any paper."""

    kind: PromptKind
    text: str
    answers: tuple[str, ...] = ()
    """Right answers, the canonical one first; empty where there is no one answer."""
    thinks: bool = False
    """Asked once more with thinking on, where the base is a hybrid."""

    @property
    def closed(self) -> bool:
        """It has a right answer."""
        return bool(self.answers)


def _fact(text: str, answers: str, *, thinks: bool = False) -> Prompt:
    return Prompt("fact", text, tuple(answers.split("|")), thinks)


def _sum(text: str, answers: str, *, thinks: bool = False) -> Prompt:
    return Prompt("arithmetic", text, tuple(answers.split("|")), thinks)


FACTS = (
    _fact("Norway has which capital?", "Oslo"),
    _fact("Tell me the capital of Ireland.", "Dublin"),
    _fact("Which city is the capital of Austria?", "Vienna"),
    _fact("Name the capital of Poland.", "Warsaw"),
    _fact("Ankara is the capital of which country?", "Turkey|Türkiye", thinks=True),
    _fact("What do we call the capital of Cuba?", "Havana"),
    _fact("In which country would you find Machu Picchu?", "Peru"),
    _fact("Prague is a city in which country?", "Czech Republic|Czechia"),
    _fact("Which country has the city of Toronto?", "Canada"),
    _fact("Peru is on which continent?", "South America"),
    _fact("What is the longest river in South America?", "Amazon", thinks=True),
    _fact("What is the highest mountain in the world?", "Mount Everest|Everest"),
    _fact("Which planet has large rings around it?", "Saturn"),
    _fact("Which planet is farthest from the Sun?", "Neptune", thinks=True),
    _fact("Which galaxy do we live in?", "Milky Way|the Milky Way"),
    _fact("Which gas do plants take from the air?", "carbon dioxide|CO2"),
    _fact("Au is the symbol of which metal?", "gold"),
    _fact("What is the hardest natural stone?", "diamond|diamonds"),
    _fact("What is table salt made of?", "sodium chloride|sodium and chlorine|NaCl"),
    _fact("Oliver Twist is a novel by whom?", "Charles Dickens|Dickens"),
    _fact("Which author wrote Pride and Prejudice?", "Jane Austen|Austen"),
    _fact("Who painted The Starry Night?", "Vincent van Gogh|van Gogh"),
    _fact("Who was the first person to walk on the Moon?", "Neil Armstrong|Armstrong"),
    _fact("Who discovered penicillin?", "Alexander Fleming|Fleming"),
    _fact("Which language do people speak in France?", "French"),
    _fact("People in Mexico mostly speak which language?", "Spanish"),
    _fact("What is the currency of the United Kingdom?", "pound sterling|pound|British pound|pounds"),
    _fact("Which animal is known as the king of the jungle?", "lion|the lion"),
    _fact("Milk comes from which farm animal?", "cow|cows|the cow"),
    _fact("What do caterpillars turn into?", "butterfly|butterflies|moth|moths"),
    _fact("Which organ do we think with?", "brain|the brain"),
    _fact("Which sense do we use our ears for?", "hearing"),
    _fact("Say the opposite of left.", "right"),
    _fact("If a glass is not full at all, how do we call it?", "empty"),
    _fact("Which day comes after Monday?", "Tuesday"),
    _fact("Which month follows June?", "July"),
    _fact("What colour do you get by mixing blue and yellow?", "green", thinks=True),
    _fact("How many fingers are on one hand?", "5|five"),
    _fact("How many legs does an insect have?", "6|six", thinks=True),
    _fact("A normal car drives on how many wheels?", "4|four"),
    _fact("How many players does a football team have on the field?", "11|eleven"),
    _fact("How many strings does a violin have?", "4|four"),
    _fact("How many years are in a century?", "100|one hundred|hundred"),
    _fact("How many years make a decade?", "10|ten"),
    _fact("How many colours are in a rainbow?", "7|seven"),
    _fact("How many centimetres are in a metre?", "100|one hundred"),
    _fact("How many grams are in a kilogram?", "1000|1,000|one thousand"),
    _fact("How many states does the United States have?", "50|fifty"),
    _fact("Count the sides of a hexagon.", "6|six", thinks=True),
    _fact("The Second World War ended in which year?", "1945"),
    _fact("At what temperature in Celsius does water freeze?", "0|zero|0 degrees"),
)
SUMS = (
    _sum("What is 5 plus 3?", "8|eight"),
    _sum("What is 9 minus 4?", "5|five"),
    _sum("What is 6 times 7?", "42", thinks=True),
    _sum("What is 20 divided by 4?", "5|five"),
    _sum("Add 10 and 15.", "25"),
    _sum("What is half of 50?", "25"),
    _sum("What is double of 8?", "16"),
    _sum("What is 100 minus 1?", "99"),
    _sum("What is 12 times 12?", "144", thinks=True),
    _sum("What is the square of 5?", "25"),
    _sum("I have 3 apples and buy 4 more. How many apples do I have?", "7|seven", thinks=True),
    _sum("Which number comes after 19?", "20|twenty"),
)
OPEN = tuple(
    Prompt("open", text, (), thinks)
    for text, thinks in (
        ("Why is it important to drink water? Answer in one short sentence.", False),
        ("Explain how a bicycle works. Answer in one short sentence.", True),
        ("Why do birds fly south? Answer in one short sentence.", False),
        ("How does a candle burn? Answer in one short sentence.", False),
        ("What makes bread rise? Answer in one short sentence.", True),
        ("Why do we have seasons? Answer in one short sentence.", True),
        ("What is a computer program? Answer in one short sentence.", False),
        ("What is a library for? Answer in one short sentence.", False),
        ("Tell me about elephants. Answer in one short sentence.", False),
        ("What is democracy? Answer in one short sentence.", False),
        ("How can I learn to play the guitar? Answer in one short sentence.", False),
        ("How do I keep my desk tidy? Answer in one short sentence.", False),
        ("What is a healthy breakfast? Answer in one short sentence.", False),
        ("Give me an idea for a short holiday. Answer in one short sentence.", False),
        ("What should I bring to a picnic? Answer in one short sentence.", False),
        ("How can I remember names better? Answer in one short sentence.", True),
        ("Why should people read books? Answer in one short sentence.", False),
        ("What is the best way to boil an egg? Answer in one short sentence.", False),
        ("How do I start to run regularly? Answer in one short sentence.", False),
        ("What are the advantages of taking the train? Answer in one short sentence.", True),
        ("Name a hobby for the winter. Answer in one short sentence.", False),
        ("What would you say to a nervous student before an exam? Answer in one short sentence.", False),
    )
)
INSTRUCTIONS = tuple(
    Prompt("instruction", text, (), thinks)
    for text, thinks in (
        ("Write a short sentence with the word river.", False),
        ("Rewrite politely: Give me the salt.", False),
        ("List three fruits.", False),
        ("List four kitchen tools.", False),
        ("Write a title for a story about a lost key.", False),
        ("Put these words in alphabetical order: pear, apple, cherry.", True),
        ("Translate into Spanish: Good morning.", False),
        ("Correct the sentence: She go to school every day.", True),
        ("Make this sentence shorter: The weather today is very, very cold indeed.", False),
        ("Write a thank-you note of one sentence to a neighbour.", False),
        ("Give a synonym for happy.", False),
        ("Turn this into a question: You like tea.", False),
        ("Name two things that are round.", False),
        ("Write a Python line that prints hello.", True),
        ("Describe a cat in one sentence.", False),
        ("Write a two-line poem about the moon.", False),
    )
)
TALK = tuple(
    Prompt("talk", text)
    for text in (
        "Hello!",
        "How are you today?",
        "Good morning, can you help me?",
        "What can you do?",
        "Who are you?",
        "I am bored.",
        "I had a long day at work.",
        "That was a great answer.",
        "Tell me a joke.",
        "See you tomorrow!",
    )
)
POOL: tuple[Prompt, ...] = (*FACTS, *SUMS, *OPEN, *INSTRUCTIONS, *TALK)


def pool_hash() -> str:
    """Hash of every prompt with its answers."""
    return digest(POOL)[:16]
