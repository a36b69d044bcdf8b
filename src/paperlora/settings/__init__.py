"""Settings: ``paperlora.toml``, overridden by ``PAPERLORA_*``; secrets come from the environment alone."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from paperlora.errors import SettingsError
from paperlora.records import Recipe, Topic
from paperlora.settings.groups import (
    ArxivSettings,
    EmbeddingSettings,
    IdeaSettings,
    JudgeSettings,
    LlmSettings,
    MicrodataSettings,
    OpenAlexSettings,
    PrefectSettings,
    ReadingSettings,
    SemanticScholarSettings,
    TrainSettings,
)

__all__ = [
    "CONFIG_VARIABLE",
    "DEFAULT_CONFIG",
    "SECRETS",
    "ArxivSettings",
    "EmbeddingSettings",
    "IdeaSettings",
    "JudgeSettings",
    "LlmSettings",
    "MicrodataSettings",
    "OpenAlexSettings",
    "PrefectSettings",
    "ReadingSettings",
    "SemanticScholarSettings",
    "Settings",
    "TrainSettings",
    "load_settings",
    "read_topics",
    "setting_names",
]

CONFIG_VARIABLE = "PAPERLORA_CONFIG"
DEFAULT_CONFIG = Path("paperlora.toml")
SECRETS = ("llm.api_key", "semantic_scholar.api_key", "openalex.api_key", "embeddings.api_key")


class Topics(BaseModel):
    """A file of topics."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topics: tuple[Topic, ...]


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
    four_bit: bool = False
    """Pack the frozen base to 4 bits: a quarter of its memory, slower steps; needs the extra ``4bit``."""
    contact: str = ""
    """An e-mail address for the user agent, so that a source can reach you."""
    guides: tuple[str, ...] = ()
    """Files, folders or globs of guides (.md .html .txt .srt .vtt): other people's pipelines, talks and tutorials."""
    arxiv: ArxivSettings = ArxivSettings()
    semantic_scholar: SemanticScholarSettings = SemanticScholarSettings()
    openalex: OpenAlexSettings = OpenAlexSettings()
    reading: ReadingSettings = ReadingSettings()
    llm: LlmSettings = LlmSettings()
    ideas: IdeaSettings = IdeaSettings()
    embeddings: EmbeddingSettings = EmbeddingSettings()
    microdata: MicrodataSettings = MicrodataSettings()
    train: TrainSettings = TrainSettings()
    recipe: Recipe = Recipe()
    judge: JudgeSettings = JudgeSettings()
    prefect: PrefectSettings = PrefectSettings()
    topics: tuple[Topic, ...] = ()
    topics_file: Path | None = None
    """A TOML file with more [[topics]]; a relative path counts from the settings file that names it."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
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
    if isinstance(values.get("topics_file"), str):
        values["topics_file"] = Path(chosen or DEFAULT_CONFIG).parent / Path(values["topics_file"]).expanduser()
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise SettingsError("; ".join(_explain(item) for item in error.errors())) from None
    except Exception as error:  # pydantic-settings raises its own type for an undecodable variable
        raise SettingsError(f"Settings can't be read: {error}.") from error
    return _with_topics(settings)


def _with_topics(settings: Settings) -> Settings:
    more = read_topics(settings.topics_file.expanduser()) if settings.topics_file else ()
    topics = (*settings.topics, *more)
    twice = sorted({topic.name for topic in topics if [other.name for other in topics].count(topic.name) > 1})
    if twice:
        raise SettingsError(f"There is more than one topic named {', '.join(twice)}.", "Give each topic a name of its own.")
    return settings.model_copy(update={"topics": topics})


def read_topics(path: Path) -> tuple[Topic, ...]:
    """The topics of a TOML file that holds nothing but [[topics]].

    Raises:
        SettingsError: the file is missing or no TOML, or a key or value is wrong.
    """
    if not path.is_file():
        raise SettingsError(f"There is no file of topics {path}.", f"Write one: `paperlora topics init {path}`.")
    values = _read_toml(path)
    try:
        return Topics.model_validate(values).topics
    except ValidationError as error:
        raise SettingsError(f"{path}: " + "; ".join(_explain(item) for item in error.errors()), f"Correct {path}.") from None


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
    names = [
        *setting_names(),
        *(f"topics.{item['loc'][1]}.{n}" for n in Topic.model_fields if where.startswith("topics.")),
    ]
    return f"Unknown setting {where}.{_nearest(where, names)}"


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean {close[0]}?" if close else ""
