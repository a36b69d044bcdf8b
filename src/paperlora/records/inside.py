"""What adapters look like inside, and what they do to each other."""

from __future__ import annotations

from typing import Literal

from paperlora.records.base import Record
from paperlora.records.judge import Diagnosis
from paperlora.records.rates import Interval, Rate


class LayerGeometry(Record):
    """ΔW of one adapted linear layer."""

    layer: int
    module: str
    """``q_proj``, ``down_proj`` …"""
    relative_norm: float
    """‖ΔW‖_F / ‖W‖_F."""
    singular_values: tuple[float, ...]
    """Of ΔW, largest first; as many as its rank."""
    effective_rank: float
    """exp(H(σ² / Σσ²)), 1 to the rank."""
    intruders: int | None = None
    """Of the ten largest left singular vectors of W + ΔW, those without a like among all of W's (largest |cosine| below
    .5; 2410.21228); None where they weren't looked for."""


class NormsAt(Record):
    """How far every layer had moved at one point of the dose curve."""

    step: int
    relative: dict[str, float]
    """``<layer>.<module>``, such as ``12.q_proj`` → ‖ΔW‖_F / ‖W‖_F."""


class AdapterGeometry(Record):
    """All layers of one adapter."""

    adapter: str
    relative_norm: float
    """√Σ‖ΔW‖² / √Σ‖W‖² over the adapted layers."""
    effective_rank: float
    """Mean over the layers, weighted by ‖ΔW‖²."""
    intruders: int | None = None
    """Over the layers in which they were looked for."""
    layers: tuple[LayerGeometry, ...]
    course: tuple[NormsAt, ...] = ()
    """Point by point while it was trained; empty where its training left no norms."""


class Overlap(Record):
    """How far two adapters change the same weights in the same way."""

    left: str
    right: str
    cosine: float
    """⟨ΔWᵢ, ΔWⱼ⟩ / (‖ΔWᵢ‖ ‖ΔWⱼ‖) over all layers, −1 to 1."""


class CrossProbe(Record):
    """One adapter on the direct probes of another one's ideas."""

    adapter: str
    of: str
    """The adapter whose ideas are asked."""
    relation: Literal["own", "nearest", "random"]
    base: Rate
    adapted: Rate
    change: Interval
    """adapter − base: the behavioural interference M_ij. Its bounds are those of these ideas: probes are drawn, ideas are not."""
    margin_change: float | None = None
    """How much further the right answer lies above the best wrong one than with the base (nats a token, mean over the
    probes that were weighed): it moves long before an answer flips. None where none was weighed."""
    weighed: int = 0
    """Probes under it."""


class Correlation(Record):
    """Whether a picture of the weights says anything about behaviour; nil is an answer, too."""

    name: str
    """What against what, such as ``overlap / interference``."""
    pairs: int
    value: float
    """Spearman's ρ; of ``prior / resistance`` the AUC, for which ½ is nil."""
    low: float
    high: float
    """Its 95% interval by resampling adapters (ideas, for the AUC)."""
    p_value: float
    """By permuting adapters (Mantel's test), or the ideas' priors."""


class PriorBin(Record):
    """What became of ideas whose wrong belief was about equally strong before training."""

    low: float
    high: float
    """Likelihood a token of what the base said instead of the truth; the upper end belongs to the next bin."""
    absorbed: Rate
    """Verdicts ABSORBED among those that are absorbed, RESISTED or NOT_LEARNED."""
    resisted: int
    not_learned: int


class GridCell(Record):
    """Right answers by two properties of a question."""

    adapter: str
    grid: Literal["position", "template", "option_order"]
    row: str
    """Position: where the fact stood in its row's text (first, middle, last). Template: form trained on. Option order:
    the letter of the gold."""
    column: str
    """Position: probe form. Template: form asked. Option order: the letter that came."""
    right: int
    asked: int


class ScalePoint(Record):
    """An idea whose old answer survives, in its adapter at another strength."""

    adapter: str
    idea: str
    gamma: float
    """ΔW is multiplied with it; 1 is the adapter as it was trained."""
    direct: Rate
    old: Rate
    """The old answer on the same probes."""
    known: Rate
    """Guard: of the facts of a small pool that the base knows, those that are still known."""
    nll_drift: float
    """Guard: nats a token on unrelated text, over the base's."""
    harmless: bool
    """Neither guard is out of bounds."""


class DosePoint(Record):
    """An idea at the checkpoint at which its dev margin was highest."""

    adapter: str
    idea: str
    step: int
    direct: Rate
    trained_form: Rate


class Kept(Record):
    """What a merge keeps of one of its adapters."""

    adapter: str
    alone: Rate
    """Direct probes of its ideas, served singly."""
    merged: Rate
    """The same probes, asked of the merge."""
    base: Rate
    keeps: Interval
    """merged − alone, on these ideas: probes are drawn, ideas are not."""


MergeMethod = Literal[
    "linear", "cat", "ties", "dare_linear", "dare_ties", "svd", "ties_svd", "dare_linear_svd", "dare_ties_svd"
]
"""peft's names. ``linear``, ``ties`` and ``dare_…`` work on the entries of A and B; ``cat`` is the exact sum of the ΔW;
``…_svd`` work on the ΔW and cut the result to the largest rank."""


class Merge(Record):
    """Several adapters in one."""

    id: str
    method: MergeMethod
    weights: tuple[float, ...]
    density: float | None = None
    """Share of the entries that are kept (TIES, DARE)."""
    adapters: tuple[str, ...]
    folder: str = ""
    """Where the merged peft adapter lies, relative to the merge's folder."""
    kept: tuple[Kept, ...]
    damage: dict[str, float]
    damaged: bool = False
    seed: int = 0
    """Of what DARE drops."""
    rank: int = 0
    diagnoses: tuple[Diagnosis, ...] = ()
    """One for each idea that answers right singly and is lost in the merge: another adapter's answer comes, or neither."""
