"""The sandbox's planted facts as ideas of their papers, for the tests of micro-datasets."""

from __future__ import annotations

from collections.abc import Sequence

from paperlora.records import AnswerKind, Idea, Paper, Quote, digest
from paperlora.sandbox.corpus import PAPERS
from paperlora.sandbox.paper import Fact, SandboxPaper


def key_of(source: SandboxPaper) -> str:
    return f"arxiv:{source.arxiv_id}v{source.version}" if source.arxiv_id else f"s2:{source.s2_id}v1"


def paper_of(source: SandboxPaper) -> Paper:
    return Paper(
        id=key_of(source).rsplit("v", 1)[0], version=source.version, title=source.title, abstract=source.abstract,
        authors=source.authors, licence=source.licence, topics=("replay",),
    )  # fmt: skip


def text_of(source: SandboxPaper) -> str:
    return "\n".join(block.text for section in source.sections for block in section.blocks)


def idea_of(fact: Fact, paper: str, **changes: object) -> Idea:
    has_digit = any(char.isdigit() for char in fact.answer)
    kind: AnswerKind = "number" if has_digit else "name" if fact.answer[:1].isupper() else "phrase"
    place = Quote(section=1, heading="2 Method", page=2, start=0, end=len(fact.sentence), text=fact.sentence)
    idea = Idea(
        id=digest(paper, fact.subject, fact.relation, fact.answer)[:16], paper=paper, topic="replay",
        reader="extractive/1", kind="finding", claim=fact.sentence, subject=fact.subject, relation=fact.relation,
        answer=fact.answer, answer_kind=kind, qwen_change="Its data mix.", prediction="It rises.", quotes=(place,),
    )  # fmt: skip
    return idea.model_copy(update=changes)


def ideas_of(source: SandboxPaper) -> tuple[Idea, ...]:
    return tuple(idea_of(fact, key_of(source)) for fact in source.facts)


def sources() -> tuple[SandboxPaper, ...]:
    """Every version of every paper that has facts."""
    return tuple(source for source in PAPERS if source.facts)


def all_ideas(chosen: Sequence[SandboxPaper]) -> tuple[Idea, ...]:
    return tuple({idea.id: idea for source in chosen for idea in ideas_of(source)}.values())
