"""Gates between a draft and an idea: what isn't grounded, clear or new is rejected with a countable reason."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from paperlora.ideas.answers import aliases, answer_kind, same_answer
from paperlora.ideas.conflicts import fold
from paperlora.ideas.drafts import Draft
from paperlora.ideas.grounding import Located, contains, locate, mentions, verbatim
from paperlora.records import Document, Idea, Lesson, Paper, Reject, Topic, digest

LONGEST_ANSWER = 8
"""Words. A longer answer can't be scored exactly."""


class Passed(NamedTuple):
    """Ideas that passed, and what did not."""

    ideas: tuple[Idea, ...]
    rejects: tuple[Reject, ...]
    snapped: int
    """Quotes that were near misses and were replaced by the real sentence."""


class _Grounded(NamedTuple):
    draft: Draft
    located: Located
    idea: Idea


def pass_gates(
    drafts: Sequence[Draft],
    document: Document,
    paper: Paper,
    topic: Topic,
    reader: str,
    lessons: Sequence[Lesson],
    limit: int,
) -> Passed:
    """Make ideas of drafts, strongest first."""
    rejects: list[Reject] = []
    grounded: list[_Grounded] = []
    for draft in sorted(drafts, key=lambda draft: -draft.strength):
        result = _ground(draft, document, paper, topic, reader)
        grounded.append(result) if isinstance(result, _Grounded) else rejects.append(result)
    ideas = _specific(_merged(_clear(grounded, paper, rejects)), paper, rejects)
    ideas = _without(ideas, avoided_ideas(lessons), paper, rejects)
    for idea in ideas[limit:]:
        rejects.append(_reject(paper, "over_limit", idea.subject, idea.relation, idea.answer))
    kept = ideas[:limit]
    return Passed(tuple(kept), tuple(rejects), sum(not one.located.exact for one in grounded))


def avoided_ideas(lessons: Iterable[Lesson]) -> set[str]:
    """Ids of ideas that a standing lesson says not to teach again."""
    return {
        lesson.idea
        for lesson in lessons
        if lesson.refuted_by is None and (lesson.advice in ("avoid", "skip") or lesson.kind == "ALREADY_KNOWN")
    }


def _reject(paper: Paper, reason: str, *detail: str) -> Reject:
    return Reject(stage="distill", item=paper.key, reason=reason, detail=" | ".join(detail))


def _ground(draft: Draft, document: Document, paper: Paper, topic: Topic, reader: str) -> _Grounded | Reject:
    reason = _unfit(draft, document)
    if reason:
        return _reject(paper, reason, draft.subject, draft.relation, draft.answer, draft.quote_text[:200])
    located = Located(draft.quote, True) if draft.quote else locate(document, draft.quote_text, draft.section)
    if located is None:
        return _reject(paper, "quote_not_found", draft.subject, draft.relation, draft.answer, draft.quote_text[:200])
    answer = _answer_in(located.quote.text, draft)
    if answer is None:
        return _reject(
            paper, "answer_not_in_quote", draft.subject, draft.relation, draft.answer, located.quote.text[:200]
        )
    return _Grounded(draft, located, _idea(draft, located, answer, paper, topic, reader))


def _answer_in(quote: str, draft: Draft) -> str | None:
    """The answer as the quote spells it: "37%" for "37 percent"."""
    spellings = (
        verbatim(quote, text) for text in (draft.answer, *aliases(draft.answer), *draft.aliases) if text.strip()
    )
    return next((text for text in spellings if text), None)


def _unfit(draft: Draft, document: Document) -> str | None:
    if (
        not all(text.strip() for text in (draft.claim, draft.subject, draft.relation, draft.answer))
        or len(draft.claim.split()) < 4
    ):
        return "not_a_claim"
    if len(draft.answer.split()) > LONGEST_ANSWER:
        return "answer_too_long"
    if contains(draft.subject, draft.answer) or contains(draft.relation, draft.answer):
        return "answer_in_question"
    return None if mentions(document, draft.subject) else "subject_not_in_paper"


def _idea(draft: Draft, located: Located, answer: str, paper: Paper, topic: Topic, reader: str) -> Idea:
    spellings = dict.fromkeys(text.strip() for text in (*draft.aliases, *aliases(answer)) if text.strip())
    return Idea(
        id=digest(paper.key, draft.subject, draft.relation, answer)[:16],
        paper=paper.key,
        topic=topic.name,
        reader=reader,
        kind=draft.kind,
        claim=_one_line(draft.claim),
        subject=_one_line(draft.subject),
        relation=_one_line(draft.relation),
        answer=_one_line(answer),
        answer_kind=answer_kind(answer),
        aliases=tuple(text for text in spellings if text != answer),
        qwen_change=draft.qwen_change,
        prediction=draft.prediction,
        quotes=(located.quote,),
        prompt_hash=draft.prompt_hash,
    )


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _clear(grounded: Iterable[_Grounded], paper: Paper, rejects: list[Reject]) -> list[Idea]:
    """Without those for which the paper gives two answers: which one holds when, the triple does not say."""
    groups: dict[tuple[str, str], list[Idea]] = defaultdict(list)
    for one in grounded:
        groups[fold(one.idea.subject), fold(one.idea.relation)].append(one.idea)
    clear: list[Idea] = []
    for group in groups.values():
        if all(same_answer(group[0].answer, other.answer) for other in group):
            clear += group
        else:
            rejects += [
                _reject(paper, "ambiguous", idea.subject, idea.relation, idea.answer, idea.quotes[0].text[:200])
                for idea in group
            ]
    return clear


def _merged(ideas: Iterable[Idea]) -> list[Idea]:
    """The same triple said twice is one idea with two quotes."""
    first: dict[tuple[str, str], Idea] = {}
    for idea in ideas:
        key = fold(idea.subject), fold(idea.relation)
        known = first.get(key)
        if known is None:
            first[key] = idea
        elif idea.quotes[0] not in known.quotes:
            first[key] = known.model_copy(update={"quotes": (*known.quotes, *idea.quotes)})
    return list(first.values())


def _specific(ideas: Sequence[Idea], paper: Paper, rejects: list[Reject]) -> list[Idea]:
    """Without those that say less than another one: "accuracy" beside "accuracy on Kelpie" of the same value."""
    kept: list[Idea] = []
    for idea in ideas:
        fuller = f"{fold(idea.relation)} on "
        if any(
            fold(other.subject) == fold(idea.subject)
            and fold(other.relation).startswith(fuller)
            and same_answer(other.answer, idea.answer)
            for other in ideas
        ):
            rejects.append(_reject(paper, "duplicate", idea.subject, idea.relation, idea.answer))
        else:
            kept.append(idea)
    return kept


def _without(ideas: Iterable[Idea], avoided: set[str], paper: Paper, rejects: list[Reject]) -> list[Idea]:
    kept: list[Idea] = []
    for idea in ideas:
        if idea.id in avoided:
            rejects.append(_reject(paper, "lesson_avoid", idea.subject, idea.relation, idea.answer))
        else:
            kept.append(idea)
    return kept
