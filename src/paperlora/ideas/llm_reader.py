"""The reader that asks an LLM, section by section. What it proposes passes the same gates as everything else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from pydantic import BaseModel, Field

from paperlora.errors import LlmAnswerInvalid
from paperlora.ideas.drafts import Draft, Drafts
from paperlora.ideas.phrases import QUANTITY
from paperlora.llm.client import LlmClient, Reply
from paperlora.progress import Progress, silent
from paperlora.prompts import Pair, load_pair
from paperlora.records import Document, IdeaKind, Lesson, Paper, Reject, Topic, digest
from paperlora.settings import IdeaSettings

LLM_READER_VERSION = "1"
"""Changes whenever the same document and prompt could be asked otherwise; part of the cache key."""
PROMPT = "ideas"
_LONGEST = 6000
"""Characters of one question: about 1,500 tokens, so that prompt, text and answer fit a window of 8,192."""
_SHORTEST = 200
_SKIPPED = re.compile(
    r"\b(?:references|bibliography|acknowledge?ments?|related work|funding|author contributions|ethics|broader "
    r"impact|checklist)\b",
    re.IGNORECASE,
)
_PER_PASSAGE = 6


class ProposedIdea(BaseModel):
    """One item of the LLM's answer."""

    claim: str
    kind: IdeaKind
    subject: str
    relation: str
    answer: str
    aliases: list[str]
    qwen_change: str
    prediction: str
    quote: str


class ProposedIdeas(BaseModel):
    """The LLM's answer about one passage."""

    ideas: list[ProposedIdea] = Field(max_length=50)


class _Passage(NamedTuple):
    section: int
    heading: str
    text: str


class _Answer(NamedTuple):
    passage: _Passage
    reply: Reply[ProposedIdeas] | None
    failure: LlmAnswerInvalid | None


def extract(
    document: Document,
    paper: Paper,
    topic: Topic,
    lessons: Sequence[Lesson],
    settings: IdeaSettings,
    llm: LlmClient,
    progress: Progress = silent,
) -> Drafts:
    """Drafts of a document; a passage without a usable answer is rejected with the reason, the others go on.

    Raises:
        LlmUnavailable, LlmRefused, BudgetExhausted: nothing more can be asked; answers so far are kept by the client.
    """
    prompt = load_pair(PROMPT)
    passages = _chosen(document, settings.max_sections)
    answers: list[_Answer] = []
    with ThreadPoolExecutor(max_workers=llm.settings.concurrency) as pool:
        for answer in pool.map(lambda passage: _ask(passage, paper, topic, lessons, prompt, llm), passages):
            answers.append(answer)
            progress("sections read", len(answers), len(passages))
    drafts = tuple(draft for answer in answers for draft in _drafts(answer, prompt.hash))
    rejects = tuple(_reject(answer, paper) for answer in answers if answer.failure)
    return Drafts(drafts, rejects, _counts(answers, drafts), {PROMPT: prompt.hash})


def lessons_text(lessons: Sequence[Lesson]) -> str:
    """The lessons as the prompt shows them."""
    standing = [lesson for lesson in lessons if lesson.refuted_by is None]
    return "\n".join(f"- {lesson.advice}: {lesson.text}" for lesson in standing) or "- nothing yet"


def _ask(
    passage: _Passage, paper: Paper, topic: Topic, lessons: Sequence[Lesson], prompt: Pair, llm: LlmClient
) -> _Answer:
    # The mark is drawn from the text itself, so that no paper can carry the line that would end its own quotation.
    mark = f"PAPER-{digest(passage.text)[:12]}"
    user = prompt.user.render(
        title=paper.title,
        topic=topic.name or "unsorted",
        angle=topic.angle or "anything a small model should know",
        lessons=lessons_text(lessons),
        heading=passage.heading or "(no heading)",
        limit=str(_PER_PASSAGE),
        mark=mark,
        text=passage.text,
    )
    try:
        return _Answer(passage, llm.ask(prompt.system.render(), user, ProposedIdeas), None)
    except LlmAnswerInvalid as error:
        return _Answer(passage, None, error)


def _chosen(document: Document, most: int | None) -> list[_Passage]:
    """The passages worth asking about: those of the sections with the most numbers, in the order of the paper."""
    sections = [
        index
        for index, section in enumerate(document.sections)
        if len(section.text) >= _SHORTEST and not _SKIPPED.search(section.heading)
    ]
    if most is not None:
        dense = sorted(sections, key=lambda index: (-len(re.findall(QUANTITY, document.sections[index].text)), index))
        sections = sorted(dense[:most])
    return [
        _Passage(index, document.sections[index].heading, text)
        for index in sections
        for text in _pieces(document.sections[index].text)
    ]


def _pieces(text: str) -> Iterator[str]:
    """A section in pieces at paragraph borders; a single paragraph that is too long is cut between sentences."""
    piece = ""
    for part in re.split(r"(?<=\n\n)", text):
        for bit in (
            [part]
            if len(part) <= _LONGEST
            else re.findall(rf"(?s).{{1,{_LONGEST}}}(?:(?<=[.!?])\s|\Z)|.{{1,{_LONGEST}}}", part)
        ):
            if piece and len(piece) + len(bit) > _LONGEST:
                yield piece.strip()
                piece = ""
            piece += bit
    if piece.strip():
        yield piece.strip()


def _drafts(answer: _Answer, prompt_hash: str) -> Iterator[Draft]:
    for place, item in enumerate(answer.reply.value.ideas if answer.reply else ()):
        yield Draft(
            claim=item.claim,
            kind=item.kind,
            subject=item.subject,
            relation=re.sub(r"^(?:the|an?) ", "", item.relation.strip(), flags=re.IGNORECASE),
            answer=item.answer,
            aliases=tuple(item.aliases),
            qwen_change=item.qwen_change,
            prediction=item.prediction,
            quote_text=item.quote,
            section=answer.passage.section,
            strength=-float(place),  # the model puts its best first; sections count alike
            prompt_hash=prompt_hash,
        )


def _reject(answer: _Answer, paper: Paper) -> Reject:
    assert answer.failure is not None
    detail = f"section {answer.passage.heading!r}: {answer.failure.message}"
    return Reject(stage="distill", item=paper.key, reason=answer.failure.reason, detail=detail)


def _counts(answers: Sequence[_Answer], drafts: Sequence[Draft]) -> dict[str, int]:
    replies = [answer.reply for answer in answers if answer.reply]
    return {
        "sections": len({answer.passage.section for answer in answers}),
        "passages": len(answers),
        "claims": len(drafts),
        "llm_cached": sum(reply.cached for reply in replies),
        "llm_repaired": sum(reply.repaired for reply in replies),
        "input_tokens": sum(reply.usage.input_tokens for reply in replies),
        "output_tokens": sum(reply.usage.output_tokens for reply in replies),
    }
