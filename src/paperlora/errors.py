"""Everything that can go wrong, as a tree.

    PaperLoraError
    ├── SettingsError            a setting is wrong or unknown
    ├── SourceError              arXiv, Semantic Scholar or a download host
    │   ├── SourceUnavailable    (transient) time-out, 429, 5xx, refused connection
    │   │   ├── SourceResting    a host is left alone after failures in a row, or because it asked for it
    │   │   └── AddressNotAllowed  a name leads to a private or local address
    │   ├── SourceAnswerInvalid  (transient) HTML for a feed, an empty page in mid-paging, a cut-off body
    │   └── SourceRefused        the query, id or key was rejected
    │       └── HostNotAllowed   an address that nothing may be fetched from
    ├── DocumentUnreadable       one file cannot be read
    ├── LlmError
    │   ├── LlmUnavailable       (transient) time-out, 429, 5xx, refused connection
    │   ├── LlmRefused           wrong key, unknown model, bad request
    │   ├── LlmAnswerInvalid     the answer fits no schema after repair
    │   └── BudgetExhausted      the money set aside for the run is spent
    ├── ModelUnavailable         the base model can't be found or loaded
    ├── StoreError               a folder is missing, incomplete or altered
    ├── NothingToDo              a stage would end with 0 rows or 0 tokens
    ├── HubError                 the Hugging Face hub refuses or can't be reached
    ├── TrainingDiverged         loss became NaN or infinite
    ├── AdapterNotLive           an adapter changes nothing: it is not applied
    └── StackError               Prefect's server, a worker or a deployment doesn't answer

``transient`` decides whether a task is retried. ``remedy`` is the one line that tells a person what to do.
"""

from __future__ import annotations

from typing import ClassVar


class PaperLoraError(Exception):
    """Root of the tree.

    Args:
        message: what happened, one line, without a secret in it.
        remedy: what to do about it, one line; each class brings a default.
    """

    transient: ClassVar[bool] = False
    default_remedy: ClassVar[str] = "Run `paperlora doctor` to see what is set up and what is not."

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy or self.default_remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}"


class SettingsError(PaperLoraError):
    """A setting is wrong or unknown."""

    default_remedy = "Correct paperlora.toml or the PAPERLORA_… variable; README.md lists the settings."


class SourceError(PaperLoraError):
    """A literature source failed."""

    default_remedy = "Check the address in the settings and the network, then run the stage again."


class SourceUnavailable(SourceError):
    """Time-out, 429, 5xx or a refused connection.

    Args:
        retry_after: seconds the source asked to wait, where it said so.
    """

    transient = True

    def __init__(self, message: str, remedy: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, remedy)
        self.retry_after = retry_after
        self.args = (message, remedy, retry_after)


class SourceResting(SourceUnavailable):
    """A host is left alone for a while.

    Args:
        retry_after: seconds until it may be asked again.
        broken: it failed several times in a row; otherwise it asked for the pause itself.
    """

    default_remedy = "It is asked again by itself when the pause is over; the other sources go on meanwhile."

    def __init__(
        self, message: str, remedy: str | None = None, retry_after: float | None = None, broken: bool = True
    ) -> None:
        super().__init__(message, remedy, retry_after)
        self.broken = broken
        self.args = (message, remedy, retry_after, broken)


class AddressNotAllowed(SourceUnavailable):
    """A host's name leads to a private, local or otherwise special address, where nothing may be asked for."""

    default_remedy = "Check the name server: no public host has such an address. A login page of the network may be the cause."


class SourceAnswerInvalid(SourceError):
    """The source answered with something that cannot be its answer."""

    transient = True


class SourceRefused(SourceError):
    """The query, id or key was rejected; asking again gives the same.

    Args:
        status: HTTP status of the refusal; None where nothing was asked.
    """

    default_remedy = "Correct the topic's query or the key in the settings."

    def __init__(self, message: str, remedy: str | None = None, status: int | None = None) -> None:
        super().__init__(message, remedy)
        self.status = status
        self.args = (message, remedy, status)


class HostNotAllowed(SourceRefused):
    """An address that nothing may be fetched from: another host, not https, or with a name and password in it."""

    default_remedy = "Add the host to reading.hosts in paperlora.toml if you trust it."


class DocumentUnreadable(PaperLoraError):
    """One file cannot be read.

    Args:
        reason: a fixed word for counting: pdf_broken, pdf_encrypted, not_a_pdf, scanned, no_text, too_large, timeout,
            memory, file_broken, not_html, not_latex, not_text, unsafe_archive, too_deep.
    """

    default_remedy = "The paper is kept as rejected; replace the file if you have a better one."

    def __init__(self, message: str, remedy: str | None = None, reason: str = "pdf_broken") -> None:
        super().__init__(message, remedy)
        self.reason = reason
        self.args = (message, remedy, reason)


class LlmError(PaperLoraError):
    """The LLM endpoint failed."""

    default_remedy = "Check PAPERLORA_LLM__BASE_URL, __API_KEY and __MODEL, or set PAPERLORA_LLM__PROVIDER=extractive."


class LlmUnavailable(LlmError):
    """Time-out, 429, 5xx or a refused connection."""

    transient = True


class LlmRefused(LlmError):
    """Wrong key, unknown model or a request the endpoint does not take."""


class LlmAnswerInvalid(LlmError):
    """No answer that fits the schema, after repair.

    Args:
        reason: a fixed word for counting: llm_no_json, llm_wrong_schema, llm_refusal, llm_truncated, llm_empty,
            llm_not_taken (the endpoint rejects this question alone), llm_failed (it fails at this question alone).
    """

    default_remedy = "The section is kept as rejected; a stronger model or a smaller section may help."

    def __init__(self, message: str, remedy: str | None = None, reason: str = "llm_wrong_schema") -> None:
        super().__init__(message, remedy)
        self.reason = reason
        self.args = (message, remedy, reason)


class BudgetExhausted(LlmError):
    """The money or tokens set aside for the run are spent."""

    default_remedy = "Raise PAPERLORA_LLM__BUDGET_USD or __BUDGET_TOKENS and run the stage again; what was paid for is kept."


class ModelUnavailable(PaperLoraError):
    """The base model can't be found or loaded."""

    default_remedy = "Set PAPERLORA_BASE_MODEL to a hub id you can reach, a model folder or a GGUF file."


class StoreError(PaperLoraError):
    """A stored folder is missing, incomplete or altered."""

    default_remedy = "Run the stage that makes it again; complete folders are reused."


class NothingToDo(PaperLoraError):
    """A stage would end with 0 rows, 0 tokens or 0 papers."""

    default_remedy = "See the rejects (`paperlora status`) for what was dropped, and why."


class HubError(PaperLoraError):
    """The Hugging Face hub refuses or can't be reached."""

    default_remedy = "Set HF_TOKEN to a token that may write there (or `hf auth login`), and check HF_ENDPOINT."


class TrainingDiverged(PaperLoraError):
    """The loss of an adapter became NaN or infinite."""

    default_remedy = "Lower the recipe's learning rate."


class AdapterNotLive(PaperLoraError):
    """An adapter leaves the base's logits as they were."""

    default_remedy = "Its scores would be the base's own: train it again and look at its ‖ΔW‖."


class StackError(PaperLoraError):
    """Prefect's server, a worker or a deployment doesn't answer."""

    default_remedy = "Run `paperlora down`, then `paperlora up`; logs are under var/logs."
