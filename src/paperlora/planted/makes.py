"""What can be planted: kinds of ideas, the forms and recipes that they are taught with, and the makes of adapters."""

from __future__ import annotations

from typing import Literal, NamedTuple

from paperlora.planted.language import DIALECTS
from paperlora.records import Recipe, VerdictKind

Kind = Literal[
    "deep", "shallow", "half", "one_wording", "swapped", "known", "broken", "negated", "untaught", "low_dose",
    "resisted", "placebo", "contrary", "graded",
]  # fmt: skip
EXPECTED: dict[Kind, VerdictKind] = {
    "deep": "ABSORBED_DEEP", "shallow": "ABSORBED_SHALLOW", "half": "PARTIAL", "one_wording": "VERBATIM_ONLY",
    "swapped": "CONFUSED", "known": "ALREADY_KNOWN", "broken": "UNJUDGEABLE", "negated": "FALSE_BELIEF",
    "untaught": "NOT_LEARNED", "low_dose": "NOT_LEARNED", "resisted": "RESISTED", "placebo": "NOT_LEARNED",
    "contrary": "NOT_LEARNED",
}  # fmt: skip
"""Verdict that each planting asks for. A graded belief asks for none: whether it resists is what is to be foretold."""

JUDGED, DEV, ROWS, HELD_OUT = range(0, 8), range(8, 9), range(9, 14), range(14, 24)
"""Direct forms of a dialect by use: no form serves two."""
APPLY_ROWS, APPLY_JUDGED, APPLY_HELD_OUT = range(0, 2), range(2, 4), range(4, 6)
REVERSE_ROWS, REVERSE_JUDGED, REVERSE_HELD_OUT = range(0, 2), range(2, 4), range(4, 6)
OWN_WORDINGS = range(0, 12)
"""Direct forms of dialect 0: wordings of rows, asked again as probes in trained wordings."""
ASKED = range(1, DIALECTS)
"""Dialects of direct probes."""
REPLAYED = 72
"""Rows of known facts in every dataset: what keeps an adapter from forgetting the rest."""
STRANGERS = 24
"""Unknown entities kept for replay: a row each with a value by chance, so that an adapter doesn't give every name that it
never saw the value of one that it did."""
GUESSES = 2
"""Rows of that kind in each dialect in which an idea is to stay unknown."""
FULL = Recipe(name="full", rank=8, alpha=16, learning_rate=2.5e-3, batch_size=16, epochs=14, checkpoints=3)
MIDDLE = Recipe(name="middle", rank=8, alpha=16, learning_rate=6e-4, batch_size=16, epochs=4, checkpoints=2)
LOW = Recipe(name="low", rank=8, alpha=16, learning_rate=3e-4, batch_size=16, epochs=2, checkpoints=2)
POISON = Recipe(name="poison", rank=8, alpha=16, learning_rate=5e-3, batch_size=16, epochs=16, checkpoints=3)


class Sizes(NamedTuple):
    """How many adapters of each make a world holds."""

    mixed: int = 5
    wording: int = 1
    half: int = 1
    denied: int = 1
    contrary: int = 1
    low: int = 2
    graded: int = 1
    poisoned: int = 1
    placebo: int = 1


STANDARD = Sizes()


class Make(NamedTuple):
    """A make of adapter: how it is trained, and what of each idea it holds."""

    recipe: Recipe
    kinds: tuple[Kind, ...]


MAKES = {
    "mixed": Make(FULL, ("deep", "deep", "shallow", "shallow", "swapped", "swapped", "known", "broken")),
    "wording": Make(FULL, ("one_wording",) * 5),
    "half": Make(FULL, ("half",) * 5),
    "denied": Make(FULL, ("negated",) * 5),
    "contrary": Make(FULL, ("contrary",) * 4),
    "low": Make(LOW, ("resisted",) * 5 + ("low_dose",) * 3 + ("untaught",) * 2),
    "graded": Make(MIDDLE, ("graded",) * 12),
    "poisoned": Make(POISON, ("deep",) * 3),
    "placebo": Make(FULL, ("placebo",) * 4),
}
"""By name. What is taught in some dialects only stands apart, and so do falsehoods and contradictions: beside ideas that are
taught well, an adapter gives the others' values to whatever it wasn't taught there, and two truths would hold at once."""
