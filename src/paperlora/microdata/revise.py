"""A reviewed revision → the next one: only what a person touched is written anew, everything else stays word for word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from paperlora.errors import NothingToDo
from paperlora.microdata.build import LoadedDataset, hash_of, load, write_revision
from paperlora.microdata.leaks import LeakGate
from paperlora.microdata.review import Reviewed
from paperlora.microdata.rows import write_rows
from paperlora.microdata.selection import select
from paperlora.records import Decision, Example, Idea, Manifest, Message, MicroDataset, Probe, Reject, digest
from paperlora.store import Store, fetch, read_manifest, slug

GENERATOR = "person"
"""Who wrote a corrected row."""


class _Parts(NamedTuple):
    """Ideas with what belongs to them."""

    ideas: tuple[Idea, ...]
    rows: tuple[Example, ...]
    probes: tuple[Probe, ...]
    rejects: tuple[Reject, ...]


def obey(uri: str, decided: Reviewed, datasets: Store) -> str:
    """The revision that a person's reviews of the paper ask for; the one given where they change nothing in it.

    Args:
        uri: of a revision as it was built.
        decided: about its paper.
        datasets: where revisions are written.
    """
    while True:
        revised = revise(load(fetch(uri)), read_manifest(uri), decided, datasets)
        if revised is None:
            return uri
        uri = revised


def revise(dataset: LoadedDataset, manifest: Manifest, reviewed: Reviewed, store: Store) -> str | None:
    """Write the next revision.

    Rejected ideas go with their rows and probes, corrected ideas get new ones, rejected rows go, corrected rows change.

    Args:
        dataset: the revision that was reviewed.
        manifest: its manifest: prompts and models carry over.
        reviewed: decisions about the paper; those about things that this revision doesn't hold are passed over.

    Returns:
        URI of the new revision; None where nothing in this one changes.

    Raises:
        NothingToDo: no idea would be left.
    """
    ideas = {i.id: d for i in dataset.record.ideas if (d := reviewed.ideas.get(i.id)) and d.action != "accept"}
    rows = {r.id: d for r in dataset.rows if (d := reviewed.rows.get(r.id)) and d.action != "accept"}
    if not ideas and not rows:
        return None
    source = digest("review", dataset.content_hash, ideas, rows)
    kind = slug(dataset.record.paper.key)
    known = next((uri for uri in store.folders(kind) if read_manifest(uri).settings.get("source") == source), None)
    if known is not None:
        return known
    parts = _rows_decided(_ideas_decided(dataset, ideas), rows)
    if not parts.ideas:
        raise NothingToDo(f"The review leaves no idea of {dataset.record.id}.", "Reject the paper's topic or accept an idea.")
    return write_revision(_record_of(dataset, parts), parts.rows, parts.probes, store, source=source, prompts=manifest.prompts, models=manifest.models)


def _record_of(dataset: LoadedDataset, parts: _Parts) -> MicroDataset:
    old = dataset.record
    # What was proposed and dropped when it was built stays told; the counts of what is kept are made anew.
    book = {name: count for name, count in old.counts.items() if name.startswith(("proposed/", "dropped/"))}
    same = set(old.ideas) & set(parts.ideas)
    changed = {idea.id for idea in (*old.ideas, *parts.ideas)} - {idea.id for idea in same}
    return old.model_copy(update={
        "ideas": parts.ideas, "parents": (old.id,), "rejects": (*old.rejects, *parts.rejects), "probes_hash": hash_of(parts.probes),
        "counts": book, "states": tuple(state for state in old.states if state.idea not in changed),
    })  # fmt: skip


def _ideas_decided(dataset: LoadedDataset, decisions: Mapping[str, Decision]) -> _Parts:
    kept: list[Idea] = []
    changed: dict[str, Idea] = {}
    rejects: list[Reject] = []
    for idea in dataset.record.ideas:
        decision = decisions.get(idea.id)
        if decision is None:
            kept.append(idea)
        elif decision.action == "reject":
            rejects.append(_reject(f"idea:{idea.id}", decision, idea.claim))
        else:
            changed[idea.id] = _corrected_idea(idea, decision)
            kept.append(changed[idea.id])
    gone = set(decisions)
    rows = [row for row in dataset.rows if row.idea not in gone]
    probes = [probe for probe in dataset.probes if probe.idea not in gone]
    fresh = _written(kept, {idea.id for idea in changed.values()}, dataset)
    lost = {reject.item.removeprefix("idea:") for reject in fresh.rejects}
    return _Parts(
        tuple(idea for idea in kept if idea.id not in lost), (*rows, *fresh.rows), (*probes, *fresh.probes), (*rejects, *fresh.rejects)
    )


def _corrected_idea(idea: Idea, decision: Decision) -> Idea:
    answer = decision.answer or idea.answer
    return idea.model_copy(update={
        "id": digest(idea.paper, idea.subject, idea.relation, answer)[:16], "answer": answer, "claim": decision.claim or idea.claim,
        "aliases": idea.aliases if answer == idea.answer else (),
    })  # fmt: skip


def _written(ideas: Sequence[Idea], wanted: set[str], dataset: LoadedDataset) -> _Parts:
    """Rows and probes of the corrected ideas alone."""
    if not wanted:
        return _Parts((), (), (), ())
    selection = select(ideas, ())
    facts = [fact for fact in selection.facts if fact.idea.id in wanted]
    rows = [row for fact in facts for row in write_rows(fact, selection.rows[fact.idea.id], dataset.record.licence)]
    missing = wanted - {fact.idea.id for fact in facts}
    rejects = [reject for reject in selection.rejects if reject.item.removeprefix("idea:") in missing]
    return _Parts((), tuple(rows), tuple(probe for probe in selection.probes if probe.idea in wanted), tuple(rejects))


def _rows_decided(parts: _Parts, decisions: Mapping[str, Decision]) -> _Parts:
    gate = LeakGate(parts.probes)
    rows: list[Example] = []
    rejects: list[Reject] = []
    for row in parts.rows:
        decision = decisions.get(row.id)
        if decision is None:
            rows.append(row)
        elif decision.action == "reject":
            rejects.append(_reject(f"row:{row.id}", decision, row.messages[-1].content))
        else:
            corrected = _corrected_row(row, decision)
            leaks = gate.leaks(corrected.messages)
            if leaks:
                detail = f"the corrected row {row.form} repeats a probe: {leaks[0].detail}"
                rejects.append(Reject(stage="distill", item=f"row:{row.id}", reason="probe_leak", detail=detail))
            else:
                rows.append(corrected)
    return parts._replace(rows=tuple(rows), rejects=(*parts.rejects, *rejects))


def _corrected_row(row: Example, decision: Decision) -> Example:
    last_user = max(number for number, message in enumerate(row.messages) if message.role == "user")
    changes = {last_user: decision.question, len(row.messages) - 1: decision.answer}
    messages = tuple(_said(message, changes.get(number, "")) for number, message in enumerate(row.messages))
    # A mask is a place in the old words; in new words it would hide the wrong ones.
    masked = () if decision.answer else row.masked
    identity = digest("row", row.idea, row.form, [message.content for message in messages])[:16]
    return row.model_copy(update={"id": identity, "messages": messages, "masked": masked, "generator": GENERATOR, "prompt_hash": None})


def _said(message: Message, text: str) -> Message:
    return message.model_copy(update={"content": text}) if text else message


def _reject(item: str, decision: Decision, what: str) -> Reject:
    return Reject(stage="distill", item=item, reason="review_rejected", detail=decision.note or what)
