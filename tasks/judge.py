"""Adapter → Measurement → Verdict → Diagnosis.

What needs torch is imported where it is used: a machine without torch deploys and starts this stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from prefect import task

from paperlora.microdata.build import load
from paperlora.records import Adapter, Reject
from paperlora.settings import Settings
from paperlora.store import Store, read_json
from tasks.placebos import find_placebos
from tasks.policy import RETRY, ProgressArtifact, llm_account, open_stage, work_folder
from tasks.stages import open_uri, with_hash

if TYPE_CHECKING:
    from paperlora.judge.judged import Judged, JudgeItem
    from paperlora.model.base import Base


class Judgement(NamedTuple):
    """Where the verdicts stand."""

    uris: list[str]
    rejects: list[Reject]


@task(name="adapters")
def list_adapters(adapters: list[str] | None, config: str | None) -> list[str]:
    """The adapters asked for; by default every adapter in the store."""
    if adapters is not None:
        return adapters
    _, store = open_stage(config)
    return [with_hash(uri) for uri in store.folders("adapters")]


@task(name="judge", **RETRY)
def judge_bank(adapters: Sequence[str], config: str | None) -> Judgement:
    """Let base and adapters answer the held-out probes in one model load, and judge every idea."""
    from paperlora.judge.judged import write_judgement
    from paperlora.judge.prior import add_prior
    from paperlora.judge.run import judge_adapters, judgement_key
    from paperlora.model.base import base_of

    settings, store = open_stage(config)
    base = base_of(settings)
    opened = [open_uri(reference) for reference in adapters]
    taught = [_item(*one, settings) for one in opened]
    placebos = find_placebos(taught, base, settings, store)
    items = [*taught, *placebos.items]
    key = judgement_key(items, settings, base.id)
    if not store.has("judgements", key):
        judged = judge_adapters(items, base, settings, work_folder(settings, "judge"), ProgressArtifact("judge"), account=llm_account("judge"))
        judged = add_prior(_with_inside(judged, taught, base, settings))
        used = dict(zip(adapters, (content_hash for _, content_hash in opened), strict=True)) | placebos.inputs
        write_judgement(judged, store, key, used)
    uri = store.uri("judgements", key)
    return Judgement([with_hash(uri)], [])


def _with_inside(judged: Judged, items: Sequence[JudgeItem], base: Base, settings: Settings) -> Judged:
    """What adapters look like inside, beside what they do."""
    from paperlora.judge.interference import add_inside
    from paperlora.lora.inside import Trained, look_inside

    trained = [Trained(item.adapter, item.adapter_folder) for item in items]
    inside = look_inside(trained, base, settings.judge.intruder_layers, settings.models, ProgressArtifact("inside"))
    return add_inside(judged, [one.adapter for one in trained], inside.geometries, inside.overlaps, inside.rejects)


def _item(folder: Path, content_hash: str, settings: Settings) -> JudgeItem:
    from paperlora.judge.judged import JudgeItem

    adapter = read_json(folder / "adapter.json", Adapter)
    paper, revision = adapter.dataset.split("/")
    dataset = load(Store.at(settings.datasets.expanduser().resolve()).folder(paper, revision))
    return JudgeItem(adapter, folder, dataset.record, dataset.probes, dataset.rows, content_hash=content_hash)
