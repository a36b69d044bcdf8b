"""Prompts as files: every variable is given, and every value is used."""

from __future__ import annotations

from pathlib import Path

import pytest

from paperlora.errors import SettingsError
from paperlora.prompts import Prompt, load, load_pair

USED = {
    "check_system": set(),
    "check": {"count", "mark", "items"},
    "grade_system": set(),
    "grade": {"mark", "question", "accepted", "answer"},
    "ideas_system": set(),
    "ideas": {"title", "topic", "angle", "lessons", "heading", "limit", "mark", "text"},
    "json_shape": {"schema"},
    "repair": {"error", "schema"},
}


@pytest.mark.parametrize(
    ("text", "values", "problem"),
    [
        ("Read {{title}}.", {}, "misses title"),
        ("Read {{title}}.", {"title": "a", "text": "b"}, "does not use text"),
        ("Read {{ title }} and {{text}}.", {"text": "b"}, "misses title"),
        ("Read.", {"title": "a"}, "does not use title"),
        ("{{a}}", {"b": "x"}, "misses a and does not use b"),
    ],
)
def test_missing_and_unused_variables_are_errors(text: str, values: dict[str, str], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        Prompt("example", text).render(**values)


def test_render_fills_every_place_once_and_leaves_braces_of_values_alone() -> None:
    prompt = Prompt("example", '{{a}} {"ideas": []} {{ a }} {{b}}')
    assert prompt.render(a="{{b}}", b="x") == '{{b}} {"ideas": []} {{b}} x'


def test_hash_follows_the_text_alone() -> None:
    assert Prompt("a", "same").hash == Prompt("b", "same").hash != Prompt("a", "other").hash


@pytest.mark.parametrize("name", sorted(USED))
def test_prompts_of_the_repository_have_the_variables_that_code_fills(name: str) -> None:
    assert load(name).variables == USED[name]


def test_every_prompt_file_is_used_and_tested() -> None:
    assert {path.stem for path in (Path(__file__).parents[1] / "prompts").iterdir()} == set(USED)


def test_missing_and_empty_prompt_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nothing\.md"):
        load("nothing", tmp_path)
    (tmp_path / "empty.md").write_text(" \n")
    with pytest.raises(SettingsError, match="empty"):
        load("empty", tmp_path)


def test_pair_changes_with_either_text(tmp_path: Path) -> None:
    for name, text in (("p_system", "one"), ("p", "two")):
        (tmp_path / f"{name}.md").write_text(text)
    before = load_pair("p", tmp_path).hash
    (tmp_path / "p_system.md").write_text("other")
    assert load_pair("p", tmp_path).hash != before
