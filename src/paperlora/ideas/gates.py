"""Gates between a draft and an idea: what isn't grounded, clear or new is rejected with a countable reason."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from paperlora.ideas.answers import aliases, answer_kind
from paperlora.ideas.drafts import Draft
from paperlora.ideas.grounding import Located, contains, locate, mentions, stretches
from paperlora.ideas.injection import addresses_reader, injected, overlaps
from paperlora.ideas.likeness import asked, fold, same_subject, same_value
from paperlora.ideas.numbers import unsupported
from paperlora.ideas.orders import talks
from paperlora.ideas.phrases import goes_on, has_unit
from paperlora.records import Document, Idea, Lesson, Paper, Quote, Reject, Topic, digest

LONGEST_ANSWER = 8
"""Words. A longer answer can't be scored exactly."""


GUIDE = "guide:"
"""Ids of guides begin so."""
_TOLD = 0.6
"""Least share of a mechanism's or limit's longer words that stand in the paper's section."""


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
    """Make ideas of drafts, strongest first, at most ``limit``; nobody reads a second time."""
    grounded = ground(drafts, document, paper, topic, reader)
    kept = arrange(grounded.ideas, paper, lessons, limit)
    return kept._replace(rejects=(*grounded.rejects, *kept.rejects), snapped=grounded.snapped)


def ground(drafts: Sequence[Draft], document: Document, paper: Paper, topic: Topic, reader: str) -> Passed:
    """Make ideas of the drafts that stand on the paper's own text, each once, strongest first.

    Every draft is an idea or a reject.
    """
    rejects: list[Reject] = []
    grounded: list[_Grounded] = []
    for draft in sorted(drafts, key=lambda draft: -draft.strength):
        told = _told(draft, document, paper, rejects)
        result = _ground(told, document, paper, topic, reader)
        grounded.append(result) if isinstance(result, _Grounded) else rejects.append(result)
    ideas = _merged([one.idea for one in grounded], paper, rejects)
    return Passed(tuple(ideas), tuple(rejects), sum(not one.located.exact for one in grounded))


def arrange(ideas: Sequence[Idea], paper: Paper, lessons: Sequence[Lesson], limit: int) -> Passed:
    """The ideas of one paper beside each other: none that contradicts another, says less than another, was tried in
    vain, or lies beyond the limit. Best after the second reading: a wrong claim must not make a right one ambiguous."""
    rejects: list[Reject] = []
    kept = _specific(_clear(ideas, paper, rejects), paper, rejects)
    kept = _without(kept, avoided_ideas(lessons), paper, rejects)
    rejects += [_reject(paper, "over_limit", idea.subject, idea.relation, idea.answer) for idea in kept[limit:]]
    return Passed(tuple(kept[:limit]), tuple(rejects), 0)


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
    quote = located.quote.text[:200]
    if _is_order(located, document):
        return _reject(paper, "injected", draft.subject, draft.relation, draft.answer, quote)
    if talks(located.quote.text) and not paper.id.startswith(GUIDE):
        return _reject(paper, "not_a_statement", draft.subject, draft.relation, draft.answer, quote)
    if answer is None:
        return _reject(paper, "answer_not_in_quote", draft.subject, draft.relation, draft.answer, quote)
    missing = unsupported(f"{draft.claim} {answer}", located.quote.text, draft.subject)
    if missing:
        said = f"{', '.join(missing)} in: {draft.claim}"
        return _reject(paper, "number_not_in_quote", draft.subject, draft.relation, draft.answer, said, quote)
    return _Grounded(draft, located, _idea(draft, located, answer, paper, topic, reader))


def _told(draft: Draft, document: Document, paper: Paper, rejects: list[Reject]) -> Draft:
    """Without a mechanism or limits that the section does not speak of: an LLM likes to fill every field."""
    if draft.quote:
        return draft  # the extractive reader's: sentences of the paper
    text = " ".join(section.text for n, section in enumerate(document.sections) if draft.section in (None, n))
    for field, said in (("mechanism", draft.mechanism), ("limits", draft.limits)):
        if said.strip() and not _is_told(said, text, draft.subject):
            rejects.append(_reject(paper, f"{field}_not_in_paper", draft.subject, draft.relation, said[:200]))
            draft = draft._replace(mechanism="") if field == "mechanism" else draft._replace(limits="")
    return draft


def _is_told(said: str, text: str, subject: str) -> bool:
    words, known = words_of(said), words_of(f"{text} {subject}")
    return bool(words) and len(words & known) >= _TOLD * len(words) and not unsupported(said, text, subject)


def words_of(text: str) -> frozenset[str]:
    """The longer words of a text, folded, without their endings: what it speaks of."""
    return frozenset(word[:6] for word in re.findall(r"[a-z]{4,}", fold(text)))


def _is_order(located: Located, document: Document) -> bool:
    """The evidence is an order to the reader, or stands right behind one."""
    quote = located.quote
    text = document.sections[quote.section].text
    return addresses_reader(quote.text) or overlaps(quote.start, quote.end, injected(text))


def _answer_in(quote: str, draft: Draft) -> str | None:
    """The answer as the quote spells it: "37%" for "37 percent"."""
    for spelling in (draft.answer, *aliases(draft.answer), *draft.aliases):
        for place in stretches(quote, spelling) if spelling.strip() else ():
            found = quote[place.start : place.end]
            # "16" is "16 minutes" in "takes 16", not in "sixteen cores": a number that goes on counts something else.
            bare = has_unit(draft.answer) and not has_unit(found)
            if not (bare and goes_on(quote, place.end)):
                return found
    return None


def _unfit(draft: Draft, document: Document) -> str | None:
    said = (
        draft.claim,
        draft.subject,
        draft.relation,
        draft.answer,
        draft.qwen_change,
        draft.prediction,
        draft.quote_text,
    )
    if any(addresses_reader(text) for text in (*said, draft.mechanism, draft.limits, *draft.aliases)):
        return "injected"
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
    guide = paper.id.startswith(GUIDE)
    spellings = dict.fromkeys(text.strip() for text in (*draft.aliases, *aliases(answer)) if text.strip())
    return Idea(
        id=digest(paper.key, draft.subject, draft.relation, answer)[:16],
        paper=paper.key,
        topic=topic.name,
        reader=reader,
        kind="anti-example" if guide else draft.kind,
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
        mechanism=_one_line(draft.mechanism),
        limits=_one_line(draft.limits),
        changes=draft.changes,
        support="entailed" if draft.quote and contains(located.quote.text, draft.subject) else "unchecked",
        guide=guide,
    )


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _clear(ideas: Iterable[Idea], paper: Paper, rejects: list[Reject]) -> list[Idea]:
    """Without those for which the paper gives two answers: which one holds when, the triple does not say."""
    groups: dict[tuple[str, str], list[Idea]] = defaultdict(list)
    for idea in ideas:
        groups[fold(idea.subject), fold(idea.relation)].append(idea)
    clear: list[Idea] = []
    for group in groups.values():
        if len(group) == 1:
            clear += group
        else:
            rejects += [
                _reject(paper, "ambiguous", idea.subject, idea.relation, idea.answer, idea.quotes[0].text[:200])
                for idea in group
            ]
    return clear


def _merged(ideas: Iterable[Idea], paper: Paper, rejects: list[Reject]) -> list[Idea]:
    """The same said twice is one idea with two quotes; the second saying is counted."""
    kept: list[Idea] = []
    for idea in ideas:
        place = next((n for n, known in enumerate(kept) if _is_same(known, idea)), None)
        if place is None:
            kept.append(idea)
            continue
        known = kept[place]
        rejects.append(
            _reject(paper, "duplicate", idea.subject, idea.relation, idea.answer, f"same as idea:{known.id}")
        )
        if not any(_overlap(idea.quotes[0], quote) for quote in known.quotes):
            kept[place] = known.model_copy(update={"quotes": (*known.quotes, *idea.quotes)})
    return kept


def _is_same(left: Idea, right: Idea) -> bool:
    """Asked alike up to word order and synonyms, with equal answers."""
    return asked(left) == asked(right) and same_subject(left, right) and same_value(left, right) is True


def _overlap(left: Quote, right: Quote) -> bool:
    return left.section == right.section and left.start < right.end and right.start < left.end


def _specific(ideas: Sequence[Idea], paper: Paper, rejects: list[Reject]) -> list[Idea]:
    """Without those that say less than another one: "accuracy" beside "accuracy on Kelpie" of the same value."""
    kept: list[Idea] = []
    for idea in ideas:
        fuller = f"{fold(idea.relation)} on "
        if any(
            fold(other.subject) == fold(idea.subject)
            and fold(other.relation).startswith(fuller)
            and same_value(other, idea) is True
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
