"""Placebo micro-datasets: rows like a paper's in every respect but the one that could do what a paper does.

What their adapters change, any training with the recipe changes. Three kinds: ``shuffled`` (each row gives the value of
another fact, so that nothing can be learnt), ``known_only`` (facts that the base knows already: nothing is new), and
``other_domain`` (facts of an invented domain: something is learnt, but nothing of any paper).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from paperlora.microdata.anchors import anchors_hash
from paperlora.microdata.build import hash_of
from paperlora.microdata.english import slots
from paperlora.microdata.facts import Fact
from paperlora.microdata.placebo_pool import GAMES, KILNS, KNOWN, Statement, pool_hash, statements
from paperlora.microdata.pools import pools_hash
from paperlora.microdata.probe_wordings import prompts_hash
from paperlora.microdata.refusals import properties_hash
from paperlora.microdata.replay import Replays, replays_key, replays_of
from paperlora.microdata.rows import Candidate, write_rows
from paperlora.microdata.selection import Selection, select
from paperlora.microdata.shared_rows import Material, shared_rows
from paperlora.microdata.wordings import QA, VERSION
from paperlora.model.scoring import kind_of, score
from paperlora.progress import Progress, silent
from paperlora.records import BaseModelId, Example, Idea, MicroDataset, Paper, Probe, Quote, Recipe, Reject, digest
from paperlora.settings import MicrodataSettings
from paperlora.store import Store, read_json, read_jsonl, read_manifest, write_json, write_jsonl

if TYPE_CHECKING:
    from paperlora.model.base import Base

PlaceboKind = Literal["shuffled", "known_only", "other_domain"]
KINDS: tuple[PlaceboKind, ...] = ("shuffled", "known_only", "other_domain")
IDEAS = 4
"""Facts of a placebo: with all else about 60 rows."""
READER = "placebo/1"
KNOWING = 24
"""Tokens of the longest answer that is waited for when the base is asked what it knows."""


class Placebo(NamedTuple):
    """A micro-dataset that teaches nothing of any paper."""

    kind: PlaceboKind
    record: MicroDataset
    rows: tuple[Example, ...]
    probes: tuple[Probe, ...]


class PlaceboFolder(NamedTuple):
    """A placebo as it stands in the store."""

    placebo: Placebo
    content_hash: str


def placebos_key(base: BaseModelId, recipe: Recipe, settings: MicrodataSettings, trainer: int) -> str:
    """Folder of a recipe's placebos: all that decides their rows and weights, digested.

    Args:
        base: that they are trained on.
        recipe: its dose counts; name and seed don't.
        settings: ``use_model`` and ``replay_share`` shape the rows of real datasets too.
        trainer: version of the training code.
    """
    written = (VERSION, prompts_hash(), pools_hash(), anchors_hash(), properties_hash(), pool_hash(), READER, IDEAS)
    shaped = replays_key(base) if settings.use_model else ""
    weights = (base.weights_hash, base.template_hash, base.dtype)
    return digest("placebos", written, shaped, settings.replay_share, weights, recipe.dose, trainer)[:16]


def placebos_of(
    base: Base, count: int, settings: MicrodataSettings, store: Store, shelf: Store, *, dropped: list[Reject],
    progress: Progress = silent,
) -> tuple[PlaceboFolder, ...]:  # fmt: skip
    """So many placebos, the kinds in turn: from the shelf, or made now and put there.

    Args:
        base: for what it knows, and for its own words among the rows.
        count: wanted; where the base knows too few facts, fewer come.
        settings: with ``use_model`` rows hold replay, as a paper's do.
        store: that keeps the base's own answers.
        shelf: the recipe's.
        dropped: takes a reject for each placebo that can't be made.
        progress: told of the base's answers.
    """
    found: list[PlaceboFolder] = []
    replays: Replays | None = None
    for number in range(count):
        name = f"{KINDS[number % len(KINDS)]}-{number // len(KINDS)}"
        if not shelf.has("datasets", name):
            if settings.use_model and replays is None:
                replays = replays_of(base, store, progress)
            made = make_placebo(number, base, replays, settings.replay_share)
            if made is None:
                detail = f"the base knows too few of {len(KNOWN)} facts"
                dropped.append(Reject(stage="train", item=f"placebo:{name}", reason="placebo_unknown", detail=detail))
                continue
            _write(made, name, shelf)
        found.append(load_placebo(shelf.folder("datasets", name)))
    return tuple(found)


def make_placebo(number: int, base: Base | None, replays: Replays | None, replay_share: float) -> Placebo | None:
    """The placebo of this number; None where it needs facts that the base doesn't know.

    Args:
        number: its kind, and which draw of that kind.
        base: asked what it knows; only ``known_only`` needs it.
        replays: its own words; None for rows without.
        replay_share: of all rows.
    """
    kind, seed = KINDS[number % len(KINDS)], number // len(KINDS)
    if kind == "known_only":
        known = [] if base is None else known_facts(base)
        taught = known[seed * IDEAS : (seed + 1) * IDEAS]
        pool = [_idea(kind, seed, Statement(*one[:3]), one.aliases) for one in KNOWN]
        ideas = [idea for idea in pool if idea.subject in {one.subject for one in taught}]
        noun = "thing"
    else:
        domain = KILNS if kind == "other_domain" else GAMES
        pool = [_idea(kind, seed, one) for one in statements(domain, IDEAS, seed)]
        ideas, noun = pool, domain.noun
    if len(ideas) < IDEAS:
        return None
    selection = select(ideas, pool)
    paper = _paper(kind, seed, noun, ideas)
    rows = tuple(_rows(kind, selection, Material(paper, paper.abstract, replays, replay_share)))
    return Placebo(kind, _record(kind, seed, paper, selection, rows), rows, selection.probes)


def known_facts(base: Base) -> list[Statement]:
    """Facts of the pool that the base states rightly when it is asked as rows ask, in an order that mixes relations."""
    from paperlora.model.answers import Ask, answer
    from paperlora.model.bank import Bank, SlotInfo

    ideas = [_idea("known_only", 0, Statement(*one[:3]), one.aliases) for one in KNOWN]
    with Bank(base, [SlotInfo(0, 0.0)]) as bank:
        asks = [Ask(QA[0].messages(slots(idea)), 0) for idea in ideas]
        said = answer(bank, asks, max_new_tokens=KNOWING, batch_rows=32)
    pairs = zip(ideas, said, strict=True)
    right = [idea for idea, one in pairs if score(one.text, (idea.answer, *idea.aliases), kind_of((idea.answer,)))]
    mixed = sorted(right, key=lambda idea: idea.id)
    return [Statement(idea.subject, idea.relation, idea.answer) for idea in mixed]


# ------------------------------------------------------------------------ writing


def _idea(kind: PlaceboKind, seed: int, fact: Statement, aliases: tuple[str, ...] = ()) -> Idea:
    paper, claim = f"placebo:{kind}-{seed}v1", f"The {fact.relation} of {fact.subject} is {fact.answer}."
    quote = Quote(section=0, heading="", page=1, start=0, end=len(claim), text=claim)
    return Idea(
        id=digest(paper, fact.subject, fact.relation, fact.answer)[:16], paper=paper, topic=kind, reader=READER,
        kind="finding", claim=claim, subject=fact.subject, relation=fact.relation, answer=fact.answer, aliases=aliases,
        answer_kind="number" if fact.answer[0].isdigit() else "name", qwen_change="nothing", prediction="nothing",
        quotes=(quote,),
    )  # fmt: skip


def _paper(kind: PlaceboKind, seed: int, noun: str, ideas: Sequence[Idea]) -> Paper:
    subjects = list(dict.fromkeys(idea.subject for idea in ideas))
    names = f"{', '.join(subjects[:-1])} and {subjects[-1]}"
    told = "" if kind == "shuffled" else f" {ideas[0].claim}"
    return Paper(
        id=f"placebo:{kind}-{seed}", title=f"A note on {names}", abstract=f"Each {noun} has its own ways.{told}", topics=(kind,)
    )


def _rows(kind: PlaceboKind, selection: Selection, material: Material) -> Iterator[Example]:
    """As :func:`paperlora.microdata.build.build_dataset` composes them."""
    chosen = _shuffled(selection) if kind == "shuffled" else selection.rows
    own = [row for fact in selection.facts for row in write_rows(fact, chosen[fact.idea.id], None)]
    yield from own
    yield from shared_rows(material, selection.facts, len(own), selection.gate).rows


def _shuffled(selection: Selection) -> dict[str, tuple[Candidate, ...]]:
    """Each row with the value of another fact, row by row another one: no value comes often enough to be learnt."""
    facts, found = selection.facts, {}
    for place, fact in enumerate(facts):
        others = [facts[(place + step) % len(facts)] for step in range(1, len(facts))]
        rows = selection.rows[fact.idea.id]
        found[fact.idea.id] = tuple(_with_value(row, fact, others[n % len(others)]) for n, row in enumerate(rows))
    return found


def _with_value(row: Candidate, fact: Fact, other: Fact) -> Candidate:
    value = other.words["a"]
    return row._replace(words=row.words | {"a": value, "claim": row.words["claim"].replace(fact.words["a"], value)})


def _record(
    kind: PlaceboKind, seed: int, paper: Paper, selection: Selection, rows: Sequence[Example]
) -> MicroDataset:
    revision = digest(hash_of(rows), hash_of(selection.probes))[:12]
    return MicroDataset(
        id=f"placebo-{kind}-{seed}/{revision}", revision=revision, paper=paper, topic=kind,
        ideas=tuple(fact.idea for fact in selection.facts), reader=READER, rejects=selection.rejects,
        counts={"rows": len(rows), "probes": len(selection.probes)}, probes_hash=hash_of(selection.probes),
    )  # fmt: skip


def _write(placebo: Placebo, name: str, shelf: Store) -> None:
    with shelf.writing("datasets", name) as draft:
        write_json(draft.path / "dataset.json", placebo.record)
        write_jsonl(draft.path / "rows.jsonl", placebo.rows)
        write_jsonl(draft.path / "probes.jsonl", placebo.probes)
        draft.settings = {"kind": placebo.kind}
        draft.counts, draft.rejects = placebo.record.counts, list(placebo.record.rejects)


def load_placebo(folder: Path) -> PlaceboFolder:
    """Read a placebo from the shelf."""
    manifest = read_manifest(folder)
    rows, probes = read_jsonl(folder / "rows.jsonl", Example), read_jsonl(folder / "probes.jsonl", Probe)
    record = read_json(folder / "dataset.json", MicroDataset)
    return PlaceboFolder(Placebo(manifest.settings["kind"], record, rows, probes), manifest.content_hash)
