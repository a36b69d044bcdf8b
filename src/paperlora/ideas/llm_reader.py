"""The reader that asks an LLM, section by section. What it proposes passes the same gates as everything else."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated, NamedTuple, get_args

from pydantic import BaseModel, BeforeValidator, Field

from paperlora.errors import LlmAnswerInvalid
from paperlora.ideas.asking import Answer, Spent, ask_all, spent
from paperlora.ideas.drafts import Draft, Drafts
from paperlora.ideas.injection import addresses_reader, plain_text
from paperlora.ideas.passages import WITHHELD, Chosen, Passage, choose, halves
from paperlora.llm.client import LlmClient, Question, Reply
from paperlora.progress import Progress, silent
from paperlora.prompts import Pair, load_pair
from paperlora.records import Document, IdeaKind, Lesson, Paper, Reject, Topic, Touches, digest
from paperlora.settings import Settings

LLM_READER_VERSION = "2"
"""Changes whenever the same document and prompt could be asked otherwise; part of the cache key."""
PROMPT = "ideas"
CHARACTERS_AN_IDEA = 500
"""One idea at most for this much text: more would be scraps of sentences."""
TOKENS_AN_IDEA = 260
"""Of an answer; a longer list would be cut off at ``llm.max_tokens``."""
_CHAT_MARKS = re.compile(r"<(?=\||/?think|/?tool|/?system|/?assistant|/?user|s>|/s>)|\[(?=/?INST)|<(?=</?SYS)", re.I)


def _known_changes(value: object) -> object:
    # A word of the model's own invention must not cost the whole passage its answer.
    return [one for one in value if one in get_args(Touches)] if isinstance(value, list) else value


class ProposedIdea(BaseModel):
    """One item of the LLM's answer."""

    claim: str
    kind: IdeaKind
    subject: str
    relation: str
    answer: str
    aliases: list[str]
    mechanism: str = ""
    changes: Annotated[list[Touches], BeforeValidator(_known_changes)] = []
    qwen_change: str
    prediction: str
    limits: str = ""
    quote: str


class ProposedIdeas(BaseModel):
    """The LLM's answer about one passage."""

    ideas: list[ProposedIdea] = Field(max_length=50)


class Job(NamedTuple):
    """One paper to read."""

    document: Document
    paper: Paper
    topic: Topic
    lessons: Sequence[Lesson] = ()
    """What earlier verdicts taught about the topic."""


class _Part(NamedTuple):
    """A passage, or a half of one that could not be read whole."""

    job: int
    passage: int
    """Index into the passages of its paper."""
    text: Passage


class _Read(NamedTuple):
    part: _Part
    answer: Answer


def extract(jobs: Sequence[Job], settings: Settings, llm: LlmClient, progress: Progress = silent) -> tuple[Drafts, ...]:
    """Drafts of every paper, all passages of all papers in one go.

    A passage without a usable answer is asked again in two halves; what fails then is rejected with its reason.

    Raises:
        LlmUnavailable, LlmRefused, BudgetExhausted: nothing more can be asked; answers so far are kept by the client.
    """
    prompt = load_pair(PROMPT)
    chosen = [choose(job.document, settings.ideas.max_sections) for job in jobs]
    parts = [_Part(n, m, passage) for n, one in enumerate(chosen) for m, passage in enumerate(one.passages)]
    read = _ask(parts, jobs, settings, prompt, llm, progress)
    failed = [one.part for one in read if isinstance(one.answer, LlmAnswerInvalid)]
    again = [part._replace(text=half) for part in failed for half in halves(part.text)]
    cut = {(part.job, part.passage) for part in again}
    # What is asked again in halves has not failed yet: only a half that fails, too, costs its passage a reject.
    kept = [one for one in read if isinstance(one.answer, Reply) or (one.part.job, one.part.passage) not in cut]
    kept += _ask(again, jobs, settings, prompt, llm, silent)
    questions = Counter(part.job for part in (*parts, *again))
    return tuple(
        _drafts(job, chosen[n], [one for one in kept if one.part.job == n], questions[n], prompt)
        for n, job in enumerate(jobs)
    )


def questions(jobs: Sequence[Job], settings: Settings) -> Iterator[Question]:
    """The questions of a first reading, for an estimate of requests and money before it begins."""
    prompt = load_pair(PROMPT)
    for job in jobs:
        for passage in choose(job.document, settings.ideas.max_sections).passages:
            yield _question(passage, job, settings, prompt)


def lessons_text(lessons: Sequence[Lesson]) -> str:
    """The lessons as the prompt shows them."""
    standing = [lesson for lesson in lessons if lesson.refuted_by is None]
    return "\n".join(f"- {lesson.advice}: {lesson.text}" for lesson in standing) or "- nothing yet"


def fence(text: str) -> str:
    """The mark between which a text is quoted: drawn from the text itself, so that none can carry its own."""
    return f"PAPER-{digest(text)[:12]}"


def defused(text: str) -> str:
    """The text with chat marks parted by a blank: a server would take ``<|im_start|>`` in it for a new turn."""
    return _CHAT_MARKS.sub(lambda match: f"{match[0]} ", text)


def _ask(
    parts: Sequence[_Part], jobs: Sequence[Job], settings: Settings, prompt: Pair, llm: LlmClient, progress: Progress
) -> list[_Read]:
    asked = [_question(part.text, jobs[part.job], settings, prompt) for part in parts]
    answers = ask_all(llm, asked, "passages read", progress)
    return [_Read(part, answer) for part, answer in zip(parts, answers, strict=True)]


def _question(passage: Passage, job: Job, settings: Settings, prompt: Pair) -> Question:
    text = defused(passage.text)
    most = min(1 + len(text) // CHARACTERS_AN_IDEA, max(1, settings.llm.max_tokens // TOKENS_AN_IDEA))
    user = prompt.user.render(
        topic=job.topic.name or "unsorted",
        angle=job.topic.angle or "anything a small model should know",
        lessons=lessons_text(job.lessons),
        limit=str(most),
        mark=fence(text),
        title=_one_line(job.paper.title),
        heading=_one_line(passage.heading) or "(no heading)",
        text=text,
    )
    return Question(prompt.system.render(), user, ProposedIdeas, tag=job.paper.key)


def _one_line(text: str) -> str:
    plain = plain_text(text)
    return WITHHELD if addresses_reader(plain) else defused(plain)


def _drafts(job: Job, chosen: Chosen, read: Sequence[_Read], asked: int, prompt: Pair) -> Drafts:
    drafts = tuple(draft for one in read for draft in _proposed(one, prompt.hash))
    failures: dict[int, LlmAnswerInvalid] = {}
    for one in read:
        if isinstance(one.answer, LlmAnswerInvalid):
            failures.setdefault(one.part.passage, one.answer)
    missed = Counter(chosen.passages[passage].section for passage in failures)
    sections = tuple(one._replace(failed=missed[n]) for n, one in enumerate(chosen.sections))
    rejects = (
        *(_hidden(job, chosen, n) for n in range(len(chosen.hidden))),
        *(_failed(job, chosen.passages[passage], error) for passage, error in failures.items()),
    )
    cost = spent([one.answer for one in read])._replace(asked=asked)
    return Drafts(drafts, rejects, _counts(chosen, cost, drafts), {PROMPT: prompt.hash}, sections)


def _proposed(read: _Read, prompt_hash: str) -> Iterator[Draft]:
    items = read.answer.value.ideas if isinstance(read.answer, Reply) else ()
    for place, item in enumerate(items):
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
            section=read.part.text.section,
            strength=-float(place),  # the model puts its best first; passages count alike
            prompt_hash=prompt_hash,
            mechanism=item.mechanism,
            limits=item.limits,
            changes=tuple(dict.fromkeys(item.changes)),
        )


def _hidden(job: Job, chosen: Chosen, number: int) -> Reject:
    hidden = chosen.hidden[number]
    heading = job.document.sections[hidden.section].heading
    detail = f"section {heading!r}, not shown to the reader: {' '.join(hidden.text.split())[:200]}"
    return Reject(stage="distill", item=job.paper.key, reason="injected", detail=detail)


def _failed(job: Job, passage: Passage, error: LlmAnswerInvalid) -> Reject:
    detail = f"section {passage.heading!r}: {error.message}"
    return Reject(stage="distill", item=job.paper.key, reason=error.reason, detail=detail)


def _counts(chosen: Chosen, cost: Spent, drafts: Sequence[Draft]) -> dict[str, int]:
    return {
        "sections": len({passage.section for passage in chosen.passages}),
        "passages": len(chosen.passages),
        "questions": cost.asked,
        "claims": len(drafts),
        "llm_cached": cost.cached,
        "llm_repaired": cost.repaired,
        "input_tokens": cost.input_tokens,
        "output_tokens": cost.output_tokens,
    }
