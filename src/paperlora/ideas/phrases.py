"""Answers and the noun phrases that lead to them: numbers with units, names, and what a number is the number of."""

from __future__ import annotations

import re
from typing import NamedTuple

from paperlora.ideas.verbs import words as word_set

# Longer words first: "six" would take the beginning of "sixteen".
_ONES = (
    "eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|two|three|four|five|six|seven|eight|"
    "nine|ten"
)
_TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
_WORDS = rf"(?:(?:{_TENS})(?:-(?:one|{_ONES}))?|{_ONES})"
NUMBER = (
    r"(?:10(?:−|\^\s?[-−])\d+|[-−–]?(?:\d{1,3}(?:,\d{3})+|"
    r"\d+)(?:\.\d+)?(?:e[-−–+]?\d+)?(?:\s?[×x]\s?10\s?(?:\^\s?)?[-−–]?\d+)?|[-−–]?\.\d+"
    rf"|{_WORDS})"
)
"""Digits with separators, decimals, powers of ten; or a number word from two on ("one" is mostly a pronoun)."""
_MAGNITUDE = r"(?:\s(?:thousand|million|billion|trillion)|[kKMBT]\b)?"
MEASURE = (
    r"(?:%|percent(?:age points?)?|per\s?cent|points?|pp|nats?|bits?|bytes?|[kKMGT]i?B|kilobytes?|megabytes?|"
    r"gigabytes?|terabytes?|"
    r"ns|ms|µs|s|seconds?|milliseconds?|microseconds?|minutes?|hours?|days?|weeks?|months?|years?|[GMT]?Hz|"
    r"[kM]?W|watts?|kWh|joules?|°C|degrees?|"
    r"(?:GPU|TPU|CPU|H100|A100|V100)[- ](?:hours?|days?)|[GTPM]?FLOPs?|dollars?|USD)"
)
"""A unit that measures; a thing that is counted ("tokens") is any plural noun."""
_NOT_A_UNIT = (
    r"(?!(?:is|was|as|this|its|has|does|plus|times|versus|across|less|always|thus|perhaps|besides|towards|"
    r"unless|yes|suffices|works|gives|yields|helps|"
    r"performs|improves|leads|makes|means|uses|keeps|lets|allows|reaches|achieves|remains|becomes|needs|takes|"
    r"shows|results|others|ones|"
    r"respectively|previous|various|numerous|us|ours|theirs|whereas)\b)"
)
_COUNTED = rf"{_NOT_A_UNIT}[a-z][a-z-]*s(?<!ss)"
_NUMBERED = rf"(?:layer|level|stage|block|version|position|head|epoch|step) {NUMBER}"
_MODIFIER = (
    r"(?!(?:and|or|of|on|in|for|with|to|from|at|by|per|the|a|an|is|are|was|were|that|which|as|than|times|over|more|"
    r"less)\b)[a-z][a-z-]*"
)
_PER = r"(?:\sper\s(?!cent\b)[A-Za-z][\w-]*)"
QUANTITY = (
    rf"(?:{NUMBER}{_MAGNITUDE}(?:\s?(?:%|[kKMGT]i?B|ms|µs|[MG]Hz)|\s{MEASURE}(?![\w-])|"
    rf"\s(?:{_MODIFIER}\s)?{_COUNTED}(?![\w-]))?{_PER}?)(?![\w%]|[-–][\w]|\.\d|,\d)"
)
"""A number with what it counts or measures: "37 percent", "640 optimizer steps", "0.0042", "3.2 GB"."""
HEDGE = r"(?:(?:about|approximately|roughly|around|exactly|precisely|only|just)\s)?"
_BOUND = re.compile(
    r"(?:more|less|fewer|greater|higher|lower|larger|smaller|better|worse)\sthan$|\b(?:over|under|above|below|"
    r"beyond|nearly|almost|between|least|most|up\sto|maximum|within)$|[≥≤><~∼≈±]$"
)

_STOP = word_set(
    "a an the this that these those its our their his her my your each every some any no all both either "
    "neither such same other another more most less least "
    "of on in for with to from at by per as than over under into onto about across along around against "
    "throughout behind beyond above below between among during after before until while when where whereas "
    "which who whom whose "
    "and or but nor so yet if then thus hence because since although though unless whether not without within via "
    "is are was were be been being am has have had having do does did can could may might must shall should "
    "will would "
    "we it they i you he she them us him there here what how why "
    "use uses used using set sets setting fix fixes fixed keep keeps kept choose chosen apply applied adopt "
    "get gets give gives given yield yields show shows make makes made "
    "reach reaches achieve achieves obtain find finds found observe report reports see compare compared "
    "trained evaluated only just even also still very too "
    "respectively namely respective i.e. e.g."
)
_CONTAINERS = word_set(
    "set group pair list batch series sum kind type sort order total out one half most all both none any rest "
    "range sequence collection pool subset sample mixture mix ensemble "
    "stack majority minority number part portion team grid family version case course maximum minimum average "
    "mean median example value values result results factor "
    "combination variety host handful couple dozen hundreds thousands instance first second third last former "
    "latter reason answer goal aim point place "
    "difference step instead because use lack impact effect outcome presence absence result member minimum "
    "model models method figure table section page "
    "baseline dataset corpus paper system network year day hour minute week month"
)
_LINKS = frozenset(("of", "on", "in", "for", "per", "to", "the", "between", "over", "with"))
_EVALUATIVE = re.compile(
    r"^(?:(?:a|an|the|its|our|their)\s+)?(?:(?:very|slightly|much|considerably|substantially|significantly|"
    r"relatively|fairly)\s+)?(?:(?:high|higher|low|lower|small|smaller|large|larger|strong|stronger|"
    r"competitive|impressive|remarkable|"
    r"modest|moderate|fixed|constant|uniform|fair|default|tiny|mere|full|new|good|better|comparable|"
    r"respectable|excellent|reasonable|standard|chosen|simple|single|recommended|corresponding|resulting|"
    r"improved|"
    r"reduced|increased|published)\s+)*"
)

_SIZED = word_set("vocabulary buffer queue dictionary codebook cache bank")
_VAGUE = word_set(
    "rate weight size length ratio value level amount percentage fraction scale degree period interval probability "
    "coefficient width score dimension strength intensity"
)

METRIC = (
    r"(?:accurac(?:y|ies)|performance|error(?:\srate)?|recall|precision|perplexity|F1|BLEU|ROUGE(?:-\w+)?|"
    r"METEOR|WER|CER|EM|exact\smatch|success\srate|win\srate|pass\srate|solve\srate|hit\srate|"
    r"pass@\d+|recall@\d+|precision@\d+|score|F1\sscore|BLEU\sscore|loss|AUC|mAP|MRR|NDCG|throughput|speed-?up|"
    r"latency|correlation|retention|coverage|agreement|sparsity|compression)"
)
SETTING = (
    r"(?:learning\srate|weight\sdecay|batch\ssize|mini-?batch\ssize|temperature|probability|dropout(?:\srate)?|"
    r"momentum|rank|stride|window(?:\ssize)?|patience|beam\s(?:size|width)|"
    r"top-[pk]|seed|alpha|beta|gamma|epsilon|threshold|margin|width|depth|ratio|rate|weight|coefficient|"
    r"horizon|budget|share|fraction|interval|period|size|length|dimension)"
)
ROLE = (
    r"(?:optimi[sz]er|tokeni[sz]er|corpus|schedule|scheduler|sampler|kernel|backbone|encoder|decoder|"
    r"activation|norm|normali[sz]ation|loss|benchmark|dataset|data\sset|metric|base\s(?:language\s)?model|"
    r"teacher(?:\smodel)?|student(?:\smodel)?|language\smodel|codebase|library|framework|licen[cs]e|hash|index|"
    r"format|vocabulary|suite|test\sset|task|reward\smodel|embedding)"
)


class Answer(NamedTuple):
    """An answer inside a sentence."""

    start: int
    end: int
    text: str


def quantity_at(text: str, at: int) -> Answer | None:
    """The quantity that begins at an offset (after "about", "exactly" …); None for bounds such as "at most 40"."""
    match = re.compile(rf"{HEDGE}(?P<answer>{QUANTITY}|{_NUMBERED}(?![\w%]|\.\d))").match(text, at)
    if match is None or _BOUND.search(text[:at].rstrip().lower()[-16:]):
        return None
    return Answer(match.start("answer"), match.end("answer"), match["answer"])


def noun_phrase_before(text: str, end: int) -> str | None:
    """The noun phrase that ends at an offset: ``…with a replay share| of`` gives "replay share".

    None where the words before are no noun phrase that a single quantity can be the value of.
    """
    words: list[str] = []
    at = end
    while True:
        match = re.search(r"(?P<word>[A-Za-z][\w@/’'-]*)\s*$", text[:at])
        if (
            match is None
            or match["word"].lower() in _STOP
            or len(words) == 6
            or text[match.end("word") : at].count(" ") > 1
        ):
            break
        words.insert(0, match["word"])
        at = match.start()
    before = text[:at].rstrip()
    opens = re.search(
        r"(?:^|\b(?:a|an|the|its|our|their|with|using|at|by|and|for|to|of|use|uses|used|set|sets|has|have|keep|"
        r"keeps|fix|fixes)|[,(:])$",
        before,
        re.IGNORECASE,
    )
    return tidy(" ".join(words)) if words and opens else None


def tidy(phrase: str) -> str | None:
    """A relation in its plain form ("a high accuracy" → "accuracy"); None where no one quantity can be its value."""
    plain = _EVALUATIVE.sub("", re.sub(r"\s+", " ", phrase.strip()))
    words = plain.split()
    if not 1 <= len(words) <= 8 or any(char in plain for char in '.,;:()[]="“”'):
        return None
    head = re.split(r" (?:of|on|in|for|per|between) ", plain)[0].split()
    last = head[-1].lower()
    plural = (
        last.endswith("s") and not last.endswith(("ss", "us", "is", "bias", "loss")) and head[0].lower() != "number"
    )
    if (
        last in _CONTAINERS and not (last == "number" and len(head) < len(words)) and last not in ("budget", "factor")
    ) or plural:
        return None
    if any(word.lower() in _STOP and word.lower() not in _LINKS for word in words) or words[0].lower() in _LINKS:
        return None
    if (len(head) == 1 and last == "factor") or (len(last) < 3 and last not in ("lr", "em", "f1")):
        return None
    return _lower_start(plain)


def _lower_start(phrase: str) -> str:
    first, _, rest = phrase.partition(" ")
    return phrase if not re.fullmatch(r"[A-Z][a-z-]+", first) else f"{first.lower()} {rest}".strip()


def sized(relation: str, answer: str) -> str:
    """ "a queue of 65,536 keys" has a size: the relation says so."""
    counts = relation.split()[-1] in _SIZED and number_part(answer) != answer
    return f"{relation} size" if counts else relation


def is_vague(relation: str) -> bool:
    """A single word that asks "of what?": a rate, a weight, a size."""
    return relation in _VAGUE


def goes_on(text: str, end: int) -> bool:
    """A noun or adjective follows: "a benchmark of 20 |real-world services" counts things, it is no value."""
    match = re.match(r"\s+([a-zA-Z][\w-]*)", text[end:])
    return match is not None and match[1].lower() not in _STOP


def is_metric(relation: str) -> bool:
    """The relation is something measured: "accuracy", "top-5 error on ImageNet"."""
    return re.search(rf"\b{METRIC}(?: on .*)?$", relation) is not None


def number_part(answer: str) -> str:
    """The number without what it counts: "640 optimizer steps" → "640"."""
    match = re.match(rf"{NUMBER}{_MAGNITUDE}", answer)
    return match[0] if match else answer


def is_number(answer: str) -> bool:
    """The answer begins with a number."""
    return re.match(rf"{NUMBER}(?![a-z])", answer) is not None


def has_unit(answer: str) -> bool:
    """A number with what it counts or measures: "37 percent", not "37"."""
    return is_number(answer) and number_part(answer) != answer.strip()
