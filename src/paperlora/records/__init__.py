"""The words of the house: one frozen record for every arrow between two stages.

Records are plain data. They hold no live client, open no file and import nothing of the project,
so that any process on any machine can read what another one wrote.
"""

from paperlora.records.base import Record, Reject, digest
from paperlora.records.ideas import AnswerKind, Idea, IdeaKind, Quote, Source, Touches
from paperlora.records.judge import AdapterReport, Diagnosis, Interval, Measurement, Rate, Verdict, VerdictKind
from paperlora.records.knowledge import Lesson
from paperlora.records.literature import Document, LeftOut, LeftOutKind, Origin, PageStart, Paper, Section, Topic
from paperlora.records.lora import Adapter, BaseModelId, Checkpoint, Recipe
from paperlora.records.microdata import (
    Decision,
    Example,
    MaskedSpan,
    Message,
    MicroDataset,
    Probe,
    ProbeFamily,
    Replay,
    Review,
)
from paperlora.records.storage import Manifest

__all__ = [
    "Adapter",
    "AdapterReport",
    "AnswerKind",
    "BaseModelId",
    "Checkpoint",
    "Decision",
    "Diagnosis",
    "Document",
    "Example",
    "Idea",
    "IdeaKind",
    "Interval",
    "LeftOut",
    "LeftOutKind",
    "Lesson",
    "Manifest",
    "MaskedSpan",
    "Measurement",
    "Message",
    "MicroDataset",
    "Origin",
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
    "Topic",
    "Touches",
    "Verdict",
    "VerdictKind",
    "digest",
]
