"""Who does what in a sentence: clauses whose subject is one of the paper's own names, cut into their verb phrases.

A sentence that speaks of a condition, a comparison's other side, a plan or a denial gives no clause: a triple without
its condition would teach something that the paper does not say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from paperlora.ideas.names import GENERIC, NAME, Names

HAVE = (
    r"(?:uses?|used|employs?|adopts?|applies|applied|takes?|has|have|had|keeps?|kept|maintains?|requires?|"
    r"needs?|carries|carry|holds?|"
    r"works? (?:with|at)|operates? (?:with|at)|runs? (?:with|at)|relies on|rely on|features?|assumes?|chooses?|"
    r"chose|fixes|starts? with|starts? from|begins? with|"
    r"(?:is|are|was|were) (?:trained|run|used|fine-?tuned|optimi[sz]ed|configured|tuned|built|applied|"
    r"initiali[sz]ed|equipped|updated|pre-?trained)|"
    r"trains?|fine-?tunes?|trained|fine-?tuned|optimi[sz]es?|optimi[sz]ed|performs?|performed|conducts?|"
    r"conducted|comes? with|came with|allocates?|spends?|reserves?|samples?|sampled)"
)
REACH = (
    r"(?:reach(?:es|ed)?|achieve[sd]?|attain(?:s|ed)?|obtain(?:s|ed)?|gets?|got|yield(?:s|ed)?|delivers?|"
    r"delivered|gives?|gave|scores?|scored|reports?|"
    r"shows?|showed|records?|recorded|posts?|posted|has|had|retains?|retained|brings?|arrives? at|produces?|"
    r"measures?|sustains?|sustained)"
)
COPULA = (
    r"(?:(?:is|are|was|were) (?:always |then |simply )?(?:set|fixed|kept|held|limited|capped|restricted|chosen|"
    r"tuned) (?:to be|to|at|as)|"
    r"(?:is|was) (?:equal to|of)|starts (?:from|at)|begins at|equals|stands at|stood at|amounts to|amounted to|"
    r"comes to|came to|remains|stays at|is|was|are|were)"
)
FIX = (
    r"(?:sets?|fix(?:es|ed)?|keeps?|kept|cho(?:ose|oses|se)|holds?|held|limits?|limited|caps?|capped|restricts?|"
    r"restricted|pins?|pinned|tunes?|tuned)"
)
SHIFT = (
    r"(?:lowers?|lowered|raises?|raised|reduces?|reduced|increases?|increased|improves?|improved|cuts?|boosts?|"
    r"boosted|lifts?|lifted|decreases?|decreased|brings?|brought|"
    r"shrinks?|shrank|drops?|pushes|pushed|takes?|drives?|drove|moves?|moved|shortens?|shortened)"
)
TEST = (
    r"(?:(?:is|are|was|were|has been) (?:also |mainly |only )?(?:evaluated|tested|benchmarked|assessed|measured|"
    r"validated|trained|pre-?trained|fine-?tuned|built|based))"
)

_ADVERB = (
    r"(?:(?:also|then|thus|therefore|always|simply|further|still|only|itself|already|typically|consistently|now|"
    r"finally|in turn|by default|\w+ly) )?"
)
_VERB = rf"(?:{TEST}|{HAVE}|{REACH}|{FIX}|{SHIFT}|[a-z]+(?:s|ed))"
_OTHERS = (
    r"(?:[Ww]e|[Oo]ur (?:method|approach|technique|algorithm|model|system|framework)|[Tt]h(?:e|is) (?:proposed "
    r")?(?:method|technique|algorithm|approach|procedure)|[Ii]t)"
)

_NEVER = re.compile(
    r"\b(?:if|unless (?!otherwise|stated|noted|specified)|suppose|imagine|would|could|might|may|should|cannot|"
    r"can't|won't|doesn't|don't|isn't|wasn't|never|no longer|hypothetical|hypothesi[sz]e|"
    r"expect|believe|conjecture|future work|for example|for instance|e\.g\.|such as|respectively|ablat\w+|"
    r"pilot|preliminary|early experiments?|"
    r"previously|originally|initially|at first|formerly|earlier versions?|we (?:also )?(?:tried|vary|varied|"
    r"sweep|swept|search|searched|compare|considered)|ranging|"
    r"worse|best-performing|collaps\w+|diverge[sd]?|misreport\w*|erroneous\w*|incorrect\w*|mistaken\w*|"
    r"wrong(?:ly)?|untrue)\b|\?$|\bnot\b(?! only)",
    re.IGNORECASE,
)
_BREAK = re.compile(
    r"; |: |, (?:while|whereas|but|although|though|because|since|so that|so|as|where|yet|unlike|compared|"
    r"versus|instead|rather|after|before|when|if|once|until|with the)\b|"
    r" (?:while|whereas|but|although|though|because|since|so that|instead of|rather than|than|when|whenever|"
    r"once|until|before|after|without|which would) |"
    rf", and (?=(?:the|a|an|its|our|we|it|this|these|{NAME}) )"
)
_LEAD = re.compile(
    r"^(?:(?:(?:In|At|By|On|As|Throughout|During|Across|Over|For) (?:(?:the|our|all|of|these|this|its|both|"
    r"every|each|main|final|reported|following|published|standard|present|released|"
    r"remaining|entire|whole|default|reference|stage|a) ){0,5}(?:general|practice|default|experiments?|"
    r"configuration|settings?|setup|training|inference|runs?|test time|particular|addition|total|all|"
    r"fact|contrast|summary|result|recipe|paper|work|study|average|phase|evaluation|implementation|usual|"
    r"before|consequence|end|version|release|pretraining|fine-tuning|distillation|"
    r"replication|reproduction|analysis|tests?|trials?|(?:Table|Figure|Section|Fig\.|Sec\.) \d+)|At (?:the|"
    r"each|every|test|inference)(?: [a-z]+){0,2}(?=,)|"
    r"(?:Finally|Notably|Overall|Specifically|Concretely|Here|Then|Moreover|Furthermore|(?:[Uu]nless|Except "
    r"where) (?:otherwise )?(?:stated|noted|specified)(?: otherwise)?|Empirically|Remarkably|"
    r"Importantly|Indeed|Thus|Hence|Therefore|Following \w+|Interestingly|Surprisingly|Crucially|Additionally|"
    r"Throughout|Consequently|Accordingly|Together|First|Second|Third|Last|Lastly|"
    r"To this end|Nevertheless|Still|However)),? |"
    r"(?:Unlike|Despite|Although|While|Whereas|Because|Since|In contrast (?:to|with)|Compared (?:to|with)|Like|"
    r"Contrary to|As) [^,]+, ?)"
)
_CONDITION = re.compile(
    r"^(?:When|Whenever|If|With|Without|After|Before|Under|Using|For|In|At|Once|By|Given|Until|To|[A-Z]\w+ing|"
    r"[A-Z]\w+ed) [^,]*,"
)
_WITH_NAME = r"^(?P<word>With|Under|Using|In|For|On) {subject},? "
_ON = re.compile(
    r"^(?:On|For) (?P<data>(?:the )?[A-Z][^,]{1,50}|(?:the |held-out |unseen |all )(?:[a-z-]+ ){0,7}[a-z-]+), ?"
)
_ON_BARE = r"^(?:On|For) (?P<data>(?:the |held-out |unseen |all )(?:[a-z-]+ ){{0,7}}?[a-z-]+|[A-Z]\w+) (?={subject})"
_MASK = re.compile(
    r"\[[\d, –-]+\]|\[[A-Z][^\]\d]{0,80}\d{4}[a-z]?(?:[,;][^\]]{0,160})?\]|\((?:[^()]*\b(?:19|20)\d\d[a-z]?|"
    r"(?:see |cf\. ?)?(?:Fig|Tab|Sec|Eq|App|Alg|Section|Table|Figure|Appendix)[^()]*|[^()\d]{1,60})\)"
)

_FIRST_VERB = re.compile(rf"{_ADVERB}(?P<verb>{_VERB}|[a-z]+)(?![\w-])")
_NEXT_VERB = re.compile(
    rf"(?:,? and |, |, but |,? then ){_ADVERB}(?P<verb>{TEST}|{HAVE}|{REACH}|{FIX}|{SHIFT}|[a-z]{{3,}}s) "
)
_OTHER_SUBJECT = re.compile(rf"({_OTHERS}) (?={_ADVERB}{_VERB}\b|{_ADVERB}[a-z]+ )")
_APPOSITION = r"{subject},? (?:(?:is )?(?:an?|the|our)(?: [\w-]+){{1,8}}? )?(?:which |that |(?=(?:consisting|containing|comprising) ))"


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
    before, behind = r"(?:(?:\d[\w.]*-\w+|[a-z]+-[a-z]+) )?(?<![\w-])", r"(?:-[\w.]*\w)?"
    return rf"(?:[Tt]he |[Oo]ur )?(?P<name>{before}(?:{inner}){behind})s?(?: {GENERIC})?(?![\w-])"


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
        rest = text[end:]
        if match := _own(_WITH_NAME, names, rest):
            # "For RealScholarQuery, PaSa reaches …": the data set is the paper's own too, but PaSa is what it is about.
            another = match["word"] in ("For", "On") and _own(r"^{subject} ", names, rest[match.end() :])
            on, subject = (match["name"], subject) if another else (on, match["name"])
        elif match := _ON.match(rest) or _own(_ON_BARE, names, rest):
            on = match["data"]
        elif not (match := _LEAD.match(rest)):
            break
        end += match.end()
    return _Lead(end, on, subject)


def _own(pattern: str, names: Names, text: str) -> re.Match[str] | None:
    return re.match(pattern.format(subject=subject_pattern(names.own)), text) if names.own else None


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
        r"(?:; |: |, (?:and|but|while|whereas|so|yet) | (?:while|whereas|but|that) |^(?:While|Although|"
        r"Whereas) .{10,120}?, )",
        text[lead_end:],
    ):
        yield lead_end + match.end()


def _subject_at(text: str, start: int, names: Names, previous: str | None) -> _Subject | None:
    if names.own and (match := re.match(rf"{subject_pattern(names.own)} (?={_ADVERB}{_VERB}\b)", text[start:])):
        return _Subject(match["name"], True, start + match.end())
    match = _OTHER_SUBJECT.match(text, start)
    stands_for = None if match is None else previous if match[1].lower() == "it" else names.main
    return _Subject(stands_for, False, match.end()) if match and stands_for else None


def _relative_clauses(text: str, names: Names, on: str | None) -> Iterator[Clause]:
    """ "…Tidal Replay, which uses …", "Tidal Replay, a method that uses …"."""
    if not names.own:
        return
    for match in re.finditer(_APPOSITION.format(subject=subject_pattern(names.own)), text):
        parts = tuple(_parts(text, match.end(), _clause_end(text, match.end(), stop_at_comma=True)))
        yield Clause(match["name"], True, parts, on, text)


def _clause_end(text: str, start: int, stop_at_comma: bool = False) -> int:
    match = _BREAK.search(text, start)
    end = match.start() if match else len(text)
    comma = re.search(r", (?!and )", text[start:end]) if stop_at_comma else None
    return start + comma.start() if comma else end


def _parts(text: str, start: int, end: int) -> Iterator[Part]:
    """The verb phrases between two offsets: "uses … and reaches …" gives two."""
    first = _FIRST_VERB.match(text, start)
    if first is None:
        return
    found = [first, *_NEXT_VERB.finditer(text, first.end() + 1, end)]
    for number, match in enumerate(found):
        stop = found[number + 1].start() if number + 1 < len(found) else end
        yield Part(match["verb"], match.end("verb"), stop)
