"""Settings: ``paperlora.toml``, overridden by ``PAPERLORA_*``; secrets come from the environment alone."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from paperlora.errors import SettingsError
from paperlora.records import Recipe, Topic

CONFIG_VARIABLE = "PAPERLORA_CONFIG"
DEFAULT_CONFIG = Path("paperlora.toml")
SECRETS = ("llm.api_key", "semantic_scholar.api_key")


class Group(BaseModel):
    """A closed group of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ArxivSettings(Group):
    """arXiv's query API and its PDFs."""

    url: str = "https://export.arxiv.org/api/query"
    """Address of the query API."""
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


class ReadingSettings(Group):
    """Download and reading of PDFs."""

    max_megabytes: float = Field(default=64.0, gt=0)
    """A larger file is rejected while it is still coming in."""
    max_pages: int = Field(default=300, ge=1)
    timeout_seconds: float = Field(default=60.0, gt=0)
    """Longest a single PDF may take to read."""
    memory_megabytes: int = Field(default=1500, ge=256)
    """Most memory the reading process may take."""
    batch: int = Field(default=25, ge=1, le=50)
    """Papers a task."""


class LlmSettings(Group):
    """The reader of ideas."""

    provider: Literal["extractive", "openai"] = "extractive"
    """``extractive``: embedded, no LLM. ``openai``: any OpenAI-compatible endpoint."""
    base_url: str = "https://api.openai.com/v1"
    api_key: SecretStr | None = None
    """From PAPERLORA_LLM__API_KEY only; local servers need none."""
    model: str = "gpt-4o-mini"
    budget_usd: float | None = Field(default=None, ge=0)
    """Money for one run; None for no limit. Needs the two prices."""
    usd_per_million_input: float = Field(default=0.0, ge=0)
    usd_per_million_output: float = Field(default=0.0, ge=0)
    timeout_seconds: float = Field(default=300.0, gt=0)
    max_tokens: int = Field(default=2048, ge=64)
    """Longest answer."""
    concurrency: int = Field(default=4, ge=1)
    """Requests in flight."""


class IdeaSettings(Group):
    """How much is read out of one paper."""

    max_per_paper: int = Field(default=12, ge=1)
    """Best ideas that are kept; the others are rejected as ``over_limit``."""
    max_sections: int | None = Field(default=None, ge=1)
    """Sections an LLM reads of one paper, in order of the claims they hold; None for all."""


class JudgeSettings(Group):
    """How adapters are judged."""

    max_new_tokens: int = Field(default=24, ge=1)
    """Longest free answer."""
    placebos: int = Field(default=2, ge=0)
    """Adapters of other papers that answer each idea's direct probes too."""
    batch_rows: int = Field(default=32, ge=1)
    """Prompts a forward pass."""


class TrainSettings(Group):
    """How many adapters are trained together, and which."""

    max_adapters: int | None = Field(default=None, ge=1)
    """Datasets trained a run, those with the most ideas first; the others are counted as ``deferred``."""
    bank_size: int = Field(default=4, ge=1)
    """Adapters trained at once on one frozen base."""


class PrefectSettings(Group):
    """The Prefect server that `paperlora up` starts."""

    port: int = Field(default=4200, ge=1, le=65535)
    """First port tried; where it is taken, the next free one."""


class Settings(BaseSettings):
    """All settings. The effect stands beside each; README.md shows an annotated file."""

    model_config = SettingsConfigDict(
        env_prefix="PAPERLORA_", env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=True
    )

    home: Path = Path("var")
    """Everything the tool writes, except the micro-datasets."""
    store_url: str = ""
    """Where folders are kept by content hash: empty for ``<home>/store``, or any fsspec URL (``s3://…``)."""
    catalog_url: str = ""
    """SQLAlchemy URL; empty for SQLite at ``<home>/catalog.sqlite``."""
    datasets: Path = Path("datasets")
    """The micro-datasets."""
    models: Path = Path("~/.cache/paperlora/models")
    """Converted base models."""
    base_model: str = "Qwen/Qwen3-0.6B"
    """Hub id, folder, GGUF file, or ``smollm2`` for the demo's model."""
    device: str = "auto"
    """``auto``, ``cpu``, ``cuda``, ``cuda:1`` …"""
    contact: str = ""
    """An e-mail address for the user agent, so that a source can reach you."""
    arxiv: ArxivSettings = ArxivSettings()
    semantic_scholar: SemanticScholarSettings = SemanticScholarSettings()
    reading: ReadingSettings = ReadingSettings()
    llm: LlmSettings = LlmSettings()
    ideas: IdeaSettings = IdeaSettings()
    train: TrainSettings = TrainSettings()
    recipe: Recipe = Recipe()
    judge: JudgeSettings = JudgeSettings()
    prefect: PrefectSettings = PrefectSettings()
    topics: tuple[Topic, ...] = ()

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource, dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # init_settings carries the TOML file; the environment wins over it.
        return env_settings, init_settings

    @property
    def store_root(self) -> str:
        """The store's URL with the default filled in."""
        return self.store_url or str(self.home.expanduser().resolve() / "store")

    @property
    def catalog_address(self) -> str:
        """The catalog's SQLAlchemy URL with the default filled in."""
        return self.catalog_url or f"sqlite:///{self.home.expanduser().resolve() / 'catalog.sqlite'}"

    @property
    def user_agent(self) -> str:
        """What sources see."""
        from paperlora import __version__

        return f"PaperLoRA/{__version__}" + (f" (mailto:{self.contact})" if self.contact else "")


def load_settings(config: str | Path | None = None) -> Settings:
    """Read the settings.

    Args:
        config: a TOML file; None for the one named by PAPERLORA_CONFIG, else ``paperlora.toml`` where there is one.

    Raises:
        SettingsError: the file is missing or no TOML, holds a secret, or a key or value is wrong.
    """
    chosen = config or os.environ.get(CONFIG_VARIABLE)
    values = _read_toml(Path(chosen)) if chosen else _read_toml(DEFAULT_CONFIG) if DEFAULT_CONFIG.exists() else {}
    _forbid_secrets(values, chosen or DEFAULT_CONFIG)
    _forbid_unknown_variables(os.environ)
    try:
        return Settings(**values)
    except ValidationError as error:
        raise SettingsError("; ".join(_explain(item) for item in error.errors())) from None
    except Exception as error:  # pydantic-settings raises its own type for an undecodable variable
        raise SettingsError(f"Settings can't be read: {error}.") from error


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"There is no settings file {path}.", "Give --config an existing file.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{path} can't be read as TOML: {error}.") from error


def _forbid_secrets(values: Mapping[str, Any], path: str | Path) -> None:
    for name in SECRETS:
        group, key = name.split(".")
        if isinstance(values.get(group), Mapping) and key in values[group]:
            variable = f"PAPERLORA_{group.upper()}__{key.upper()}"
            raise SettingsError(f"{path} holds the secret {name}.", f"Remove it and set {variable} in the environment.")


def _forbid_unknown_variables(environment: Mapping[str, str]) -> None:
    known = {"PAPERLORA_" + name.upper().replace(".", "__") for name in setting_names()} | {CONFIG_VARIABLE}
    internal = {"PAPERLORA_STACK", "PAPERLORA_FAILPOINT"}
    for name in environment:
        if name.startswith("PAPERLORA_") and not name.startswith("PAPERLORA_TEST_") and name not in known | internal:
            raise SettingsError(f"Unknown variable {name}.{_nearest(name, known)}")


def setting_names(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """Every setting by its dotted name, groups included: ``llm``, ``llm.model`` …"""
    for name, field in model.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from setting_names(field.annotation, f"{prefix}{name}.")


def _explain(item: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in item["loc"])
    if item["type"] != "extra_forbidden":
        return f"Setting {where}: {item['msg']}."
    names = [*setting_names(), *(f"topics.{item['loc'][1]}.{n}" for n in Topic.model_fields if where.startswith("topics."))]
    return f"Unknown setting {where}.{_nearest(where, names)}"


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean {close[0]}?" if close else ""
