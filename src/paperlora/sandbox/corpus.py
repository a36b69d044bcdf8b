"""The sandbox's papers: invented techniques with invented numbers, so that no model can know them.

Among them: Tidal Replay in two versions that differ in one number; Phantom Warmup, withdrawn by its second version;
Lantern Anchoring, Copper Sieve and others that stand in both sources; Marble Annealing, which Semantic Scholar alone
has; Harbour Sampling with hidden text that gives orders to its reader; Cinder Routing, whose PDF is broken; and two
papers that contradict each other about Ember Distillation.
"""

from __future__ import annotations

from paperlora.records import Topic
from paperlora.sandbox import papers_data, papers_forgetting, papers_schedules, papers_teachers
from paperlora.sandbox.paper import Block, Fact, PaperSection, SandboxPaper

__all__ = ["PAPERS", "TOPICS", "Block", "Fact", "PaperSection", "SandboxPaper"]

PAPERS: tuple[SandboxPaper, ...] = (
    papers_forgetting.TIDAL_REPLAY_V1,
    papers_forgetting.TIDAL_REPLAY,
    papers_forgetting.LANTERN_ANCHORING,
    papers_data.COPPER_SIEVE,
    papers_data.WILLOW_CURRICULUM,
    papers_data.HARBOUR_SAMPLING,
    papers_teachers.EMBER_DISTILLATION,
    papers_teachers.EMBER_REPLICATION,
    papers_schedules.PHANTOM_WARMUP_V1,
    papers_schedules.PHANTOM_WARMUP,
    papers_teachers.CINDER_ROUTING,
    papers_teachers.QUARTZ_DECODING,
    papers_schedules.SAFFRON_MERGING,
    papers_schedules.MARBLE_ANNEALING,
)
"""Every version of every paper: twelve papers, two of them in two versions."""

TOPICS: tuple[Topic, ...] = (
    Topic(
        name="fine-tuning without forgetting",
        angle="schedules and constraints that keep old knowledge at almost no cost",
        arxiv='abs:forgetting OR ti:"fine-tuning" OR ti:"fine-tuned"',
        semantic_scholar='forgetting | "fine-tuning"',
    ),
    Topic(
        name="choosing training data",
        angle="signals cheaper than a large judge that tell which examples are worth their tokens",
        arxiv="ti:data AND (abs:selection OR abs:sieve OR abs:curriculum OR abs:sampling)",
        semantic_scholar="data + (sieve | curriculum | sampling)",
    ),
    Topic(
        name="distillation and decoding",
        angle="what a small model can take from a large one, or from its own probabilities",
        arxiv="all:distillation OR all:decoding",
        semantic_scholar="distillation | decoding",
    ),
)
"""Topics whose queries together find every paper."""
