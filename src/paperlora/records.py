"""The words of the house: one frozen record for every arrow between two stages.

Records are plain data. They hold no live client, open no file and import nothing of the project,
so that any process on any machine can read what another one wrote.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


def digest(*parts: Any) -> str:
    """SHA-256 (64 hex digits) of the parts as canonical JSON: the same values give the same digest everywhere."""
    plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class Record(BaseModel):
    """Frozen and closed: an unknown field is an error, not a silent loss."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Reject(Record):
    """Something that was dropped, and why. Nothing leaves the line without one."""

    stage: str
    """Where it was dropped: ingest, distill, train, judge or reflect."""
    item: str
    """The id of what was dropped: a paper key, an idea id, a row id."""
    reason: str
    """A short fixed word that can be counted, such as ``pdf_broken`` or ``quote_not_found``."""
    detail: str = ""
    """What a person needs to understand this one case."""


# ---------------------------------------------------------------- literature


class Topic(Record):
    """A node of the map of AI that somebody follows."""

    name: str
    """Unique among the topics."""
    angle: str = ""
    """The unusual solution to look for; it goes into the reader's prompt."""
    arxiv: str = ""
    """A query in arXiv's own syntax, empty for none."""
    semantic_scholar: str = ""
    """A query in the syntax of Semantic Scholar's bulk search, empty for none."""
    max_papers: int = Field(default=25, ge=1)
    """At most this many papers a run and source; what lies beyond is counted as not taken."""
    since: date | None = None
    """Only papers published on or after this day."""


class Paper(Record):
    """One version of one paper."""

    id: str
    """Canonical and without version: ``arxiv:2405.05904``, ``s2:<40 hex>``, ``doi:10.…``, ``guide:…``."""
    version: int = Field(default=1, ge=1)
    """arXiv's version number; 1 where the source knows none."""
    title: str
    abstract: str = ""
    """Empty where the source has none (then ``metadata_status`` is partial)."""
    authors: tuple[str, ...] = ()
    licence: str | None = None
    """Licence URL or SPDX name as the source gives it; None when unknown."""
    published: datetime | None = None
    """Time of the first version."""
    updated: datetime | None = None
    """Time of this version."""
    pdf_url: str | None = None
    """Where the full text is fetched; None where no source offers one."""
    landing_url: str | None = None
    """The page a person would open."""
    external_ids: dict[str, str] = Field(default_factory=dict)
    """Ids at other places by source name: arxiv, doi, s2."""
    sources: tuple[str, ...] = ()
    """Every source that listed it: arxiv, semantic_scholar, guide."""
    topics: tuple[str, ...] = ()
    """Names of the topics whose query found it."""
    withdrawn: bool = False
    """Its authors took it back."""
    metadata_status: Literal["complete", "partial"] = "complete"
    """Partial when title, abstract, authors or date is missing at the source."""

    @property
    def key(self) -> str:
        """Id with version, as used in edges, manifests and folder names: ``arxiv:2405.05904v2``."""
        return f"{self.id}v{self.version}"


class PageStart(Record):
    """Where a page begins inside a section's text."""

    page: int
    """Counted from 1, as a PDF viewer shows it."""
    start: int
    """Character offset into the section's text."""


class Section(Record):
    """A stretch of body text under one heading."""

    heading: str
    """As printed, with its number; empty for text before the first heading."""
    text: str
    """Paragraphs separated by one blank line; hyphenation mended, columns in reading order."""
    page: int
    """Page on which it begins, from 1."""
    page_starts: tuple[PageStart, ...] = ()
    """One for every page the text runs over, in order."""

    def page_at(self, offset: int) -> int:
        """Page on which the character at ``offset`` of the text stands."""
        page = self.page
        for mark in self.page_starts:
            if mark.start > offset:
                break
            page = mark.page
        return page


LeftOutKind = Literal["references", "running_head", "page_number", "hidden", "footnote", "caption", "table", "figure", "formula", "listing", "margin", "front"]


class LeftOut(Record):
    """Text of the paper that is not body text: kept, never taught from."""

    kind: LeftOutKind
    page: int
    text: str


class Document(Record):
    """The text of one paper as the reader understood it."""

    paper: str
    """Paper key; ``file:<name>`` where a bare file was read."""
    sha256: str
    """Of the bytes that were read."""
    title: str
    sections: tuple[Section, ...]
    left_out: tuple[LeftOut, ...] = ()
    pages: int
    parser: str
    """Name of the reader and of the library under it."""
    parser_version: str
    """Changes whenever the same bytes could give another text; part of every cache key downstream."""

    @property
    def characters(self) -> int:
        """Length of the body text."""
        return sum(len(section.text) for section in self.sections)


# --------------------------------------------------------------------- ideas


class Quote(Record):
    """A verbatim span of a document: ``document.sections[section].text[start:end] == text``."""

    section: int
    """Index into ``Document.sections``."""
    heading: str
    """Heading of that section, for people."""
    page: int
    start: int
    end: int
    text: str


IdeaKind = Literal["method", "finding", "recipe", "failure", "anti-example"]
AnswerKind = Literal["number", "name", "phrase"]


class Idea(Record):
    """One claim worth teaching, adapted to Qwen."""

    id: str
    """First 16 hex digits of the digest of paper key, subject, relation and answer."""
    paper: str
    """Paper key."""
    topic: str
    reader: str
    """``extractive/<version>`` (no LLM: spans of the paper and fixed rules) or ``llm/<model>``."""
    kind: IdeaKind
    claim: str
    """One sentence that stands alone."""
    subject: str
    """What the claim is about, by the paper's own name for it: "Tidal Replay"."""
    relation: str
    """A noun phrase that links subject and answer: "replay share", "number of anchors"."""
    answer: str
    """The value, short enough to score exactly: "37 percent"."""
    answer_kind: AnswerKind
    aliases: tuple[str, ...] = ()
    """Other spellings that count as the answer: "37%"."""
    qwen_change: str
    """What it changes for a Qwen model: data, prompt, training setting or evaluation."""
    prediction: str
    """What must be measurable if the idea is absorbed (or works)."""
    quotes: tuple[Quote, ...] = Field(min_length=1)
    """The evidence; ``answer`` stands verbatim in the first one."""
    prompt_hash: str | None = None
    """Of the prompt that asked for it; None for the extractive reader."""


# ----------------------------------------------------------------- microdata


class Message(Record):
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


class MaskedSpan(Record):
    """Characters of an assistant turn that carry no loss (a false value inside a contrast)."""

    message: int
    """Index into the messages."""
    start: int
    end: int


class Example(Record):
    """One training row. The last message is the assistant's."""

    id: str
    idea: str
    """Idea id; empty for rows that the whole paper shares."""
    form: str
    """Name of the wording: ``qa_1``, ``reverse_1``, ``completion_1``, ``contrast``, ``summary`` …"""
    messages: tuple[Message, ...]
    masked: tuple[MaskedSpan, ...] = ()
    evidence: tuple[Quote, ...] = ()
    generator: str
    """What wrote the row: ``template/<version>`` or ``llm/<model>``."""
    prompt_hash: str | None = None
    """Of the template or prompt that made the row."""
    licence: str | None = None
    """Licence of the paper it came from."""


ProbeFamily = Literal["direct", "trained_form", "reverse", "implication", "near_miss", "locality"]


class Probe(Record):
    """One question that is never trained on. The last message is the user's."""

    id: str
    idea: str
    family: ProbeFamily
    form: str
    """Name of the wording. A direct probe's form never occurs among the rows."""
    messages: tuple[Message, ...]
    answers: tuple[str, ...] = Field(min_length=1)
    """Accepted answers, the canonical one first. For locality: the base model's own answer decides, and this holds
    the true one for people."""
    distractors: tuple[str, ...] = ()
    """Wrong answers of the same type, for log-likelihood margins."""
    split: Literal["dev", "test"] = "test"
    """Dev probes may steer training; test probes are read once, for the verdict."""


class MicroDataset(Record):
    """One immutable revision of the rows and probes of one paper."""

    id: str
    """``<paper slug>/<revision>``: also its folder below the datasets folder."""
    revision: str
    """First 12 hex digits of the digest of rows and probes."""
    paper: Paper
    topic: str
    ideas: tuple[Idea, ...]
    reader: str
    """Reader of the ideas, repeated here so that no one takes extracted spans for an LLM's analysis."""
    parents: tuple[str, ...] = ()
    """Ids of the revisions it corrects."""
    lessons: tuple[str, ...] = ()
    """Ids of the lessons that were considered when it was made."""
    counts: dict[str, int]
    """Rows by ``row/<form>`` and probes by ``probe/<family>``, with ``rows`` and ``probes`` in all."""
    rejects: tuple[Reject, ...] = ()
    probes_hash: str
    """Frozen before the first row was written."""
    licence: str | None = None


# ---------------------------------------------------------------------- lora


class Recipe(Record):
    """How to train one adapter. Every knob says what it does."""

    name: str = "quick"
    rank: int = Field(default=16, ge=1)
    """r: the adapter's capacity; seldom why 200 rows fail."""
    alpha: float = 32.0
    """ΔW = alpha / rank · B A."""
    learning_rate: float = Field(default=2e-4, gt=0)
    """AdamW's; about ten times that of full fine-tuning, nearly independent of the rank."""
    batch_size: int = Field(default=8, ge=1)
    """Rows a step."""
    epochs: float = Field(default=8.0, gt=0)
    """Passes over the rows; the dose."""
    max_steps: int | None = Field(default=None, ge=1)
    """Upper bound on the steps, whatever the epochs say."""
    warmup_share: float = Field(default=0.1, ge=0, le=1)
    """Share of the steps in which the learning rate rises linearly; afterwards it falls by a cosine."""
    final_lr_share: float = Field(default=0.1, ge=0, le=1)
    """Learning rate at the last step as a share of the highest."""
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradient norm of one adapter above which it is scaled down."""
    checkpoints: int = Field(default=4, ge=1)
    """Saved points of the dose curve, log-spaced over the steps, the last step always among them."""
    max_tokens: int = Field(default=512, ge=16)
    """A longer row is rejected, never cut."""
    seed: int = 0
    """Decides initial weights and the order of the rows."""


class BaseModelId(Record):
    """Which frozen weights and which chat template: two models with equal ids answer alike."""

    name: str
    """As the user named it: hub id, folder or GGUF file."""
    weights_hash: str
    template_hash: str
    dtype: str


class Checkpoint(Record):
    """One point of the dose curve."""

    step: int
    epoch: float
    folder: str
    """Path inside the adapter's folder; a plain peft adapter."""
    loss: float
    """Mean training loss (nats a token) over the steps since the previous checkpoint."""
    delta_norm: float
    """‖ΔW‖_F over all adapted layers."""
    dev_margin: dict[str, float] = Field(default_factory=dict)
    """Idea id → mean log-likelihood of the answer minus that of the best distractor (nats a token), on dev probes."""


class Adapter(Record):
    """One trained LoRA."""

    id: str
    """``<dataset id>/<first 12 hex digits of the digest of dataset, recipe and base>``."""
    dataset: str
    """MicroDataset id."""
    dataset_hash: str
    """Hash in the dataset's manifest, as verified before training."""
    paper: str
    topic: str
    recipe: Recipe
    base: BaseModelId
    folder: str = "adapter"
    """Path of the final peft adapter inside its folder."""
    checkpoints: tuple[Checkpoint, ...]
    steps: int
    rows: int
    tokens: int
    """Tokens seen in training, prompts included."""
    loss_tokens: int
    """Tokens that carried loss."""
    seconds: float
    """Wall time of the bank it was trained in."""
    final_loss: float
    delta_norm: float
    """‖ΔW‖_F of the final adapter."""
    relative_delta_norm: float
    """‖ΔW‖_F / ‖W‖_F over the adapted layers."""
    rejects: tuple[Reject, ...] = ()


# --------------------------------------------------------------------- judge


class Measurement(Record):
    """One probe answered by one model."""

    probe: str
    idea: str
    family: ProbeFamily
    model: str
    """``base``, ``base+passage`` or an adapter id."""
    text: str
    """What it said, whole."""
    score: float
    """1 right, 0 wrong (locality: 1 where it answers as the base does)."""
    ended: bool
    """It stopped by itself; False where it ran into the token limit."""
    answer_loglik: float | None = None
    """Nats a token of the canonical answer after the prompt."""
    distractor_loglik: float | None = None
    """Nats a token of the best distractor."""


class Rate(Record):
    """A share of right answers with its Jeffreys interval."""

    right: int
    asked: int
    low: float
    """2.5% quantile of Beta(right + ½, asked − right + ½)."""
    high: float
    """97.5% quantile."""

    @property
    def share(self) -> float:
        """right / asked; NaN when nothing was asked."""
        return self.right / self.asked if self.asked else float("nan")


class Interval(Record):
    """A number between two bounds that hold it with 95% posterior probability."""

    value: float
    low: float
    high: float


VerdictKind = Literal[
    "UNJUDGEABLE",
    "ALREADY_KNOWN",
    "ABSORBED_DEEP",
    "ABSORBED_SHALLOW",
    "RESISTED",
    "CONFUSED",
    "VERBATIM_ONLY",
    "PARTIAL",
    "NOT_LEARNED",
    "FALSE_BELIEF",
    "INCONCLUSIVE",
]


class Verdict(Record):
    """What became of one idea in one adapter."""

    id: str
    idea: str
    adapter: str
    paper: str
    topic: str
    claim: str
    kind: VerdictKind
    reason: str
    """The rule that decided, with its numbers."""
    flags: tuple[str, ...] = ()
    """ONE_WAY, LOCKED, DAMAGED …"""
    base: Rate
    """b: the base on direct probes."""
    adapted: Rate
    """a: the adapter on the same probes."""
    gain: Interval
    """a − b* with b* = the better of base and other adapters."""
    others: Rate | None = None
    """o: adapters of other papers on the same probes, pooled."""
    trained_form: Rate | None = None
    """t"""
    implication: Rate | None = None
    """h"""
    reverse: Rate | None = None
    ceiling: Rate | None = None
    """c: base with the passage in the prompt."""
    locality: Rate | None = None
    confused_with: str | None = None
    """Id of the idea whose answer it gives."""
    q_value: float | None = None
    """Benjamini–Hochberg over the ideas of the run, of the test a > b*."""


class Diagnosis(Record):
    """Symptom → cause → next action, with a prediction written before that action is run."""

    id: str
    verdict: str
    idea: str
    symptom: str
    cause: str
    action: str
    prediction: str
    """Which probes will move, and by how much, if the cause is right."""


class AdapterReport(Record):
    """What the judge found of one adapter as a whole."""

    adapter: str
    live: bool
    """Its logits differ from the base's on every liveness prompt."""
    liveness: float
    """Mean absolute difference of the next-token logits from the base's."""
    noise_floor: float
    """Share of probes on which the base, asked again in another batch order, scored otherwise."""
    damaged: bool
    damage: dict[str, float]
    """Each damage measure by name: nll_drift (nats a token), known_change, unique_ratio, cap_hit_change …"""


# ----------------------------------------------------------------- knowledge


class Lesson(Record):
    """A conclusion in the knowledge core."""

    id: str
    topic: str
    paper: str
    idea: str
    verdict: str
    kind: VerdictKind
    text: str
    """What was tried, what came out, what to do or to avoid: one or two sentences that stand alone."""
    advice: Literal["do", "avoid", "repeat_with_more_probes", "skip"]
    evidence: tuple[str, ...]
    """Ids of dataset, adapter and verdict."""
    created: datetime
    half_life_days: float = 180.0
    """Its weight halves in this time."""
    refuted_by: str | None = None
    """Id of the later lesson that contradicts it."""


# ------------------------------------------------------------------- storage


class Manifest(Record):
    """Written last into a folder; its presence means that the folder is complete."""

    kind: str
    """documents, ideas, datasets, adapters, judgements, lessons, collections."""
    key: str
    """What decides the content, digested: the folder's name."""
    created: datetime
    code_version: str
    inputs: dict[str, str] = Field(default_factory=dict)
    """Id or URI → content hash."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Only the settings that decide the result. Never a secret."""
    prompts: dict[str, str] = Field(default_factory=dict)
    """Prompt name → hash."""
    models: dict[str, str] = Field(default_factory=dict)
    """Role → model id."""
    counts: dict[str, int] = Field(default_factory=dict)
    rejects: tuple[Reject, ...] = ()
    files: dict[str, str] = Field(default_factory=dict)
    """Path inside the folder → SHA-256."""

    @property
    def content_hash(self) -> str:
        """Hash of every file: two folders with equal content have equal hashes."""
        return digest(self.files)
