"""All pictures of a report in the order in which they are shown. A picture without data is left out, and not faked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from paperlora.report import agreement, beliefs, damage, figures, forest, grids, layers, matrices, outcomes, sankey
from paperlora.report.picture import Picture
from paperlora.report.views import AdapterView, Index, VerdictView


class Gallery(NamedTuple):
    """Pictures by the section they stand in."""

    change: tuple[Picture, ...]
    """What became of the ideas."""
    broke: tuple[Picture, ...]
    """What the adapters broke, and what they do to each other."""
    inside: tuple[Picture, ...]
    """The weights."""
    asked: tuple[Picture, ...]
    """How it depends on the question."""
    tried: tuple[Picture, ...]
    """Other seeds, strengths, merges, what was predicted, and whether an LLM was believed."""

    def further(self) -> list[tuple[str, str]]:
        """Anchor and short name of the sections that there are beside the first one."""
        named = (
            ("broke", "Damage", self.broke),
            ("inside", "Inside", self.inside),
            ("questions", "Questions", self.asked),
            ("tried", "Predictions, seeds, merges", self.tried),
        )
        return [(anchor, name) for anchor, name, found in named if found]


def gallery(index: Index, verdicts: Sequence[VerdictView], adapters: Sequence[AdapterView]) -> Gallery:
    """Every picture for which there are data."""
    beside = matrices.beside(index)
    crossed = beside if index.data.cross else (figures.interference(index), *beside)
    return Gallery(
        change=_there(sankey.flows(index.data.verdicts), forest.forest(verdicts), damage.gain_against_damage(adapters, index)),
        broke=_there(damage.checks(index), *crossed),
        inside=layers.geometry_pictures(index),
        asked=grids.grid_pictures(index.data.grids),
        tried=_there(outcomes.predictions(index), outcomes.seeds(index), outcomes.scales(index), beliefs.peaks(index), beliefs.priors(index), *outcomes.merges(index), agreement.agreement(index)),
    )


def _there(*pictures: Picture | None) -> tuple[Picture, ...]:
    return tuple(picture for picture in pictures if picture is not None)
