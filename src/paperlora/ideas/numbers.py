"""Numbers of a claim held against its evidence, and answers against each other, with their units normalised."""

from __future__ import annotations

import math
import re

from paperlora.model.quantities import Quantity, quantities, same_quantity

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_BARE_POWER = re.compile(
    r"(?<![\w.])(?P<factor>\d+(?:\.\d+)?\s?[×x·]\s?)?10(?:\s?\^\s?\{?(?P<raised>[-−–+]?\d+)\}?|(?P<minus>[−]\d+)|"
    r"(?P<small>[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+))(?![\w])"
)
"""10^-6, 10−6 (as superscripts come out of a PDF) and 10⁻⁶. With a plain hyphen it is a range: 10-20."""
_RANGE = re.compile(r"(?<=\d)(?<![×x*·]\s10)(?<![×x*·]10)\s?[-–]\s?(?=\d)")
_DIGITS = re.compile(r"\S*\d\S*")
_BASE_UNITS = {
    "millisecond": ("second", 1e-3),
    "second": ("second", 1.0),
    "minute": ("second", 60.0),
    "hour": ("second", 3600.0),
    "day": ("second", 86400.0),
    "megabyte": ("megabyte", 1.0),
    "gigabyte": ("megabyte", 1000.0),
}


def numbers_in(text: str) -> list[Quantity]:
    """Every number that stands for itself, digits and words: "two gates of 48 tokens" holds 2 and 48 tokens.

    Offsets are those of a rewritten text and mean nothing.
    """
    plain = _RANGE.sub(" to ", _BARE_POWER.sub(_as_exponent, text))
    digits = quantities(plain) if re.search(r"\d", plain) else []
    return [*digits, *quantities(_DIGITS.sub(" ; ", plain))]


def equal(left: Quantity, right: Quantity) -> bool:
    """The same amount: 37 percent is 0.37, 90 minutes are 1.5 hours; a missing unit contradicts none."""
    return same_quantity(left, right) or same_quantity(_in_base_unit(left), _in_base_unit(right))


def unsupported(claim: str, evidence: str, name: str = "") -> tuple[str, ...]:
    """The numbers of a claim that its evidence does not hold, in words for people.

    Args:
        name: what the claim is about; digits in it are part of a name, not numbers.
    """
    if name:
        claim, evidence = (re.sub(re.escape(name), " ; ", text, flags=re.IGNORECASE) for text in (claim, evidence))
    known = numbers_in(evidence)
    missing = [one for one in numbers_in(claim) if not any(equal(one, other) for other in known)]
    return tuple(f"{one.value:g}{' ' + one.unit if one.unit else ''}" for one in missing)


def same_number(left: str, right: str) -> bool | None:
    """Two answers name the same amount; None where they are no single numbers or of different units."""
    first, second = numbers_in(left), numbers_in(right)
    if len(first) != 1 or len(second) != 1:
        return None
    one, other = _in_base_unit(first[0]), _in_base_unit(second[0])
    if equal(one, other):
        return True
    return False if one.unit == other.unit or None in (one.unit, other.unit) else None


def _in_base_unit(one: Quantity) -> Quantity:
    unit, factor = _BASE_UNITS.get(one.unit or "", (one.unit, 1.0))
    value = one.value * factor
    return one._replace(value=round(value, 12) if math.isfinite(value) and abs(value) > 1e-3 else value, unit=unit)


def _as_exponent(match: re.Match[str]) -> str:
    if match["factor"] and match["raised"]:
        return match[0]  # 3 × 10^-4 is read as it stands
    exponent = (match["raised"] or match["minus"] or match["small"]).translate(_SUPERSCRIPTS)
    factor = re.sub(r"[^\d.]", "", match["factor"] or "1")
    return f"{factor}e{re.sub('[−–]', '-', exponent)}"
