"""A revision as a file that a person can edit, and what the person decided as a record.

The file is YAML: every idea with its evidence, its rows beside it. A decision is one word; a correction is the corrected
text. What is left alone is not decided.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import yaml  # type: ignore[import-untyped]

from paperlora.errors import SettingsError
from paperlora.records import Decision, Example, Idea, Manifest, Quote, Review, digest
from paperlora.store import Store, read_json, read_manifest, slug, write_json

KIND = "reviews"
ACTIONS = ("accept", "reject", "correct")
_HEAD = """\
# {title}
#
# decision: accept, reject or correct; leave it empty where you didn't look.
# To correct a row, change its question or answer. To correct an idea, change its claim or answer: its rows and probes
# are then written anew. An idea's answer must stand in its evidence, word for word.
# Take it in with: paperlora review {target} --import THIS_FILE
"""


class Reviewed(NamedTuple):
    """The decisions about one paper, the latest one for each row and idea."""

    rows: dict[str, Decision]
    ideas: dict[str, Decision]

    @property
    def accepted_ideas(self) -> frozenset[str]:
        """Ideas that a person let pass, corrected ones among them."""
        return frozenset(name for name, decision in self.ideas.items() if decision.action != "reject")


NOTHING_DECIDED = Reviewed({}, {})
"""Of a paper that nobody has reviewed."""


def template(target: str, title: str, ideas: Sequence[Idea], rows: Sequence[Example]) -> str:
    """The file to edit.

    Args:
        target: MicroDataset id, or a paper key where its ideas have no rows (guides, contested ideas).
        title: of the paper.
    """
    body = {
        "review": target, "reviewer": "",
        "ideas": [_idea_entry(idea, [row for row in rows if row.idea == idea.id]) for idea in ideas],
        "shared_rows": [_row_entry(row) for row in rows if not row.idea],
    }  # fmt: skip
    text = yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=110)
    return _HEAD.format(title=" ".join(title.split()), target=target) + text


def _idea_entry(idea: Idea, rows: Sequence[Example]) -> dict[str, Any]:
    return {
        "id": idea.id, "decision": "", "claim": idea.claim, "answer": idea.answer,
        "evidence": [evidence(quote) for quote in idea.quotes], "note": "", "rows": [_row_entry(row) for row in rows],
    }  # fmt: skip


def _row_entry(row: Example) -> dict[str, Any]:
    return {"id": row.id, "decision": "", "form": row.form, "question": question(row), "answer": row.messages[-1].content, "note": ""}


def question(row: Example) -> str:
    """The last user turn of a row."""
    return next(message.content for message in reversed(row.messages) if message.role == "user")


def evidence(quote: Quote) -> str:
    """A quote with its place, for people."""
    return f"“{' '.join(quote.text.split())}” ({quote.heading or 'before the first heading'}, p. {quote.page})"


def parse(text: str, target: str, ideas: Sequence[Idea], rows: Sequence[Example]) -> Review:
    """The decisions in an edited file.

    Text that was changed without a decision counts as a correction.

    Raises:
        SettingsError: it is no YAML, belongs to another revision, names unknown ids or words, or corrects an idea to an
            answer that its evidence doesn't hold.
    """
    try:
        body = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"The review is no YAML: {' '.join(str(error).split())}.", "Check the line it names.") from error
    if not isinstance(body, Mapping) or body.get("review") != target:
        found = body.get("review") if isinstance(body, Mapping) else None
        raise SettingsError(f"The review is of {found}, not of {target}.", "Write a new file with `paperlora review`.")
    known_ideas, known_rows = {idea.id: idea for idea in ideas}, {row.id: row for row in rows}
    decisions = list(_decisions(body, known_ideas, known_rows))
    return Review(dataset=target, reviewer=str(body.get("reviewer") or ""), decisions=tuple(decisions))


def _decisions(body: Mapping[str, Any], ideas: Mapping[str, Idea], rows: Mapping[str, Example]) -> Iterator[Decision]:
    entries = _entries(body, "ideas")
    for entry in entries:
        idea = _known(entry, ideas, "idea")
        texts = {"claim": (idea.claim, _text(entry, "claim")), "answer": (idea.answer, _text(entry, "answer"))}
        yield from _decision("idea", entry, texts, lambda changed, idea=idea: _check_idea(idea, changed))  # type: ignore[misc]
    for entry in [row for idea in entries for row in _entries(idea, "rows")] + _entries(body, "shared_rows"):
        row = _known(entry, rows, "row")
        asked, answered = question(row), row.messages[-1].content
        texts = {"question": (asked, _text(entry, "question")), "answer": (answered, _text(entry, "answer"))}
        yield from _decision("row", entry, texts, lambda _: None)


def _decision(
    target: Literal["row", "idea"], entry: Mapping[str, Any], texts: Mapping[str, tuple[str, str]],
    check: Callable[[dict[str, str]], None],
) -> Iterator[Decision]:  # fmt: skip
    changed = {name: after for name, (before, after) in texts.items() if after and after != before}
    action = _action(entry) or ("correct" if changed else "")
    if action == "correct":
        if not changed:
            raise SettingsError(f"The {target} {entry['id']} is to be corrected, but nothing in it was changed.", "Change its text, or accept it.")
        check(changed)
        yield Decision(target=target, id=entry["id"], action="correct", note=_text(entry, "note"), **changed)
    elif action:
        yield Decision(target=target, id=entry["id"], action=action, note=_text(entry, "note"))  # type: ignore[arg-type]


def _check_idea(idea: Idea, changed: Mapping[str, str]) -> None:
    answer = changed.get("answer")
    if answer and not any(answer in " ".join(quote.text.split()) for quote in idea.quotes):
        raise SettingsError(
            f"The corrected answer {answer!r} of idea {idea.id} doesn't stand in its evidence.",
            "Take the words of the paper, or reject the idea.",
        )


def _entries(body: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = body.get(name) or []
    if not isinstance(found, list) or not all(isinstance(entry, Mapping) for entry in found):
        raise SettingsError(f"{name} of the review must be a list of entries.", "Write a new file with `paperlora review`.")
    return found


def _known(entry: Mapping[str, Any], known: Mapping[str, Any], what: str) -> Any:
    if entry.get("id") not in known:
        raise SettingsError(f"The review names {what} {entry.get('id')}, which this revision doesn't hold.", "Leave the ids as they are.")
    return known[entry["id"]]


def _action(entry: Mapping[str, Any]) -> str:
    word = str(entry.get("decision") or "").strip().casefold()
    if word and word not in ACTIONS:
        close = difflib.get_close_matches(word, ACTIONS, n=1)
        raise SettingsError(f"Unknown decision {word!r} at {entry.get('id')}.", f"Did you mean {close[0]}?" if close else f"Use {', '.join(ACTIONS)}.")
    return word


def _text(entry: Mapping[str, Any], name: str) -> str:
    return str(entry.get(name) or "").strip()


def save(review: Review, store: Store) -> str:
    """Keep a review in the store; the same decisions are kept once.

    Returns:
        URI of its folder.

    Raises:
        SettingsError: nothing was decided.
    """
    if not review.decisions:
        raise SettingsError("Nothing was decided in this review.", "Write accept, reject or correct behind `decision:`.")
    key = f"{slug(review.dataset)}-{digest(review)[:12]}"
    if not store.has(KIND, key):
        with store.writing(KIND, key) as draft:
            write_json(draft.path / "review.json", review)
            draft.settings = {"paper": paper_of(review.dataset)}
            draft.counts = {action: sum(d.action == action for d in review.decisions) for action in ACTIONS}
    return store.uri(KIND, key)


def all_reviews(store: Store) -> dict[str, Reviewed]:
    """Everything that was decided so far, by :func:`paper_of`; of two decisions about one thing the later holds."""
    folders = sorted((manifest.created, manifest.settings["paper"], uri) for manifest, uri in _folders(store))
    decisions: dict[str, list[Decision]] = defaultdict(list)
    for _, paper, uri in folders:
        decisions[paper] += read_json(store.fetch_file(uri, "review.json"), Review).decisions
    return {paper: reviewed(all_) for paper, all_ in decisions.items()}


def reviews_of(store: Store, paper: str) -> Reviewed:
    """Everything that was decided about one paper, given by its key."""
    return all_reviews(store).get(paper_of(paper), NOTHING_DECIDED)


def _folders(store: Store) -> Iterator[tuple[Manifest, str]]:
    return ((read_manifest(uri), uri) for uri in store.folders(KIND))


def reviewed(decisions: Iterable[Decision]) -> Reviewed:
    """Decisions in order of time, the last one for each target."""
    latest = {(decision.target, decision.id): decision for decision in decisions}
    return Reviewed(
        {name: decision for (target, name), decision in latest.items() if target == "row"},
        {name: decision for (target, name), decision in latest.items() if target == "idea"},
    )


def paper_of(dataset: str) -> str:
    """Folder name of the paper: the first part of a dataset's id, or a paper key made safe."""
    return dataset.split("/")[0] if "/" in dataset and ":" not in dataset else slug(dataset)
