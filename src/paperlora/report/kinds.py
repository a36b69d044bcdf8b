"""The eleven verdicts as a reader meets them: sign, colour family and what each one means."""

from __future__ import annotations

from typing import NamedTuple

from paperlora.records import VerdictKind


class Kind(NamedTuple):
    """How one verdict is shown."""

    name: VerdictKind
    label: str
    sign: str
    """A sign beside the colour, for those who don't see it and for black-and-white prints."""
    group: str
    """Colour family: deep, good, part, words, wrong, none, known, open."""
    rule: str
    """The rule that gives it, for the legend."""


_ALL = (
    Kind(
        "ABSORBED_DEEP",
        "absorbed, deep",
        "●",
        "deep",
        "Answers in wordings never trained (a > 0.6), gains over 0.2 on base and other adapters, and uses the idea in implications (h > 0.4).",
    ),
    Kind(
        "ABSORBED_SHALLOW",
        "absorbed, shallow",
        "◐",
        "good",
        "The same, but implications aren't shown to follow. ONE_WAY: only in the trained direction.",
    ),
    Kind(
        "PARTIAL", "partial", "◔", "part", "Gained over 0.2, but the share of right answers lies between 0.3 and 0.8."
    ),
    Kind(
        "VERBATIM_ONLY",
        "verbatim only",
        "❝",
        "words",
        "Recites the trained wordings (t > 0.6), fails when asked otherwise.",
    ),
    Kind("RESISTED", "resisted", "✕", "wrong", "The base's old wrong answer survives the training."),
    Kind("CONFUSED", "confused", "⇄", "wrong", "Gives another idea's answer."),
    Kind("FALSE_BELIEF", "false belief", "!", "wrong", "Believes a claim that the data negated."),
    Kind("NOT_LEARNED", "not learned", "○", "none", "Few right answers (a < 0.4), and a gain over 0.2 is ruled out."),
    Kind(
        "ALREADY_KNOWN",
        "already known",
        "=",
        "known",
        "The base answered before any training (b > 0.6): nothing to learn here.",
    ),
    Kind(
        "INCONCLUSIVE",
        "inconclusive",
        "?",
        "open",
        "No rule was met with 95% certainty. It needs more probes; it is never rounded up to a success or a failure.",
    ),
    Kind(
        "UNJUDGEABLE",
        "unjudgeable",
        "⊘",
        "open",
        "Fewer than 8 answerable probes, or the base fails even with the passage before it: probe or extraction is at fault, training isn't judged.",
    ),
)

KINDS: dict[str, Kind] = {kind.name: kind for kind in _ALL}
"""By name, in the order in which the report lists them."""

SUCCESSES = ("ABSORBED_DEEP", "ABSORBED_SHALLOW")
"""Verdicts that count as learned, unless the adapter is damaged."""
