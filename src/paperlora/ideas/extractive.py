"""The reader without an LLM: sentences that state a value of the paper's own technique, read by fixed rules.

It understands nothing. It takes verbatim sentences in which one of the paper's own names, a quantity or a name, and
what that is the value of, stand in a shape that scientific English uses for such statements. It misses whatever is
said otherwise. Every idea it makes says so, and carries the sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from paperlora.ideas.answers import aliases
from paperlora.ideas.clauses import clauses, masked, says_nothing_certain
from paperlora.ideas.drafts import Draft, Drafts, SectionRead
from paperlora.ideas.explain import Explained, changes, explain
from paperlora.ideas.grounding import quote_at
from paperlora.ideas.injection import injected, overlaps
from paperlora.ideas.matches import Found
from paperlora.ideas.names import Names, own_names
from paperlora.ideas.phrases import is_metric
from paperlora.ideas.rules import read_clause, read_statement
from paperlora.ideas.sentences import Sentence, Span, sentences
from paperlora.records import Document, IdeaKind, Paper, Reject, Topic

EXTRACTIVE_VERSION = "2"
"""Changes whenever the same document could give other drafts; part of the cache key."""

_STRENGTH = {
    "relation_of": 3.0,
    "copula": 3.0,
    "fixed": 3.0,
    "metric_reached": 3.0,
    "shifted": 2.5,
    "tested_on": 2.5,
    "trained_for": 2.5,
    "counted": 2.5,
    "holding": 2.5,
}
_SECTION = (
    (r"abstract|method|approach|model|algorithm|result|main", 0.6),
    (r"introduction|experiment|evaluation|setting|setup|implementation|training|conclusion", 0.4),
    (r"related|background|prior|limitation|appendix|acknowledg|baseline|ablation|discussion", -0.8),
)
_FOREIGN_SECTION = re.compile(r"related work|background|prior work|baselines?$|ablation", re.IGNORECASE)


class _Read(NamedTuple):
    sentence: Sentence
    found: Found


def extract(document: Document, paper: Paper, topic: Topic, limit: int) -> Drafts:
    """Drafts of a document, strongest first.

    Args:
        topic: not looked at: fixed rules can't weigh an angle. The parameter keeps both readers alike.
        limit: at most four times as many drafts are handed to the gates, which count what lies beyond.
    """
    names = own_names(document, paper.title)
    marked = [injected(section.text) for section in document.sections]
    sections = tuple(SectionRead(0, 0, len(spans)) for spans in marked)
    if not names.own:
        detail = "no technique, model or dataset that the paper introduces by a name of its own"
        reject = Reject(stage="distill", item=paper.key, reason="no_named_subject", detail=detail)
        return Drafts((), (reject,), {"sentences": sum(1 for _ in sentences(document)), "claims": 0}, {}, sections)
    said = [one for one in sentences(document) if not overlaps(one.start, one.end, marked[one.section])]
    read = list(_read(document, said, names))
    explained = {name: explain(document, name, said) for name in {one.found.subject for one in read}}
    drafts = sorted(
        (_draft(document, one, explained[one.found.subject]) for one in read), key=lambda draft: -draft.strength
    )
    counts = {"sentences": sum(1 for _ in sentences(document)), "claims": len(read)}
    rejects = (*_hidden(document, marked, paper), *_beyond(drafts[4 * limit :], paper))
    return Drafts(tuple(drafts[: 4 * limit]), rejects, counts, {}, sections)


def _hidden(document: Document, marked: Sequence[Sequence[Span]], paper: Paper) -> Iterator[Reject]:
    for section, found in zip(document.sections, marked, strict=True):
        for span in found:
            said = " ".join(section.text[span.start : span.end].split())[:200]
            detail = f"section {section.heading!r}, not read: {said}"
            yield Reject(stage="distill", item=paper.key, reason="injected", detail=detail)


def _beyond(drafts: Sequence[Draft], paper: Paper) -> tuple[Reject, ...]:
    return tuple(Reject(stage="distill", item=paper.key, reason="over_limit", detail=draft.claim) for draft in drafts)


def _read(document: Document, said: Sequence[Sentence], names: Names) -> Iterator[_Read]:
    previous: str | None = None
    paragraph: tuple[int, int] | None = None
    for sentence in said:
        if paragraph != (sentence.section, sentence.paragraph):
            paragraph, previous = (sentence.section, sentence.paragraph), None
        text = masked(sentence.text)
        subjects = list(clauses(text, names, previous))
        previous = next((clause.subject for clause in subjects if clause.explicit), None)
        if says_nothing_certain(text):
            continue
        # "We" in a section on others' work, or on what was left out, is not the technique as published.
        aside = _FOREIGN_SECTION.search(document.sections[sentence.section].heading) is not None
        found = [one for clause in subjects for one in read_clause(clause)]
        found += read_statement(text, names, None if aside else names.main)
        yield from (_Read(sentence, one) for one in found if one.explicit or not aside)


def _draft(document: Document, read: _Read, explained: Explained) -> Draft:
    sentence, found = read
    claim = " ".join(sentence.text.split())
    quote = quote_at(document, sentence.section, sentence.start, sentence.end)
    return Draft(
        claim=claim if found.subject in claim else f"{found.subject}: {claim}",
        kind=_kind(found),
        subject=found.subject,
        relation=found.relation,
        answer=found.answer.text,
        aliases=aliases(found.answer.text),
        qwen_change=_change(found),
        prediction=_prediction(found),
        quote_text=quote.text,
        section=sentence.section,
        strength=_strength(found, document.sections[sentence.section].heading),
        quote=quote,
        mechanism=explained.mechanism,
        limits=explained.limits,
        changes=changes(found.relation, _kind(found)),
    )


def _kind(found: Found) -> IdeaKind:
    if found.rule in ("shifted", "shifted_by", "ahead_by", "tested_on", "metric_reached") or is_metric(found.relation):
        return "finding"
    return "method" if found.rule in ("counted", "holding", "role") else "recipe"


def _change(found: Found) -> str:
    what = {
        "finding": f"nothing to set, but a number to hold a Qwen model with {found.subject} against",
        "method": f"a value to start from when {found.subject} is built around a Qwen model",
        "recipe": f"a value to start from when a Qwen model is trained with {found.subject}",
    }[_kind(found)]
    return f"By fixed rule, not by analysis: {what} ({found.relation}: {found.answer.text})."


def _prediction(found: Found) -> str:
    return (
        f"By fixed rule: after training, the model answers “{found.answer.text}” when asked for the "
        f"{found.relation} of {found.subject} "
        "in wordings it was never trained on; the base model does not."
    )


def _strength(found: Found, heading: str) -> float:
    section = next((bonus for pattern, bonus in _SECTION if re.search(pattern, heading, re.IGNORECASE)), 0.0)
    digits = 0.3 if any(char.isdigit() for char in found.answer.text) else 0.0
    return _STRENGTH.get(found.rule, 2.0) + section + digits + (0.5 if found.explicit else 0.0)
