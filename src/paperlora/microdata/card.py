"""The dataset card: what a person, the Hugging Face hub and `load_dataset` need to know of a revision."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from paperlora.microdata.rows import MIN_ROWS
from paperlora.records import Example, Idea, MicroDataset, Paper, Probe, Reject

FAULTS = (
    "Rows and probes are written by fixed templates; a clumsy relation gives clumsy English in all of them.",
    "False values are scaled numbers or names of the same type; a false name may, by chance, be true of something the paper doesn't say.",
    "Yes-or-no probes can be right by guessing in half of the cases.",
    "Facts are taken one by one: conditions that the paper attaches in another sentence are lost.",
)
_CREATIVE_COMMONS = re.compile(
    r"(?:creativecommons\.org/licenses/|\bcc[- ])(by(?:-(?:nc|sa|nd))*)(?:[-/ ](\d\.\d))?", re.IGNORECASE
)
_ZERO = re.compile(r"creativecommons\.org/publicdomain/zero|\bcc0\b", re.IGNORECASE)


def write_card(record: MicroDataset, rows: Sequence[Example], probes: Sequence[Probe]) -> str:
    """README.md of a revision: YAML head with both configurations, then prose."""
    prose = [*_intro(record), *_contents(record, rows, probes), *_rejects(record.rejects), *_notes(record)]
    return "\n".join([*_head(record, rows), "", *prose, ""])


def licence_id(licence: str | None) -> str:
    """The hub's id of a licence: "cc-by-4.0", "cc0-1.0", "other", or "unknown" where the source names none."""
    if not licence:
        return "unknown"
    if _ZERO.search(licence):
        return "cc0-1.0"
    match = _CREATIVE_COMMONS.search(licence)
    if match is None:
        return {"mit": "mit", "apache-2.0": "apache-2.0"}.get(licence.casefold(), "other")
    return f"cc-{match[1].lower()}-{match[2] or '4.0'}"


def _head(record: MicroDataset, rows: Sequence[Example]) -> list[str]:
    size = "n<1K" if len(rows) < 1000 else "1K<n<10K"
    licence = licence_id(record.licence)
    named = [f"license_name: {_quoted(record.licence)}", f"license_link: {_quoted(record.paper.landing_url or '')}"]
    return [
        "---", f"license: {licence}", *(named if licence == "other" and record.licence else []), "language:", "- en",
        "task_categories:", "- question-answering", "- text-generation", f"pretty_name: {_quoted('PaperLoRA: ' + record.paper.title)}",
        "tags:", "- paperlora", "- lora", f"size_categories:\n- {size}", "configs:", "- config_name: rows", "  default: true",
        "  data_files:", "  - split: train", "    path: data/rows.parquet", "- config_name: probes", "  data_files:",
        "  - split: test", "    path: data/probes.parquet", "---",
    ]  # fmt: skip


def _quoted(text: str | None) -> str:
    """A YAML scalar in double quotes, on one line."""
    plain = " ".join((text or "").split())
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _intro(record: MicroDataset) -> list[str]:
    paper = record.paper
    ruled = record.reader.startswith("extractive")
    by = "fixed rules over verbatim spans, **no LLM**" if ruled else "an LLM, every quote checked against the paper"
    return [
        f"# {_flat(paper.title)}", "",
        f"Rows and probes about the claims of one paper, revision `{record.id}`, made by PaperLoRA.", "",
        *_source(paper),
        f"- Ideas read by: `{record.reader}` ({by})",
        f"- Topic: {record.topic or 'none'}",
        *([f"- Corrects: {', '.join(record.parents)}"] if record.parents else []),
        *([f"- Lessons considered: {', '.join(record.lessons)}"] if record.lessons else []),
        "", "```python", "from datasets import load_dataset", "",
        'rows = load_dataset("path/of/this/folder", "rows")["train"]      # column `messages`, as chat trainers take it',
        'probes = load_dataset("path/of/this/folder", "probes")["test"]   # never train on these', "```", "",
    ]  # fmt: skip


def _source(paper: Paper) -> list[str]:
    link = paper.landing_url or paper.pdf_url
    return [
        f"- Source: {paper.key}" + (f", <{link}>" if link else ""),
        f"- Authors: {_flat(', '.join(paper.authors)) or 'unknown'}",
        f"- Licence of the paper: {paper.licence or 'unknown: check it before you pass rows on'}",
    ]


def _contents(record: MicroDataset, rows: Sequence[Example], probes: Sequence[Probe]) -> list[str]:
    forms = Counter(re.sub(r"_\d+$", "", row.form) for row in rows)
    families = Counter(f"{probe.family} ({probe.split})" for probe in probes)
    return [
        "## What is inside", "",
        f"{len(record.ideas)} ideas, {len(rows)} rows, {len(probes)} probes. Probes were built and frozen before the rows "
        f"(SHA-256 `{record.probes_hash[:16]}…`): no probe shares eight words in a row, or 30% of its word 3-grams, with a row; "
        "only those of the family `trained_form` repeat rows, by design.", "",
        "| subject | relation | answer | evidence |", "|---|---|---|---|", *map(_fact, record.ideas), "",
        *_table("rows", forms), *_table("probes", families),
    ]  # fmt: skip


def _fact(idea: Idea) -> str:
    place = f"{idea.quotes[0].heading}, p. {idea.quotes[0].page}"
    return f"| {' | '.join(map(_cell, (idea.subject, idea.relation, idea.answer, place)))} |"


def _table(name: str, counts: Counter[str]) -> list[str]:
    lines = (f"| {_cell(key)} | {count} |" for key, count in sorted(counts.items()))
    return [f"| {name} | count |", "|---|---|", *lines, ""]


def _rejects(rejects: Iterable[Reject]) -> list[str]:
    counts = Counter(reject.reason for reject in rejects)
    if not counts:
        return ["## Rejected", "", "Nothing was rejected.", ""]
    return ["## Rejected", "", "Each one stands with its detail in `manifest.json`.", "", *_table("reason", counts)]


def _notes(record: MicroDataset) -> list[str]:
    faults = list(FAULTS)
    if record.counts["rows"] < MIN_ROWS:
        faults.append(f"Only {record.counts['rows']} rows: too few wordings kept away from the probes.")
    return ["## Known faults", "", *(f"- {fault}" for fault in faults)]


def _flat(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    return _flat(text).replace("|", "\\|")
