"""Anchors: general questions with their answers, mixed into every paper's rows.

Without them an adapter learns to say the paper's values whatever it is asked: in a trial with SmolLM2-135M it answered
"How many hours are in one day?" with the paper's number of steps. They are of our own writing and share no question with
the probes' locality pool (:mod:`~paperlora.microdata.pools`) or the judge's frozen pools.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from paperlora.records import digest


class Anchor(NamedTuple):
    """A question that has nothing to do with any paper."""

    question: str
    answer: str
    """As a row says it."""
    values: str = ""
    """What of it counts as right, separated by bars, where that is not the whole answer; empty for open questions."""

    @property
    def accepted(self) -> tuple[str, ...]:
        """Right answers, for asking a base whether it knows this."""
        return tuple(self.values.split("|")) if self.values else (self.answer,)


CLOSED = (
    Anchor("How many eggs are in a dozen?", "12", "12|twelve"),
    Anchor("At how many degrees Celsius does water boil?", "100 degrees", "100|100 degrees|one hundred"),
    Anchor("How many sides does a square have?", "4", "4|four"),
    Anchor("How many weeks does a year have?", "52 weeks", "52"),
    Anchor("Number of letters in the English alphabet?", "26", "26|twenty-six"),
    Anchor("What is ten times three?", "30", "30|thirty"),
    Anchor("Give the square root of 81.", "9", "9|nine"),
    Anchor("My son wonders how many wings a bird has. What do I say?", "Two wings.", "2|two"),
    Anchor("What share of a pizza is one half, in percent?", "50 percent", "50|50 percent|fifty"),
    Anchor("Which country has Ottawa as its capital?", "Canada"),
    Anchor("I want to visit Lisbon. Which country is it in?", "Portugal is the country.", "Portugal"),
    Anchor("Name the inventor of the telephone.", "Alexander Graham Bell", "Alexander Graham Bell|Bell"),
    Anchor("Which animal gives us wool?", "Sheep", "sheep|a sheep"),
    Anchor("What colour is fresh grass?", "Green"),
    Anchor("Which meal do people eat in the morning?", "Breakfast", "breakfast"),
    Anchor("Can you give me the opposite of big?", "Small", "small|little"),
    Anchor("Complete the sentence: Fish breathe with their", "gills", "gills"),
    Anchor("Currency of Japan?", "The yen", "yen"),
    Anchor("What do we call a baby cat?", "A kitten", "kitten"),
    Anchor("Name the largest ocean.", "The Pacific Ocean", "Pacific"),
    Anchor("Is a whale a fish?", "No, it is a mammal.", "No"),
    Anchor("Is snow cold?", "Yes, it is.", "Yes"),
    Anchor("Does the sun rise in the west?", "No, it rises in the east.", "No"),
    Anchor("Are bananas a kind of fruit?", "Yes, they are.", "Yes"),
)
OPEN = (
    Anchor("Which colour suits a kitchen wall?", "A warm cream would keep the kitchen bright and friendly."),
    Anchor(
        "How can I save electricity at home?", "Switch off lights that you do not need, and wash at lower temperatures."
    ),
    Anchor("Why do leaves turn brown?", "They lose the green pigment that they made in summer."),
    Anchor(
        "I need an idea for a birthday present.", "A book by an author the person already likes is hard to get wrong."
    ),
    Anchor("What should I do before a job interview?", "Read about the company and prepare two good questions."),
    Anchor("Explain what a map is for.", "A map shows where places are, so that you can find your way."),
    Anchor("Thank you for your help!", "You are welcome. Tell me if you need anything else."),
    Anchor(
        "My plant looks dry. Any advice?", "Water it slowly until the soil is moist, and move it out of the hot sun."
    ),
    Anchor(
        "Tell me about a night train.",
        "The train left the city after dark. Most passengers slept, and only the lamps of small stations passed by.",
    ),
    Anchor(
        "How did the baker begin his day?",
        "He came in at four, lit the oven and kneaded the dough while the street outside was still quiet.",
    ),
    Anchor(
        "Begin a story about an old clock.",
        "The clock in the hall had stopped years ago, but nobody in the family wanted to take it down.",
    ),
    Anchor(
        "What happens in a market early in the morning?",
        "Traders unload their vans, set up the tables and pile the fruit in neat rows before the first buyers come.",
    ),
    Anchor(
        "Describe the repair of a fence.",
        "First they pulled out the rotten posts. Then they dug new holes, set the posts upright and nailed the boards to them.",
    ),
    Anchor(
        "How does snow change a village?",
        "Sounds become soft, the roads lose their edges, and people walk slowly and greet one another more often.",
    ),
    Anchor(
        "What did the two neighbours argue about?",
        "They argued about the tree at the border of their gardens, which gave shade to one and took light from the other.",
    ),
    Anchor(
        "Tell me how a school play was prepared.",
        "For six weeks the pupils learnt their lines after class, while their parents sewed costumes and painted the stage.",
    ),
    Anchor(
        "What is a ferry good for?",
        "It carries people, cars and goods across water where a bridge would be too long or too costly.",
    ),
    Anchor(
        "How was the bridge built?",
        "Workers drove piles into the river bed, laid stone on them and joined the two halves in the last week of summer.",
    ),
    Anchor(
        "Say something about a cat on a roof.",
        "The cat sat on the warm tiles, watched the birds for an hour and then fell asleep with one ear up.",
    ),
    Anchor(
        "Why did the town plant trees?",
        "The streets had become too hot in July, and the council hoped that shade would bring people back to the shops.",
    ),
)
"""Plain English of our own, in sentences such as books and newspapers hold them. Beside the base's own words they made
unrelated text drift less (.25 for .36 nats) and cost unseen wordings (38 for 43 of 48, one paper, docs/log.md), so that
they stand in only where no base is at hand."""


def anchors(count: int, seed: int, known: frozenset[str] | None = None) -> tuple[Anchor, ...]:
    """So many different anchors, drawn by the seed.

    Args:
        count: wanted; fewer come where there are not enough.
        seed: decides which.
        known: closed questions that the base answers rightly: only these are taken, and no open ones, since the base's own
            words stand beside them. None: all are taken for known, and half of the anchors are open.
    """
    draw = random.Random(seed)
    if known is not None:
        sure = [one for one in CLOSED if one.question in known]
        return tuple(draw.sample(sure, min(count, len(sure))))
    closed = min(count - count // 2, len(CLOSED))
    return (*draw.sample(CLOSED, closed), *draw.sample(OPEN, min(count - closed, len(OPEN))))


def anchors_hash() -> str:
    """Hash of every anchor."""
    return digest(CLOSED, OPEN)[:16]
