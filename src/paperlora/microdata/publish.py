"""Several revisions as one Hugging Face dataset that may be passed on: what a licence forbids stays behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from paperlora.errors import NothingToDo, SettingsError
from paperlora.licences import Permission, publishing, shared_licence
from paperlora.microdata.build import LoadedDataset, write_parquet
from paperlora.microdata.card import FAULTS
from paperlora.records import Example, Manifest, MicroDataset, Probe, Reject, Verdict, digest
from paperlora.store import slug, write_folder, write_json, write_jsonl

KIND = "published"


class Part(NamedTuple):
    """One revision and what may be passed on of it."""

    record: MicroDataset
    manifest: Manifest
    rows: tuple[Example, ...]
    probes: tuple[Probe, ...]
    rejects: tuple[Reject, ...]
    """Rows and probes that a licence keeps back."""


class Published(NamedTuple):
    """What was written."""

    folder: Path
    rows: int
    probes: int
    rejects: tuple[Reject, ...]


def part(dataset: LoadedDataset, manifest: Manifest) -> Part:
    """What the licence of the paper lets pass.

    Rows without a paper behind them (general knowledge, the base model's own answers) are free.
    """
    paper = publishing(dataset.record.licence)
    rejects: list[Reject] = []
    rows = [row for row in dataset.rows if _passes(row.id, _permission(row), rejects)]
    probes = [probe for probe in dataset.probes if _passes(probe.id, paper, rejects)]
    return Part(dataset.record, manifest, tuple(rows), tuple(probes), tuple(rejects))


def _permission(row: Example) -> Permission:
    if row.licence is None and not row.idea and not row.evidence:
        return Permission(True, "none needed", "no paper stands behind it")
    return publishing(row.licence)


def _passes(identifier: str, permission: Permission, rejects: list[Reject]) -> bool:
    if not permission.allowed:
        rejects.append(Reject(stage="publish", item=identifier, reason="licence_forbids", detail=permission.reason))
    return permission.allowed


def publish(parts: Sequence[Part], target: Path, verdicts: Sequence[Verdict] = ()) -> Published:
    """Write the folder that :func:`paperlora.microdata.hub.push` uploads.

    Args:
        parts: one for each revision.
        target: a folder that isn't there yet.
        verdicts: what was judged of their ideas; empty where nothing was judged yet.

    Raises:
        SettingsError: the folder is there already.
        NothingToDo: the licences leave no row that comes from a paper.
    """
    if target.exists():
        raise SettingsError(f"{target} is there already.", "Give a folder that doesn't exist yet.")
    kept = [one for one in parts if any(row.idea for row in one.rows)]
    rejects = tuple(reject for one in parts for reject in one.rejects)
    if not kept:
        raise NothingToDo(
            f"Nothing may be published of {', '.join(one.record.id for one in parts)}: {_why(rejects)}.",
            "Publish papers under CC BY, CC BY-SA, CC BY-NC or CC0, or ask the authors.",
        )
    with write_folder(target, KIND, digest([one.record.id for one in kept], verdicts)[:12]) as draft:
        for one in kept:
            folder = draft.path / "data" / slug(one.record.id)
            folder.mkdir(parents=True)
            write_parquet(folder / "rows.parquet", one.rows)
            write_parquet(folder / "probes.parquet", one.probes)
            write_json(folder / "dataset.json", one.record)
        write_jsonl(draft.path / "verdicts.jsonl", verdicts)
        (draft.path / "README.md").write_text(_card(kept, rejects, verdicts), encoding="utf-8")
        draft.inputs = {one.record.id: one.manifest.content_hash for one in parts}
        draft.counts = {"rows": sum(len(one.rows) for one in kept), "probes": sum(len(one.probes) for one in kept)}
        draft.rejects = list(rejects)
    return Published(target, draft.counts["rows"], draft.counts["probes"], rejects)


def _why(rejects: Iterable[Reject]) -> str:
    return "; ".join(dict.fromkeys(reject.detail for reject in rejects)) or "there are no rows"


def _card(parts: Sequence[Part], rejects: Sequence[Reject], verdicts: Sequence[Verdict]) -> str:
    sections = [
        _head(parts), _intro(parts), _sources(parts), _contents(parts), _made(parts), _judged(verdicts, parts),
        _dropped(parts, rejects), _faults(),
    ]  # fmt: skip
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def _head(parts: Sequence[Part]) -> list[str]:
    rows = sum(len(one.rows) for one in parts)
    size = next(name for most, name in ((1000, "n<1K"), (10_000, "1K<n<10K"), (10**9, "10K<n<100K")) if rows < most)
    licence = shared_licence(one.record.licence for one in parts)
    named = ["license_name: see-each-row", "license_link: LICENSES"] if licence == "other" else []
    return [
        "---", f"license: {licence}", *named, "language:", "- en", "task_categories:", "- question-answering",
        "- text-generation", "tags:", "- paperlora", "- lora", "size_categories:", f"- {size}", "configs:",
        "- config_name: rows", "  default: true", "  data_files:", "  - split: train", "    path: data/*/rows.parquet",
        "- config_name: probes", "  data_files:", "  - split: test", "    path: data/*/probes.parquet", "---",
    ]  # fmt: skip


def _intro(parts: Sequence[Part]) -> list[str]:
    ideas = sum(len(one.record.ideas) for one in parts)
    return [
        f"# Claims of {_many(len(parts), 'paper')} as training rows", "",
        f"{_many(ideas, 'claim')} taken from {_many(len(parts), 'paper')} with verbatim evidence, as chat rows to train an adapter on, "
        "and as probes to find out whether it learned them. Made by PaperLoRA; not written or checked by the authors of the papers.", "",
        "```python", "from datasets import load_dataset", "", 'rows = load_dataset("this/repository", "rows", split="train")',
        'probes = load_dataset("this/repository", "probes", split="test")  # never train on these', "```",
    ]  # fmt: skip


def _sources(parts: Sequence[Part]) -> list[str]:
    lines = ["## Sources", "", "| paper | revision | licence | claims | rows | probes |", "|---|---|---|---|---|---|"]
    for one in parts:
        paper = one.record.paper
        link = paper.landing_url or (f"https://arxiv.org/abs/{paper.key.removeprefix('arxiv:')}" if paper.id.startswith("arxiv:") else "")
        title = f"[{_cell(paper.title)}]({link})" if link else _cell(paper.title)
        lines.append(
            f"| {title}, {_cell(', '.join(paper.authors) or 'authors unknown')} | `{one.record.id}` | {_cell(one.record.licence or 'unknown')} "
            f"| {len(one.record.ideas)} | {len(one.rows)} | {len(one.probes)} |"
        )
    return [*lines, "", "Each row names the licence it stands under in its column `licence`; give credit to the paper when you use it."]


def _contents(parts: Sequence[Part]) -> list[str]:
    forms = Counter(row.form.rstrip("0123456789").rstrip("_") for one in parts for row in one.rows)
    families = Counter(str(probe.family) for one in parts for probe in one.probes)
    return ["## Contents", "", *_table("rows", forms), "", *_table("probes", families)]


def _made(parts: Sequence[Part]) -> list[str]:
    readers = Counter(one.record.reader for one in parts)
    named = ", ".join(f"`{name}` ({_many(count, 'paper')})" for name, count in sorted(readers.items()))
    models = sorted({pair for one in parts for pair in one.manifest.models.items()})
    prompts = sorted({(name, value[:16]) for one in parts for name, value in one.manifest.prompts.items()})
    lines = [f"- Claims read by {named}"]
    for title, pairs in (("Models", models), ("Prompts (beginning of their SHA-256)", prompts)):
        lines += [f"- {title}: " + ", ".join(f"{name} `{value}`" for name, value in pairs)] if pairs else []
    return ["## How it was made", "", *lines, "- Probes were frozen by hash before the rows were written."]


def _judged(verdicts: Sequence[Verdict], parts: Sequence[Part]) -> list[str]:
    if not verdicts:
        return ["## What a model learned from it", "", "Nothing was judged yet."]
    subjects = {idea.id: idea.claim for one in parts for idea in one.record.ideas}
    counts = Counter(str(verdict.kind) for verdict in verdicts)
    rows = [
        f"| {_cell(subjects.get(v.idea, v.claim))} | {v.kind}{' (' + ', '.join(v.flags) + ')' if v.flags else ''} | {v.adapted.right}/{v.adapted.asked} | {v.base.right}/{v.base.asked} "
        f"| {v.gain.value:+.2f} [{v.gain.low:+.2f}, {v.gain.high:+.2f}] |"
        for v in verdicts
    ]
    return [
        "## What a model learned from it", "", *_table("verdict", counts), "",
        "| claim | verdict | adapter, unseen wordings | base | gain with 95% interval |", "|---|---|---|---|---|", *rows,
    ]  # fmt: skip


def _dropped(parts: Sequence[Part], rejects: Sequence[Reject]) -> list[str]:
    counts = Counter(reject.reason for one in parts for reject in one.record.rejects) + Counter(r.reason for r in rejects)
    return ["## Left out", "", *_table("reason", counts)] if counts else []


def _faults() -> list[str]:
    return ["## Known faults", "", *(f"- {fault}" for fault in FAULTS)]


def _table(name: str, counts: Counter[str]) -> list[str]:
    return [f"| {name} | count |", "|---|---|", *(f"| {_cell(key)} | {count} |" for key, count in sorted(counts.items()))]


def _many(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
