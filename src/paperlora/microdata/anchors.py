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
)


def anchors(count: int, seed: int, known: frozenset[str] | None = None) -> tuple[Anchor, ...]:
    """So many different anchors, three closed for every open one, drawn by the seed.

    Args:
        count: wanted; fewer come where there are not enough.
        seed: decides which.
        known: closed questions that the base answers rightly: only these are taken, and no open ones, since the base's
            own answers to open prompts are replayed beside them. None: all are taken for known.
    """
    draw = random.Random(seed)
    if known is not None:
        sure = [one for one in CLOSED if one.question in known]
        return tuple(draw.sample(sure, min(count, len(sure))))
    closed = min(count - count // 4, len(CLOSED))
    return (*draw.sample(CLOSED, closed), *draw.sample(OPEN, min(count - closed, len(OPEN))))


def anchors_hash() -> str:
    """Hash of every anchor."""
    return digest(CLOSED, OPEN)[:16]
