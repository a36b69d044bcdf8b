"""The dataset card: what a person, the Hugging Face hub and `load_dataset` need to know of a revision."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from paperlora.microdata.rows import MIN_ROWS
from paperlora.records import Example, Idea, MicroDataset, Paper, Probe, Verdict

FAULTS = (
    "Rows and probes are written by fixed templates; a clumsy relation gives clumsy English in all of them.",
    "Multiple choice, yes-or-no and which-of-two probes can be guessed; each names its chance in the column `chance`.",
    "What the paper leaves open is found by words: a paper may say it in others.",
    "False values are scaled numbers or names of the same type; a false name may, by chance, be true of something the paper doesn't say.",
    "Facts are taken one by one: conditions that the paper attaches in another sentence are lost.",
)
_CREATIVE_COMMONS = re.compile(
    r"(?:creativecommons\.org/licenses/|\bcc[- ])(by(?:-(?:nc|sa|nd))*)(?:[-/ ](\d\.\d))?", re.IGNORECASE
)
_ZERO = re.compile(r"creativecommons\.org/publicdomain/zero|\bcc0\b", re.IGNORECASE)


def write_card(
    record: MicroDataset, rows: Sequence[Example], probes: Sequence[Probe], verdicts: Sequence[Verdict] = ()
) -> str:
    """README.md of a revision: YAML head with both configurations, then prose.

    Args:
        record: the revision.
        rows: its rows.
        probes: its probes.
        verdicts: what became of its ideas in adapters, where it is known.
    """
    prose = [
        *_intro(record), *_contents(record, rows, probes), *_states(record), *_rejects(record), *_making(rows), *_judged(verdicts),
        *_notes(record, rows),
    ]  # fmt: skip
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
    families = Counter(f"{probe.family} ({probe.split}, pass {probe.wave})" for probe in probes)
    return [
        "## What is inside", "",
        f"{len(record.ideas)} ideas, {len(rows)} rows, {len(probes)} probes. Probes were built and frozen before the rows "
        f"(SHA-256 `{record.probes_hash[:16]}…`): no probe shares eight words in a row, or 30% of its word 3-grams, with a row; "
        "only those of the family `trained_form` repeat the words of rows, by design. Probes of pass 2 and 3 are asked "
        "while a verdict is open.", "",
        "| subject | relation | answer | evidence |", "|---|---|---|---|", *map(_fact, record.ideas), "",
        *_table("rows", forms), *_table("probes", families),
    ]  # fmt: skip


def _fact(idea: Idea) -> str:
    place = f"{idea.quotes[0].heading}, p. {idea.quotes[0].page}"
    return f"| {' | '.join(map(_cell, (idea.subject, idea.relation, idea.answer, place)))} |"


def _table(name: str, counts: Counter[str]) -> list[str]:
    lines = (f"| {_cell(key)} | {count} |" for key, count in sorted(counts.items()))
    return [f"| {name} | count |", "|---|---|", *lines, ""]


def _states(record: MicroDataset) -> list[str]:
    """What the base held of each idea that is here, and what was repaired."""
    ideas = {idea.id: idea for idea in record.ideas}
    lines = [
        f"| {_cell(ideas[one.idea].subject)} | {_cell(ideas[one.idea].relation)} | {one.kind.replace('_', ' ')} "
        f"| {one.direct.right} of {one.direct.asked} | {_cell(one.belief)} | {one.prior:.2f} | {_cell(one.repaired)} |"
        for one in record.states
        if one.idea in ideas
    ]
    head = "| subject | relation | the base | right answers | says instead | likelihood a token | repaired |"
    told = (
        "Asked before anything is trained, in the words of dev probes and rows, never of test probes. What it knows is probed "
        "and not taught."
    )
    return ["## What the base held", "", told, "", head, "|---|---|---|---|---|---|---|", *lines, ""] if lines else []


def _rejects(record: MicroDataset) -> list[str]:
    """Each reject is counted; then the book: all that was proposed is here, or dropped for a reason that is named."""
    counts = Counter(reject.reason for reject in record.rejects)
    detail = "Each one stands with its detail in `manifest.json`." if counts else "Nothing was rejected."
    book = [line for kind in ("row", "probe") for line in _book(record.counts, kind)]
    return ["## Rejected", "", detail, "", *(_table("reason", counts) if counts else []), *book, ""]


def _book(counts: Mapping[str, int], kind: str) -> list[str]:
    proposed, kept = counts.get(f"proposed/{kind}"), counts[f"{kind}s"]
    if proposed is None:
        return []
    head = f"dropped/{kind}/"
    dropped = [
        f"{count} {name.removeprefix(head)}"
        for name, count in sorted(counts.items())
        if name.startswith(head) and count
    ]
    return [f"- {kind.capitalize()}s: {proposed} proposed = {kept} kept" + "".join(f" + {one}" for one in dropped)]


def _making(rows: Sequence[Example]) -> list[str]:
    """What wrote the rows and by which prompts or templates, each by its hash."""
    generators = Counter(row.generator for row in rows)
    prompts = len({row.prompt_hash for row in rows if row.prompt_hash})
    licences = Counter(
        row.licence or ("none: general knowledge, or the base's own words" if not row.idea else "unknown")
        for row in rows
    )
    return [
        "## How it was made", "",
        f"{prompts} templates and prompts, each named by its hash in the column `prompt_hash`. `template/…` rows are written by "
        "PaperLoRA's own templates, `base/…` rows are answers of the base model to general prompts.", "",
        *_table("generator", generators), *_table("licence of the row's source", licences),
    ]  # fmt: skip


def _judged(verdicts: Sequence[Verdict]) -> list[str]:
    if not verdicts:
        return []
    lines = (
        f"| {_cell(one.claim)} | {one.kind} | {one.adapted.right} of {one.adapted.asked} | {one.base.right} of {one.base.asked} |"
        for one in verdicts
    )
    head = ["## What a model learned from it", "", "| claim | verdict | adapter | base |", "|---|---|---|---|"]
    return [*head, *lines, ""]


def _notes(record: MicroDataset, rows: Sequence[Example]) -> list[str]:
    faults = list(FAULTS)
    if record.counts["rows"] < MIN_ROWS:
        faults.append(f"Only {record.counts['rows']} rows: too few wordings kept away from the probes.")
    if any(row.form.startswith("replay") for row in rows):
        faults.append(
            "Replay rows are the base's own words. Facts in them were checked for their answer, the rest of the text was not: "
            "a small base adds nonsense to a right answer."
        )
    else:
        faults.append(
            "No base took part: no replay of its own answers, and nobody tested whether a model can answer the probes."
        )
    return ["## Known faults", "", *(f"- {fault}" for fault in faults)]


def _flat(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    return _flat(text).replace("|", "\\|")
