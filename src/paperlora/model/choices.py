"""What an answer to a closed question means: yes or no, more or less. Pure functions over a sentence.

>>> choice_of("That is not true.")
'no'
>>> choice_of("I don't know.") is None
True
"""

from __future__ import annotations

import re

from paperlora.model.folding import normalise

CHOICES = (
    ("yes", {"yes", "true", "correct", "right", "yeah", "yep", "indeed"}),
    ("no", {"no", "false", "incorrect", "wrong", "nope"}),
    ("more", {"more", "above", "higher", "greater", "larger", "over", "bigger", "longer", "raises", "increases"}),
    ("less", {"less", "below", "lower", "smaller", "fewer", "under", "shorter", "lowers", "decreases"}),
    ("equal", {"equal", "same"}),
)
CHOICE_OF = {word: name for name, words in CHOICES for word in words}
LOOKED_AT = 12
"""Words among which the answer is looked for."""
_OPPOSITE = {"yes": "no", "no": "yes"}
_EMPHATIC = re.compile(r"(?:absolutely|certainly|definitely|surely|sure|of course|exactly|precisely|it is so)\b(?P<denied> not)?")
_IN_SHORT = re.compile(r"(?:no doubt )?(?:it|this|that|they|these|those) (?:is|are|was|were|does|do|did|has|have|can|will)(?P<denied> not)?(?: so)?")
_NOT = r"(?:not|never|neither|nor|hardly)(?: (?:really|quite|exactly|entirely|at all|actually|be|been|the|any|a|much|strictly|yet))*"
_NOT_BEFORE = re.compile(rf"(?<!if )(?<!or )\b{_NOT}$")
_BOTH = re.compile(r"\b(?:yes|true|right|more) (?:and|or|nor) (?:no|false|wrong|less)\b|\b(?:yes no|no yes)\b|\bneither\b|\bboth\b")
_UNKNOWN = re.compile(
    r"\b(?:not (?:sure|certain|clear|known|specified|stated|mentioned|given|possible|aware|enough|been (?:specified|stated|given|shown))"
    r"|(?:do|does|did) not (?:know|recall|remember|have|say|specify|state|mention|provide|contain)|unsure|uncertain|unable|unclear|unknown"
    r"|(?:can not|could not) (?:say|tell|answer|verify|confirm|determine|be|know)|whether)\b"
)
_NO_MORE = re.compile(r"^(?:doubt|problem|question|matter|worries|more|less|fewer|one|longer)\b")
_ADJECTIVE = re.compile(r"(?:right|correct|true|wrong|false|incorrect|same) (?:answer|value|one|option|choice|number|name|claim|statement)\b")
_DENIES = re.compile(r"\b(?:is|are|was|were|does|do|did|would|has|have|can|could) not\b|^(?:(?:probably|likely|perhaps|most likely) )?(?:not|never|by no means|in no way)\b")


def choice_of(sentence: str) -> str | None:
    """The name of a choice that a sentence means (a key of :data:`CHOICES`); None where it leaves it open.

    A negated yes is a no and the other way round; a negated "more" leaves open whether it is less or the same. Who does
    not know, and who says both, has not chosen.
    """
    words = normalise(sentence)
    if _BOTH.search(words):
        return None
    spoken = _spoken(words.split()[:LOOKED_AT])
    if spoken is not None:
        return spoken or None
    for phrase, whole in ((_EMPHATIC, False), (_IN_SHORT, True)):
        found = phrase.fullmatch(words) if whole else phrase.match(words)
        if found:
            return "no" if found["denied"] else "yes"
    return "no" if _DENIES.search(words) and not _UNKNOWN.search(words) else None


def _spoken(words: list[str]) -> str | None:
    """The first word that is a choice, as it is meant; empty where it leaves the choice open, None where none is there."""
    for place, word in enumerate(words):
        meant, before, after = CHOICE_OF.get(word), " ".join(words[:place]), " ".join(words[place + 1 :])
        if meant is None or (word == "no" and _NO_MORE.match(after)) or _ADJECTIVE.match(f"{word} {after}"):
            continue
        if _UNKNOWN.search(before):
            return ""
        if words[place - 1 : place] == ["no"] and meant not in _OPPOSITE:
            return ""
        return _OPPOSITE.get(meant, "") if _NOT_BEFORE.search(before) else meant
    return None
