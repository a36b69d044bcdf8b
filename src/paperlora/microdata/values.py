"""Right and wrong values of an idea: accepted spellings, false values of the same type, thresholds.

Wrong numbers are the right one scaled, in the same notation and unit; wrong names come from other ideas first,
then from a small pool of the kind the relation asks for. All choices are seeded by the idea's id alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from paperlora.microdata.pools import wrong_names
from paperlora.model.quantities import comparable, quantities
from paperlora.records import Idea

WORD_NUMBERS = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
FACTORS = (1.6, 0.6, 1.3, 0.75, 2.1, 0.45, 1.15, 0.85, 2.7, 0.9, 3.4, 1.05, 0.95, 0.3)
POWER_OF_TWO_FACTORS = (2.0, 0.5, 4.0, 0.25, 8.0, 0.125, 16.0)
_NUMBER = re.compile(
    r"(?<![\w.])(?P<sign>[-−]?)(?P<mantissa>\d[\d,]*(?:\.\d+)?)"
    r"(?P<power>[eE](?P<exponent>[-+−]?\d+)|\s?[×x*]\s?10\s?\^\s?\{?(?P<raised>[-−]?\d+)\}?|\^\s?\{?(?P<bare>[-−]?\d+)\}?)?"
)
_PERCENT = re.compile(r"\s*(?:%|percent\b|per cent\b|pct\b)", re.IGNORECASE)


class Values(NamedTuple):
    """Every value that probes and rows of one idea name. What rows name as false or as threshold no probe names."""

    accepted: tuple[str, ...]
    """Spellings that count as the answer, the canonical one first."""
    distractors: tuple[str, ...]
    """Three or four wrong answers of the same type."""
    contrast: tuple[str, ...]
    """False values that rows deny."""
    near: tuple[str, ...]
    """Two to four false values that near-miss probes and options offer."""
    others: tuple[str, ...]
    """Wrong names for lists; empty for numbers that can be compared."""
    row_thresholds: tuple[str, ...]
    """Numbers that rows compare with; empty for names."""
    above: tuple[str, ...]
    """Thresholds of probes that the true value stays below; empty for names."""
    below: tuple[str, ...]
    """Thresholds of probes that the true value exceeds; empty for names and for the smallest numbers."""

    @property
    def comparable(self) -> bool:
        """The answer is a number with enough neighbours to ask for more and less."""
        return bool(self.row_thresholds) and len(self.above) + len(self.below) >= 2


def values_of(idea: Idea, neighbours: Sequence[Idea]) -> Values:
    """Everything that may be said, rightly or wrongly, of an idea's value.

    Args:
        idea: the idea.
        neighbours: ideas of the same and of other papers: their answers are the likeliest wrong names.
    """
    accepted = accepted_answers(idea)
    numbers = wrong_numbers(idea.answer, seed=int(idea.id, 16)) if _counts(idea) else ()
    if idea.answer_kind == "number" and len(numbers) >= 5:
        return _of_number(idea, accepted, numbers)
    likely = numbers if len(numbers) >= 8 else wrong_names(idea, neighbours)
    names = tuple(name for name in likely if not _same(name, accepted))
    near, others = (*names[:2], *names[6:8]), names[8:] or names[2:4]
    return Values(accepted, names[:4], names[4:6], near, others, (), (), ())


def _counts(idea: Idea) -> bool:
    """The answer holds a number of its own: 37 percent, "layer 11", "the last four layers", but not "Kelpie-2"."""
    if idea.answer_kind == "number":
        return True
    words = idea.answer.casefold().split()
    return any(_NUMBER.fullmatch(word) or word in WORD_NUMBERS[2:] for word in words)


def _of_number(idea: Idea, accepted: tuple[str, ...], numbers: tuple[str, ...]) -> Values:
    wrong = tuple(number for number in numbers if not _same(number, accepted))
    truth = number_value(idea.answer) or 0.0
    above = [number for number in wrong[3:] if (number_value(number) or 0.0) > truth]
    below = [number for number in wrong[3:] if (number_value(number) or 0.0) < truth]
    longer, shorter = (above, below) if len(above) >= len(below) else (below, above)
    thresholds = tuple(side.pop() for side in (longer, shorter) if len(side) > 1)
    near = [*wrong[1:3], *(number for number in wrong[5:] if number not in thresholds)][:4]
    return Values(accepted, wrong[1:5], wrong[:1], tuple(near), (), thresholds, tuple(above), tuple(below))


def accepted_answers(idea: Idea) -> tuple[str, ...]:
    """The answer, its aliases and the spellings that follow from it: "37 percent" → 37%, 37."""
    found = [idea.answer, *idea.aliases]
    if idea.answer_kind == "number":
        for text in tuple(found):
            found += number_spellings(text)
    else:
        found += [re.sub(r"^(?:the|an?)\s+", "", text, flags=re.IGNORECASE) for text in tuple(found)]
    return tuple(dict.fromkeys(text.strip() for text in found if text.strip()))


def scaled(answer: str, factor: str) -> str | None:
    """The answer times a decimal factor, exactly, in the same unit; None where that makes no sensible value.

    >>> scaled("37 percent", "0.5"), scaled("1e-6", "2"), scaled("seven layers", "2"), scaled("1,500", "10")
    ('18.5 percent', '2e-6', '14 layers', '15,000')
    >>> scaled("71.3 percent", "2"), scaled("from 3 to 5", "2"), scaled("2^8", "2")
    (None, None, None)
    """
    numbers = list(_NUMBER.finditer(answer))
    if not numbers:
        words = [word for word in answer.casefold().split() if word in WORD_NUMBERS]
        spelled = str(WORD_NUMBERS.index(words[0])) if len(words) == 1 else ""
        return scaled(re.sub(rf"\b{words[0]}\b", spelled, answer, flags=re.IGNORECASE), factor) if spelled else None
    match = numbers[0]
    if len(numbers) > 1 or match["raised"] or match["bare"]:
        return None
    product = Decimal(match["mantissa"].replace(",", "")) * Decimal(factor)
    plain = f"{product.normalize():{',' if ',' in match['mantissa'] or product >= 10000 else ''}f}"
    text = answer[: match.start()] + match["sign"] + plain + (match["power"] or "") + answer[match.end() :]
    grammatical = product != 1 or not answer[match.end() :].strip()
    return text if product and grammatical and not _beyond_hundred(answer, text) else None


def number_spellings(text: str) -> Iterable[str]:
    """Other spellings of a text with one number in it: "37 percent" → 37%, 37."""
    numbers = list(_NUMBER.finditer(text))
    if len(numbers) != 1 or numbers[0].start() > 1:
        return
    number, rest = numbers[0][0].strip(), text[numbers[0].end() :]
    if _PERCENT.match(rest):
        yield from (f"{number}%", f"{number} percent")
    yield number
    if "," in number:
        yield number.replace(",", "") + rest
        yield number.replace(",", "")


def number_value(text: str) -> float | None:
    """The first number of a text, units ignored: "37 percent" → 37.0, "1e-6" → 1e-06; None where there is none."""
    match = _NUMBER.search(text)
    if match is not None:
        return _value(match)
    words = re.findall(r"[a-z]+", text.casefold())
    return next((float(WORD_NUMBERS.index(word)) for word in words if word in WORD_NUMBERS), None)


def _value(match: re.Match[str]) -> float:
    sign = -1.0 if match["sign"] else 1.0
    mantissa = float(match["mantissa"].replace(",", ""))
    if match["bare"] is not None:
        return sign * mantissa ** int(match["bare"].replace("−", "-"))
    power = (match["exponent"] or match["raised"] or "0").replace("−", "-")
    return sign * mantissa * 10.0 ** int(power)


def wrong_numbers(answer: str, seed: int) -> tuple[str, ...]:
    """The answer with its numbers changed, in the same notation: all different in value, none zero by rounding.

    >>> wrong_numbers("37 percent", 0)[:4]
    ('59 percent', '22 percent', '48 percent', '28 percent')
    >>> wrong_numbers("1e-6", 0)[:4]
    ('1e-5', '1e-7', '3e-6', '3e-7')
    """
    candidates = _scaled_words(answer) if _NUMBER.search(answer) is None else _scaled(answer)
    truth = number_value(answer)
    unique: dict[float, str] = {}
    for candidate in candidates:
        value = number_value(candidate)
        if value is not None and value != truth and (value != 0 or truth == 0):
            unique.setdefault(value, candidate)
    found = list(unique.values())
    turn = 2 * (seed % 3) if len(found) >= 8 else 0
    return tuple(found[turn:] + found[:turn])


def _scaled(answer: str) -> list[str]:
    match = _NUMBER.search(answer)
    assert match is not None
    if match["power"]:
        return _scaled_powers(answer, match)
    value, plain = _value(match), match["mantissa"]
    whole = "." not in plain and float(plain.replace(",", "")) == value
    if value == 0:
        return [answer.replace(plain, other, 1) for other in ("1", "2", "3", "4", "5", "6", "8", "10")]
    power_of_two = whole and value >= 16 and (int(value) & (int(value) - 1)) == 0
    factors = POWER_OF_TWO_FACTORS if power_of_two else FACTORS
    single = len(_NUMBER.findall(answer)) == 1
    small = (2, -1, 1, 3, -2, 4, 5, 6, 7) if whole and single and value <= 9 else ()
    # From 2 upwards: "1 layers" would give a false value away by its grammar.
    steps = [answer.replace(plain, str(int(value) + step), 1) for step in small if int(value) + step > 1]
    scaled = steps or [_NUMBER.sub(partial(_scale_one, factor=factor), answer) for factor in factors]
    return [text for text in scaled if not _beyond_hundred(answer, text)]


def _scale_one(match: re.Match[str], factor: float) -> str:
    """One plain number times the factor, with as many decimals and significant digits as it had (at least two)."""
    plain = match["mantissa"]
    decimals = len(plain.partition(".")[2])
    value = float(plain.replace(",", "")) * factor
    if not decimals:
        digits = plain.replace(",", "")
        zeros = min(len(digits) - len(digits.rstrip("0")), max(len(digits) - 2, 0))
        value = round(value / 10**zeros) * 10**zeros
    return f"{match['sign']}{value:{',' if ',' in plain else ''}.{decimals}f}"


def _scaled_powers(answer: str, match: re.Match[str]) -> list[str]:
    """Other exponents and leading digits: 1e-6 → 1e-5, 1e-7, 3e-6 …; 2^8 → 2^9, 2^7 …"""
    exponent = match["exponent"] or match["raised"] or match["bare"]
    found = []
    changes = (
        (None, 1),
        (None, -1),
        ("3", 0),
        ("3", -1),
        ("5", 0),
        ("5", -1),
        (None, 2),
        (None, -2),
        ("2", 0),
        (None, 3),
        (None, -3),
    )
    for mantissa, step in changes:
        if mantissa and match["bare"]:
            continue
        shifted = str(int(exponent.replace("−", "-")) + step)
        if exponent.startswith("−"):
            shifted = shifted.replace("-", "−")
        head, tail = match["power"].rsplit(exponent, 1)
        number = match["sign"] + (mantissa or match["mantissa"]) + head + shifted + tail
        found.append(answer[: match.start()] + number + answer[match.end() :])
    return found


def _scaled_words(answer: str) -> list[str]:
    words = [word for word in re.findall(r"[a-z]+", answer.casefold()) if word in WORD_NUMBERS]
    if not words:
        return []
    others = [word for word in WORD_NUMBERS[2:] if word != words[0]]
    middle = WORD_NUMBERS.index(words[0])
    others.sort(key=lambda word: (abs(WORD_NUMBERS.index(word) - middle), -WORD_NUMBERS.index(word)))
    return [re.sub(rf"\b{words[0]}\b", other, answer, flags=re.IGNORECASE) for other in others]


def _beyond_hundred(answer: str, text: str) -> bool:
    """A share above 100 percent, where the true one lies below, is no likely value."""
    match = _NUMBER.search(answer)
    is_share = match is not None and _PERCENT.match(answer, match.end()) is not None
    return is_share and (number_value(answer) or 0) <= 100 <= (number_value(text) or 0)


def denying(values: Values, idea: Idea, belief: str) -> Values:
    """The values with what a base believes as the one that rows deny, where that is a clean value of the kind.

    No probe may name what rows deny: it is taken out of all values that probes offer. Where too few of these would be
    left, or the belief is no value of the kind, everything stays as it is.
    """
    value = _like(idea, belief)
    if not value or _same(value, values.accepted) or _given(idea, value):
        return values
    kept = values._replace(
        contrast=(value,),
        **{
            name: tuple(text for text in getattr(values, name) if not _same(text, (value,)))
            for name in ("distractors", "near", "others", "row_thresholds", "above", "below")
        },
    )
    enough = len(kept.distractors) >= 3 and len(kept.near) >= 2 and (values.comparable or len(kept.others) >= 2)
    return kept if enough and kept.comparable == values.comparable else values


def _like(idea: Idea, belief: str) -> str:
    """A believed value in the form of the true one; empty where it is none of its kind.

    >>> from types import SimpleNamespace as Some
    >>> _like(Some(answer="37 percent", answer_kind="number"), "20%")
    '20 percent'
    >>> _like(Some(answer="Kelpie", answer_kind="name"), "GLUE"), _like(Some(answer="Kelpie", answer_kind="name"), "the web")
    ('GLUE', '')
    """
    plain = belief.strip(" .,;:!?\"'")
    if idea.answer_kind != "number":
        shaped = plain[:1].isupper() or not idea.answer[:1].isupper()
        return plain if shaped and plain and "\n" not in plain and len(plain.split()) <= len(idea.answer.split()) + 2 else ""
    mine, theirs = list(_NUMBER.finditer(idea.answer)), list(_NUMBER.finditer(plain))
    units = [found[0].unit for text in (idea.answer, plain) if (found := quantities(text))]
    if len(mine) != 1 or len(theirs) != 1 or not comparable(*units[:1], *units[-1:]):
        return ""
    text = idea.answer[: mine[0].start()] + theirs[0][0].strip() + idea.answer[mine[0].end() :]
    return "" if _beyond_hundred(idea.answer, text) else text


def _given(idea: Idea, value: str) -> bool:
    """The question would name it."""
    return _same(value, (idea.subject, idea.relation))


def _same(text: str, accepted: Sequence[str]) -> bool:
    """The text is, holds, or is held by an accepted spelling; numbers are compared as a whole."""
    folded = " ".join(re.findall(r"[\w.%]+", text.casefold()))
    for spelling in accepted:
        other = " ".join(re.findall(r"[\w.%]+", spelling.casefold()))
        if re.search(rf"(?<![\w.]){re.escape(other)}(?![\w.])", folded) or re.search(
            rf"(?<![\w.]){re.escape(folded)}(?![\w.])", other
        ):
            return True
    return False
