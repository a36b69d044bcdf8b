"""Forms of English verbs that relations need: "discards" → "discarded", "refreshes" → "refreshing"."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """The words of a list that is easier to read as one string."""
    return frozenset(text.split())


_PARTICIPLES = {
    "keep": "kept",
    "hold": "held",
    "draw": "drawn",
    "take": "taken",
    "have": "had",
    "spend": "spent",
    "leave": "left",
    "make": "made",
    "read": "read",
    "write": "written",
    "choose": "chosen",
    "drop": "dropped",
    "skip": "skipped",
    "swap": "swapped",
    "clip": "clipped",
    "split": "split",
    "cut": "cut",
    "put": "put",
    "set": "set",
    "give": "given",
    "see": "seen",
    "throw": "thrown",
    "freeze": "frozen",
    "bring": "brought",
    "send": "sent",
    "lose": "lost",
    "find": "found",
    "feed": "fed",
    "wrap": "wrapped",
    "map": "mapped",
    "flip": "flipped",
    "trim": "trimmed",
    "tag": "tagged",
    "plan": "planned",
    "permit": "permitted",
    "omit": "omitted",
    "get": "gained",
    "run": "run",
    "stop": "stopped",
    "forget": "forgotten",
}
_DOUBLED = words("drop skip swap clip split cut put set wrap map flip trim tag plan permit omit get run stop forget")


def stem(verb: str) -> str:
    """The plain form of a third person or a regular past: "refreshes" → "refresh", "carries" → "carry"."""
    verb = verb.split(" ")[-1] if verb.startswith(("is ", "are ", "was ", "were ")) else verb
    inverse = {past: plain for plain, past in _PARTICIPLES.items()}
    if verb in inverse:
        return inverse[verb]
    if verb.endswith("ies"):
        return verb[:-3] + "y"
    if verb.endswith(("shes", "ches", "xes", "sses", "zzes")):
        return verb[:-2]
    return verb[:-1] if verb.endswith("s") and not verb.endswith("ss") else verb


def participle(verb: str) -> str:
    """ "discards" → "discarded", "keeps" → "kept"; a form in -ed stays."""
    if verb.endswith("ed"):
        return verb
    plain = stem(verb)
    if plain in _PARTICIPLES:
        return _PARTICIPLES[plain]
    if plain.endswith("y") and plain[-2] not in "aeiou":
        return plain[:-1] + "ied"
    return plain + ("d" if plain.endswith("e") else "ed")


def gerund(verb: str) -> str:
    """ "refreshes" → "refreshing", "updates" → "updating", "drops" → "dropping"."""
    plain = stem(verb)
    if plain in _DOUBLED:
        return plain + plain[-1] + "ing"
    return (plain[:-1] if plain.endswith("e") and not plain.endswith("ee") else plain) + "ing"
