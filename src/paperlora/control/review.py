"""A person's review: what is looked at, the questions in the terminal, and what follows from the answers."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.prompt import Prompt

from paperlora.catalog import open_catalog
from paperlora.control.datasets import Named, datasets_store, find_datasets
from paperlora.errors import SettingsError
from paperlora.microdata.diff import difference
from paperlora.microdata.review import evidence, parse, question, reviews_of, save, template
from paperlora.microdata.revise import revise
from paperlora.records import Decision, Example, Idea, Review
from paperlora.settings import Settings
from paperlora.store import Store

_CHOICES = {"a": "accept", "r": "reject", "c": "correct", "s": "", "q": "quit"}


class Subject(NamedTuple):
    """What is reviewed: a revision, or the ideas of a paper that has none."""

    target: str
    title: str
    ideas: tuple[Idea, ...]
    rows: tuple[Example, ...]
    named: Named | None

    def template(self) -> str:
        """The file to edit."""
        return template(self.target, self.title, self.ideas, self.rows)

    def parse(self, path: Path) -> Review:
        """An edited file.

        Raises:
            SettingsError: it can't be read or doesn't fit.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path} can't be read: {error.__class__.__name__}.", "Give the edited review file.") from error
        return parse(text, self.target, self.ideas, self.rows)


def subject_of(settings: Settings, name: str) -> Subject:
    """The newest revision of that name; else the ideas of the paper of that name (guides have no revision yet).

    Raises:
        SettingsError: there is neither.
    """
    try:
        named = find_datasets(settings, [name])[0]
    except SettingsError:
        ideas = _ideas_of(settings, name)
        if not ideas:
            raise
        return Subject(ideas[0].paper, ideas[0].paper, ideas, (), None)
    record = named.dataset.record
    return Subject(record.id, record.paper.title, record.ideas, named.dataset.rows, named)


def _ideas_of(settings: Settings, paper: str) -> tuple[Idea, ...]:
    catalog = open_catalog(settings)
    try:
        ideas = [idea for idea in catalog.records("idea") if isinstance(idea, Idea)]
    finally:
        catalog.close()
    return tuple(idea for idea in ideas if idea.paper.startswith(paper))


def ask(subject: Subject, console: Console, *, with_rows: bool) -> Review:
    """Go through the ideas (and rows) in the terminal. What was decided before quitting counts."""
    console.print(f"{subject.title}\n[bold]a[/bold]ccept, [bold]r[/bold]eject, [bold]c[/bold]orrect, [bold]s[/bold]kip, [bold]q[/bold]uit", highlight=False)
    decisions: list[Decision] = []
    for number, idea in enumerate(subject.ideas, 1):
        shown = f"{escape(idea.claim)}\n\n[bold]{escape(idea.answer)}[/bold]\n\n" + "\n".join(escape(evidence(q)) for q in idea.quotes)
        action = _choice(console, Panel(shown, title=f"idea {number} of {len(subject.ideas)}"))
        if action == "quit":
            break
        if action:
            corrected = {"claim": _edited(console, "claim", idea.claim), "answer": _edited(console, "answer", idea.answer)} if action == "correct" else {}
            decisions += _decision("idea", idea.id, action, corrected)
        if with_rows and action in ("", "accept") and not _ask_rows(subject, idea, console, decisions):
            break
    return Review(dataset=subject.target, decisions=tuple(decisions))


def _ask_rows(subject: Subject, idea: Idea, console: Console, decisions: list[Decision]) -> bool:
    """False when the person quits."""
    for row in subject.rows:
        if row.idea != idea.id:
            continue
        action = _choice(console, Panel(f"{escape(question(row))}\n→ {escape(row.messages[-1].content)}", title=row.form))
        if action == "quit":
            return False
        if action:
            answered = row.messages[-1].content
            corrected = {"question": _edited(console, "question", question(row)), "answer": _edited(console, "answer", answered)} if action == "correct" else {}
            decisions += _decision("row", row.id, action, corrected)
    return True


def _choice(console: Console, panel: Panel) -> str:
    console.print(panel)
    return _CHOICES[Prompt.ask("", console=console, choices=list(_CHOICES), default="s")]


def _edited(console: Console, name: str, text: str) -> str:
    """The new text; empty where it stays."""
    said = Prompt.ask(f"{name} (Enter keeps it)", console=console, default="").strip()
    return "" if said == text else said


def _decision(target: Literal["row", "idea"], identifier: str, action: str, corrected: dict[str, str]) -> list[Decision]:
    texts = {name: text for name, text in corrected.items() if text}
    if action == "correct" and not texts:
        return []
    return [Decision(target=target, id=identifier, action=action, **texts)]  # type: ignore[arg-type]


def take_in(settings: Settings, subject: Subject, review: Review) -> str:
    """Keep the review and write the revision it asks for; only what it touches is written anew.

    Returns:
        What happened, in words for a person.
    """
    store = Store.at(settings.store_root)
    save(review, store)
    if subject.named is None:
        return f"{len(review.decisions)} decisions are kept. `paperlora distill` builds on what you accepted."
    before = subject.named.dataset
    uri = revise(before, subject.named.manifest, reviews_of(store, before.record.paper.key), datasets_store(settings))
    if uri is None:
        return f"{len(review.decisions)} decisions are kept; they change nothing in {before.record.id}."
    after = find_datasets(settings, [uri])[0].dataset
    found = difference(before, after)
    counts = ", ".join(
        f"{name} +{len(kind.added)} −{len(kind.removed)} ~{len(kind.changed)}"
        for name, kind in (("ideas", found.ideas), ("rows", found.rows), ("probes", found.probes))
    )
    return f"New revision {after.record.id}: {counts}. See it with: paperlora diff {before.record.id} {after.record.id}"
