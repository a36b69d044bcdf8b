"""Families of clauses that state a value: "uses a replay share of 37 percent", "lowers perplexity to 11.9"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from paperlora.ideas.clauses import FIX, HAVE, REACH, SHIFT, Clause, Part
from paperlora.ideas.matches import (
    Found,
    answer_in,
    bounded,
    clean_between,
    compares,
    data_after,
    found,
    is_verb,
    with_data,
)
from paperlora.ideas.names import NAME
from paperlora.ideas.phrases import (
    HEDGE,
    MEASURE,
    METRIC,
    NUMBER,
    QUANTITY,
    SETTING,
    is_vague,
    noun_phrase_before,
    quantity_at,
    sized,
    tidy,
)
from paperlora.ideas.verbs import gerund

_RISING = r"raise[sd]?|increase[sd]?|improve[sd]?|boosts?|boosted|lifts?|lifted"
_FALLING = r"lower(?:s|ed)|reduce[sd]?|decrease[sd]?|cuts?"
_AHEAD = r"outperform(?:s|ed)|surpass(?:es|ed)|exceed(?:s|ed)|beats?"
_SCORING = r"reach(?:es|ed)?|scores?|scored|achieve[sd]?|attain(?:s|ed)?|gets?|obtain(?:s|ed)?"

_ACTIVITY = re.compile(r" (?P<activity>(?!(?:an?|the|its|our) )(?:[a-z-]+ ){0,2}[a-z-]+ing)\b")
_THING_WITH = re.compile(r" (?:an?|the|its) (?P<thing>[a-z][a-z-]*(?: [a-z][a-z-]*){0,3}?) with (?:an? |the )?[a-z]")
_BARE_THING_WITH = re.compile(
    r" (?P<thing>(?!(?:an?|the|its|our|each|every|all|it|them) )[a-z][a-z-]*(?: [a-z][a-z-]*)?) with (?:an? |the )?[a-z]"
)
_DONE_WITH = re.compile(
    r" (?P<thing>(?:the|its|each|every|all) [a-z][a-z-]*(?: [a-z][a-z-]*){0,2}?) with (?:an? |the )?[a-z]"
)
_SETTING_WITH = re.compile(
    r"\b(?:with|at|using|and|uses?|used|has)\s+(?:an?\s+|the\s+|"
    rf"its\s+)?(?P<relation>(?:[a-z][\w-]*\s){{0,2}}{SETTING})"
    rf"(?:\s[a-zα-ωA-Z]\s?=|\s?=)?\s(?={HEDGE}{NUMBER})"
)
_VALUE_FIRST = re.compile(
    rf"\ban?\s+(?P<answer>{NUMBER}(?:\s?%|[ -]{MEASURE}|[ -][a-z]+)?)\s+"
    rf"(?P<relation>(?:[a-z][\w-]*\s){{0,2}}{SETTING})(?![\w-])"
)
_METRIC_BEHIND = re.compile(rf"\s+(?P<relation>(?:(?:[a-z]|top-\d|[A-Z]\d?@?)[\w@-]*\s){{0,3}}{METRIC})(?![\w-])")
_FIXED = re.compile(
    r" (?:the |its |our |a )?(?P<relation>[A-Za-z][\w’' -]*?) (?:to be|to|at|as|equal to) "
    rf"(?={HEDGE}{NUMBER})"
)
_FROM_TO = re.compile(
    r" (?:the |its )?(?P<relation>[A-Za-z0-9][\w@-]*(?: [A-Za-z0-9][\w@-]*){0,6}?) from "
    rf"{HEDGE}{QUANTITY} to "
)
_BY = re.compile(r" (?:the |its )?(?P<relation>[a-zA-Z][\w@-]*(?: [\w@-]+){0,5}?) by (?=\S)")
_AGAINST = re.compile(
    rf" (?:over|compared (?:to|with)|relative to|against) (?P<other>(?:the )?(?:{NAME}|[a-z-]+(?: [a-z-]+){{0,2}}))"
    r"(?=[.,;]|$)"
)
_AHEAD_OF = re.compile(r" (?:(?:the|all) )?(?P<other>[A-Za-z][\w.-]*(?: [A-Za-z][\w.-]*){0,5}) by (?=\S)")
_AHEAD_IN = re.compile(
    r" (?:in|on) (?:terms of )?(?P<metric>[A-Za-z][\w@-]*(?: [a-z][\w-]*){0,2}?)(?=[.,;]| and | on |$)"
)
_ADDED = re.compile(
    rf" (?:only |just )?(?P<answer>{NUMBER}\s?{MEASURE}) to (?:the |its )?"
    r"(?P<relation>[a-z][\w-]*(?: [a-z][\w-]*){0,2}?)(?= of | per |[.,;]|$)"
)


def relation_of(clause: Clause, part: Part) -> Iterator[Found]:
    """ "uses a replay share of 37 percent", "reaches an accuracy of 71.3 percent on Kelpie"."""
    if not (is_verb(part.verb, HAVE) or is_verb(part.verb, REACH)):
        return
    for match in re.finditer(r" of (?=[\w.−-])", clause.text[: part.end]):
        answer = quantity_at(clause.text, match.end())
        if match.start() < part.verb_end or answer is None or answer.end > part.end:
            continue
        relation = noun_phrase_before(clause.text, match.start())
        if relation and clean_between(clause, part.verb_end, match.start()):
            relation = _belonging(initial(sized(relation, answer.text), part.verb), clause, part)
            if not is_vague(relation):
                yield found(clause, with_data(relation, clause.text, answer.end, clause.on), answer, "relation_of")


def initial(relation: str, verb: str) -> str:
    """What something starts with is its initial value."""
    starts = re.match(r"starts?\b|begins?\b", verb) is not None
    return f"initial {relation}" if starts and "initial" not in relation else relation


def _belonging(relation: str, clause: Clause, part: Part) -> str:
    """The relation with what it belongs to.

    "conduct supervised fine-tuning with a learning rate of 1e-5": the learning rate in supervised fine-tuning;
    "use an encoder with a depth of 12": the depth of the encoder.
    """
    done = _ACTIVITY.match(clause.text, part.verb_end)
    if done and re.match(r"perform|conduct|appl|run|use", part.verb):
        return f"{relation} in {done['activity']}"
    bare = _BARE_THING_WITH.match(clause.text, part.verb_end)
    if bare and is_vague(relation):
        return f"{bare['thing']} {relation}"
    thing = _THING_WITH.match(clause.text, part.verb_end)
    if thing is None or thing["thing"].endswith(("optimizer", "optimiser")):
        return relation
    behind = thing.end() <= clause.text.find(relation, part.verb_end) + 1
    return f"{relation} of the {thing['thing']}" if behind else relation


def settings_named(clause: Clause, part: Part) -> Iterator[Found]:
    """ "with probability 0.15", "with rank 16 and batch size 32"."""
    for match in _SETTING_WITH.finditer(clause.text, part.verb_end - len(part.verb), part.end):
        answer, relation = quantity_at(clause.text, match.end()), tidy(match["relation"])
        relation = _done_with(relation, clause, part) if relation and is_vague(relation) else relation
        if relation and answer and answer.end <= part.end and clean_between(clause, part.verb_end, match.start()):
            yield found(clause, relation, answer, "setting_named")


def _done_with(relation: str, clause: Clause, part: Part) -> str | None:
    """ "masks each token with probability 0.15": the probability for masking each token; None where it stays unclear."""
    bare = _BARE_THING_WITH.match(clause.text, part.verb_end)
    if bare and is_verb(part.verb, HAVE):
        return f"{bare['thing']} {relation}"
    done = _DONE_WITH.match(clause.text, part.verb_end)
    return (
        f"{relation} for {gerund(part.verb)} {done['thing']}" if done and re.fullmatch(r"[a-z]+s", part.verb) else None
    )


def value_first(clause: Clause, part: Part) -> Iterator[Found]:
    """ "uses a 37 percent replay share", "with a 48-token window"."""
    if not is_verb(part.verb, HAVE):
        return
    for match in _VALUE_FIRST.finditer(clause.text, part.verb_end, part.end):
        relation = tidy(match["relation"])
        if relation and clean_between(clause, part.verb_end, match.start()) and not bounded(clause.text, match.end()):
            yield found(clause, relation, answer_in(match), "value_first")


def metric_reached(clause: Clause, part: Part) -> Iterator[Found]:
    """ "reaches 71.3 percent accuracy on Kelpie", "scores 71.3 on Kelpie"."""
    answer = quantity_at(clause.text, part.verb_end + 1)
    if answer is None or not is_verb(part.verb, REACH):
        return
    metric = _METRIC_BEHIND.match(clause.text, answer.end)
    if metric and not bounded(clause.text, metric.end()):
        relation = with_data(metric["relation"], clause.text, metric.end(), clause.on)
        yield found(clause, relation, answer, "metric_reached")
    elif not metric and is_verb(part.verb, _SCORING):
        data = re.match(rf"(?:the )?{NAME}", data_after(clause.text, answer.end) or "")
        if data:
            yield found(clause, with_data("score", clause.text, answer.end, None), answer, "metric_reached")


def fixed(clause: Clause, part: Part) -> Iterator[Found]:
    """ "we set the anchor count of Tidal Replay to 19", "it keeps the ratio at 0.4"."""
    match = _FIXED.match(clause.text, part.verb_end) if is_verb(part.verb, FIX) else None
    answer = quantity_at(clause.text, match.end()) if match else None
    if match is None or answer is None or answer.end > part.end:
        return
    phrase = re.sub(rf" (?:of|for|in) (?:the )?{re.escape(clause.subject)}s?$", "", match["relation"])
    of_another = re.search(rf" (?:of|for|in) (?:the )?{NAME}$", phrase)
    relation = tidy(phrase)
    if relation and not of_another and not compares(phrase):
        yield found(clause, relation, answer, "fixed")


def shifted(clause: Clause, part: Part) -> Iterator[Found]:
    """ "lowers perplexity from 14.2 to 11.9": the value it ends at."""
    match = _FROM_TO.match(clause.text, part.verb_end) if is_verb(part.verb, SHIFT) else None
    answer = quantity_at(clause.text, match.end()) if match else None
    relation = tidy(match["relation"]) if match else None
    if relation and answer and answer.end <= part.end:
        yield found(clause, with_data(relation, clause.text, answer.end, clause.on), answer, "shifted")


def shifted_by(clause: Clause, part: Part) -> Iterator[Found]:
    """ "improves accuracy by 4.1 points over plain replay": the gain, and over what where that is said."""
    match = _BY.match(clause.text, part.verb_end) if is_verb(part.verb, rf"{_RISING}|{_FALLING}") else None
    answer = quantity_at(clause.text, match.end()) if match else None
    if match is None or answer is None or answer.end > part.end or compares(match["relation"]):
        return
    relation, against = tidy(match["relation"]), _AGAINST.match(clause.text, answer.end)
    if relation and (against or clause.text[answer.end : answer.end + 1] in ".,;"):
        kind = "gain" if is_verb(part.verb, _RISING) else "reduction"
        other = f" over {against['other']}" if against else ""
        yield found(clause, f"{kind} in {relation}{other}", answer, "shifted_by")


def ahead_by(clause: Clause, part: Part) -> Iterator[Found]:
    """ "outperforms Heron by 4.1 points in recall": the lead over a named other."""
    match = _AHEAD_OF.match(clause.text, part.verb_end) if is_verb(part.verb, _AHEAD) else None
    answer = quantity_at(clause.text, match.end()) if match else None
    if match is None or answer is None or answer.end > part.end or not re.search(NAME, match["other"]):
        return
    metric = _AHEAD_IN.match(clause.text, answer.end)
    if metric and not compares(match["other"]):
        relation = f"lead over {match['other']} in {metric['metric']}"
        yield found(clause, with_data(relation, clause.text, metric.end(), clause.on), answer, "ahead_by")


def added(clause: Clause, part: Part) -> Iterator[Found]:
    """ "adds 6.5 percent to the training time": the added training time."""
    match = _ADDED.match(clause.text, part.verb_end) if is_verb(part.verb, "adds?|added") else None
    relation = tidy(match["relation"]) if match else None
    if match and relation:
        yield found(clause, f"added {relation}", answer_in(match), "added")


FAMILIES = (
    relation_of,
    settings_named,
    value_first,
    metric_reached,
    fixed,
    shifted,
    shifted_by,
    ahead_by,
    added,
)
