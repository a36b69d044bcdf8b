"""The sandbox's papers: invented techniques with invented numbers, so that no model can know them.

Among them: Tidal Replay in two versions that differ in one number; Phantom Warmup, withdrawn; Lantern Anchoring and
others in both sources, Marble Annealing in Semantic Scholar alone.
"""

from __future__ import annotations

from paperlora.records import Topic
from paperlora.sandbox import papers_forgetting
from paperlora.sandbox.paper import Block, Fact, PaperSection, SandboxPaper

__all__ = ["PAPERS", "TOPICS", "Block", "Fact", "PaperSection", "SandboxPaper"]

PAPERS: tuple[SandboxPaper, ...] = (
    papers_forgetting.TIDAL_REPLAY_V1,
    papers_forgetting.TIDAL_REPLAY,
    papers_forgetting.LANTERN_ANCHORING,
    papers_forgetting.PHANTOM_WARMUP_V1,
    papers_forgetting.PHANTOM_WARMUP,
    papers_forgetting.SAFFRON_MERGING,
    papers_forgetting.MARBLE_ANNEALING,
)
"""Every version of every paper."""

TOPICS: tuple[Topic, ...] = (
    Topic(
        name="fine-tuning without forgetting",
        angle="schedules and constraints that keep old knowledge at almost no cost",
        arxiv='all:"fine-tuning" OR abs:forgetting',
        semantic_scholar='"fine-tuning" | forgetting',
    ),
)
