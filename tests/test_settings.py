"""Settings: one file, one environment, no silent mistake."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from paperlora.errors import SettingsError
from paperlora.settings import load_settings, setting_names


def toml(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "paperlora.toml"
    path.write_text(text)
    return path


def test_file_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = toml(tmp_path, '[llm]\nmodel = "from-file"\nmax_tokens = 100\n')
    monkeypatch.setenv("PAPERLORA_LLM__MODEL", "from-environment")
    settings = load_settings(path)
    assert (settings.llm.model, settings.llm.max_tokens) == ("from-environment", 100)


def test_topics(tmp_path: Path) -> None:
    path = toml(tmp_path, '[[topics]]\nname = "memory"\narxiv = "abs:memory"\nsince = 2026-01-01\nmax_papers = 3\n')
    topic = load_settings(path).topics[0]
    assert (topic.name, topic.arxiv, topic.since, topic.max_papers) == ("memory", "abs:memory", date(2026, 1, 1), 3)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[llm]\nmodell = "x"', "llm.modell.*Did you mean llm.model"),
        ('basemodel = "x"', "basemodel.*Did you mean base_model"),
        ('[[topics]]\nname = "a"\narxxiv = "b"', "topics.0.arxxiv.*Did you mean topics.0.arxiv"),
        ('[reading]\nmax_pages = 0', "reading.max_pages"),
        ("not toml", "can't be read as TOML"),
        ('[llm]\napi_key = "sk-1"', "holds the secret llm.api_key.*PAPERLORA_LLM__API_KEY"),
    ],
)
def test_mistakes_in_the_file_are_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        load_settings(toml(tmp_path, text))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no settings file"):
        load_settings(tmp_path / "nowhere.toml")


def test_unknown_variable_names_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERLORA_LLM__MODLE", "x")
    with pytest.raises(SettingsError, match=r"PAPERLORA_LLM__MODLE.*PAPERLORA_LLM__MODEL"):
        load_settings()


def test_a_secret_is_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERLORA_LLM__API_KEY", "sk-very-secret")
    settings = load_settings()
    assert settings.llm.api_key is not None
    assert settings.llm.api_key.get_secret_value() == "sk-very-secret"
    assert "sk-very-secret" not in repr(settings) + settings.model_dump_json()


def test_default_config_of_the_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toml(tmp_path, 'base_model = "here"')
    monkeypatch.chdir(tmp_path)
    assert load_settings().base_model == "here"


def test_readme_names_every_setting_group() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    for name in setting_names():
        if "." not in name:
            assert name in readme, f"README.md says nothing of the setting {name}"
