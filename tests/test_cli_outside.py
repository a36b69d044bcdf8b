"""Trouble from outside, and names that a person gives: one line that says what to do, never a traceback."""

from __future__ import annotations

import errno
import io
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from pictured import adapter_of
from sqlalchemy.exc import OperationalError

from paperlora import cli
from paperlora.cli import look
from paperlora.cli.outside import said_of
from paperlora.control.chosen import chosen_adapters, find_adapter
from paperlora.errors import AdapterNotLive, NothingToDo, SettingsError, StoreError
from paperlora.judge.judged import JudgeItem
from paperlora.judge.run import judge_adapters
from paperlora.model.base import Base
from paperlora.records import MicroDataset
from paperlora.settings import Settings
from paperlora.store import MANIFEST, Store, read_manifest


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/data/x"), "/data/x: no space is left"),
        (PermissionError(errno.EACCES, "Permission denied", "/data/x"), "/data/x: may not be read or written"),
        (OSError(errno.EROFS, "Read-only file system", "/data"), "PAPERLORA_HOME"),
        (OperationalError("UPDATE", {}, Exception("attempt to write a readonly database")), "permissions of PAPERLORA_HOME"),
        (OperationalError("UPDATE", {}, Exception("database or disk is full")), "Free some space"),
        (OperationalError("SELECT", {}, Exception("file is not a database")), "paperlora rebuild"),
    ],
)
def test_what_a_person_can_mend_is_one_line(error: Exception, says: str) -> None:
    said = said_of(error)
    assert said is not None and says in said and "\n" not in said


def test_a_cause_is_looked_for_behind_the_error_and_our_own_mistakes_stay_loud() -> None:
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as full:
            raise RuntimeError("could not save") from full
    except RuntimeError as error:
        assert "no space is left" in str(said_of(error))
    assert said_of(KeyError("x")) is None and said_of(None) is None
    refused = OperationalError("SELECT", {}, Exception("connection refused"))
    assert said_of(refused, guess=False) is None and "rebuild" in str(said_of(refused))
    assert said_of(FileNotFoundError(errno.ENOENT, "No such file", "x")) is None


@pytest.mark.parametrize(("raised", "code"), [(OSError(errno.ENOSPC, "No space left on device", "[x]"), 1), (KeyboardInterrupt(), 130)])
def test_the_command_line_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], raised: BaseException, code: int
) -> None:
    def fail() -> None:
        raise raised

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as end:
        cli.main()
    told = capsys.readouterr().err
    assert end.value.code == code and "Traceback" not in told
    assert code == 130 or told.startswith("✗ [x]: no space is left")


# ------------------------------------------------------------------ which adapter is meant


def kept(settings: Settings, key: str, day: int) -> str:
    store = Store.at(settings.store_root)
    with store.writing("adapters", key) as draft:
        (draft.path / "adapter.json").write_text("{}", encoding="utf-8")
    uri = store.uri("adapters", key)
    dated = read_manifest(uri).model_copy(update={"created": datetime(2099, 1, 1, tzinfo=UTC) + timedelta(days=day)})
    (Path(uri) / MANIFEST).write_text(dated.model_dump_json(), encoding="utf-8")
    return uri


@pytest.fixture
def house(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def test_the_newest_of_several_is_meant_and_an_exact_id_wins(house: Settings) -> None:
    old, new = kept(house, "arxiv-1v1-zz", 0), kept(house, "arxiv-1v1-aa", 5)
    assert find_adapter(house, "arxiv:1v1") == new
    assert find_adapter(house, "arxiv-1v1-zz") == old
    longer = kept(house, "arxiv-1v1-zz-more", 9)
    assert find_adapter(house, "arxiv-1v1-zz") == old and find_adapter(house, "arxiv-1v1-zz-") == longer


def test_the_id_of_the_report_is_the_folder_without_its_recipe(house: Settings) -> None:
    uri = kept(house, "arxiv-1v1-0123456789ab-c3c272be-a1bfbbbcdb85", 0)
    kept(house, "arxiv-1v1-0123456789ab-c3c272be-ffffffffffff", 1)
    assert find_adapter(house, "arxiv-1v1/0123456789ab/a1bfbbbcdb85") == uri


def test_an_unknown_name_is_answered_with_those_that_are_like_it(house: Settings) -> None:
    for n in range(5):
        kept(house, f"arxiv-990{n}-abc", n)
    with pytest.raises(SettingsError, match=r"no adapter arxiv-9902-xyz\. There are 5, such as arxiv-9902-abc, "):
        find_adapter(house, "arxiv-9902-xyz")
    with pytest.raises(SettingsError, match="There are 5"):
        find_adapter(house, "")


def test_folders_ids_and_nothing_choose_adapters(house: Settings, tmp_path: Path) -> None:
    with pytest.raises(NothingToDo, match="no adapter to judge"):
        chosen_adapters(house, [])
    first, second = kept(house, "a-1", 0), kept(house, "b-1", 1)
    assert chosen_adapters(house, []) == []
    assert chosen_adapters(house, ["b", first, "a-1"]) == [second, first]
    with pytest.raises(StoreError, match="missing or incomplete"):
        chosen_adapters(house, [str(tmp_path)])


def test_a_pipe_is_asked_line_by_line_and_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("first?\n\n  second?  \n"))
    assert [*look._typed()] == ["first?", "second?"]


def test_adapters_of_another_base_alone_are_told_with_their_base(tmp_path: Path) -> None:
    adapter = adapter_of(0, random.Random(1))
    item = JudgeItem(adapter, tmp_path, cast(MicroDataset, None), (), ())
    base = cast(Base, SimpleNamespace(id=adapter.base.model_copy(update={"name": "another", "weights_hash": "0" * 64})))
    with pytest.raises(AdapterNotLive, match=f"None of 1 adapters was trained on another, but on {adapter.base.name}.* PAPERLORA_BASE_MODEL"):
        judge_adapters([item], base, Settings(home=tmp_path), tmp_path)
