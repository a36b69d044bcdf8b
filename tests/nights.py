"""Nights on the tiny model: papers of the sandbox are trained on and judged by the tasks themselves, without a Prefect server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from taught import ideas_of, paper_of, sources
from tutor import Line, teach_base

import tasks.judge
import tasks.placebos
import tasks.train
from paperlora.catalog import Catalog, open_catalog, stores
from paperlora.judge.subjects import asked_in
from paperlora.microdata.build import build_dataset, load
from paperlora.model.passage import with_passage
from paperlora.model.tiny import tiny_base
from paperlora.progress import silent
from paperlora.records import Idea, Message, Probe
from paperlora.runs import with_hash
from paperlora.settings import Settings, load_settings
from paperlora.store import Store

SHORT = {"rank": 2, "alpha": 8.0, "learning_rate": 1e-2, "batch_size": 8, "max_steps": 3, "checkpoints": 1}
"""A recipe that changes what the tiny model says and is done in a second."""


class Nights:
    """A house with a tiny base: its settings file, its store, its datasets."""

    def __init__(self, root: Path, base: Path, **train: object) -> None:
        self.root, self.config = root, root / "paperlora.toml"
        self.base = base
        self.write({}, **train)

    def write(self, more: Mapping[str, Mapping[str, object]], **train: object) -> None:
        """Write the settings anew.

        Args:
            more: keys of other groups, by group.
            train: keys of the group of that name.
        """
        groups: dict[str, dict[str, object]] = {
            "recipe": SHORT, "train": {"placebos": 0, "seed_share": 0.0, **train}, "microdata": {"use_model": False},
            "judge": {"max_new_tokens": 6, "damage": "quick", "margins": 0, "passes": 1, "intruder_layers": 0, "choice": False, "robustness": False,
                      "scale_sweep": False, "dose_peaks": False},
        }  # fmt: skip
        lines = [f'home = "{self.root / "var"}"', f'datasets = "{self.root / "datasets"}"', f'base_model = "{self.base}"', 'device = "cpu"']
        for name in dict.fromkeys([*groups, *more]):
            values = {**groups.get(name, {}), **more.get(name, {})}
            lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
        self.config.write_text("\n".join(lines), encoding="utf-8")

    @property
    def settings(self) -> Settings:
        """As the tasks read them."""
        return load_settings(str(self.config))

    @property
    def store(self) -> Store:
        """Of these settings."""
        return Store.at(self.settings.store_root)

    def dataset(self, number: int = 0, ideas: int = 2) -> str:
        """The micro-dataset of one paper of the sandbox, with its hash."""
        source = sources()[number]
        own = ideas_of(source)[:ideas]
        return with_hash(build_dataset(paper_of(source), "t", own, own, self.settings, Store.at(self.settings.datasets)))

    def train(self, *datasets: str) -> tasks.train.Trained:
        """What the task of the train stage gives."""
        return tasks.train.train_bank.fn(datasets, None, str(self.config))

    def judge(self, adapters: Sequence[str] | None = None) -> Path:
        """Folder of the judgement of these adapters; of all by default."""
        chosen = tasks.judge.list_adapters.fn(list(adapters) if adapters is not None else None, str(self.config))
        (uri,) = tasks.judge.judge_bank.fn(chosen, str(self.config)).uris
        return Path(uri.partition("#")[0])

    def catalog(self) -> Catalog:
        """The catalog with everything that is complete."""
        catalog = open_catalog(self.settings)
        catalog.refresh(stores(self.settings))
        return catalog

    def made(self) -> dict[str, int]:
        """When each adapter's folder was written, placebos included: a repeated training would write it anew."""
        found = [*Path(self.store.root).glob("adapters/*/manifest.json"), *Path(self.store.root).glob("placebos/*/adapters/*/manifest.json")]
        return {str(path.parent): path.stat().st_mtime_ns for path in found}


@pytest.fixture(scope="module")
def no_bars() -> Iterator[None]:
    """No server shows how far it is."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (tasks.train, tasks.judge, tasks.placebos):
            patch.setattr(module, "ProgressArtifact", lambda key: silent)
        yield


def reading_base(folder: Path, dataset: str, steps: int = 80) -> Path:
    """A tiny base that answers the direct probes of a dataset with the passage before it, and says another thing without it."""
    base = tiny_base(folder / "plain")
    loaded = load(Path(dataset.partition("#")[0]))
    ideas = {idea.id: idea for idea in loaded.record.ideas}
    probes = [probe for probe in asked_in(loaded.probes) if probe.family == "direct"]
    teach_base(base, [line for probe in probes for line in _lines(probe, ideas[probe.idea])], steps)
    base.model.save_pretrained(folder / "reading")
    base.tokenizer.save_pretrained(folder / "reading")
    return folder / "reading"


def _lines(probe: Probe, idea: Idea) -> list[Line]:
    told: tuple[Message, ...] = with_passage(probe, idea)[0]
    return [(told, idea.answer), (probe.messages, "I do not know")]
