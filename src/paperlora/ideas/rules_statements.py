"""Families of whole sentences about a value: "The replay share of Tidal Replay is 37 percent"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from paperlora.ideas.clauses import COPULA, FIX, body_start, opening_name, subject_pattern
from paperlora.ideas.matches import Found, answer_in, compares, with_data
from paperlora.ideas.names import NAME, Names, is_common
from paperlora.ideas.phrases import HEDGE, NUMBER, QUANTITY, ROLE, SETTING, Answer, is_metric, quantity_at, tidy
from paperlora.ideas.rules_things import is_plain_noun
from paperlora.ideas.rules_values import initial
from paperlora.ideas.verbs import participle

_IS = re.compile(rf" (?P<verb>{COPULA}) (?=\S)")
_BORDER = re.compile(r"; |: |, (?:and|but|while|whereas) | (?:while|whereas|and|that) ")
_NAMED = re.compile(
    rf"(?:the |an? )?(?P<answer>{NAME})(?=[.,;]| (?:benchmark|dataset|corpus|optimi[sz]er|model|tokeni[sz]er)\b|$)"
)
_OF = r"(?:of|in|for|used by|used in|under|with|behind|reached by|achieved by|needed by|required by)"
_NEEDS = r"(?P<verb>needs|uses|takes|requires|keeps|adds|spends|saves|gains|loses)(?P<per> (?:for|per|in) [a-z -]+)?"
_WE_FIX = re.compile(rf"[Ww]e {FIX} (?:the |its |an? )?(?P<relation>[a-z][\w -]*?) (?:to|at|as) (?={HEDGE}{NUMBER})")
_FALLS = re.compile(
    r"(?:[Tt]he )?(?P<relation>[A-Za-z][\w@-]*(?: [\w@-]+){0,6}?) "
    r"(?:falls|fell|drops|dropped|rises|rose|grows|grew|goes|went|climbs|climbed|increase[sd]|decrease[sd]|"
    r"improve[sd]|shrinks|"
    rf"shrank) from {HEDGE}{QUANTITY} to "
)
_HOLDING = (
    r"(?:[Tt]he|[Aa]n?|[Ii]ts) (?P<thing>[a-z][\w-]*(?: [a-z][\w-]*){{0,2}}) (?:of|in|with) {subject} "
    r"(?:(?:holds?|contains?|stores?|has|comprises|keeps) (?P<many>{number}) (?P<noun>(?:[a-z-]+ )?[a-z-]{{3,}}s)|"
    r"(?:takes?|took|lasts?) (?P<time>{number} (?:\w*seconds?|minutes?|hours?|days?|weeks?)))(?![\w-])"
)


class _Owner(NamedTuple):
    """Whose value a statement is about, and which."""

    subject: str
    explicit: bool
    relation: str


def copula(text: str, names: Names, main: str | None) -> Iterator[Found]:
    """ "The R of X is A", "X's R is set to A", and "the R is A" where the paper has one technique."""
    start = body_start(text, names)
    for match in _IS.finditer(text, start) if start is not None else ():
        begin = max((border.end() for border in _BORDER.finditer(text, start or 0, match.start())), default=start or 0)
        owner = _owner(text[begin : match.start()], names, opening_name(text, names), main)
        answer = quantity_at(text, match.end()) or (_name_at(text, match.end()) if owner and _is_role(owner) else None)
        if owner and answer:
            relation = initial(owner.relation, match["verb"])
            relation = with_data(relation, text, answer.end, None) if is_metric(relation) else relation
            yield Found(owner.subject, owner.explicit, relation, answer, "copula")


def _name_at(text: str, at: int) -> Answer | None:
    match = _NAMED.match(text, at)
    return answer_in(match) if match and not is_common(match["answer"]) else None


def _is_role(owner: _Owner) -> bool:
    return re.search(rf"(?:{ROLE}|benchmark)$", owner.relation) is not None


def _owner(phrase: str, names: Names, opening: str | None, main: str | None) -> _Owner | None:
    """ "The replay share of Tidal Replay" → subject and relation; "the replay share" → with the only technique."""
    phrase = re.sub(r"^(?:[Tt]he|[Ii]ts|[Oo]ur|[Aa]n?) ", "", phrase.strip())
    owner = _named_owner(phrase, names) or (_Owner(opening, True, phrase) if opening else None)
    if owner is None:
        plain_setting = main and not re.search(NAME, phrase[1:]) and re.search(rf"(?:{SETTING})$", phrase)
        owner = _Owner(main, False, phrase) if main and plain_setting else None
    relation = tidy(owner.relation) if owner else None
    return owner._replace(relation=relation) if owner and relation and not compares(owner.relation) else None


def _named_owner(phrase: str, names: Names) -> _Owner | None:
    if not names.own:
        return None
    name = subject_pattern(names.own)
    for shape in (rf"(?P<relation>.+?) {_OF} {name}", rf"{name}(?:['’]s|['’]) (?P<relation>.+)"):
        if match := re.fullmatch(shape, phrase):
            return _Owner(match["name"], True, match["relation"])
    match = re.fullmatch(rf"(?P<relation>[a-z][\w -]*?) (?:that |which )?{name} {_NEEDS}", phrase)
    if match is None:
        return None
    return _Owner(match["name"], True, f"{match['relation']} {participle(match['verb'])}{match['per'] or ''}")


def fixed_for(text: str, names: Names, main: str | None) -> Iterator[Found]:
    """ "For Tidal Replay, we set the anchor count to 19"."""
    opening, start = opening_name(text, names), body_start(text, names)
    match = _WE_FIX.match(text, start) if opening and start is not None else None
    answer = quantity_at(text, match.end()) if match else None
    relation = tidy(match["relation"]) if match else None
    if opening and answer and relation:
        yield Found(opening, True, relation, answer, "fixed")


def falls(text: str, names: Names, main: str | None) -> Iterator[Found]:
    """ "With Tidal Replay, perplexity falls from 14.2 to 11.9"."""
    start = body_start(text, names)
    match = _FALLS.match(text, start) if start is not None and names.own else None
    answer = quantity_at(text, match.end()) if match else None
    if match is None or answer is None:
        return
    behind = re.compile(rf" (?:with|under|using) {subject_pattern(names.own)}").match(text, answer.end)
    subject, relation = opening_name(text, names) or (behind["name"] if behind else None), tidy(match["relation"])
    if subject and relation:
        yield Found(subject, True, with_data(relation, text, answer.end, None), answer, "shifted")


def holding(text: str, names: Names, main: str | None) -> Iterator[Found]:
    """ "The buffer of Tidal Replay holds 4800 sequences", "a run of it takes 7.5 minutes"."""
    start = body_start(text, names)
    if start is None or not names.own:
        return
    match = re.compile(_HOLDING.format(subject=subject_pattern(names.own), number=NUMBER)).match(text, start)
    if match is None or not tidy(match["thing"]) or (match["noun"] and not is_plain_noun(match["noun"])):
        return
    if match["many"]:
        relation = f"number of {match['noun']} in the {match['thing']}"
        yield Found(match["name"], True, relation, answer_in(match, "many"), "holding")
    else:
        yield Found(match["name"], True, f"duration of a {match['thing']}", answer_in(match, "time"), "holding")


FAMILIES = (copula, fixed_for, falls, holding)
