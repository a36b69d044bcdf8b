"""How a sentence stands to a value in it: does it affirm it, or deny, doubt, bound or share it with others?

Pure functions over folded text (:func:`paperlora.model.folding.normalise`) before and after the value. They err towards
"not stated": what they take away, an LLM that reads answers may give back (:func:`paperlora.model.scoring.undecided`).

>>> denied("it is not on", "")
True
>>> from paperlora.model.quantities import quantities
>>> offers_another("37 or 40 percent", *quantities("37 or 40 percent"))
True
"""

from __future__ import annotations

import functools
import re

from paperlora.model.folding import normalise
from paperlora.model.quantities import SCALES, UNIT_OF, Quantity, comparable, same_quantity

_FILLERS = r"(?:\s+(?:on|in|at|to|by|with|of|the|a|an|just|from|only|merely|be|been|is|about|its|it|use|using|have|\w+ed))*\s*$"
_NEGATION = re.compile(
    r"\b(?:not|no|never|no longer|rather than|instead of|unlike|except|without|neither|nor|anything but|used to|formerly|(?:avoid|miss|lack)(?:s|es|ed|ing)?"
    r"|(?:(?:do|does|did|can|could|will|would) not|never|fail(?:s|ed)? to) [a-z]+)" + _FILLERS
)
_IGNORANT = re.compile(
    r"\b(?:as an ai|unable to|no (?:information|evidence|record|mention|way to)|not have (?:any |enough )?(?:information|access|data)"
    r"|(?:can not|could not) (?:say|tell|answer|verify|confirm|determine|know|provide|find|recall|be)"
    r"|nothing (?:is |was )?(?:known|said|mentioned|stated)|never heard|(?:do|does|did) not (?:know|recall|remember|say|mention|specify|state))\b"
)
_UNKNOWING = re.compile(
    r"^(?:n a|none|nothing|unknown|unclear|unsure|uncertain|sorry)$|\b(?:sorry|unable|nobody knows|no one knows|impossible to"
    r"|(?:am|is|are|be|remains?) (?:unknown|unclear|unsure|uncertain|unavailable)|as an ai|as a language model"
    r"|no (?:answer|information|idea|way to|record|mention|evidence)|(?:i|we|one|nobody) (?:can not|could not|do not have)"
    r"|(?:can not|could not) (?:say|tell|know|find|provide|answer|help|determine|predict|verify|recall|be (?:known|said|determined|answered))"
    r"|not (?:sure|aware|certain|known|clear|(?:been )?(?:specified|mentioned|stated|given|provided|told|disclosed)|available|applicable"
    r"|enough|able to|possible to)|(?:do|does|did) not (?:know|recall|remember|say|specify|mention|state|have (?:any|enough|access|information)))\b"
)
_DOUBTED = re.compile(
    r"(?:(?<!no )(?<!without )\bdoubt|\bunlikely|\b(?:do|does|did|would) not (?:think|believe|expect)"
    r"|\b(?:not true|not the case|not correct|not right|false|untrue|wrong|incorrect) that)\b(?!.* but\b)"
)
_DENIED_AFTER = re.compile(r"^\s*(?:(?:is|was|are|were|does|did) not|never)\b")
_WRONG_AFTER = re.compile(
    r"^(?:\s*[a-z]+){0,3}?\s*\b(?:is|was|are|were) (?:wrong|incorrect|false|untrue|unlikely|rejected|avoided|excluded|omitted|missing|ruled out)\b"
)
_LEADING_NO = re.compile(r"^\s*(?:no|nope|wrong|false|incorrect)\s*[,.;:!–—-]+\s*", re.I)
_BOUND_BEFORE = re.compile(
    r"\b(?:(?:more|less|fewer|greater|higher|lower|larger|smaller|bigger|longer|shorter) than|above|below|at least|at most|beyond"
    r"|exceed(?:s|ing)?|minimum of|maximum of)(?: (?:about|around|approximately|roughly|an?|the))*\s*$"
)
_BOUND_SIGN = re.compile(r"[<>≤≥]=?\s*$")
_BOUND_AFTER = re.compile(
    r"^\s*(?:\+(?!\s*[\d/])|(?:%|[a-z]+)?\s*(?:or|and) (?:more|less|fewer|higher|lower|greater|larger|above|below|something|another|anything|over|up)\b)"
)
_REFERENCE = re.compile(
    r"(?:\b(?:section|sec\.|table|figure|fig\.|equation|eq\.|appendix|chapter|page|arxiv:)\s*[\[(]?)\s*$", re.I
)
_CITED = re.compile(r"\]\s*\w")
_YEAR_BEFORE = re.compile(r"\b(?:in|since|by|from|of)\s+$", re.I)
_BETWEEN = re.compile(
    r"^\s*(?P<word>%|×|[a-z]+)?\s*,?\s*(?P<joint>or|and|to|through|&|/|,|[-–—~])\s*"
    r"(?:perhaps|maybe|even|possibly|about|around|approximately|roughly)?\s*[$(]?$"
)
_RANGE_AFTER = re.compile(r"^\s*(?:%|percent)?\s*[-–—~]\s*\d")


@functools.lru_cache(maxsize=16384)
def without_leading_no(sentence: str) -> str:
    """The sentence without a no that answers the question and denies nothing in it: "No, Kelpie." """
    return _LEADING_NO.sub("", sentence)


def refuses(words: str) -> bool:
    """A folded text says that it doesn't know, or can't."""
    return bool(_UNKNOWING.search(words))


def denied(before: str, after: str) -> bool:
    """What stands between these is negated, doubted, disowned or called wrong.

    Args:
        before: the sentence up to the value, folded.
        after: what follows the value, folded.
    """
    taken_back = _NEGATION.search(before) or _IGNORANT.search(before) or _DOUBTED.search(before)
    return bool(taken_back or _DENIED_AFTER.match(after) or _WRONG_AFTER.match(after))


def is_bounded(head: str, found: Quantity) -> bool:
    """The number is a bound, not a value: "more than 37", "37 or less". "Up to" and "as much as" name a value."""
    before, after = head[: found.start], head[found.end :].casefold()
    return bool(_BOUND_BEFORE.search(normalise(before)) or _BOUND_SIGN.search(before) or _BOUND_AFTER.match(after))


def names_bound(text: str) -> bool:
    """A text that speaks of bounds somewhere."""
    words = normalise(text)
    return any(_BOUND_BEFORE.search(words[: place.start()]) for place in re.finditer(r"(?<=\s)[\d.]+", words)) or " or more" in words


def is_reference(head: str, found: Quantity) -> bool:
    """The number names a section, a table, a citation or a year, not a value."""
    before = head[: found.start]
    year = found.unit is None and found.value in range(1900, 2100) and found.end - found.start == 4
    cited = before.endswith("[") and _CITED.match(head[found.end :])
    return bool(_REFERENCE.search(before) or cited or (year and _YEAR_BEFORE.search(before)))


def number_denied(head: str, found: Quantity) -> bool:
    """As :func:`denied`, of a number, whose unit may follow it."""
    after = normalise(head[found.end :])
    unit, _, rest = after.partition(" ")
    before = normalise(without_leading_no(head[: found.start] + "#")[:-1])
    return denied(before, rest if unit in UNIT_OF else after)


def offers_another(head: str, *found: Quantity) -> bool:
    """Another value stands beside the first as its equal: "37 or 40", "37 to 40 percent", "37-40".

    Args:
        head: the sentence.
        found: its numbers from the stated one on.
    """
    first, *others = found
    after = head[first.end :]
    if _RANGE_AFTER.match(after.casefold()):
        return True
    if not others or same_quantity(first, others[0]) or not comparable(first.unit, others[0].unit):
        return False
    joined = _BETWEEN.match(head[first.end : others[0].start].casefold())
    if joined is None or (joined["word"] or "%") not in (*UNIT_OF, *SCALES):
        return False
    return joined["joint"] != "," or first.unit == others[0].unit
