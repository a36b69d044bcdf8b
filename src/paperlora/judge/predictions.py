"""Predictions: what a diagnosis says will move, as a sentence and for a program, and whether it came true.

A sentence and its check are made from the same numbers, so that they can't say different things.
"""

from __future__ import annotations

from typing import NamedTuple, Self

from paperlora.judge.posterior import Count
from paperlora.records import AdapterReport, Measure, Prediction, Rate, Verdict

ROUNDING = 1e-9
"""A share that was predicted as 5 of 6 and comes as 10 of 12 keeps its bound."""


class Expected(NamedTuple):
    """What will be seen if a cause is right."""

    sentence: str
    checks: tuple[Prediction, ...] = ()

    def also(self, other: Expected) -> Self:
        """Both together."""
        return self._replace(sentence=f"{self.sentence}, and {other.sentence}", checks=(*self.checks, *other.checks))


class Mover(NamedTuple):
    """A family of probes of one idea, as it stands now."""

    idea: str
    measure: Measure
    label: str
    """In the plural: “direct probes”."""
    now: Count

    def rises(self, share: float) -> Expected:
        """To at least this share."""
        if not self.now.asked:
            return Expected(f"{self.label} come right in at least {share:.0%}", (self._check("at_least", share),))
        text = f"{self.label} rise from {self.now} to at least {of(self.now, share)}"
        return Expected(text, (self._check("at_least", share),))

    def stays(self, share: float) -> Expected:
        """At this share or more."""
        return Expected(f"{self.label} stay at {of(self.now, share)} or more", (self._check("at_least", share),))

    def falls(self, share: float) -> Expected:
        """To at most this share."""
        text = f"{self.label} falls from {self.now} to at most {of(self.now, share)}"
        return Expected(text, (self._check("at_most", share),))

    def _check(self, bound: str, share: float) -> Prediction:
        asked = int(self.now.asked)
        value = round(share * asked) / asked if asked else share
        return Prediction.model_validate(
            {"measure": self.measure, "idea": self.idea, "bound": bound, "value": value, "asked": asked}
        )


def of(count: Count, share: float) -> str:
    """So many of the probes asked: “5 of 6”."""
    return f"{share * count.asked:.0f} of {count.asked:g}"


def score_prediction(prediction: Prediction, verdict: Verdict, report: AdapterReport) -> bool | None:
    """Whether a prediction came true.

    Args:
        prediction: written at an earlier verdict of the same idea.
        verdict: the one after the action was taken.
        report: of the adapter of that verdict.

    Returns:
        None where its measure was not taken, so that nothing is known.

    Raises:
        ValueError: the verdict is about another idea.
    """
    if verdict.idea != prediction.idea:
        raise ValueError(f"A prediction about {prediction.idea} can't be scored on a verdict about {verdict.idea}.")
    found = realised(prediction.measure, verdict, report)
    if found is None:
        return None
    if prediction.bound == "at_least":
        return found >= prediction.value - ROUNDING
    return found <= prediction.value + ROUNDING


def realised(measure: Measure, verdict: Verdict, report: AdapterReport) -> float | None:
    """The measure as it stands in a verdict: a share of the probes, a width, or a damage measure."""
    if measure == "direct_width":
        return verdict.adapted.high - verdict.adapted.low if verdict.adapted.asked else None
    if measure in report.damage:
        return report.damage[measure]
    if measure in ("confused", "false_belief"):
        return _absent_is_nil(getattr(verdict, measure), verdict)
    found = verdict.adapted if measure == "direct" else getattr(verdict, measure, None)
    return found.share if isinstance(found, Rate) and found.asked else None


def _absent_is_nil(found: Rate | None, verdict: Verdict) -> float | None:
    """No other idea's answer, and no denied one, was seen on the probes that were asked: that is a share of 0."""
    if found is not None and found.asked:
        return found.share
    return 0.0 if verdict.adapted.asked else None
