"""Document → ideas: one of two readers proposes, the same gates decide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from paperlora.errors import SettingsError
from paperlora.ideas import extractive, llm_reader
from paperlora.ideas.gates import avoided_ideas, pass_gates
from paperlora.llm.client import CLIENT_VERSION, LlmClient
from paperlora.progress import Progress, silent
from paperlora.prompts import load_pair
from paperlora.records import Document, Idea, Lesson, Paper, Reject, Topic, digest
from paperlora.settings import Settings
from paperlora.store import slug

GATES_VERSION = "1"
"""Changes whenever the same drafts could pass otherwise; part of the cache key."""


class IdeasFound(NamedTuple):
    """The ideas of one document, best first, and everything that was dropped."""

    ideas: tuple[Idea, ...]
    rejects: tuple[Reject, ...]
    counts: dict[str, int]
    prompts: dict[str, str]
    """Prompt name → hash; empty for the extractive reader."""


def reader_id(settings: Settings) -> str:
    """Who reads: ``extractive/<version>`` or ``llm/<model>``; stands in every idea."""
    return (
        f"extractive/{extractive.EXTRACTIVE_VERSION}"
        if settings.llm.provider == "extractive"
        else f"llm/{settings.llm.model}"
    )


def ideas_key(document_hash: str, paper: Paper, topic: Topic, lessons: Sequence[Lesson], settings: Settings) -> str:
    """Folder name of a document's ideas: equal where everything that decides them is equal, and nowhere else."""
    decisive = (document_hash, paper.key, paper.title, topic.name, *_decisive(paper, topic, lessons, settings))
    return f"{slug(paper.key)}-{digest(*decisive)[:12]}"


def _decisive(paper: Paper, topic: Topic, lessons: Sequence[Lesson], settings: Settings) -> tuple[object, ...]:
    """What else than the document decides: a lesson only counts where it can change the result."""
    avoided = avoided_ideas([lesson for lesson in lessons if lesson.paper in (paper.key, paper.id)])
    common = (reader_id(settings), GATES_VERSION, settings.ideas, sorted(avoided))
    if settings.llm.provider == "extractive":
        return common
    # The topic's other lessons stand in the prompt, but reopen nothing: else every night would ask every paper anew.
    asked = (load_pair(llm_reader.PROMPT).hash, topic.angle, settings.llm.max_tokens)
    return (*common, llm_reader.LLM_READER_VERSION, CLIENT_VERSION, *asked)


def find_ideas(
    document: Document,
    paper: Paper,
    topic: Topic,
    lessons: Sequence[Lesson],
    settings: Settings,
    llm: LlmClient | None,
    progress: Progress = silent,
) -> IdeasFound:
    """Read the ideas out of a document.

    Args:
        lessons: what earlier verdicts taught: they go into the LLM's prompt, and an idea that one advises against is
            rejected.
        llm: needed where the settings name an LLM; None for the extractive reader.

    Raises:
        SettingsError: the settings name an LLM and there is none.
        LlmUnavailable, LlmRefused, BudgetExhausted: the endpoint can't be asked (further).
    """
    limit = settings.ideas.max_per_paper
    if settings.llm.provider == "extractive":
        read = extractive.extract(document, paper, topic, limit)
    elif llm is not None:
        read = llm_reader.extract(document, paper, topic, lessons, settings.ideas, llm, progress)
    else:
        raise SettingsError("The settings name an LLM as the reader, but no client was made for it.")
    passed = pass_gates(read.drafts, document, paper, topic, reader_id(settings), lessons, limit)
    rejects = (*read.rejects, *passed.rejects)
    counts = {**read.counts, "ideas": len(passed.ideas), "quotes_snapped": passed.snapped, "rejects": len(rejects)}
    return IdeasFound(passed.ideas, rejects, counts, read.prompts)
