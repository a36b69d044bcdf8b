"""Base and adapter side by side: on the base that the adapter was trained on, unless somebody names another."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from paperlora.control.chat import open_pair
from paperlora.errors import ModelUnavailable
from paperlora.model.bank import Bank
from paperlora.model.tiny import tiny_base
from paperlora.settings import Settings

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A peft folder whose adapter changes every layer; it names its base as the trainer does."""
    base, folder = tiny_base(tmp_path_factory.mktemp("tiny")), tmp_path_factory.mktemp("adapter")
    with Bank.fresh(base, 1, 4, [8.0], [1]) as bank:
        bank.weights += 0.3 * torch.randn(bank.weights.shape, generator=torch.Generator().manual_seed(1))
        bank.save(0, folder)
    return folder


def test_the_adapters_own_base_answers_where_the_settings_name_none(folder: Path, tmp_path: Path) -> None:
    said = open_pair(Settings(models=tmp_path), str(folder)).ask("What is the replay share?", max_new_tokens=8)
    assert said.base != said.adapter


def test_a_base_that_was_named_wins(folder: Path, tmp_path: Path) -> None:
    named = Settings(models=tmp_path, base_model=str(tmp_path / "elsewhere"))
    with pytest.raises(ModelUnavailable, match="elsewhere"):
        open_pair(named, str(folder))
