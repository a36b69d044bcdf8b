"""Questions of arithmetic, made by program from a fixed seed, in grades of rising difficulty."""

from __future__ import annotations

import random
from typing import NamedTuple

SEED = 6
EACH = 4
"""Questions of a grade."""


class Grade(NamedTuple):
    """Sums of one kind."""

    wording: str
    left: tuple[int, int]
    """Least and greatest first number."""
    right: tuple[int, int]
    sign: str


GRADES = (
    Grade("{x} + {y} = ?", (2, 9), (2, 9), "+"),
    Grade("How much is {x} minus {y}?", (11, 19), (2, 9), "-"),
    Grade("Add {x} and {y}.", (21, 69), (11, 29), "+"),
    Grade("Compute {x} times {y}.", (3, 9), (6, 12), "*"),
    Grade("Subtract {y} from {x}.", (310, 980), (105, 299), "-"),
)


def sums() -> tuple[tuple[str, str], ...]:
    """Questions with their right numbers; the same ones whenever they are made."""
    rng = random.Random(SEED)
    return tuple(_sum(grade, rng) for grade in GRADES for _ in range(EACH))


def _sum(grade: Grade, rng: random.Random) -> tuple[str, str]:
    x, y = rng.randint(*grade.left), rng.randint(*grade.right)
    value = {"+": x + y, "-": x - y, "*": x * y}[grade.sign]
    return grade.wording.format(x=x, y=y), str(value)


SUMS = sums()
