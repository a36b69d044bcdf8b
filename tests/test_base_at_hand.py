"""The base in the making of datasets: named at once, loaded once, and not needed where it is switched off."""

from __future__ import annotations

from pathlib import Path

import pytest

from paperlora.errors import ModelUnavailable
from paperlora.model.tiny import tiny_base
from paperlora.settings import MicrodataSettings, Settings
from tasks.base import BaseAtHand


def settings(base_model: str, tmp_path: Path, **micro: bool) -> Settings:
    return Settings(base_model=base_model, device="cpu", models=tmp_path, microdata=MicrodataSettings(**micro))


def test_it_is_named_as_it_is_loaded_and_loaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import paperlora.model.base as module

    made = tiny_base(tmp_path / "tiny")
    loads: list[str] = []
    real = module.load_base
    monkeypatch.setattr(module, "load_base", lambda spec, **more: loads.append(spec) or real(spec, **more))
    hand = BaseAtHand(settings(str(tmp_path / "tiny"), tmp_path))
    assert hand.id == made.id and not loads
    first, again = hand.load(), hand.load()
    assert first is again and first is not None and first.id == hand.id and len(loads) == 1


def test_switched_off_nothing_is_named_loaded_or_looked_for(tmp_path: Path) -> None:
    hand = BaseAtHand(settings("/nowhere/model", tmp_path, use_model=False))
    assert hand.id is None and hand.load() is None


def test_a_base_that_is_missing_stops_the_stage_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable):
        BaseAtHand(settings("/nowhere/model", tmp_path))
