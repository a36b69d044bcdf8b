"""Leaks by meaning: a row that asks what a probe asks, in other words that mean the same to the base.

Row and probe share the fact, so that all their questions are alike; what is held against each other are the places
that remain once the common part of all questions of the dataset is taken out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from paperlora.records import Message, Probe

if TYPE_CHECKING:
    from torch import Tensor

Embed = Callable[[Sequence[str]], "Tensor"]
"""Texts → one vector each (n × width)."""
MAX_COSINE = 0.88
FAMILIES = ("direct", "reverse")
"""Probes whose question a row could ask in other words."""


class Leak(NamedTuple):
    """Why a text is too close to a probe."""

    probe: str
    """Probe id."""
    detail: str
    reason: str = "probe_leak"


def prompt_text(messages: Iterable[Message]) -> str:
    """What the user says, all turns together."""
    return "\n".join(message.content for message in messages if message.role == "user")


class MeaningGate:
    """The meaning of the probes and of everything that may become a row, computed at once."""

    def __init__(self, embed: Embed, probes: Iterable[Probe], rows: Iterable[str]) -> None:
        """A gate.

        Args:
            embed: the base's embedding.
            probes: of the dataset.
            rows: prompts of every row that may be written; about others the gate says nothing.
        """
        from paperlora.model.embedding import cosines

        held_out = [probe for probe in probes if probe.family in FAMILIES]
        prompts = list(dict.fromkeys(rows))
        texts = [*prompts, *(prompt_text(probe.messages) for probe in held_out)]
        vectors = embed(texts) if prompts and held_out else None
        self._probes = [probe.id for probe in held_out]
        self._near = (
            {}
            if vectors is None
            else dict(zip(prompts, cosines(vectors[: len(prompts)], vectors[len(prompts) :]).tolist(), strict=True))
        )

    def leak(self, prompt: str, asked: frozenset[str]) -> Leak | None:
        """The nearest probe among those asked, where it is too near."""
        near = [
            (cosine, probe)
            for cosine, probe in zip(self._near.get(prompt, ()), self._probes, strict=False)
            if probe in asked
        ]
        cosine, probe = max(near, default=(0.0, ""))
        return Leak(probe, f"cosine {cosine:.2f} of meaning", "probe_leak_meaning") if cosine >= MAX_COSINE else None
