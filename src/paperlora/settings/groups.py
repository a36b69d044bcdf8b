"""The groups of settings. The effect stands beside each."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

OPEN_HOSTS = (
    "aclanthology.org", "archives-ouvertes.fr", "arxiv.org", "biorxiv.org", "elifesciences.org", "europepmc.org",
    "frontiersin.org", "hal.science", "ijcai.org", "isca-archive.org", "jmlr.org", "medrxiv.org", "ncbi.nlm.nih.gov",
    "neurips.cc", "nips.cc", "ojs.aaai.org", "openaccess.thecvf.com", "openalex.org", "openreview.net", "peerj.com",
    "plos.org", "proceedings.mlr.press", "semanticscholar.org", "zenodo.org",
)  # fmt: skip
"""Hosts of open-access papers in AI and its neighbours."""


class Group(BaseModel):
    """A closed group of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ArxivSettings(Group):
    """arXiv's query API, its OAI-PMH interface and its full texts."""

    url: str = "https://export.arxiv.org/api/query"
    """Address of the query API."""
    oai_url: str = "https://oaipmh.arxiv.org/oai"
    """Address of the OAI-PMH interface."""
    sets: tuple[str, ...] = ()
    """OAI-PMH sets (``cs``, ``cs:cs:CL``) harvested whole, topics matched here; empty: the query API is asked per topic."""
    delay_seconds: float = Field(default=3.0, ge=0)
    """Pause between two requests; arXiv asks for three seconds over all your machines."""
    timeout_seconds: float = Field(default=60.0, gt=0)
    """Longest silence of the server that is waited for."""
    page_size: int = Field(default=100, ge=1, le=2000)
    """Records a request."""


class SemanticScholarSettings(Group):
    """Semantic Scholar's Graph API."""

    url: str = "https://api.semanticscholar.org/graph/v1"
    api_key: SecretStr | None = None
    """From PAPERLORA_SEMANTIC_SCHOLAR__API_KEY only."""
    delay_seconds: float = Field(default=1.1, ge=0)
    timeout_seconds: float = Field(default=60.0, gt=0)


class OpenAlexSettings(Group):
    """OpenAlex: a source of its own, and the one that steps in for Semantic Scholar."""

    url: str = "https://api.openalex.org"
    api_key: SecretStr | None = None
    """From PAPERLORA_OPENALEX__API_KEY only; OpenAlex answers nearly nothing without one."""
    delay_seconds: float = Field(default=0.2, ge=0)
    timeout_seconds: float = Field(default=60.0, gt=0)


class ReadingSettings(Group):
    """Download and reading of PDFs."""

    max_megabytes: float = Field(default=64.0, gt=0)
    """A larger file is rejected while it is still coming in."""
    max_pages: int = Field(default=300, ge=1)
    timeout_seconds: float = Field(default=60.0, gt=0)
    """Longest a single PDF may take to read."""
    memory_megabytes: int = Field(default=1500, ge=256)
    """Most memory the reading process may take."""
    ocr_language: str = ""
    """Scans are read with Tesseract's data of this language (``eng``, ``deu``, ``eng+deu``), about four seconds a page:
    raise the time limit too. Empty: they are rejected as ``scanned``."""
    batch: int = Field(default=25, ge=1, le=50)
    """Papers a task."""
    prefer: tuple[Literal["html", "latex", "pdf"], ...] = Field(default=("html", "latex", "pdf"), min_length=1)
    """Kinds of full text in the order in which they are asked for; only arXiv has the first two."""
    hosts: tuple[str, ...] = OPEN_HOSTS
    """Hosts that full texts may be fetched from, with everything below their names, over https alone. The sources' own
    addresses are always allowed."""


class LlmSettings(Group):
    """The reader of ideas."""

    provider: Literal["extractive", "openai"] = "extractive"
    """``extractive``: embedded, no LLM. ``openai``: any OpenAI-compatible endpoint."""
    base_url: str = "https://api.openai.com/v1"
    api_key: SecretStr | None = None
    """From PAPERLORA_LLM__API_KEY only; local servers need none."""
    model: str = "gpt-4o-mini"
    budget_usd: float | None = Field(default=None, ge=0)
    """Money for one run over all its processes; None for no limit. Needs the two prices."""
    budget_tokens: int | None = Field(default=None, ge=0)
    """Tokens, in and out, for one run over all its processes; None for no limit."""
    usd_per_million_input: float = Field(default=0.0, ge=0)
    usd_per_million_cached_input: float | None = Field(default=None, ge=0)
    """Price of input that the provider found in its prefix cache; None for that of other input."""
    usd_per_million_output: float = Field(default=0.0, ge=0)
    batch_price_share: float = Field(default=0.5, gt=0, le=1)
    """What a request in a batch costs, as a share of the price."""
    timeout_seconds: float = Field(default=300.0, gt=0)
    max_tokens: int = Field(default=2048, ge=64)
    """Longest answer; one that is cut off is asked for once more with twice as many."""
    temperature: float = Field(default=0.0, ge=0, le=2)
    extra_body: str = ""
    """A JSON object that is added to each request: ``{"chat_template_kwargs": {"enable_thinking": false}}`` for a Qwen3
    behind vLLM, ``{"reasoning_effort": "low"}`` for OpenAI."""
    concurrency: int = Field(default=4, ge=1)
    """Requests in flight at first; more while the endpoint answers well, fewer when it refuses."""
    max_concurrency: int = Field(default=128, ge=1)
    """Requests in flight at most."""
    batch: bool = False
    """Ask through the provider's Batch API: cheaper, within 24 hours. Endpoints without one are asked as usual."""
    batch_poll_seconds: float = Field(default=30.0, gt=0)
    """Pause between two looks at a batch."""


class IdeaSettings(Group):
    """How much is read out of one paper."""

    max_per_paper: int = Field(default=12, ge=1)
    """Best ideas that are kept; the others are rejected as ``over_limit``."""
    max_sections: int | None = Field(default=None, ge=1)
    """Sections an LLM reads of one paper, in order of the claims they hold; None for all."""
    check: bool = True
    """Ask an LLM a second time whether the evidence supports each idea; what it doesn't is rejected."""
    batch: int = Field(default=16, ge=1)
    """Papers read at the same time, so that the endpoint stays busy; changes no result."""


class EmbeddingSettings(Group):
    """Likeness by meaning, for ideas that several papers state in other words."""

    provider: Literal["off", "openai", "local"] = "off"
    """``openai``: an OpenAI-compatible ``/embeddings`` endpoint. ``local``: the base model's own hidden states."""
    base_url: str = "https://api.openai.com/v1"
    api_key: SecretStr | None = None
    """From PAPERLORA_EMBEDDINGS__API_KEY only; local servers need none."""
    model: str = "text-embedding-3-small"
    timeout_seconds: float = Field(default=60.0, gt=0)
    threshold: float = Field(default=0.85, gt=0, le=1)
    """Least cosine of two ideas that may mean the same."""


class MicrodataSettings(Group):
    """How ideas become rows and probes."""

    use_model: bool = True
    """Let the base model take part: it says what it knows, what it can answer, and what means the same. Without it a
    machine needs no torch to distill, and rows hold no replay."""
    replay_share: float = Field(default=0.25, ge=0, lt=0.9)
    """Share of the base's own answers among all rows of a paper: what keeps an adapter from forgetting the rest."""
    answerability: bool = True
    """Repair, else leave out, ideas whose probes the base can't answer with the passage before it."""
    quiz: bool = True
    """Quiz the base on every idea first: what it knows is not taught, what it believes instead is denied in the rows, and
    how strongly it believes that stands beside the verdict."""
    meaning: bool = True
    """Leave out rows that mean to the base what a probe means."""


class JudgeSettings(Group):
    """How adapters are judged."""

    max_new_tokens: int = Field(default=24, ge=1)
    """Longest free answer."""
    placebos: int = Field(default=2, ge=0)
    """Adapters of other papers that answer each idea's direct probes too; where there are too few, placebo adapters of
    the recipe (``train.placebos``) do."""
    damage: Literal["full", "quick"] = "full"
    """What each adapter is asked to see what it broke. ``full``: about 220 short answers, ten texts, a dozen thoughts where
    the base can think. ``quick``: known facts, open questions and texts, 152 answers."""
    passes: int = Field(default=3, ge=1, le=3)
    """Most passes over the probes of an idea whose verdict is open: 12, 20, then 32 direct ones."""
    margins: int = Field(default=4, ge=0)
    """Direct probes of each idea on which right, wrong and said answers are weighed by likelihood; 0: none. Without them a
    guess of the base that comes again and again can't be told from a belief."""
    sure: float = Field(default=0.5, gt=0, lt=1)
    """Likelihood a token from which a wrong answer that the base repeats is its belief, not a guess."""
    choice: bool = True
    """Weigh the options of multiple-choice probes, on base and adapter: what is recognised beside what is recalled."""
    robustness: bool = True
    """Ask under a foreign system prompt, and once more after a doubt."""
    thinking: Literal["auto", "on", "off"] = "auto"
    """Ask some direct probes once more with thinking on, where the model can think. ``auto``: on a GPU only, since a thought
    takes as long as twenty answers."""
    thinking_tokens: int = Field(default=512, ge=1)
    """Longest thought together with its answer; a thought that is cut off counts as no answer."""
    batch_rows: int = Field(default=64, ge=1)
    """Prompts a forward pass: more are faster, and take more memory."""
    scale_sweep: bool = True
    """Ask ideas that resist of their adapters at 0.5, 1, 1.5 and 2 times their strength too; it explains, and changes no
    verdict."""
    dose_peaks: bool = True
    """Ask the checkpoint at which an idea's dev margin peaked its probes too, where the last one answers less; it explains,
    and changes no verdict."""
    llm_judge: bool = False
    """Let the LLM of ``llm`` read answers that no rule can; without it they count as wrong. It is believed only where it
    agrees with the rules on answers that these decide."""
    llm_sample: int = Field(default=60, ge=8)
    """Decided answers on which that agreement is measured."""
    llm_kappa: float = Field(default=0.6, gt=0, le=1)
    """Least lower bound of Cohen's κ from which its word is taken."""
    cross_nearest: int = Field(default=2, ge=0)
    """Adapters of the papers whose claims are most like its own, on whose ideas each adapter is asked too."""
    cross_random: int = Field(default=2, ge=0)
    """Adapters of other papers, whatever they say, on whose ideas each adapter is asked too."""
    cross_probes: int = Field(default=24, ge=1)
    """Direct probes asked of each such pair, spread over the ideas."""
    intruder_layers: int = Field(default=4, ge=0)
    """Decoder layers, spread over the depth, in which intruder dimensions are looked for; their base weights are taken
    apart once and kept beside the base models. 0: none."""


class TrainSettings(Group):
    """How many adapters are trained together, and which."""

    max_adapters: int | None = Field(default=None, ge=1)
    """Datasets trained a run, those with the most ideas first; the others are counted as ``deferred``."""
    bank_size: int = Field(default=0, ge=0)
    """Most adapters trained at once on one frozen base; 0: as many as fit into memory (at most 8 on a CPU)."""
    seed_share: float = Field(default=0.1, ge=0, le=1)
    """Share of the adapters that are trained again with other seeds, so that the judge sees how far the seed decides;
    rounded down, so that a run of fewer than ten trains none again at 0.1."""
    seeds: int = Field(default=3, ge=1)
    """Seeds of each of these, the recipe's own included."""
    placebos: int = Field(default=3, ge=0)
    """Placebo adapters for each recipe, trained once and kept: shuffled answers, facts the base knows, an invented domain,
    and again with other draws. They tell what the recipe does whatever it teaches; from six on their spread is known well
    enough to catch more than gross damage. 0: none."""


class PrefectSettings(Group):
    """The Prefect server that `paperlora up` starts."""

    port: int = Field(default=4200, ge=1, le=65535)
    """First port tried; where it is taken, the next free one."""
    retry_seconds: tuple[Annotated[float, Field(ge=0)], ...] = Field(default=(5.0, 60.0), min_length=1)
    """Pauses before a task that failed for a passing reason is tried again; the last one stays. Workers that you start
    yourself take theirs from PREFECT_TASKS_DEFAULT_RETRY_DELAY_SECONDS."""
