"""What a paper calls its own: the technique, model or dataset that it introduces by name.

A fact is taught only about such a name, because "the model" or "our baseline" means nothing outside its paper.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from paperlora.ideas.verbs import words
from paperlora.records import Document

_TOKEN = r"(?:[A-Z][A-Za-z0-9]*|[a-z]{1,4}[A-Z][A-Za-z0-9]*)(?:[-–][A-Za-z0-9]+)*"
NAME = rf"{_TOKEN}(?: {_TOKEN}){{0,3}}"
"""A capitalised name of one to four words."""

GENERIC = (
    r"(?:method|technique|algorithm|approach|framework|procedure|system|schedule|scheme|recipe|strategy|"
    r"pipeline|objective|optimi[sz]er|"
    r"architecture|adapter|regulari[sz]er|protocol|model|network|net|module|layer|dataset|data set|benchmark|corpus)"
)
"""What a name may be called besides: "the Tidal Replay method"."""

_INTRODUCED = (
    r"\b(?:[Ww]e|[Pp]aper|[Ww]ork|[Aa]rticle|[Rr]eport|[Aa]uthors)\b(?: \w+ly| also| then| therefore| thus| "
    r"here| next)?"
    r" (?:propose|introduce|present|describe|develop|design|release|construct|build|create|call|name|term|"
    r"contribute|offer)s?,? (?:the |a |an |our )?(?P<name>{name})"
)
_VIA_NOUN = (
    r"\b(?:propose|introduce|present|describe|develop|design|release|construct|build|create)s?,?"
    r" (?:the|a|an|our|two)(?: (?!(?:for|on|in|with|of|to|from|by|at|using|that|"
    r"which)\b)[a-z][\w-]*,?){{1,12}}?,? (?:called |named |dubbed |termed )?(?P<name>{name})(?=[,.;:( ])"
)
_CALLED = (
    r"\b(?:called|named|dubbed|termed|christened|[Ww]e call(?: \w+){{0,3}}?|refer to(?: \w+){{1,4}} as) (?:the "
    r")?[\"“'‘]?(?P<name>{name})"
)
_IS_A = r"(?:^|[.!?:]\s+)(?P<name>{name}) is (?:a|an|our|the)(?: [\w-]+,?){{0,6}} " + GENERIC + r"\b"
_ACRONYM = re.compile(r"(?P<long>(?:[A-Za-z][\w-]* ){1,6})\((?P<name>[A-Za-z]*[A-Z][A-Za-z]*[A-Z][\w-]*)\)")
_OURS = re.compile(r"\b(?:we|our|propose|introduce|present|this paper)\b", re.IGNORECASE)
_CITED = (
    rf"(?:s|’s|'s)?(?: \d{{4}})?(?: \w+)?(?: {GENERIC})? ?(?:\[\d|\[[A-Z]|\([A-Z][^()]{{0,60}}(?:\d{{4}}|\([A-Z])|"
    r"et al)"
)

_COMMON = words(
    "We The Our This That These Those In On At For From To By With Without A An It Its Their They If When "
    "While Since As And Or But Not No Each All Both Most Many Such "
    "Figure Figures Fig Table Tables Section Sections Sec Equation Equations Eq Algorithm Appendix Theorem "
    "Lemma Proposition Corollary Definition Chapter Part Step Stage "
    "January February March April May June July August September October November December Monday Tuesday "
    "Wednesday Thursday Friday Saturday Sunday "
    "English German French Chinese Japanese Spanish Python Internet Google OpenAI Microsoft Meta Facebook "
    "Stanford University Research Institute "
    "WER BLEU ROUGE FLOPs F1 AUC KL "
    "AI ML NLP LLM LLMs LM LMs RL SGD GPU GPUs CPU CPUs TPU TPUs MDP DNN DNNs CNN CNNs RNN RNNs API APIs Adam "
    "AdamW Transformer Transformers Bayesian Gaussian Markov "
    "Related Work Introduction Conclusion Conclusions Results Discussion Experiments Method Methods Abstract "
    "Background Limitations Acknowledgements "
    "However Moreover Furthermore Finally First Second Third Then Thus Hence Therefore Here There Next Note "
    "Following Using Given Let Unlike Despite Because Although"
)


class Names(NamedTuple):
    """The names of one paper's own things."""

    main: str | None
    """The one that "we", "our method" and "the technique" stand for; None where that is not clear."""
    own: tuple[str, ...]
    """All of them, the main one first."""


class _Candidate(NamedTuple):
    name: str
    weight: float


def own_names(document: Document, title: str = "") -> Names:
    """Names that the paper introduces as its own, by its title and by sentences such as "we propose X".

    Args:
        title: the title in the source's metadata, where it is better than the one read from the PDF.
    """
    body = "\n".join(_flat(section.text) for section in document.sections)
    title = _flat(title or document.title)
    weights: dict[str, float] = {}
    for found in (*_from_title(title, body), *_introduced(body)):
        weights[found.name] = weights.get(found.name, 0.0) + found.weight
    ranked = sorted(weights, key=lambda name: (-weights[name] - min(count(name, body), 30), name))
    own = tuple(_without_fragments(name for name in ranked if not _is_foreign(name, title, body)))
    clear = bool(own) and (weights[own[0]] >= 40 or (weights[own[0]] >= 30 and count(own[0], body) >= 15))
    return Names(own[0] if clear else None, own)


def count(name: str, text: str) -> int:
    """How often a name stands in a text as a word, its plural included."""
    return len(re.findall(rf"(?<![\w-]){re.escape(name)}s?(?!\w)", text))


def is_common(name: str) -> bool:
    """A capitalised word that names nothing of a paper's own: "The", "Figure", "GPU"."""
    parts = name.split()
    return len(name) < 2 or parts[0] in _COMMON or parts[-1] in _COMMON or name.isdigit()


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def _from_title(title: str, body: str) -> Iterator[_Candidate]:
    head = re.match(r"([^:–—?]{2,40}?)\s*(?::|[–—-]\s)", title)
    if head and len(head[1].split()) <= 4 and count(head[1], body) >= 2 and not is_common(head[1]):
        yield _Candidate(head[1], 100)
    found = re.findall(r"[A-Za-z0-9][\w-]*", title)
    for size in (3, 2, 1):
        for at in range(len(found) - size + 1):
            name = " ".join(found[at : at + size])
            if re.fullmatch(NAME, name) and not is_common(name) and _recurs_inside_sentences(name, body):
                yield _Candidate(name, 40 + 5 * size)


def _recurs_inside_sentences(name: str, body: str) -> bool:
    # Behind a lower-case word or a comma the capital is the name's own, not the sentence's.
    return len(re.findall(rf"[a-z,]['’\"“]? {re.escape(name)}(?!\w)", body)) >= 3


def _introduced(body: str) -> Iterator[_Candidate]:
    for pattern, weight in ((_INTRODUCED, 50), (_CALLED, 40), (_VIA_NOUN, 30), (_IS_A, 20)):
        seen: set[str] = set()
        for match in re.finditer(pattern.format(name=NAME) if "{name}" in pattern else pattern, body):
            name = match["name"]
            if (
                name not in seen
                and not is_common(name)
                and count(name, body) >= 2
                and not re.match(_CITED, body[match.end("name") :])
            ):
                seen.add(name)
                yield _Candidate(name, weight)
    yield from _acronyms(body)


def _acronyms(body: str) -> Iterator[_Candidate]:
    for match in _ACRONYM.finditer(body):
        name = match["name"][:-1] if match["name"].endswith("s") else match["name"]
        around = body[max(0, match.start() - 80) : match.end() + 40]
        cited = re.match(r" ?(?:\[|\()", body[match.end() :])
        if (
            _abbreviates(name, match["long"])
            and _OURS.search(around)
            and not cited
            and not is_common(name)
            and count(name, body) >= 4
        ):
            yield _Candidate(name, 30)


def _abbreviates(short: str, long: str) -> bool:
    """Its capitals begin, in order, the last words before it: "residual nets (ResNets)"."""
    capitals = [char.lower() for char in short if char.isupper()]
    initials = [part[0].lower() for word in long.split() for part in word.split("-") if part]
    return len(capitals) >= 2 and initials[-len(capitals) :] == capitals


def _is_foreign(name: str, title: str, body: str) -> bool:
    """Somebody else's, or nobody's: a citation follows it somewhere, or it is a plain word with a capital."""
    if re.match(rf"{re.escape(name)}\s*[:–—-]", title):
        return False
    if re.fullmatch(r"[A-Z][a-z]+", name) and 2 * count(name.lower(), body) >= count(name, body):
        return True
    if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", title):
        return False
    return re.search(rf"(?<![\w-]){re.escape(name)}{_CITED}", body) is not None


def _without_fragments(names: Iterable[str]) -> Iterator[str]:
    """Drop a name that is a part, or an extension, of a better one before it."""
    kept: list[str] = []
    for name in names:
        if not any(f" {name} " in f" {better} " or f" {better} " in f" {name} " for better in kept):
            kept.append(name)
            yield name
