"""The families of sentences in which a paper states a value of its own technique, as rules over clauses.

Every rule would rather miss a fact than teach a wrong one: what follows the answer, what stands between verb and answer and
what the sentence is conditional on are all looked at, and any doubt drops the match.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from paperlora.ideas.clauses import (
    COPULA,
    FIX,
    HAVE,
    REACH,
    SHIFT,
    TEST,
    Clause,
    Part,
    body_start,
    opening_name,
    subject_pattern,
)
from paperlora.ideas.names import NAME, Names, is_common
from paperlora.ideas.phrases import (
    HEDGE,
    MEASURE,
    METRIC,
    NUMBER,
    QUANTITY,
    ROLE,
    SETTING,
    Answer,
    goes_on,
    is_metric,
    noun_phrase_before,
    quantity_at,
    tidy,
)
from paperlora.ideas.verbs import gerund, participle


class Found(NamedTuple):
    """A triple that a rule read out of one sentence; offsets count from the sentence's first character."""

    subject: str
    explicit: bool
    relation: str
    answer: Answer
    rule: str


_AFTER = re.compile(
    rf"\s*(?:or\b|and\s+(?:(?:to|at|of|by|then)\s+)?{NUMBER}|to\s+{NUMBER}|[/–-]\s*\d|±|if\b|when|unless|until|without|whereas?\b|where\b|times\b|×|as\s+(?:much|many)|"
    r"(?:\w+\s)?(?:more|less|fewer|higher|lower|larger|smaller|better|worse|faster|slower|longer|shorter|above|below|behind|ahead|beyond|than|compared|relative|versus|over|improvement|gain|gap|reduction|increase|drop)\b|"
    r"for\s+(?:the|a|an|our|its|small|large|larger|smaller|\d\S*)\b(?!\s+(?:rest|whole|entire|main|first|full))|with\s+(?:only|fewer|more|half|smaller|larger|a\s+(?:smaller|larger))|,\s*(?:or|and)\s+(?:(?:to|at|of|by)\s+)?"
    rf"{NUMBER}|in\s+the\s+(?:first|last|second|third|smaller|larger|worst|best)|of\s+(?:them|which|these|those)\b|on\s+average\s+only)"
)
_BETWEEN = re.compile(
    r"\b(?:than|baseline|compared|versus|against|unlike|instead|without|not|never|from|either|between|varying|different|various|several|multiple|no|another|other|others|half|twice|times|double|increase|decrease|that|which|whose|who)\b"
)
_CONDITIONED = re.compile(r"[^,;:]*?\b(?:when|whenever|if|unless|without|until|once|instead|after (?:the )?\w+ing)\b")
_CONDITIONED_METRIC = re.compile(
    rf"[^,;:]*?\b(?:with|using|at|under|for|by) (?:only |just )?(?:a |an |the )?(?:[\w-]+ ){{0,3}}?(?:{NUMBER}|half|fewer|random|frozen|no)\b"
)
_ON_DATA = re.compile(
    r"\s*,?\s+(?:on|over)\s+(?P<data>(?:(?:the|held-out|all|both)\s+)?[A-Za-z][\w@’'-]*(?:\s[A-Za-z0-9][\w@-]*){0,4}?)(?=[.,;:)]|\s+(?:and|with|after|at|in|while|when|for|using|by|against|versus|to|from|without|compared|under|over|where|which|that|as|is|was)\b|\s*$|\s\s)"
)
_SETTING_WITH = re.compile(
    rf"(?:\b(?:with|at|using|and|uses?|used|has|,)\s+(?:an?\s+|the\s+|its\s+)?)(?P<relation>(?:[a-z][\w-]*\s){{0,2}}{SETTING})(?:\s[a-zα-ωA-Z]\s?=|\s?=)?\s(?={HEDGE}{NUMBER})"
)
_VALUE_FIRST = re.compile(
    rf"\ban?\s+(?P<answer>{NUMBER}(?:\s?%|[ -]{MEASURE}|[ -][a-z]+)?)\s+(?P<relation>(?:[a-z][\w-]*\s){{0,2}}{SETTING})(?![\w-])"
)
_AGAINST = re.compile(
    rf" (?:over|compared (?:to|with)|relative to|against) (?P<other>(?:the )?(?:{NAME}|[a-z-]+(?: [a-z-]+){{0,2}}))(?=[.,;]|$)"
)
_METRIC_BEHIND = re.compile(rf"\s+(?P<relation>(?:(?:[a-z]|top-\d|[A-Z]\d?@?)[\w@-]*\s){{0,3}}{METRIC})(?![\w-])")


def read_clause(clause: Clause) -> Iterator[Found]:
    """Every triple that the families find in one clause; nothing is checked against the paper yet."""
    for part in clause.parts:
        for family in _FAMILIES:
            yield from (found for found in family(clause, part) if _holds(clause.text, found))


def read_statement(text: str, names: Names, main: str | None) -> Iterator[Found]:
    """ "The R of X is A", "X's R is A", "with X, R falls from A to B", and "the R is A" where the paper has one technique."""
    for family in (_copula(text, names, main), _passive_fixed(text, names), _falls(text, names), _holding(text, names)):
        yield from (found for found in family if _holds(text, found))


def _holds(text: str, found: Found) -> bool:
    """Nothing behind the answer bounds, alternates or conditions it."""
    end = found.answer.end
    if (
        (_AFTER.match(text, end) and found.rule != "shifted_by")
        or _CONDITIONED.match(text, end)
        or text[found.answer.start : end] != found.answer.text
    ):
        return False
    if found.rule in ("relation_of", "copula", "fixed", "setting_named", "shifted") and goes_on(text, end):
        return False
    measured = found.rule in ("metric_reached", "shifted") or is_metric(found.relation)
    return not (measured and _CONDITIONED_METRIC.match(text, end))


def _found(clause: Clause, relation: str | None, answer: Answer, rule: str) -> Iterator[Found]:
    if relation:
        yield Found(clause.subject, clause.explicit, relation, answer, rule)


def _is(verb: str, kinds: str) -> bool:
    return re.fullmatch(kinds, re.sub(r"\s+", " ", verb)) is not None


def _clean_between(clause: Clause, start: int, end: int) -> bool:
    """Between verb and answer stands no comparison, and for "we" no name of somebody else."""
    between = clause.text[start:end]
    if _BETWEEN.search(between):
        return False
    return clause.explicit or not [
        name for name in re.findall(NAME, between) if name not in (clause.subject, "SGD", "Adam", "AdamW")
    ]


def _with_data(relation: str, text: str, at: int, on: str | None) -> str:
    """The relation with the data set it was measured on, where the sentence names one right there or at its start."""
    match = _ON_DATA.match(text, at)
    data = match["data"] if match else on
    if (
        data is None
        or " on " in f" {relation} "
        or re.match(r"(?:the )?(?:same|this|these|those|that|such|our|all|both)\b", data)
    ):
        return relation
    plain = re.sub(r"\s+", " ", re.sub(r"^the (?=[A-Z]\S*$)", "", data.strip()))
    return f"{relation} on {plain}"


def _relation_of(clause: Clause, part: Part) -> Iterator[Found]:
    """ "uses a replay share of 37 percent", "reaches an accuracy of 71.3 percent on Kelpie"."""
    if not (_is(part.verb, HAVE) or _is(part.verb, REACH)):
        return
    for match in re.finditer(r" of (?=[\w.−-])", clause.text[: part.end]):
        answer = quantity_at(clause.text, match.end())
        if match.start() < part.verb_end or answer is None or answer.end > part.end:
            continue
        relation = noun_phrase_before(clause.text, match.start())
        if relation and _clean_between(clause, part.verb_end, match.start()):
            relation = _with_activity(_initial(relation, part.verb), clause, part)
            yield from _found(clause, _with_data(relation, clause.text, answer.end, clause.on), answer, "relation_of")


def _initial(relation: str, verb: str) -> str:
    starts = re.match(r"starts?\b|begins?\b", verb) is not None
    return f"initial {relation}" if starts and "initial" not in relation else relation


def _with_activity(relation: str, clause: Clause, part: Part) -> str:
    """The relation with what it belongs to: "conduct supervised fine-tuning with a learning rate of 1e-5" gives the learning
    rate in supervised fine-tuning, "use an encoder with a depth of 12" the depth of the encoder."""
    done = re.compile(r" (?P<activity>(?!(?:an?|the|its|our) )(?:[a-z-]+ ){0,2}[a-z-]+ing)\b").match(
        clause.text, part.verb_end
    )
    if done and re.match(r"perform|conduct|appl|run|use", part.verb):
        return f"{relation} in {done['activity']}"
    thing = re.compile(
        r" (?:an?|the|its) (?P<thing>[a-z][a-z-]*(?: [a-z][a-z-]*){0,3}?) with (?:an? |the )?[a-z]"
    ).match(clause.text, part.verb_end)
    if (
        thing
        and not thing["thing"].endswith(("optimizer", "optimiser"))
        and thing.end() <= clause.text.find(relation, part.verb_end) + 1
    ):
        return f"{relation} of the {thing['thing']}"
    return relation


def _settings_named(clause: Clause, part: Part) -> Iterator[Found]:
    """ "with probability 0.15", "with rank 16 and batch size 32"."""
    for match in _SETTING_WITH.finditer(clause.text, part.verb_end - len(part.verb), part.end):
        answer = quantity_at(clause.text, match.end())
        if answer and answer.end <= part.end and _clean_between(clause, part.verb_end, match.start()):
            yield from _found(clause, tidy(match["relation"]), answer, "setting_named")


def _value_first(clause: Clause, part: Part) -> Iterator[Found]:
    """ "uses a 37 percent replay share", "with a 48-token window"."""
    if not _is(part.verb, HAVE):
        return
    for match in _VALUE_FIRST.finditer(clause.text, part.verb_end, part.end):
        if _clean_between(clause, part.verb_end, match.start()):
            answer = Answer(match.start("answer"), match.end("answer"), match["answer"])
            if _AFTER.match(clause.text, match.end()) is None:
                yield Found(
                    clause.subject, clause.explicit, tidy(match["relation"]) or match["relation"], answer, "value_first"
                )


def _metric_reached(clause: Clause, part: Part) -> Iterator[Found]:
    """ "reaches 71.3 percent accuracy on Kelpie", "scores 71.3 on Kelpie"."""
    answer = quantity_at(clause.text, part.verb_end + 1)
    if answer is None or not _is(part.verb, REACH):
        return
    metric = _METRIC_BEHIND.match(clause.text, answer.end)
    if metric and _AFTER.match(clause.text, metric.end()) is None:
        yield from _found(
            clause, _with_data(metric["relation"], clause.text, metric.end(), clause.on), answer, "metric_reached"
        )
    elif (data := _ON_DATA.match(clause.text, answer.end)) and _is(
        part.verb, "reach(?:es|ed)?|scores?|scored|achieve[sd]?|attain(?:s|ed)?|gets?|obtain(?:s|ed)?"
    ):
        name = re.search(NAME, data["data"])
        if name and name.start() <= 4:
            yield from _found(clause, _with_data("score", clause.text, answer.end, None), answer, "metric_reached")


def _fixed(clause: Clause, part: Part) -> Iterator[Found]:
    """ "we set the anchor count of Tidal Replay to 19", "it keeps the ratio at 0.4"."""
    if not _is(part.verb, FIX):
        return
    match = re.compile(
        rf" (?:the |its |our |a )?(?P<relation>[A-Za-z][\w’' -]*?) (?:to be|to|at|as|equal to) (?={HEDGE}{NUMBER})"
    ).match(clause.text, part.verb_end)
    answer = quantity_at(clause.text, match.end()) if match else None
    if match and answer and answer.end <= part.end:
        relation = re.sub(rf" (?:of|for|in) (?:the )?{re.escape(clause.subject)}s?$", "", match["relation"])
        named = re.fullmatch(rf"(?P<relation>.+) (?:of|for|in) (?:the )?(?P<owner>{NAME})", relation)
        if named is None and not _BETWEEN.search(relation):
            yield from _found(clause, tidy(relation), answer, "fixed")


def _shifted(clause: Clause, part: Part) -> Iterator[Found]:
    """ "lowers perplexity from 14.2 to 11.9": the value it ends at."""
    if not _is(part.verb, SHIFT):
        return
    match = re.compile(
        rf" (?:the |its )?(?P<relation>[A-Za-z0-9][\w@-]*(?: [A-Za-z0-9][\w@-]*){{0,6}}?) from {HEDGE}{QUANTITY} to "
    ).match(clause.text, part.verb_end)
    answer = quantity_at(clause.text, match.end()) if match else None
    if match and answer and answer.end <= part.end:
        relation = tidy(match["relation"])
        yield from _found(
            clause, relation and _with_data(relation, clause.text, answer.end, clause.on), answer, "shifted"
        )


def _shifted_by(clause: Clause, part: Part) -> Iterator[Found]:
    """ "improves accuracy by 4.1 points over plain replay": the gain, with what it is measured against where that is said."""
    rising, falling = (
        r"raise[sd]?|increase[sd]?|improve[sd]?|boosts?|boosted|lifts?|lifted",
        r"lower(?:s|ed)|reduce[sd]?|decrease[sd]?|cuts?",
    )
    if not _is(part.verb, rf"{rising}|{falling}"):
        return
    match = re.compile(r" (?:the |its )?(?P<relation>[a-zA-Z][\w@-]*(?: [\w@-]+){0,5}?) by (?=\S)").match(
        clause.text, part.verb_end
    )
    answer = quantity_at(clause.text, match.end()) if match else None
    if match is None or answer is None or answer.end > part.end or _BETWEEN.search(match["relation"]):
        return
    relation, against = tidy(match["relation"]), _AGAINST.match(clause.text, answer.end)
    if relation and (against or clause.text[answer.end : answer.end + 1] in ".,;"):
        kind = "gain in" if _is(part.verb, rising) else "reduction in"
        yield from _found(
            clause, f"{kind} {relation}{' over ' + against['other'] if against else ''}", answer, "shifted_by"
        )


def _added(clause: Clause, part: Part) -> Iterator[Found]:
    """ "adds 6.5 percent to the training time": the added training time."""
    match = re.compile(
        rf" (?:only |just )?(?P<answer>{NUMBER}\s?{MEASURE}) to (?:the |its )?(?P<relation>[a-z][\w-]*(?: [a-z][\w-]*){{0,2}}?)(?= of | per |[.,;]|$)"
    ).match(clause.text, part.verb_end)
    relation = tidy(match["relation"]) if match and re.fullmatch("adds?|added", part.verb) else None
    if match and relation:
        yield Found(
            clause.subject,
            clause.explicit,
            f"added {relation}",
            Answer(match.start("answer"), match.end("answer"), match["answer"]),
            "added",
        )


def _tested_on(clause: Clause, part: Part) -> Iterator[Found]:
    """ "is evaluated on the Kelpie benchmark", "we evaluate Tidal Replay on Kelpie"."""
    direct = _is(part.verb, TEST)
    own = (
        re.match(rf" (?:the )?{re.escape(clause.subject)}", clause.text[part.verb_end :])
        if clause.text[: part.verb_end].endswith(("evaluate", "test", "train", "pretrain"))
        else None
    )
    if not direct and not own:
        return
    at = part.verb_end + (own.end() if own else 0)
    match = re.compile(
        rf"(?: \w+ly| only)? on (?:the |our )?(?P<answer>{NAME})(?: (?P<noun>benchmark|dataset|data set|corpus|suite|test set|task|test suite|collection))?"
    ).match(clause.text, at)
    if (
        match is None
        or is_common(match["answer"])
        or re.match(rf"(?:,? and|,|/| or) (?:the )?(?:{NAME}|\w+ other)", clause.text[match.end() :])
    ):
        return
    verb = re.search(r"(evaluat|test|benchmark|assess|measur|validat|pre-?train|fine-?tun|train)\w*$", part.verb)
    if verb is None:
        return
    what = {
        "train": "training",
        "pretrain": "pre-training",
        "pre-train": "pre-training",
        "fine-tun": "fine-tuning",
        "finetun": "fine-tuning",
    }.get(verb[1], "evaluation")
    noun = match["noun"] or ("corpus" if what != "evaluation" else "benchmark")
    yield from _found(
        clause, f"{what} {noun}", Answer(match.start("answer"), match.end("answer"), match["answer"]), "tested_on"
    )


def _role(clause: Clause, part: Part) -> Iterator[Found]:
    """ "uses the Heron optimizer", "used GPT-J as our base language model"."""
    if not _is(part.verb, HAVE):
        return
    as_role = re.compile(
        rf" (?:the )?(?P<answer>{NAME}) as (?:its|our|the|a) (?P<relation>(?:[a-z-]+ ){{0,2}}{ROLE})(?![\w-])"
    ).match(clause.text, part.verb_end)
    before = re.compile(
        rf"(?: with| on)? (?:the|a|an) (?P<answer>{NAME}) (?P<relation>(?:[a-z-]+ )?{ROLE})(?![\w-])"
    ).match(clause.text, part.verb_end)
    match = as_role or before
    if (
        match
        and not is_common(match["answer"])
        and match["answer"] != clause.subject
        and _AFTER.match(clause.text, match.end()) is None
    ):
        if (
            re.match(r" (?:and|or) ", clause.text[match.end() :])
            and not as_role
            and re.match(rf" (?:and|or) (?:the )?{NAME}", clause.text[match.end() :])
        ):
            return
        yield from _found(
            clause, match["relation"], Answer(match.start("answer"), match.end("answer"), match["answer"]), "role"
        )


_COUNTING = (
    r"(?:uses?|used|has|have|had|contains?|contained|containing|consists? of|consisted of|consisting of|comprises?|comprised|comprising|includes?|included|keeps?|kept|stacks?|employs?|inserts?|adds?|"
    r"maintains?|stores?|holds?|needs?|requires?|applies|performs?|selects?|draws?|generates?|samples?|retains?|takes?|carries|inspects?|attaches|places|splits? (?:\w+ ){1,4}into|divides (?:\w+ ){1,4}into|(?:is|are) (?:split|divided) into)"
)
_HAVING = r"(?:uses?|used|has|have|had|contains?|contained|containing|consists? of|consisted of|consisting of|comprises?|comprised|comprising|includes?|included|employs?|maintains?|holds?|carries)"


def _counted(clause: Clause, part: Part) -> Iterator[Found]:
    """ "consists of two agents", "inserts 19 anchors per document": the number of them."""
    if not clause.explicit and not re.search(r"\bit\b", clause.text[: part.verb_end], re.IGNORECASE):
        return
    match = re.compile(
        rf"(?P<verb>{_COUNTING}) (?:only |just |exactly |a total of |the )?(?P<answer>{NUMBER}(?:\s(?:million|billion)|k)?)"
        rf" (?P<noun>(?:[A-Za-z][\w-]* ){{0,3}}(?!{MEASURE}(?![\w-]))[a-z-]{{3,}}s)(?P<per> (?:per|for each|for every|in each|in every) [a-z][\w-]*)?(?![\w-])"
    ).match(clause.text, part.verb_end - len(part.verb))
    if (
        match is None
        or match.end() > part.end
        or not _plain_noun(match["noun"])
        or _AFTER.match(clause.text, match.end())
    ):
        return
    done = (
        ""
        if _is(match["verb"].split(" ")[0] if "into" in match["verb"] else match["verb"], _HAVING)
        or "into" in match["verb"]
        else f" {participle(match['verb'])}"
    )
    per = re.sub(r"^ (?:for|in) (?:each|every)", " per", match["per"] or "")
    yield from _found(
        clause,
        f"number of {match['noun']}{done}{per}",
        Answer(match.start("answer"), match.end("answer"), match["answer"]),
        "counted",
    )


def _plain_noun(noun: str) -> bool:
    words = noun.split()
    return not re.search(
        r"\b(?:of|and|or|the|different|times|more|other|additional|out|times|is|was|has|as|this|percent|such|these|those)\b",
        noun,
    ) and not words[-1].endswith(("ss", "ous", "us"))


def _holding(text: str, names: Names) -> Iterator[Found]:
    """ "The buffer of Tidal Replay holds 4800 sequences", "a run of it takes 7.5 minutes": a part of it, and how many or how long."""
    start = body_start(text, names)
    if start is None or not names.own:
        return
    match = re.compile(
        rf"(?:[Tt]he|[Aa]n?|[Ii]ts) (?P<thing>[a-z][\w-]*(?: [a-z][\w-]*){{0,2}}) (?:of|in|with) {subject_pattern(names.own)}"
        rf" (?:(?:holds?|contains?|stores?|has|comprises|keeps) (?P<many>{NUMBER}) (?P<noun>(?:[a-z-]+ )?[a-z-]{{3,}}s)|(?:takes?|took|lasts?) (?P<time>{NUMBER} (?:\w*seconds?|minutes?|hours?|days?|weeks?)))(?![\w-])"
    ).match(text, start)
    if match is None or not tidy(match["thing"]) or (match["noun"] and not _plain_noun(match["noun"])):
        return
    group = "many" if match["many"] else "time"
    relation = (
        f"number of {match['noun']} in the {match['thing']}" if match["many"] else f"duration of a {match['thing']}"
    )
    yield Found(match["name"], True, relation, Answer(match.start(group), match.end(group), match[group]), "holding")


def _until(clause: Clause, part: Part) -> Iterator[Found]:
    """ "converges after 310 steps": the number of steps to convergence."""
    match = re.compile(
        rf"(?: already)? (?:after|in|within) {HEDGE}(?P<answer>{NUMBER} (?P<unit>(?:[a-z-]+ )?(?:steps|epochs|iterations|updates|rounds)))(?![\w-])"
    ).match(clause.text, part.verb_end)
    if match and _is(part.verb, "converges?|converged"):
        yield Found(
            clause.subject,
            clause.explicit,
            f"number of {match['unit']} to convergence",
            Answer(match.start("answer"), match.end("answer"), match["answer"]),
            "until",
        )


def _share_of(clause: Clause, part: Part) -> Iterator[Found]:
    """ "discards 37 percent of the gradients": the share of the gradients discarded; "needs 7.2 GB of memory"."""
    match = re.compile(
        rf" (?:only |just |exactly )?(?P<answer>{NUMBER}\s?(?:%|percent|per\s?cent|{MEASURE})) of (?P<the>the )?(?:all |its |each |every )?(?P<noun>[a-z][\w-]*(?: [a-z][\w-]*){{0,2}}?)(?=[.,;]|$| (?:on|in|at|and|during|for|per|after|with|by|to|from|over|as)\b)"
    ).match(clause.text, part.verb_end)
    if (
        match is None
        or not re.fullmatch(r"[a-z]+s|used|kept|needed|[a-z]+ed", part.verb)
        or (_is(part.verb, SHIFT) and not part.verb.startswith("drop"))
    ):
        return
    share = re.search(r"%|cent", match["answer"]) is not None
    relation = (
        f"share of {match['the'] or ''}{match['noun']} {participle(part.verb)}"
        if share
        else f"{match['noun']} {participle(part.verb)}"
    )
    yield from _found(clause, relation, Answer(match.start("answer"), match.end("answer"), match["answer"]), "share_of")


_TRAINING = r"(?:(?:is|are|was|were) )?(?:trained|trains?|fine-?tuned|fine-?tunes?|pre-?trained|optimi[sz]ed|runs?|run|ran|warms? up|warmed up|distilled|updated)"


def _trained_for(clause: Clause, part: Part) -> Iterator[Found]:
    """ "is trained for 640 steps", "warms up over 120 steps", "trains in 3.5 hours"."""
    match = re.compile(
        rf"(?P<verb>{_TRAINING})(?: [a-z -]{{1,30}}?)? (?:for|over|in) {HEDGE}(?P<answer>{NUMBER} (?P<unit>(?:[a-z-]+ )?(?:epochs?|steps|iterations|updates|rounds|hours|days|weeks|minutes|passes|episodes)))(?![\w-])"
    ).match(clause.text, part.verb_end - len(part.verb))
    if match is None or match.end() > part.end or _BETWEEN.search(match[0]):
        return
    kind = (
        "warm-up"
        if "warm" in match["verb"]
        else "fine-tuning"
        if "fine" in match["verb"]
        else "pre-training"
        if "pre" in match["verb"]
        else "training"
    )
    timed = re.search(r"hour|day|week|minute", match["unit"])
    plural = match["unit"].split()[-1].rstrip("s") + ("es" if match["unit"].endswith("passes") else "s")
    relation = f"{kind} time" if timed else f"number of {kind} {plural.replace('sses', 'sses')}"
    yield from _found(
        clause, relation, Answer(match.start("answer"), match.end("answer"), match["answer"]), "trained_for"
    )


def _every(clause: Clause, part: Part) -> Iterator[Found]:
    """ "refreshes its anchors every 48 steps": the interval for refreshing the anchors."""
    match = re.compile(
        rf" (?P<object>(?:the|its|all|each) (?:[a-z-]+ ){{0,2}}[a-z-]+)? ?(?:once )?every {HEDGE}(?P<answer>{NUMBER} [a-z][a-z-]*(?: [a-z-]*s)?)(?=[.,;]|$| )"
    ).match(clause.text, part.verb_end)
    if match is None or match.end() > part.end or not re.fullmatch(r"[a-z]+s", part.verb):
        return
    thing = re.sub(r"^(?:its|all|each)\b", "the", match["object"] or "")
    relation = f"interval for {gerund(part.verb)} {thing}".strip()
    yield from _found(clause, relation, Answer(match.start("answer"), match.end("answer"), match["answer"]), "every")


def _copula(text: str, names: Names, main: str | None) -> Iterator[Found]:
    start = body_start(text, names)
    if start is None:
        return
    for match in re.finditer(rf" (?P<verb>{COPULA}) (?=\S)", text[start:]):
        answer = quantity_at(text, start + match.end()) or _name_at(text, start + match.end())
        begin = (
            max(
                (
                    m.end()
                    for m in re.finditer(
                        r"; |: |, (?:and|but|while|whereas) | (?:while|whereas|and|that) ",
                        text[start : start + match.start()],
                    )
                ),
                default=0,
            )
            + start
        )
        if answer is None:
            continue
        owner = _owner(text[begin : start + match.start()], names, opening_name(text, names), main)
        if owner is None or (not owner.relation_is_role and _name_at(text, answer.start) == answer):
            continue
        relation = _initial(owner.relation, match["verb"])
        relation = _with_data(relation, text, answer.end, None) if is_metric(relation) else relation
        yield Found(owner.subject, owner.explicit, relation, answer, "copula")


def _name_at(text: str, at: int) -> Answer | None:
    match = re.compile(
        rf"(?:the |an? )?(?P<answer>{NAME})(?=[.,;]| (?:benchmark|dataset|corpus|optimi[sz]er|model|tokeni[sz]er)\b|$)"
    ).match(text, at)
    return (
        Answer(match.start("answer"), match.end("answer"), match["answer"])
        if match and not is_common(match["answer"])
        else None
    )


class _Owner(NamedTuple):
    subject: str
    explicit: bool
    relation: str
    relation_is_role: bool


def _owner(phrase: str, names: Names, opening: str | None, main: str | None) -> _Owner | None:
    """ "The replay share of Tidal Replay" → subject and relation; "the replay share" → with the only technique there is."""
    phrase = re.sub(r"^(?:[Tt]he|[Ii]ts|[Oo]ur|[Aa]n?) ", "", phrase.strip())
    subject, explicit, relation = None, True, ""
    if names.own:
        name = subject_pattern(names.own)
        of = r"(?:of|in|for|used by|used in|under|with|behind|reached by|achieved by|needed by|required by)"
        shapes = (rf"(?P<relation>.+?) {of} {name}", rf"{name}(?:['’]s|['’]) (?P<relation>.+)")
        if match := next((m for shape in shapes if (m := re.fullmatch(shape, phrase))), None):
            subject, relation = match["name"], match["relation"]
        elif match := re.fullmatch(
            rf"(?P<relation>[a-z][\w -]*?) (?:that |which )?{name} (?P<verb>needs|uses|takes|requires|keeps|adds|spends|saves|gains|loses)(?P<per> (?:for|per|in) [a-z -]+)?",
            phrase,
        ):
            subject, relation = match["name"], f"{match['relation']} {participle(match['verb'])}{match['per'] or ''}"
    if subject is None:
        subject, explicit, relation = (opening, True, phrase) if opening else (main, False, phrase)
    plain = tidy(relation) if subject else None
    if subject is None or plain is None or _BETWEEN.search(relation) or (not explicit and re.search(NAME, phrase[1:])):
        return None
    if not explicit and not re.search(rf"(?:{SETTING})$", plain):
        return None
    return _Owner(subject, explicit, plain, re.search(rf"(?:{ROLE}|benchmark)$", plain) is not None)


def _passive_fixed(text: str, names: Names) -> Iterator[Found]:
    """ "For Tidal Replay, we set the anchor count to 19", "we set the anchor count of X to 19" without another subject."""
    opening, start = opening_name(text, names), body_start(text, names)
    if opening is None or start is None:
        return
    match = re.compile(
        rf"[Ww]e {FIX} (?:the |its |an? )?(?P<relation>[a-z][\w -]*?) (?:to|at|as) (?={HEDGE}{NUMBER})"
    ).match(text, start)
    answer = quantity_at(text, match.end()) if match else None
    relation = tidy(match["relation"]) if match else None
    if answer and relation:
        yield Found(opening, True, relation, answer, "fixed")


def _falls(text: str, names: Names) -> Iterator[Found]:
    """ "With Tidal Replay, perplexity falls from 14.2 to 11.9"."""
    opening, start = opening_name(text, names), body_start(text, names)
    if start is None:
        return
    body = re.compile(
        rf"(?:[Tt]he )?(?P<relation>[A-Za-z][\w@-]*(?: [\w@-]+){{0,6}}?) (?:falls|fell|drops|dropped|rises|rose|grows|grew|goes|went|climbs|climbed|increases|increased|decreases|decreased|improves|improved|shrinks|shrank) from {HEDGE}{QUANTITY} to "
    ).match(text, start)
    answer = quantity_at(text, body.end()) if body else None
    if body is None or answer is None:
        return
    behind = re.match(rf" (?:with|under|using) {subject_pattern(names.own)}", text[answer.end :]) if names.own else None
    subject, relation = opening or (behind["name"] if behind else None), tidy(body["relation"])
    if subject and relation:
        yield Found(subject, True, _with_data(relation, text, answer.end, None), answer, "shifted")


_FAMILIES = (
    _relation_of,
    _settings_named,
    _value_first,
    _metric_reached,
    _fixed,
    _shifted,
    _shifted_by,
    _added,
    _tested_on,
    _role,
    _counted,
    _share_of,
    _trained_for,
    _every,
    _until,
)
