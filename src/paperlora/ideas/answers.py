"""The spellings that count as one answer, and what kind of answer it is."""

from __future__ import annotations

import re

from paperlora.ideas.phrases import is_number, number_part
from paperlora.records import AnswerKind

_WORDS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17,
    "eighteen": 18, "nineteen": 19, "twenty": 20,
}  # fmt: skip
_DIGITS = {number: word for word, number in _WORDS.items()}
_SIGNS = str.maketrans({"−": "-", "–": "-", "×": "x"})


def answer_kind(answer: str) -> AnswerKind:
    """A number (with or without unit), a name (capitalised), or a phrase."""
    if is_number(answer):
        return "number"
    return "name" if any(char.isupper() for char in answer) else "phrase"


def aliases(answer: str) -> tuple[str, ...]:
    """Other spellings of the same value: "37 percent" → "37%", "37"; "1e-5" → "0.00001"; "two" → "2"."""
    if not is_number(answer):
        return ()
    number = number_part(answer)
    unit = answer[len(number) :].strip()
    found: list[str] = []
    for spelled in (number, *_spellings(number)):
        if re.fullmatch(r"%|per\s?cent|percent", unit):
            found += [f"{spelled} percent", f"{spelled}%"] if spelled[-1].isdigit() else [f"{spelled} percent"]
        elif unit:
            found.append(f"{spelled} {unit}")
        found.append(spelled)
    return tuple(dict.fromkeys(text for text in found if text != answer))


def same_answer(first: str, second: str) -> bool:
    """Equal after folding case and blanks, or one is a spelling of the other."""
    return bool({_fold(first), *map(_fold, aliases(first))} & {_fold(second), *map(_fold, aliases(second))})


def _fold(answer: str) -> str:
    return re.sub(r"\s+", " ", answer.translate(_SIGNS)).strip().casefold()


def _spellings(number: str) -> list[str]:
    plain = number.translate(_SIGNS)
    if plain.lower() in _WORDS:
        return [str(_WORDS[plain.lower()])]
    found = [plain] if plain != number else []
    if "," in plain:
        found.append(plain.replace(",", ""))
    if re.fullmatch(r"\d{4,}", plain):
        found.append(f"{int(plain):,}")
    if plain.isdigit() and int(plain) in _DIGITS and int(plain) > 1:
        found.append(_DIGITS[int(plain)])
    power = re.fullmatch(r"(\d+(?:\.\d+)?)e(-?\d+)|(?:(\d+(?:\.\d+)?) ?x ?)?10\^? ?(-\d+)", plain)
    if power:
        mantissa, exponent = float(power[1] or power[3] or 1), int(power[2] or power[4])
        found.append(f"{mantissa * 10.0**exponent:.12f}".rstrip("0").rstrip("."))
        found.append(f"{mantissa:g}e{exponent}")
    return [text for text in found if text != number]
