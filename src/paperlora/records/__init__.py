"""The words of the house: one frozen record for every arrow between two stages.

Records are plain data. They hold no live client, open no file and import nothing of the project,
so that any process on any machine can read what another one wrote.
"""

from paperlora.records.base import Record, Reject, digest
from paperlora.records.ideas import AnswerKind, Idea, IdeaKind, Quote, Source, Touches
from paperlora.records.inside import (
    AdapterGeometry,
    Correlation,
    CrossProbe,
    GridCell,
    Kept,
    LayerGeometry,
    Merge,
    Overlap,
)
from paperlora.records.judge import (
    AdapterReport,
    DamageCheck,
    Diagnosis,
    Measurement,
    Stability,
    Verdict,
    VerdictKind,
    Why,
)
from paperlora.records.knowledge import Lesson
from paperlora.records.literature import Document, LeftOut, LeftOutKind, Origin, PageStart, Paper, Section, Topic
from paperlora.records.lora import Adapter, BaseModelId, Checkpoint, Recipe
from paperlora.records.microdata import (
    Decision,
    Example,
    KnowledgeState,
    KnowledgeStateKind,
    MaskedSpan,
    Message,
    MicroDataset,
    Probe,
    ProbeFamily,
    Replay,
    Review,
)
from paperlora.records.rates import Interval, Rate
from paperlora.records.storage import Manifest

__all__ = [
    "Adapter",
    "AdapterGeometry",
    "AdapterReport",
    "AnswerKind",
    "BaseModelId",
    "Checkpoint",
    "Correlation",
    "CrossProbe",
    "DamageCheck",
    "Decision",
    "Diagnosis",
    "Document",
    "Example",
    "GridCell",
    "Idea",
    "IdeaKind",
    "Interval",
    "Kept",
    "KnowledgeState",
    "KnowledgeStateKind",
    "LayerGeometry",
    "LeftOut",
    "LeftOutKind",
    "Lesson",
    "Manifest",
    "MaskedSpan",
    "Measurement",
    "Merge",
    "Message",
    "MicroDataset",
    "Origin",
    "Overlap",
    "PageStart",
    "Paper",
    "Probe",
    "ProbeFamily",
    "Quote",
    "Rate",
    "Recipe",
    "Record",
    "Reject",
    "Replay",
    "Review",
    "Section",
    "Source",
    "Stability",
    "Topic",
    "Touches",
    "Verdict",
    "VerdictKind",
    "Why",
    "digest",
]
