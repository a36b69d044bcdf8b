"""Who does what in a sentence: clauses whose subject is one of the paper's own names, cut into their verb phrases.

A sentence that speaks of a condition, a comparison's other side, a plan or a denial gives no clause: a triple without its
condition would teach something that the paper does not say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from paperlora.ideas.names import GENERIC, NAME, Names

HAVE = (
    r"(?:uses?|used|employs?|adopts?|applies|applied|takes?|has|have|had|keeps?|kept|maintains?|requires?|needs?|carries|carry|holds?|"
    r"works? (?:with|at)|operates? (?:with|at)|runs? (?:with|at)|relies on|rely on|features?|assumes?|chooses?|chose|fixes|starts? with|starts? from|begins? with|"
    r"(?:is|are|was|were) (?:trained|run|used|fine-?tuned|optimi[sz]ed|configured|tuned|built|applied|initiali[sz]ed|equipped|updated|pre-?trained)|"
    r"trains?|fine-?tunes?|trained|fine-?tuned|optimi[sz]es?|optimi[sz]ed|performs?|performed|conducts?|conducted|comes? with|came with|allocates?|spends?|reserves?|samples?|sampled)"
)
REACH = (
    r"(?:reach(?:es|ed)?|achieve[sd]?|attain(?:s|ed)?|obtain(?:s|ed)?|gets?|got|yield(?:s|ed)?|delivers?|delivered|gives?|gave|scores?|scored|reports?|"
    r"shows?|showed|records?|recorded|posts?|posted|has|had|retains?|retained|brings?|arrives? at|produces?|measures?|sustains?|sustained)"
)
COPULA = (
    r"(?:(?:is|are|was|were) (?:always |then |simply )?(?:set|fixed|kept|held|limited|capped|restricted|chosen|tuned) (?:to be|to|at|as)|"
    r"(?:is|was) (?:equal to|of)|starts (?:from|at)|begins at|equals|stands at|stood at|amounts to|amounted to|comes to|came to|remains|stays at|is|was|are|were)"
)
FIX = r"(?:sets?|fix(?:es|ed)?|keeps?|kept|cho(?:ose|oses|se)|holds?|held|limits?|limited|caps?|capped|restricts?|restricted|pins?|pinned|tunes?|tuned)"
SHIFT = (
    r"(?:lowers?|lowered|raises?|raised|reduces?|reduced|increases?|increased|improves?|improved|cuts?|boosts?|boosted|lifts?|lifted|decreases?|decreased|brings?|brought|"
    r"shrinks?|shrank|drops?|pushes|pushed|takes?|drives?|drove|moves?|moved|shortens?|shortened)"
)
TEST = r"(?:(?:is|are|was|were|has been) (?:also |mainly |only )?(?:evaluated|tested|benchmarked|assessed|measured|validated|trained|pre-?trained|fine-?tuned|built|based))"

_ADVERB = r"(?:(?:also|then|thus|therefore|always|simply|further|still|only|itself|already|typically|consistently|now|finally|in turn|by default|\w+ly) )?"
_VERB = rf"(?:{TEST}|{HAVE}|{REACH}|{FIX}|{SHIFT}|[a-z]+(?:s|ed))"
_OTHERS = r"(?:[Ww]e|[Oo]ur (?:method|approach|technique|algorithm|model|system|framework)|[Tt]h(?:e|is) (?:proposed )?(?:method|technique|algorithm|approach|procedure)|[Ii]t)"

_NEVER = re.compile(
    r"\b(?:if|unless (?!otherwise|stated|noted|specified)|suppose|imagine|would|could|might|may|should|cannot|can't|won't|doesn't|don't|isn't|wasn't|never|no longer|hypothetical|hypothesi[sz]e|"
    r"expect|believe|conjecture|future work|for example|for instance|e\.g\.|such as|respectively|ablat\w+|pilot|preliminary|early experiments?|"
    r"previously|originally|initially|at first|formerly|earlier versions?|we (?:also )?(?:tried|vary|varied|sweep|swept|search|searched|compare|considered)|ranging|"
    r"worse|best-performing|collaps\w+|diverge[sd]?|misreport\w*|erroneous\w*|incorrect\w*|mistaken\w*|wrong(?:ly)?|untrue)\b|\?$|\bnot\b(?! only)",
    re.IGNORECASE,
)
_BREAK = re.compile(
    r"; |: |, (?:while|whereas|but|although|though|because|since|so that|so|as|where|yet|unlike|compared|versus|instead|rather|after|before|when|if|once|until|with the)\b|"
    r" (?:while|whereas|but|although|though|because|since|so that|instead of|rather than|than|when|whenever|once|until|before|after|without|which would) |"
    rf", and (?=(?:the|a|an|its|our|we|it|this|these|{NAME}) )"
)
_LEAD = re.compile(
    r"^(?:(?:(?:In|At|By|On|As|Throughout|During|Across|Over|For) (?:(?:the|our|all|of|these|this|its|both|every|each|main|final|reported|following|published|standard|present|released|"
    r"remaining|entire|whole|default|reference|stage|a) ){0,5}(?:general|practice|default|experiments?|configuration|settings?|setup|training|inference|runs?|test time|particular|addition|total|all|"
    r"fact|contrast|summary|result|recipe|paper|work|study|average|phase|evaluation|implementation|usual|before|consequence|end|version|release|pretraining|fine-tuning|distillation|"
    r"replication|reproduction|analysis|tests?|trials?|(?:Table|Figure|Section|Fig\.|Sec\.) \d+)|At (?:the|each|every|test|inference)(?: [a-z]+){0,2}(?=,)|"
    r"(?:Finally|Notably|Overall|Specifically|Concretely|Here|Then|Moreover|Furthermore|(?:[Uu]nless|Except where) (?:otherwise )?(?:stated|noted|specified)(?: otherwise)?|Empirically|Remarkably|"
    r"Importantly|Indeed|Thus|Hence|Therefore|Following \w+|Interestingly|Surprisingly|Crucially|Additionally|Throughout|Consequently|Accordingly|Together|First|Second|Third|Last|Lastly|"
    r"To this end|Nevertheless|Still|However)),? |"
    r"(?:Unlike|Despite|Although|While|Whereas|Because|Since|In contrast (?:to|with)|Compared (?:to|with)|Like|Contrary to|As) [^,]+, ?)"
)
_CONDITION = re.compile(
    r"^(?:When|Whenever|If|With|Without|After|Before|Under|Using|For|In|At|Once|By|Given|Until|To|[A-Z]\w+ing|[A-Z]\w+ed) [^,]*,"
)
_WITH_NAME = r"^(?:With|Under|Using|In|For) (?P<subject>{subject}),? "
_ON = re.compile(
    r"^(?:On|For) (?P<data>(?:the )?[A-Z][^,]{1,50}|(?:the |held-out |unseen |all )(?:[a-z-]+ ){0,7}[a-z-]+), ?"
)
_ON_BARE = r"^(?:On|For) (?P<data>(?:the |held-out |unseen |all )(?:[a-z-]+ ){{0,7}}?[a-z-]+|[A-Z]\w+) (?={subject})"
_MASK = re.compile(
    r"\[[\d, –-]+\]|\[[A-Z][^\]\d]{0,80}\d{4}[a-z]?(?:[,;][^\]]{0,160})?\]|\((?:[^()]*\b(?:19|20)\d\d[a-z]?|(?:see |cf\. ?)?(?:Fig|Tab|Sec|Eq|App|Alg|Section|Table|Figure|Appendix)[^()]*|[^()\d]{1,60})\)"
)


class Clause(NamedTuple):
    """One subject and what is said of it."""

    subject: str
    """The name, as it stands or as "we" resolves to."""
    explicit: bool
    """The name itself stands in the sentence."""
    parts: tuple[Part, ...]
    on: str | None
    """The data set that the sentence opens with: "On Kelpie, …"."""
    text: str
    """The masked sentence."""


class Part(NamedTuple):
    """A verb phrase: offsets into the sentence."""

    verb: str
    verb_end: int
    end: int


def masked(sentence: str) -> str:
    """The sentence with citations and wordy parentheses blanked and line breaks as blanks, every offset kept."""
    return _MASK.sub(lambda match: " " * len(match[0]), re.sub(r"\s", " ", sentence))


def says_nothing_certain(text: str) -> bool:
    """Conditions, plans, denials, discarded trials, questions."""
    return _NEVER.search(text) is not None


def subject_pattern(names: Sequence[str]) -> str:
    """A regular expression with the group ``name``: a name with what may stand around it ("the 34-layer ResNets")."""
    inner = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return rf"(?:[Tt]he |[Oo]ur )?(?P<name>(?:(?:\d[\w.]*-\w+|[a-z]+-[a-z]+) )?(?<![\w-])(?:{inner})(?:-[\w.]*\w)?)s?(?: {GENERIC})?(?![\w-])"


def clauses(text: str, names: Names, previous: str | None) -> Iterator[Clause]:
    """The clauses of a masked sentence that are about something of the paper's own.

    Args:
        previous: the name that the sentence before had as its subject; "it" stands for it.
    """
    lead = _lead(text, names)
    conditional = _CONDITION.match(text[lead.end :]) is not None
    for start in () if conditional else _clause_starts(text, lead.end):
        found = _subject_at(text, start, names, previous)
        if found is not None:
            yield Clause(
                found.subject,
                found.explicit,
                tuple(_parts(text, found.end, _clause_end(text, found.end))),
                lead.on,
                text,
            )
    yield from _relative_clauses(text, names, lead.on)


class _Lead(NamedTuple):
    end: int
    on: str | None
    subject: str | None
    """Set where the sentence opens with "With X, …"."""


class _Subject(NamedTuple):
    subject: str
    explicit: bool
    end: int


def _lead(text: str, names: Names) -> _Lead:
    end, on, subject = 0, None, None
    for _ in range(3):
        if names.own and (match := re.match(_WITH_NAME.format(subject=subject_pattern(names.own)), text[end:])):
            subject = match["name"]
        elif (match := _ON.match(text[end:])) or (
            names.own and (match := re.match(_ON_BARE.format(subject=subject_pattern(names.own)), text[end:]))
        ):
            on = match["data"]
        elif not (match := _LEAD.match(text[end:])):
            break
        end += match.end()
    return _Lead(end, on, subject)


def opening_name(text: str, names: Names) -> str | None:
    """The name in "With Tidal Replay, …" or "For Tidal Replay, …"; None where the sentence opens otherwise."""
    return _lead(text, names).subject


def body_start(text: str, names: Names) -> int | None:
    """Where the main clause begins behind harmless openings ("In all experiments, …"); None behind a condition."""
    end = _lead(text, names).end
    return None if _CONDITION.match(text[end:]) else end


def _clause_starts(text: str, lead_end: int) -> Iterator[int]:
    yield lead_end
    for match in re.finditer(
        r"(?:; |: |, (?:and|but|while|whereas|so|yet) | (?:while|whereas|but|that) |^(?:While|Although|Whereas) .{10,120}?, )",
        text[lead_end:],
    ):
        yield lead_end + match.end()


def _subject_at(text: str, start: int, names: Names, previous: str | None) -> _Subject | None:
    if names.own and (match := re.match(rf"{subject_pattern(names.own)} (?={_ADVERB}{_VERB}\b)", text[start:])):
        return _Subject(match["name"], True, start + match.end())
    match = re.match(rf"({_OTHERS}) (?={_ADVERB}{_VERB}\b|{_ADVERB}[a-z]+ )", text[start:])
    if match is None:
        return None
    stands_for = previous if match[1].lower() == "it" else names.main
    return _Subject(stands_for, False, start + match.end()) if stands_for else None


def _relative_clauses(text: str, names: Names, on: str | None) -> Iterator[Clause]:
    """ "…Tidal Replay, which uses …", "Tidal Replay, a method that uses …"."""
    if not names.own:
        return
    for match in re.finditer(
        rf"{subject_pattern(names.own)},? (?:(?:is )?(?:an?|the|our)(?: [\w-]+){{1,8}}? )?(?:which |that |(?=(?:consisting|containing|comprising) ))",
        text,
    ):
        parts = tuple(_parts(text, match.end(), _clause_end(text, match.end(), stop_at_comma=True)))
        yield Clause(match["name"], True, parts, on, text)


def _clause_end(text: str, start: int, stop_at_comma: bool = False) -> int:
    match = _BREAK.search(text, start)
    end = match.start() if match else len(text)
    comma = re.search(r", (?!and )", text[start:end]) if stop_at_comma else None
    return start + comma.start() if comma else end


def _parts(text: str, start: int, end: int) -> Iterator[Part]:
    """The verb phrases between two offsets: "uses … and reaches …" gives two."""
    verb = re.compile(rf"{_ADVERB}(?P<verb>{_VERB}|[a-z]+)(?![\w-])")
    first = verb.match(text, start)
    if first is None:
        return
    found = [
        first,
        *(
            m
            for m in re.finditer(
                rf"(?:,? and |, |, but |,? then ){_ADVERB}(?P<verb>{TEST}|{HAVE}|{REACH}|{FIX}|{SHIFT}|[a-z]{{3,}}s) ",
                text[:end],
            )
            if m.start() > first.end()
        ),
    ]
    for number, match in enumerate(found):
        stop = found[number + 1].start() if number + 1 < len(found) else end
        yield Part(match["verb"], match.end("verb"), stop)
