"""Numbers as models and papers write them: "37 percent", "37%", "1,024 tokens", "3e-4", "1.7B", "nineteen"."""

from __future__ import annotations

import functools
import math
import re
from typing import NamedTuple

SCALES = {"k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6, "b": 1e9, "billion": 1e9, "t": 1e12, "trillion": 1e12}
UNITS = {
    "percent": ("%", "percent", "per cent", "pct", "percentage"),
    "point": ("point", "points", "pp", "percentage point", "percentage points"),
    "token": ("token", "tokens"),
    "step": ("step", "steps", "iteration", "iterations", "update", "updates"),
    "epoch": ("epoch", "epochs"),
    "layer": ("layer", "layers"),
    "head": ("head", "heads"),
    "bit": ("bit", "bits"),
    "gigabyte": ("gb", "gib", "gigabyte", "gigabytes"),
    "megabyte": ("mb", "mib", "megabyte", "megabytes"),
    "millisecond": ("ms", "millisecond", "milliseconds"),
    "second": ("s", "sec", "second", "seconds"),
    "minute": ("min", "minute", "minutes"),
    "hour": ("h", "hour", "hours"),
    "day": ("day", "days"),
    "times": ("x", "×", "times", "fold"),
    "nat": ("nat", "nats"),
    "word": ("word", "words"),
    "byte": ("byte", "bytes"),
    "character": ("character", "characters"),
    "sentence": ("sentence", "sentences"),
    "example": ("example", "examples", "sample", "samples"),
    "dollar": ("dollar", "dollars", "usd"),
    "euro": ("euro", "euros", "eur"),
    "degree": ("°", "degree", "degrees"),
}
UNIT_OF = {spelling: unit for unit, spellings in UNITS.items() for spelling in spellings}
ONES = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_NUMBER = re.compile(
    r"(?<![\w.\-])(?P<sign>(?<!%)[-−–](?!\s))?(?P<body>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+,\d{1,2}(?![\d,])|\d+(?:\.\d+)?|\.\d+)"
    r"(?:\s*(?:×|x|\*|·|⋅|\\times)\s*10\s*\^?\s*\{?(?P<power>[-−+]?\d+)\}?|[eE](?P<exponent>[-+−]?\d+)"
    r"|\s*\^\s*\{?(?P<raised>[-−+]?\d+)\}?|(?<=(?<![\d.,])10)(?P<small>−\d+))?"
    r"(?P<glued>%|×|°|[A-Za-z]{1,4}(?![\w]))?(?![\w])"
)
_SPELLED = re.compile(
    rf"\b(?:(?P<hundreds>an?|{'|'.join(list(ONES)[1:10])})[-‐‑ ]hundred\b(?:[-‐‑ ]and\b)?[-‐‑ ]?)?"
    rf"(?P<ten>{'|'.join(TENS)})?[-‐‑ ]?(?P<one>{'|'.join(ONES)})?\b",
    re.IGNORECASE,
)
_AFTER = re.compile(r"\s*[-‐‑]?\s*(?P<word>%|×|°|per cent\b|percentage points?\b|[A-Za-z]+)(?P<rest>[\s-]+[A-Za-z]+)?")
_MINUS_WORD = re.compile(r"(?:^|[^\d%)\s]\s*)\b(?:minus|negative)\s+$", re.IGNORECASE)
"""Of two numbers, "12 minus 5", it is a sum and no sign."""
_CURRENCY = {"€": "euro", "$": "dollar"}
_PERCENT_POINTS = re.compile(r"\s*-?points?\b", re.IGNORECASE)
TOLERANCE = 1e-9
"""Relative difference up to which two numbers are the same: only the rounding of decimal to binary."""


class Quantity(NamedTuple):
    """A number in a text."""

    value: float
    """Scale words multiplied in; percent is kept as written: 37 for "37 percent"."""
    unit: str | None
    """A key of UNITS, or None where no known unit follows."""
    start: int
    """Character offset in the text it was read from."""
    end: int


def quantities(text: str) -> list[Quantity]:
    """Every number that stands for itself, in order: digits glued to a name ("Qwen3", "GPT-4") are none.

    Spelled numbers count only where the text has no digits; "one" is a pronoun too often to count without a unit.
    """
    return list(_quantities(text))


@functools.lru_cache(maxsize=16384)
def _quantities(text: str) -> tuple[Quantity, ...]:
    plain = text.translate(_SUPERSCRIPTS)
    found = [_read(match, plain) for match in _NUMBER.finditer(plain)]
    return tuple(quantity for quantity in found if quantity is not None) or tuple(_spelled(plain))


SIZES = {
    "millisecond": ("time", (0.001,)), "second": ("time", (1.0,)), "minute": ("time", (60.0,)), "hour": ("time", (3600.0,)),
    "day": ("time", (86400.0,)), "megabyte": ("memory", (1.0,)), "gigabyte": ("memory", (1000.0, 1024.0)),
}  # fmt: skip
"""What a unit measures, and its size beside others of that kind; gigabytes are counted both ways."""


def same_quantity(left: Quantity, right: Quantity) -> bool:
    """Equal value and no contradicting unit; units of one kind are converted ("500 ms" is "0.5 seconds"); 37 percent is
    .37 where the other side names no unit."""
    if left.unit != right.unit and left.unit in SIZES and right.unit in SIZES:
        return _converts(left, right)
    if _close(left.value, right.value):
        return left.unit == right.unit or left.unit is None or right.unit is None
    percent, bare = (left, right) if left.unit == "percent" else (right, left)
    return percent.unit == "percent" and bare.unit is None and _close(percent.value, 100 * bare.value)


def _converts(left: Quantity, right: Quantity) -> bool:
    (kind, mine), (other, theirs) = SIZES[left.unit or ""], SIZES[right.unit or ""]
    return kind == other and any(_close(left.value * m, right.value * t) for m in mine for t in theirs)


def comparable(left: str | None, right: str | None) -> bool:
    """Quantities in these units may be equal: one unit, none named, or two of one kind."""
    kinds = {SIZES[unit][0] if unit in SIZES else unit for unit in (left, right)}
    return None in kinds or len(kinds) == 1


def _close(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=TOLERANCE, abs_tol=1e-15)


def _read(match: re.Match[str], text: str) -> Quantity | None:
    decimal = re.fullmatch(r"\d+,\d{1,2}", match["body"])  # 37,5 as many languages write it
    value = float(match["body"].replace(",", "." if decimal else ""))
    power = match["power"] or match["exponent"]
    value *= _raised(10.0, power) if power else 1.0
    raised = match["raised"] or match["small"]
    value = _raised(value, raised) if raised else value
    value = -value if match["sign"] or _MINUS_WORD.search(text[: match.start()]) else value
    glued = (match["glued"] or "").lower()
    if glued and glued not in UNIT_OF and glued not in SCALES:
        return None
    if glued in SCALES and glued not in ("s", "h"):
        unit, _ = _unit_after(text, match.end())
        return Quantity(value * SCALES[glued], unit, match.start(), match.end())
    if glued:
        points = glued == "%" and _PERCENT_POINTS.match(text, match.end())
        return Quantity(value, "point" if points else UNIT_OF[glued], match.start(), match.end())
    unit, scale = _unit_after(text, match.end())
    return Quantity(value * scale, unit or _currency(match, text), match.start(), match.end())


def _raised(base: float, exponent: str) -> float:
    """A power; infinite where it is too large for a number, so that no answer can stop a judgement."""
    try:
        return float(base ** int(exponent[:9].replace("−", "-")))
    except (OverflowError, ZeroDivisionError):
        return math.inf


def _currency(match: re.Match[str], text: str) -> str | None:
    """The unit of a sign before the number; a dollar that is closed again begins a formula ("$37$")."""
    sign = text[match.start() - 1 : match.start()]
    return None if sign == "$" and "$" in text[match.end() :] else _CURRENCY.get(sign)


class _Following(NamedTuple):
    unit: str | None
    scale: float


def _unit_after(text: str, position: int) -> _Following:
    """The unit among the next two words, and a scale word before it ("million tokens")."""
    match = _AFTER.match(text, position)
    if match is None:
        return _Following(None, 1.0)
    first = match["word"].lower()
    second = (match["rest"] or "").strip(" -").lower()
    counted = match["word"] in ("B", "M", "K", "T") and second.startswith(("param", "token"))
    if first in SCALES and (len(first) > 1 or counted):
        return _Following(UNIT_OF.get(second), SCALES[first])
    # A lone letter after a blank ("3 s of it", "4 x 8") is a unit only by accident, unless nothing follows it.
    alone = match["word"] in ("s", "h") and not re.match(r"\s*\w", text[match.end("word") :])
    if first in UNIT_OF and (len(first) > 1 or first in "%×°" or alone):
        return _Following(UNIT_OF[first], 1.0)
    return _Following(UNIT_OF.get(second) if len(second) > 2 else None, 1.0)


def _spelled(text: str) -> list[Quantity]:
    found = []
    for match in _SPELLED.finditer(text):
        hundreds, ten, one = ((match[name] or "").lower() for name in ("hundreds", "ten", "one"))
        if not hundreds and not ten and not one:
            continue
        unit, scale = _unit_after(text, match.end())
        if unit is None and re.match(r"-[A-Za-z]", text[match.end() :]):
            continue  # "two-stage", "one-shot": part of a name
        if hundreds or ten or one != "one" or unit or match[0].strip().lower() == text.strip(" .").lower():
            value = 100 * ONES.get(hundreds, bool(hundreds)) + TENS.get(ten, 0) + ONES.get(one, 0)
            found.append(Quantity(float(value * scale), unit, match.start(), match.end()))
    return found
