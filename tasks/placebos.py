"""The placebo adapters of each recipe: trained beside the first bank that uses it, kept in the store, found by the judge.

They stand in ``placebos/<key>/`` as a small store of their own (``datasets/`` and ``adapters/``), so that no stage takes
them for adapters of papers. They are of no paper, so that all papers and all nights share those of a recipe; where more are
wanted, those that are there count. Neither training nor finding them needs a catalog; it lists them under the role placebo.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from paperlora.catalog.folders import SHELVES
from paperlora.errors import NothingToDo, TrainingDiverged
from paperlora.records import Adapter, Recipe, Reject
from paperlora.runs import with_hash
from paperlora.settings import Settings
from paperlora.store import Store, read_json
from tasks.policy import ProgressArtifact, work_folder

if TYPE_CHECKING:
    from paperlora.judge.judged import JudgeItem
    from paperlora.model.base import Base


class FoundPlacebos(NamedTuple):
    """The placebos that a judgement takes."""

    items: list[JudgeItem]
    inputs: dict[str, str]
    """``uri#hash`` of each one's folder → its content hash, as a judgement's manifest names what it used."""


def shelf_of(base: Base, recipe: Recipe, settings: Settings, store: Store) -> Store:
    """Where the placebos of a recipe stand; recipes that differ by name or seed alone share them."""
    from paperlora.lora.train import TRAINER
    from paperlora.microdata.placebo import placebos_key

    return Store.at(f"{store.root}/{SHELVES}/{placebos_key(base.id, recipe, settings.microdata, TRAINER)}")


def train_placebos(recipes: Iterable[Recipe], base: Base, settings: Settings, store: Store, dropped: list[Reject]) -> None:
    """Train what is missing of each recipe's placebos; what can't be made or trained is counted and stops nothing."""
    from paperlora.lora.train import TrainItem, train_adapters
    from paperlora.microdata.placebo import placebos_of

    if not settings.train.placebos:
        return
    progress = ProgressArtifact("placebos")
    for recipe in {recipe.dose: recipe for recipe in recipes}.values():
        shelf = shelf_of(base, recipe, settings, store)
        shelf.sweep()
        found = placebos_of(base, settings.train.placebos, settings.microdata, store, shelf, dropped=dropped)
        items = [
            TrainItem(one.record, content_hash, one.rows, tuple(p for p in one.probes if p.split == "dev"))
            for one, content_hash in found
        ]
        seeded = [recipe.model_copy(update={"name": "placebo", "seed": seed}) for seed in range(len(items))]
        try:
            train_adapters(
                items, seeded, base, shelf, work_folder(settings, "placebos"), bank_size=settings.train.bank_size,
                progress=progress, dropped=dropped,
            )
        except (NothingToDo, TrainingDiverged) as error:
            dropped.append(Reject(stage="train", item=f"placebos:{recipe.name}", reason="no_placebo", detail=str(error)))


def find_placebos(items: Sequence[JudgeItem], base: Base, settings: Settings, store: Store) -> FoundPlacebos:
    """The placebos of every recipe among these adapters, whichever night trained them; none where ``train.placebos`` is 0."""
    recipes = {item.adapter.recipe.dose: item.adapter.recipe for item in items} if settings.train.placebos else {}
    uris = {with_hash(uri): shelf for shelf in (shelf_of(base, one, settings, store) for one in recipes.values()) for uri in shelf.folders("adapters")}
    found = [_item(reference, shelf) for reference, shelf in uris.items()]
    return FoundPlacebos(found, {reference: item.content_hash for reference, item in zip(uris, found, strict=True)})


def _item(reference: str, shelf: Store) -> JudgeItem:
    from paperlora.judge.judged import JudgeItem
    from paperlora.microdata.placebo import load_placebo

    uri, _, content_hash = reference.partition("#")
    folder = shelf.folder("adapters", uri.rsplit("/", 1)[1])
    adapter = read_json(folder / "adapter.json", Adapter)
    made = (load_placebo(shelf.folder("datasets", one.rsplit("/", 1)[1])).placebo for one in shelf.folders("datasets"))
    taught = next(one for one in made if one.record.id == adapter.dataset)
    return JudgeItem(adapter, folder, taught.record, taught.probes, taught.rows, taught.kind, content_hash)
