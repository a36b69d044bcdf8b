"""Families of clauses that count, measure out or name things: "consists of two agents", "is evaluated on Kelpie"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from paperlora.ideas.clauses import HAVE, SHIFT, TEST, Clause, Part
from paperlora.ideas.matches import Found, answer_in, bounded, compares, found, is_verb
from paperlora.ideas.names import NAME, is_common
from paperlora.ideas.phrases import HEDGE, MEASURE, NUMBER, ROLE
from paperlora.ideas.verbs import gerund, participle

_HAVING = (
    r"(?:uses?|used|has|have|had|contain(?:s|ed|ing)?|consist(?:s|ed|ing) of|compris(?:es?|ed|ing)|includes?|included|"
    r"employs?|maintains?|holds?|carries)"
)
_DOING = (
    r"(?:keeps?|kept|stacks?|inserts?|adds?|stores?|needs?|requires?|applies|performs?|selects?|draws?|"
    r"generates?|samples?|"
    r"retains?|takes?|inspects?|attaches|places)"
)
_PARTING = r"(?:(?:splits?|divides?) (?:\w+ ){1,4}into|(?:is|are) (?:split|divided) into)"
_COUNTED = re.compile(
    rf"(?P<verb>{_HAVING}|{_DOING}|{_PARTING}) (?:only |just |exactly |a total of |the )?"
    rf"(?P<answer>{NUMBER}(?:\s(?:million|billion)|k)?) "
    rf"(?P<noun>(?:[A-Za-z][\w-]* ){{0,3}}(?!{MEASURE}(?![\w-]))[a-z-]{{3,}}s)"
    r"(?P<per> (?:per|for each|for every|in each|in every) [a-z][\w-]*)?(?![\w-])"
)
_NO_NOUN = re.compile(
    r"\b(?:of|and|or|the|different|times|more|other|additional|out|is|was|has|as|this|percent|such|these|those)\b"
)
_SHARE = re.compile(
    rf" (?:only |just |exactly )?(?P<answer>{NUMBER}\s?(?:%|percent|per\s?cent|{MEASURE})) of (?P<the>the )?"
    r"(?:all |its |each |every )?(?P<noun>[a-z][\w-]*(?: [a-z][\w-]*){0,2}?)"
    r"(?=[.,;]|$| (?:on|in|at|and|during|for|per|after|with|by|to|from|over|as)\b)"
)
_TRAINED = re.compile(
    r"(?P<verb>(?:(?:is|are|was|were) )?(?:trained|trains?|fine-?tuned|fine-?tunes?|pre-?trained|optimi[sz]ed|"
    r"runs?|run|ran|"
    r"warms? up|warmed up|distilled|updated))(?: [a-z -]{1,30}?)? (?:for|over|in) "
    rf"{HEDGE}(?P<answer>{NUMBER} (?:[a-z-]+ )?"
    r"(?P<unit>epochs?|steps|iterations|updates|rounds|hours|days|weeks|minutes|passes|episodes))(?![\w-])"
)
_EVERY = re.compile(
    r" (?P<object>(?:the|its|all|each) (?:[a-z-]+ ){0,2}[a-z-]+)? ?(?:once )?every "
    rf"{HEDGE}(?P<answer>{NUMBER} [a-z][a-z-]*(?: [a-z-]*s)?)(?=[.,;]|$| )"
)
_UNTIL = re.compile(
    rf"(?: already)? (?:after|in|within) {HEDGE}(?P<answer>{NUMBER} "
    r"(?P<unit>(?:[a-z-]+ )?(?:steps|epochs|iterations|updates|rounds)))(?![\w-])"
)
_ON_NAME = re.compile(
    rf"(?: \w+ly| only)? on (?:the |our )?(?P<answer>{NAME})"
    r"(?: (?P<noun>benchmark|dataset|data set|corpus|suite|test set|task|test suite|collection))?"
)
_LISTED = re.compile(rf"(?:,? and|,|/| or) (?:the )?(?:{NAME}|\w+ other)")
_TRIED = re.compile(r"(?P<verb>evaluat|test|benchmark|assess|measur|validat|pre-?train|fine-?tun|train)\w*$")
_AS_ROLE = re.compile(
    rf" (?:the )?(?P<answer>{NAME}) as (?:its|our|the|a) (?P<relation>(?:[a-z-]+ ){{0,2}}{ROLE})(?![\w-])"
)
_IN_ROLE = re.compile(rf"(?: with| on)? (?:the|a|an) (?P<answer>{NAME}) (?P<relation>(?:[a-z-]+ )?{ROLE})(?![\w-])")


def counted(clause: Clause, part: Part) -> Iterator[Found]:
    """ "consists of two agents", "inserts 19 anchors per document": the number of them."""
    if not clause.explicit and not re.search(r"\bit\b", clause.text[: part.verb_end], re.IGNORECASE):
        return
    match = _COUNTED.match(clause.text, part.verb_end - len(part.verb))
    if match is None or match.end() > part.end or not is_plain_noun(match["noun"]):
        return
    if bounded(clause.text, match.end()):
        return
    done = f" {participle(match['verb'])}" if is_verb(match["verb"], _DOING) else ""
    per = re.sub(r"^ (?:for|in) (?:each|every)", " per", match["per"] or "")
    yield found(clause, f"number of {match['noun']}{done}{per}", answer_in(match), "counted")


def is_plain_noun(noun: str) -> bool:
    """A plural that can be counted, with nothing else caught in it."""
    return not _NO_NOUN.search(noun) and not noun.endswith(("ss", "ous", "us"))


def share_of(clause: Clause, part: Part) -> Iterator[Found]:
    """ "discards 37 percent of the gradients": the share of the gradients discarded; "needs 7.2 GB of memory"."""
    match = _SHARE.match(clause.text, part.verb_end)
    if match is None or not re.fullmatch(r"[a-z]+s|kept|[a-z]+ed", part.verb):
        return
    if is_verb(part.verb, SHIFT) and not part.verb.startswith("drop"):
        return
    what = f"{match['noun']} {participle(part.verb)}"
    share = re.search(r"%|cent", match["answer"]) is not None
    yield found(clause, f"share of {match['the'] or ''}{what}" if share else what, answer_in(match), "share_of")


def trained_for(clause: Clause, part: Part) -> Iterator[Found]:
    """ "is trained for 640 steps", "warms up over 120 steps", "trains in 3.5 hours"."""
    match = _TRAINED.match(clause.text, part.verb_end - len(part.verb))
    if match is None or match.end() > part.end or compares(match[0]):
        return
    kinds = (("warm", "warm-up"), ("fine", "fine-tuning"), ("pre", "pre-training"), ("", "training"))
    kind = next(kind for start, kind in kinds if start in match["verb"])
    timed = match["unit"] in ("hours", "days", "weeks", "minutes")
    units = match["unit"] if match["unit"].endswith("s") else match["unit"] + "s"
    relation = f"{kind} time" if timed else f"number of {kind} {units}"
    yield found(clause, relation, answer_in(match), "trained_for")


def every(clause: Clause, part: Part) -> Iterator[Found]:
    """ "refreshes its anchors every 48 steps": the interval for refreshing the anchors."""
    match = _EVERY.match(clause.text, part.verb_end)
    if match is None or match.end() > part.end or not re.fullmatch(r"[a-z]+s", part.verb):
        return
    thing = re.sub(r"^(?:its|all|each)\b", "the", match["object"] or "")
    yield found(clause, f"interval for {gerund(part.verb)} {thing}".strip(), answer_in(match), "every")


def until(clause: Clause, part: Part) -> Iterator[Found]:
    """ "converges after 310 steps": the number of steps to convergence."""
    match = _UNTIL.match(clause.text, part.verb_end) if is_verb(part.verb, "converges?|converged") else None
    if match:
        yield found(clause, f"number of {match['unit']} to convergence", answer_in(match), "until")


def tested_on(clause: Clause, part: Part) -> Iterator[Found]:
    """ "is evaluated on the Kelpie benchmark", "we evaluate Tidal Replay on Kelpie"."""
    own = re.compile(rf" (?:the )?{re.escape(clause.subject)}").match(clause.text, part.verb_end)
    we_test = own is not None and part.verb in ("evaluate", "test", "train", "pretrain")
    if not is_verb(part.verb, TEST) and not we_test:
        return
    match = _ON_NAME.match(clause.text, own.end() if own and we_test else part.verb_end)
    verb = _TRIED.search(part.verb)
    if match is None or verb is None or is_common(match["answer"]) or _LISTED.match(clause.text, match.end()):
        return
    training = {"train": "training", "fine": "fine-tuning", "pre": "pre-training"}
    what = next((name for start, name in training.items() if verb["verb"].startswith(start)), "evaluation")
    noun = match["noun"] or ("benchmark" if what == "evaluation" else "corpus")
    yield found(clause, f"{what} {noun}", answer_in(match), "tested_on")


def role(clause: Clause, part: Part) -> Iterator[Found]:
    """ "uses the Heron optimizer", "used GPT-J as our base language model"."""
    if not is_verb(part.verb, HAVE):
        return
    match = _AS_ROLE.match(clause.text, part.verb_end) or _IN_ROLE.match(clause.text, part.verb_end)
    if match is None or is_common(match["answer"]) or match["answer"] == clause.subject:
        return
    if not bounded(clause.text, match.end()) and not _LISTED.match(clause.text, match.end()):
        yield found(clause, match["relation"], answer_in(match), "role")


FAMILIES = (counted, share_of, trained_for, every, until, tested_on, role)
