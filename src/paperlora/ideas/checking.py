"""The second reading: does the evidence say what the claim says? Every idea is asked about beside its source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from pydantic import BaseModel, Field

from paperlora.ideas.asking import Spent, ask_all, spent
from paperlora.ideas.grounding import around
from paperlora.ideas.injection import plain_text
from paperlora.ideas.llm_reader import defused, fence
from paperlora.llm.client import LlmClient, Question, Reply
from paperlora.progress import Progress, silent
from paperlora.prompts import Pair, load_pair
from paperlora.records import Document, Idea, Reject

PROMPT = "check"
TOGETHER = 6
"""Ideas a question: claims and sources of six fill about half a window of 8,192 tokens at most."""

_REASONS = {"not": "not_entailed", "order": "injected"}


class Check(BaseModel):
    """What the second reading says of one idea."""

    number: int
    verdict: Literal["entailed", "partly", "not", "order"]
    """``order``: the evidence speaks to a reader instead of stating something."""
    why: str = ""


class Checks(BaseModel):
    """The LLM's answer about several ideas."""

    checks: list[Check] = Field(max_length=50)


class Candidate(NamedTuple):
    """An idea before its second reading."""

    document: Document
    idea: Idea


class Checked(NamedTuple):
    """The ideas of one paper that their evidence supports."""

    ideas: tuple[Idea, ...]
    rejects: tuple[Reject, ...]


class Opinions(NamedTuple):
    """What the second reading found."""

    of: Mapping[str, Check]
    """Idea id → what was said of it; an idea about which nothing usable came is missing."""
    cost: Mapping[str, Spent]
    """Paper key → what its questions came to."""
    prompt: Pair


def second_reading(candidates: Sequence[Candidate], llm: LlmClient, progress: Progress = silent) -> Opinions:
    """Ask about every idea; one that a shared answer leaves out is asked about alone.

    Raises:
        LlmUnavailable, LlmRefused, BudgetExhausted: nothing more can be asked; answers so far are kept by the client.
    """
    prompt = load_pair(PROMPT)
    found: dict[str, Check] = {}
    cost: dict[str, Spent] = {}
    for groups in (list(_groups(candidates)), [[one] for one in candidates]):
        left = [group for group in groups if not all(one.idea.id in found for one in group)]
        answers = ask_all(llm, [_question(group, prompt) for group in left], "ideas checked", progress)
        for group, answer in zip(left, answers, strict=True):
            key = group[0].idea.paper
            cost[key] = cost.get(key, Spent(0, 0, 0, 0, 0)).plus(spent([answer]))
            found |= _by_idea(group, answer.value) if isinstance(answer, Reply) else {}
    return Opinions(found, cost, prompt)


def supported(ideas: Sequence[Idea], opinions: Mapping[str, Check]) -> Checked:
    """The ideas that stand, each with how far its evidence carries it."""
    kept: list[Idea] = []
    rejects: list[Reject] = []
    for idea in ideas:
        check = opinions.get(idea.id)
        if check is not None and check.verdict in ("entailed", "partly"):
            kept.append(idea.model_copy(update={"support": check.verdict}))
            continue
        said = "no usable answer to the second reading" if check is None else plain_text(check.why)[:200]
        reason = "check_failed" if check is None else _REASONS[check.verdict]
        detail = " | ".join((idea.subject, idea.relation, idea.answer, said, idea.quotes[0].text[:200]))
        rejects.append(Reject(stage="distill", item=idea.paper, reason=reason, detail=detail))
    return Checked(tuple(kept), tuple(rejects))


def _groups(candidates: Sequence[Candidate]) -> Iterator[list[Candidate]]:
    by_paper: dict[str, list[Candidate]] = {}
    for one in candidates:
        by_paper.setdefault(one.idea.paper, []).append(one)
    for mine in by_paper.values():
        yield from (mine[start : start + TOGETHER] for start in range(0, len(mine), TOGETHER))


def _question(group: Sequence[Candidate], prompt: Pair) -> Question:
    items = "\n\n".join(_item(number, one) for number, one in enumerate(group, start=1))
    user = prompt.user.render(count=str(len(group)), mark=fence(items), items=items)
    return Question(prompt.system.render(), user, Checks, tag=group[0].idea.paper)


def _item(number: int, candidate: Candidate) -> str:
    idea = candidate.idea
    lines = (
        f"Item {number}",
        f"Claim: {idea.claim}",
        f"Question: What is the {idea.relation} of {idea.subject}?",
        f"Answer: {idea.answer}",
        f"Evidence: {idea.quotes[0].text}",
        f"Source: {around(candidate.document, idea.quotes[0])}",
    )
    # One line each: no text of the paper can begin a line, and so no item, of its own.
    return "\n".join(defused(plain_text(line)) for line in lines)


def _by_idea(group: Sequence[Candidate], answer: Checks) -> dict[str, Check]:
    """Two different verdicts on one item are no answer."""
    found: dict[str, Check] = {}
    for number, one in enumerate(group, start=1):
        said = [check for check in answer.checks if check.number == number]
        if said and all(check.verdict == said[0].verdict for check in said):
            found[one.idea.id] = said[0]
    return found
