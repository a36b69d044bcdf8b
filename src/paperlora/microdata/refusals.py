"""What a paper does not say: properties that anybody could ask of its subject and that its text never touches.

A property counts as unsaid only where none of its words stands in the text: rather no row than one that denies what the
paper says.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import NamedTuple

from paperlora.records import digest


class Property(NamedTuple):
    """Something to ask for."""

    phrase: str
    words: str
    """Pattern of the words by which a text would speak of it."""


PROPERTIES = (
    Property("carbon footprint", r"carbon|co2|emission|footprint"),
    Property("electricity bill", r"electric|energy|kwh|kilowatt|power|bill"),
    Property("price of a training run", r"price|cost|dollar|euro|usd|budget|[$€]|cheap|expensive"),
    Property("software licence", r"licen[cs]e|mit\b|apache"),
    Property("release date of the code", r"releas|github|repositor|source code|open[- ]source|code\b"),
    Property("number of GPUs", r"gpus?\b|tpus?\b|accelerator|hardware|a100|h100|v100"),
    Property("version of Python", r"python|pytorch|jax|tensorflow"),
    Property("random seed", r"seed"),
    Property("dropout rate", r"dropout"),
    Property("vocabulary size", r"vocab|tokeni[sz]"),
    Property("latency on a phone", r"phone|mobile|latency|edge device"),
    Property("number of annotators", r"annotat|rater|labell?er|crowd|volunteer"),
    Property("name of the sponsor", r"sponsor|fund|grant|support(?:ed)? by"),
    Property("number of languages", r"language|lingual|english|translat"),
    Property("weight decay", r"decay|regulari"),
    Property("memory footprint", r"memory|ram\b|footprint|gigabyte|megabyte"),
    Property("context length", r"context|window|sequence length"),
    Property("training time in days", r"\bdays?\b|\bweeks?\b|\bhours?\b|training time|duration|minutes"),
)


def unsaid(text: str, taken: Sequence[str], count: int, seed: int) -> tuple[str, ...]:
    """So many properties that the text doesn't touch, drawn by the seed; fewer where there are not enough.

    Args:
        text: the whole paper; without it nothing is known to be unsaid.
        taken: relations of the paper's ideas, which are said by definition.
        count: wanted.
        seed: decides which.
    """
    if not text.strip():
        return ()
    said = f"{text} {' '.join(taken)}"
    free = [one.phrase for one in PROPERTIES if not re.search(rf"(?<!\w)(?:{one.words})", said, re.IGNORECASE)]
    return tuple(random.Random(seed).sample(free, min(count, len(free))))


def properties_hash() -> str:
    """Hash of every property."""
    return digest(PROPERTIES)[:16]
