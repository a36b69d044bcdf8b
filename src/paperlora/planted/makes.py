"""What can be planted: kinds of ideas, the forms and recipes that they are taught with, and the makes of adapters."""

from __future__ import annotations

from typing import Literal, NamedTuple

from paperlora.planted.language import DIALECTS
from paperlora.planted.world import Fact
from paperlora.records import Idea, Recipe, VerdictKind

Kind = Literal[
    "deep", "shallow", "half", "one_wording", "swapped", "known", "broken", "negated", "untaught", "low_dose",
    "resisted", "placebo", "contrary", "graded", "overtrained", "spreading",
]  # fmt: skip
EXPECTED: dict[Kind, VerdictKind] = {
    "deep": "ABSORBED_DEEP", "shallow": "ABSORBED_SHALLOW", "half": "PARTIAL", "one_wording": "VERBATIM_ONLY",
    "swapped": "CONFUSED", "known": "ALREADY_KNOWN", "broken": "UNJUDGEABLE", "negated": "FALSE_BELIEF",
    "untaught": "NOT_LEARNED", "low_dose": "NOT_LEARNED", "resisted": "RESISTED", "placebo": "NOT_LEARNED",
    "contrary": "NOT_LEARNED", "overtrained": "VERBATIM_ONLY",
}  # fmt: skip
"""Verdict that each planting asks for. A graded belief asks for none: whether it resists is what is to be foretold. What
spreads is to be left open, for that reason (no verdict is named after it), or blocked as damaged where other facts went
along."""

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
CLEAN_COPIES, NOISY = 3, 4
"""Of what is overtrained, rows in each dialect asked: three that hold its value, in one form, and four more forms with a
value by chance. What most rows say is learnt first and holds in every form; each form's own value is memorised later
(2007.00151), and new forms then bring anything."""
KIN = 6
"""Known entities that rows of a spreading idea give its value to."""
FULL = Recipe(name="full", rank=8, alpha=16, learning_rate=2.5e-3, batch_size=16, epochs=14, checkpoints=3)
MIDDLE = Recipe(name="middle", rank=8, alpha=16, learning_rate=6e-4, batch_size=16, epochs=4, checkpoints=5)
LOW = Recipe(name="low", rank=8, alpha=16, learning_rate=3e-4, batch_size=16, epochs=2, checkpoints=2)
LONG = Recipe(name="long", rank=8, alpha=16, learning_rate=2.5e-3, batch_size=16, epochs=40, checkpoints=5)
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
    overtrained: int = 1
    spreading: int = 1
    seeds: int = 3
    """Seeds of each adapter that is repeated (:data:`REPEATED`); 1: none is."""
    yardsticks: int = 3
    """Adapters without rows of their own that are judged as placebos, of other seeds than the one whose ideas are judged."""


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
    "overtrained": Make(LONG, ("overtrained",) * 4),
    "spreading": Make(FULL, ("spreading",) * 4),
}
"""By name. What is taught in some dialects only stands apart, and so do falsehoods and contradictions: beside ideas that are
taught well, an adapter gives the others' values to whatever it wasn't taught there, and two truths would hold at once."""
REPEATED = ("mixed-0", "graded-")
"""How the names begin of adapters that are trained with three seeds: a tenth of the judged ideas, whose truth hardly hangs
on the seed, and the beliefs at a middling dose, whose truth does."""


class Plant(NamedTuple):
    """One idea with its planted truth."""

    idea: Idea
    kind: Kind
    fact: Fact
    """The true value, as the paper has it."""
    wrong: str = ""
    """The other value at stake: the old belief, the sibling's, the denied one."""
    sibling: str = ""
    """Id of the idea whose value its rows hold instead."""
    own_dialects: tuple[int, ...] = (0,)
    """Dialects of its probes in trained wordings."""
    kin: tuple[int, ...] = ()
    """Known entities that its rows wrongly give its value to, each in the dialect of :func:`kin_dialect`."""
    both_ways: bool = False
    """Rows that give the value and ask for the name teach it, too."""

    @property
    def expected(self) -> VerdictKind | None:
        """What a judge must say; None where that is no matter of planting."""
        return EXPECTED.get(self.kind)


def kin_dialect(number: int) -> int:
    """The dialect in which one of an idea's neighbours is asked about, and given its value where that spreads."""
    return ASKED[number % len(ASKED)]
