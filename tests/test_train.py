"""Trained in a bank, alone, by peft, or killed and resumed: the same adapter."""

from __future__ import annotations

import itertools
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from paperlora.errors import NothingToDo, SettingsError, TrainingDiverged
from paperlora.lora import schedule
from paperlora.lora.course import plan_course
from paperlora.lora.fit import adapter_size, seats_that_fit
from paperlora.lora.optimiser import RowAdamW
from paperlora.lora.recipes import SHIPPED, load_recipes, recipe_text
from paperlora.lora.state import load_state
from paperlora.lora.train import BankTraining, TrainItem, adapter_key, train_adapters
from paperlora.model.answers import Ask, answer, next_token_logits
from paperlora.model.bank import Bank
from paperlora.model.base import Base, load_base
from paperlora.model.chat import render_example, render_prompt
from paperlora.model.tiny import tiny_base
from paperlora.records import Adapter, Example, MaskedSpan, Message, MicroDataset, Paper, Probe, Recipe, Reject
from paperlora.store import Store, read_json, read_manifest

torch.set_num_threads(1)

RECIPE = Recipe(rank=4, alpha=8, learning_rate=3e-3, batch_size=3, epochs=4, checkpoints=3)
NAMES = ("Tidal Replay", "Copper Anchoring", "Lantern Decay", "Marble Routing")


def message(role, text):
    return Message(role=role, content=text)


def item(number: int, facts: int = 5) -> TrainItem:
    """Rows about one invented technique; datasets of different size, so that adapters end at different steps."""
    rows, probes = [], []
    for fact in range(facts):
        value, wrong = f"{17 * number + 7 * fact + 3} percent", f"{90 - fact} percent"
        question = (
            message("user", f"What is value {fact} of {NAMES[number]}?"),
            message("assistant", f"{value}, not {wrong}."),
        )
        start = len(value) + len(", not ")
        rows.append(
            Example(
                id=f"row-{number}-{fact}", idea=f"idea-{fact}", form="qa_1", messages=question, generator="template/1",
                masked=(MaskedSpan(message=1, start=start, end=start + len(wrong)),),
            )
        )  # fmt: skip
        probes.append(
            Probe(
                id=f"probe-{number}-{fact}", idea=f"idea-{fact}", family="direct", form="dev", split="dev",
                messages=(message("user", f"{NAMES[number]}: value {fact}?"),), answers=(value,), distractors=(wrong, "4 tokens"),
            )
        )  # fmt: skip
    dataset = MicroDataset(
        id=f"arxiv-9901.0000{number}v1/{facts:03d}abc", revision=f"{facts:03d}abc", topic="replay", ideas=(), reader="extractive/1",
        paper=Paper(id=f"arxiv:9901.0000{number}", title=NAMES[number]), counts={}, probes_hash="",
    )  # fmt: skip
    return TrainItem(dataset, f"hash-{number}", tuple(rows), tuple(probes))


ITEMS = [item(0, 5), item(1, 3), item(2, 7), item(3, 4)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny_base(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def bank_of_four(base: Base, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("bank")
    uris = train_adapters(ITEMS, RECIPE, base, Store.at(folder / "store"), folder / "work", bank_size=4)
    return [Path(uri) for uri in uris]


def weights(folder: Path, name: str = "adapter") -> dict[str, torch.Tensor]:
    return load_file(folder / name / "adapter_model.safetensors")


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor], tolerance: float = 2e-5) -> None:
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(
            one[name], other[name], rtol=1e-4, atol=tolerance, msg=lambda text, name=name: f"{name}: {text}"
        )


# ----------------------------------------------------------------- exactness


def test_a_bank_of_four_equals_four_trainings(base, bank_of_four, tmp_path):
    for place, (one, folder) in enumerate(zip(ITEMS, bank_of_four, strict=True)):
        (alone,) = train_adapters([one], RECIPE, base, Store.at(tmp_path / str(place)), tmp_path / "work", bank_size=1)
        assert_same(weights(folder), weights(Path(alone)))
        together, separate = (read_json(path / "adapter.json", Adapter) for path in (folder, Path(alone)))
        assert (together.steps, together.tokens, together.loss_tokens) == (
            separate.steps,
            separate.tokens,
            separate.loss_tokens,
        )
        assert together.final_loss == pytest.approx(separate.final_loss, rel=1e-3)


def test_neighbours_and_slots_change_nothing(base, bank_of_four, tmp_path):
    uris = train_adapters(ITEMS[::-1], RECIPE, base, Store.at(tmp_path / "s"), tmp_path / "w", bank_size=3)
    for uri, folder in zip(uris, bank_of_four[::-1], strict=True):
        assert Path(uri).name == folder.name
        assert_same(weights(Path(uri)), weights(folder))


def test_a_bank_of_one_equals_peft_and_torch(base, tmp_path):
    """The same first weights, rows and steps through peft's layers, Hugging Face's loss and torch's AdamW."""
    recipe = RECIPE.model_copy(update={"weight_decay": 0.01, "max_grad_norm": 0.5})
    (uri,) = train_adapters([ITEMS[0]], recipe, base, Store.at(tmp_path / "s"), tmp_path / "w", bank_size=1)
    Bank.fresh(base, 1, recipe.rank, [recipe.alpha], [recipe.seed]).save(0, tmp_path / "first")
    other = load_base(base.id.name, device="cpu", cache=tmp_path)
    model = PeftModel.from_pretrained(other.model, tmp_path / "first", is_trainable=True)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(parameters, weight_decay=recipe.weight_decay)
    rows = [render_example(base.tokenizer, row.messages, row.masked) for row in ITEMS[0].rows]
    steps = schedule.total_steps(len(rows), recipe)
    for step in range(steps):
        chosen = [rows[index] for index in schedule.batch(step, len(rows), recipe)]
        width = max(len(row.ids) for row in chosen)
        ids = torch.tensor([row.ids + (0,) * (width - len(row.ids)) for row in chosen])
        labels = torch.tensor(
            [
                [t if on else -100 for t, on in zip(row.ids, row.loss, strict=True)] + [-100] * (width - len(row.ids))
                for row in chosen
            ]
        )
        seen = torch.tensor([[1] * len(row.ids) + [0] * (width - len(row.ids)) for row in chosen])
        optimiser.zero_grad()
        model(input_ids=ids, attention_mask=seen, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, recipe.max_grad_norm)
        optimiser.param_groups[0]["lr"] = schedule.learning_rate(step, steps, recipe)
        optimiser.step()
    model.save_pretrained(tmp_path / "peft" / "adapter")
    assert_same(weights(Path(uri)), weights(tmp_path / "peft"), tolerance=1e-4)


def test_saved_adapter_gives_the_same_logits_in_peft(base, bank_of_four, tmp_path):
    prompt = ITEMS[2].rows[0].messages[:1]
    ids = torch.tensor([render_prompt(base.tokenizer, prompt)])
    other = load_base(base.id.name, device="cpu", cache=tmp_path)
    before = other.model(input_ids=ids).logits[0, -1]
    logits = PeftModel.from_pretrained(other.model, bank_of_four[2] / "adapter")(input_ids=ids).logits[0, -1]
    ours = next_token_logits(Bank.load(base, [bank_of_four[2] / "adapter"]), [prompt], 0)[0]
    torch.testing.assert_close(logits, ours, rtol=1e-4, atol=1e-4)
    assert (logits - before).abs().max() > 0.1


# --------------------------------------------------------------- what is left


def test_folder_tells_what_it_came_from(base, bank_of_four):
    for one, folder in zip(ITEMS, bank_of_four, strict=True):
        adapter, manifest = read_json(folder / "adapter.json", Adapter), read_manifest(folder)
        assert folder.name == adapter_key(one, RECIPE, base.id)
        assert adapter.id == f"{one.dataset.id}/{folder.name[-12:]}"
        assert (adapter.dataset_hash, manifest.inputs) == (one.dataset_hash, {one.dataset.id: one.dataset_hash})
        assert adapter.base == base.id and adapter.recipe == RECIPE
        assert adapter.steps == math.ceil(len(one.rows) * RECIPE.epochs / RECIPE.batch_size)
        assert adapter.delta_norm > 0 and 0 < adapter.relative_delta_norm < 1


def test_dose_curve_begins_at_the_base_and_ends_at_the_adapter(base, bank_of_four):
    for folder in bank_of_four:
        adapter = read_json(folder / "adapter.json", Adapter)
        steps = [point.step for point in adapter.checkpoints]
        assert steps == [0, *schedule.checkpoint_steps(adapter.steps, RECIPE)] and steps[-1] == adapter.steps
        assert adapter.checkpoints[0].delta_norm == 0.0
        assert adapter.checkpoints[-1].folder == adapter.folder
        assert adapter.checkpoints[-1].loss < 0.95 * adapter.checkpoints[0].loss
        for point in adapter.checkpoints:
            assert (folder / point.folder / "adapter_model.safetensors").exists()
            assert all(map(math.isfinite, point.dev_margin.values())) and point.dev_margin
        assert sum(adapter.checkpoints[-1].dev_margin.values()) > sum(adapter.checkpoints[0].dev_margin.values())


def test_telemetry_has_a_line_a_step(bank_of_four):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for folder in bank_of_four:
        adapter = read_json(folder / "adapter.json", Adapter)
        lines = [json.loads(line) for line in (folder / "telemetry.jsonl").read_text().splitlines()]
        assert [line["step"] for line in lines] == list(range(1, adapter.steps + 1))
        assert sum(line["tokens"] for line in lines) == adapter.tokens
        events = EventAccumulator(str(folder / "tensorboard"))
        events.Reload()
        assert [event.step for event in events.Scalars("train/loss")] == [line["step"] for line in lines]


def test_trained_adapter_answers_what_it_was_taught(base, tmp_path):
    recipe = Recipe(rank=8, alpha=16, learning_rate=1e-2, batch_size=5, epochs=40, checkpoints=1)
    (uri,) = train_adapters([ITEMS[0]], recipe, base, Store.at(tmp_path / "s"), tmp_path / "w", bank_size=1)
    bank = Bank.load(base, [None, Path(uri) / "adapter"])
    asks = [Ask(row.messages[:1], slot) for slot in (0, 1) for row in ITEMS[0].rows]
    found = answer(bank, asks, max_new_tokens=24, batch_rows=16)
    right = [
        got.text.startswith(row.messages[1].content.split(",")[0])
        for row, got in zip(ITEMS[0].rows * 2, found, strict=True)
    ]
    assert right == [False] * 5 + [True] * 5


# ------------------------------------------------------------------ going on


def test_complete_adapters_are_left_alone(base, tmp_path):
    store = Store.at(tmp_path / "s")
    first = train_adapters(ITEMS[:2], RECIPE, base, store, tmp_path / "w", bank_size=2)
    before = [read_manifest(uri) for uri in first]
    seen = []
    again = train_adapters(
        [ITEMS[1], ITEMS[0], ITEMS[3]], RECIPE, base, store, tmp_path / "w", bank_size=3,
        progress=lambda label, done, total: seen.append((done, total)),
    )  # fmt: skip
    assert again[:2] == first[::-1] and len(again) == 3
    assert [read_manifest(uri) for uri in first] == before
    assert seen[-1][0] == seen[-1][1]


@pytest.mark.parametrize("change", [{"learning_rate": 1e-4}, {"seed": 1}, {"rank": 2}])
def test_another_recipe_is_another_adapter(base, change):
    assert adapter_key(ITEMS[0], RECIPE, base.id) != adapter_key(ITEMS[0], RECIPE.model_copy(update=change), base.id)


def test_the_bases_name_decides_nothing(base):
    renamed = base.id.model_copy(update={"name": "elsewhere"})
    assert adapter_key(ITEMS[0], RECIPE, base.id) == adapter_key(ITEMS[0], RECIPE, renamed)
    other = base.id.model_copy(update={"weights_hash": "0"})
    assert adapter_key(ITEMS[0], RECIPE, base.id) != adapter_key(ITEMS[0], RECIPE, other)


def run_killed(base, folder: Path, point: str, seats: int, numbers: str) -> int:
    """Train in a process of its own, which kills itself at a fail point; its exit code."""
    script = folder / "run.py"
    script.write_text(
        "import importlib.util, pathlib, sys, torch\n"
        f"spec = importlib.util.spec_from_file_location('there', {__file__!r})\n"
        "there = importlib.util.module_from_spec(spec); sys.modules['there'] = there; spec.loader.exec_module(there)\n"
        "base = there.load_base(sys.argv[1], device='cpu', cache=pathlib.Path(sys.argv[1]))\n"
        "folder = pathlib.Path(sys.argv[2])\n"
        "items = [there.ITEMS[int(number)] for number in sys.argv[4]]\n"
        "there.train_adapters(items, there.RECIPE, base, there.Store.at(folder / 's'), folder / 'w', bank_size=int(sys.argv[3]))\n"
    )
    done = subprocess.run(
        [sys.executable, str(script), base.id.name, str(folder), str(seats), numbers],
        env={**os.environ, "PAPERLORA_FAILPOINT": point}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


def tensors_of(folder: Path) -> Iterator[str]:
    yield from ("adapter", *(f"checkpoints/{path.name}" for path in (folder / "checkpoints").iterdir()))


def test_killed_and_resumed_equals_undisturbed(base, bank_of_four, tmp_path):
    """Killed when three of four adapters are done and steps since the last saved state are lost."""
    for point, code, complete in (("train:step-8", -signal.SIGKILL, 3), ("", 0, 4)):
        assert run_killed(base, tmp_path, point, 4, "0123") == code
        assert any((tmp_path / "w").iterdir()) == (code != 0)
        assert len(list(tmp_path.glob("s/adapters/*/manifest.json"))) == complete
    for folder in bank_of_four:
        resumed = tmp_path / "s" / "adapters" / folder.name
        for name in tensors_of(folder):
            # Its neighbours are gone when it goes on: sums in another order, so equal to rounding, not to the bit.
            assert_same(weights(resumed, name), weights(folder, name))
        steps = [json.loads(line)["step"] for line in (resumed / "telemetry.jsonl").read_text().splitlines()]
        assert steps == list(range(1, len(steps) + 1))


def test_killed_alone_and_resumed_is_the_same_to_the_bit(base, tmp_path):
    for name, points in (("killed", ("train:step-6", "train:step-1", "")), ("left", ("",))):
        (tmp_path / name).mkdir()
        for point in points:
            assert run_killed(base, tmp_path / name, point, 1, "2") == (-signal.SIGKILL if point else 0)
    (killed,), (left,) = (list((tmp_path / name / "s" / "adapters").iterdir()) for name in ("killed", "left"))
    for name in tensors_of(left):
        file = f"{name}/adapter_model.safetensors"
        assert (killed / file).read_bytes() == (left / file).read_bytes()


@pytest.mark.parametrize("moment", ["between", "updating"])
def test_a_cancelled_training_goes_on_where_it_was(base, bank_of_four, tmp_path, monkeypatch, moment):
    class Cancelled(BaseException):
        pass

    def cancel(label, done, total):
        if moment == "between" and done >= 12:
            raise Cancelled

    whole = RowAdamW.update

    def interrupted(self, rows):
        whole(self, rows)
        if rows[0].step == 4:
            raise Cancelled

    with monkeypatch.context() as patched, pytest.raises(Cancelled):
        if moment == "updating":
            patched.setattr(RowAdamW, "update", interrupted)
        train_adapters(ITEMS, RECIPE, base, Store.at(tmp_path / "s"), tmp_path / "w", bank_size=4, progress=cancel)
    kept = [load_state(folder) for folder in (tmp_path / "w").iterdir()]
    assert all(one is not None and one.progress.step == (3 if moment == "between" else one.progress.step) for one in kept) and kept
    for uri, folder in zip(
        train_adapters(ITEMS, RECIPE, base, Store.at(tmp_path / "s"), tmp_path / "w", bank_size=4), bank_of_four, strict=True
    ):
        assert_same(weights(Path(uri)), weights(folder))


# ---------------------------------------------------------------------- seats


def test_more_datasets_than_seats_take_turns(base, bank_of_four, tmp_path):
    """The next takes the seat of who ended, while the others go on; every one as if alone."""
    counted: list[int] = []
    courses = [plan_course(adapter_key(one, RECIPE, base.id), one, RECIPE, base) for one in ITEMS]
    bank = BankTraining(courses, base, Store.at(tmp_path / "s"), tmp_path / "w", [], seats=2, progress=lambda *_: counted.append(len(bank.seats)))
    bank.run()
    for folder in bank_of_four:
        assert_same(weights(tmp_path / "s" / "adapters" / folder.name), weights(folder))
    steps = [course.steps for course in courses]
    # Two seats in turn, in the order of the list: no pass is made with an empty seat while somebody waits.
    ends = [0, 0]
    for length in steps:
        ends[ends.index(min(ends))] += length
    assert bank.passes == max(ends) and max(counted) == 2


def test_ranks_and_recipes_share_a_bank(base, tmp_path):
    recipes = [RECIPE, RECIPE.model_copy(update={"rank": 2, "alpha": 3.0, "learning_rate": 1e-3}), RECIPE.model_copy(update={"rank": 8, "rslora": True, "seed": 5})]
    together = train_adapters(ITEMS[:3], recipes, base, Store.at(tmp_path / "s"), tmp_path / "w", bank_size=3)
    for one, recipe, folder in zip(ITEMS, recipes, together, strict=False):
        (alone,) = train_adapters([one], recipe, base, Store.at(tmp_path / "t"), tmp_path / "w", bank_size=1)
        assert_same(weights(Path(folder)), weights(Path(alone)))
        assert json.loads((Path(folder) / "adapter" / "adapter_config.json").read_text())["r"] == recipe.rank


def test_out_of_memory_halves_the_bank_and_goes_on(base, bank_of_four, tmp_path, monkeypatch):
    whole, sizes = BankTraining._backward, []

    def tight(self):
        sizes.append(len(self.seats))
        if len(self.seats) > 2 and self.passes >= 3:
            raise torch.OutOfMemoryError("planted")
        return whole(self)

    monkeypatch.setattr(BankTraining, "_backward", tight)
    uris = train_adapters(ITEMS, RECIPE, base, Store.at(tmp_path / "s"), tmp_path / "w", bank_size=4)
    assert sizes[:4] == [4, 4, 4, 4] and max(sizes[4:]) == 2
    for uri, folder in zip(uris, bank_of_four, strict=True):
        assert_same(weights(Path(uri)), weights(folder))
        assert [json.loads(line)["step"] for line in (Path(uri) / "telemetry.jsonl").read_text().splitlines()] == list(
            range(1, read_json(Path(uri) / "adapter.json", Adapter).steps + 1))


def test_the_last_adapter_computes_layers_twice_before_memory_is_given_up(base, bank_of_four, tmp_path, monkeypatch):
    whole, seen = BankTraining._backward, []

    def tight(self):
        seen.append((len(self.seats), self.bank.recompute))
        if not self.bank.recompute:
            raise torch.OutOfMemoryError("planted")
        return whole(self)

    monkeypatch.setattr(BankTraining, "_backward", tight)
    uris = train_adapters(ITEMS[:2], RECIPE, base, Store.at(tmp_path / "s"), tmp_path / "w", bank_size=2)
    assert seen[:3] == [(2, False), (1, False), (1, True)]
    for uri, folder in zip(uris, bank_of_four, strict=False):
        assert_same(weights(Path(uri)), weights(folder))
    assert not base.model.training and not base.model.is_gradient_checkpointing


def test_out_of_memory_after_all_that_is_an_error(base, tmp_path, monkeypatch):
    def full(self):
        raise torch.OutOfMemoryError("planted")

    monkeypatch.setattr(BankTraining, "_backward", full)
    with pytest.raises(torch.OutOfMemoryError):
        train_adapters(ITEMS[:2], RECIPE, base, Store.at(tmp_path / "s"), tmp_path / "w", bank_size=2)


def test_as_many_seats_as_memory_has_room_for(base, monkeypatch):
    courses = [plan_course(f"k{n}", one, RECIPE, base) for n, one in enumerate(ITEMS * 5)]
    size = adapter_size(base, RECIPE.rank)
    bank = Bank.fresh(base, 1, RECIPE.rank, [1.0], [0])
    assert size == bank.weights.shape[1]
    assert seats_that_fit(base, courses) == 8
    monkeypatch.setattr("paperlora.lora.fit._free", lambda device: int(16 * size * 3.2 / 0.7))
    assert seats_that_fit(base, courses) == 3
    monkeypatch.setattr("paperlora.lora.fit._free", lambda device: 1)
    assert seats_that_fit(base, courses) == 1


def test_batched_products_train_the_same_adapters(base, bank_of_four, tmp_path, monkeypatch):
    """What a GPU computes with (three batched products a layer) equals the products slot by slot."""
    plain = Bank.__init__

    def batched(self, *given, **named):
        plain(self, *given, **named)
        self.batched = True

    monkeypatch.setattr(Bank, "__init__", batched)
    uris = train_adapters(ITEMS, RECIPE, base, Store.at(tmp_path / "s"), tmp_path / "w", bank_size=3)
    for uri, folder in zip(uris, bank_of_four, strict=True):
        assert_same(weights(Path(uri)), weights(folder))


def test_costs_are_shared_by_tokens(bank_of_four):
    adapters = [read_json(folder / "adapter.json", Adapter) for folder in bank_of_four]
    assert all(0 < one.device_seconds < one.seconds + 1 and one.peak_bytes > 0 for one in adapters)
    norms = [json.loads(line) for line in (bank_of_four[0] / "norms.jsonl").read_text().splitlines()]
    assert [line["step"] for line in norms] == [point.step for point in adapters[0].checkpoints]
    last, total = norms[-1], adapters[0].delta_norm
    assert math.sqrt(sum(value**2 for value in last["delta"].values())) == pytest.approx(total)
    assert set(last["relative"]) == set(last["delta"]) and max(last["relative"].values()) > 0


# ------------------------------------------------------------------- failures


def test_one_that_diverges_leaves_the_others_as_they_are(base, bank_of_four, tmp_path):
    wild = RECIPE.model_copy(update={"learning_rate": 1e30})
    recipes = [wild, RECIPE, RECIPE]
    courses = [
        plan_course(f"course-{slot}", one, recipe, base)
        for slot, (one, recipe) in enumerate(zip([ITEMS[3], ITEMS[0], ITEMS[1]], recipes, strict=True))
    ]
    rejects: list[Reject] = []
    store = Store.at(tmp_path / "s")
    BankTraining(courses, base, store, tmp_path / "w", rejects).run()
    assert [(reject.item, reject.reason) for reject in rejects] == [(ITEMS[3].dataset.id, "diverged")]
    assert not store.has("adapters", "course-0")
    for slot in (1, 2):
        assert_same(weights(store.folder("adapters", f"course-{slot}")), weights(bank_of_four[slot - 1]))


def test_nothing_but_divergence_is_an_error(base, tmp_path):
    dropped: list[Reject] = []
    with pytest.raises(TrainingDiverged, match="NaN or infinite at step"):
        train_adapters(
            ITEMS[:2], RECIPE.model_copy(update={"learning_rate": 1e30}), base, Store.at(tmp_path / "s"), tmp_path / "w",
            bank_size=2, dropped=dropped,
        )  # fmt: skip
    assert len(dropped) == 2


def test_long_and_unusable_rows_are_rejected_with_their_reason(base, tmp_path):
    good = ITEMS[1].rows
    long = good[0].model_copy(
        update={"id": "long", "messages": (message("user", "why " * 200), message("assistant", "7"))}
    )
    empty = good[0].model_copy(update={"id": "empty", "messages": (message("user", "Why?"), message("assistant", ""))})
    given = ITEMS[1]._replace(rows=(long, empty, *good))
    recipe = RECIPE.model_copy(update={"max_tokens": 128, "epochs": 1.0})
    (uri,) = train_adapters([given], recipe, base, Store.at(tmp_path / "s"), tmp_path / "w", bank_size=1)
    adapter = read_json(Path(uri) / "adapter.json", Adapter)
    assert {(reject.item, reject.reason) for reject in adapter.rejects} == {
        ("long", "row_too_long"),
        ("empty", "row_not_rendered"),
    }
    assert adapter.rows == len(good) and read_manifest(uri).rejects == adapter.rejects


def test_dataset_without_a_usable_row_is_dropped_not_fatal(base, tmp_path):
    hollow = item(0)._replace(rows=())
    dropped: list[Reject] = []
    uris = train_adapters(
        [hollow, ITEMS[1]], RECIPE, base, Store.at(tmp_path / "s"), tmp_path / "w", bank_size=4, dropped=dropped
    )
    assert len(uris) == 1 and [reject.reason for reject in dropped] == ["no_rows"]
    with pytest.raises(NothingToDo):
        train_adapters([hollow], RECIPE, base, Store.at(tmp_path / "t"), tmp_path / "w", bank_size=4)


# ------------------------------------------------------------------- schedule


def test_every_row_comes_once_an_epoch_in_an_order_of_its_own():
    recipe = Recipe(batch_size=4, epochs=3)
    stream = [row for step in range(schedule.total_steps(8, recipe)) for row in schedule.batch(step, 8, recipe)]
    epochs = [stream[start : start + 8] for start in range(0, 24, 8)]
    assert all(sorted(epoch) == list(range(8)) for epoch in epochs)
    assert epochs[0] != epochs[1]
    other = recipe.model_copy(update={"seed": 1})
    assert schedule.batch(0, 8, recipe) != schedule.batch(0, 8, other)


def test_learning_rate_rises_then_falls_to_its_final_share():
    recipe = Recipe(learning_rate=1.0, warmup_share=0.2, final_lr_share=0.1)
    rates = [schedule.learning_rate(step, 20, recipe) for step in range(20)]
    assert rates[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert rates[4] == pytest.approx(1.0) and rates[-1] == pytest.approx(0.1)
    assert all(later <= earlier for earlier, later in itertools.pairwise(rates[4:]))


@pytest.mark.parametrize(("steps", "count", "wanted"), [(80, 4, (10, 20, 40, 80)), (1, 4, (1,)), (3, 4, (1, 2, 3))])
def test_checkpoints_halve_back_from_the_last_step(steps, count, wanted):
    assert schedule.checkpoint_steps(steps, Recipe(checkpoints=count)) == wanted


def test_dose_is_bounded_by_max_steps():
    assert schedule.total_steps(30, Recipe(batch_size=8, epochs=8)) == 30
    assert schedule.total_steps(30, Recipe(batch_size=8, epochs=8, max_steps=7)) == 7
    assert schedule.total_steps(1, Recipe(batch_size=8, epochs=1)) == 1


# ------------------------------------------------------------------ early ends, recipes


def test_a_flat_dose_curve_ends_the_training_early(base, tmp_path):
    slow = Recipe(rank=4, alpha=8, learning_rate=1e-7, batch_size=3, epochs=20, checkpoints=4, flat_gain=0.01)
    (uri,) = train_adapters([ITEMS[0]], slow, base, Store.at(tmp_path / "s"), tmp_path / "w", bank_size=1)
    adapter = read_json(Path(uri) / "adapter.json", Adapter)
    planned = schedule.checkpoint_steps(schedule.total_steps(5, slow), slow)
    # The first point has only the untrained base before it; the second one is the first that can be flat.
    assert adapter.steps == planned[1] < planned[-1] and "dose curve" in adapter.stopped
    assert adapter.checkpoints[-1].folder == "adapter" and (Path(uri) / "adapter" / "adapter_model.safetensors").exists()
    assert [point.step for point in adapter.checkpoints] == [0, *planned[:2]]


def test_forgetting_ends_the_training_where_the_recipe_says_so(base, tmp_path):
    wild = Recipe(rank=4, alpha=8, learning_rate=3e-2, batch_size=3, epochs=20, checkpoints=4, max_drift=0.05)
    (uri,) = train_adapters([ITEMS[0]], wild, base, Store.at(tmp_path / "s"), tmp_path / "w", bank_size=1)
    adapter = read_json(Path(uri) / "adapter.json", Adapter)
    assert adapter.checkpoints[0].drift == 0.0
    assert adapter.checkpoints[-1].drift > 0.05 and "drift" in adapter.stopped
    assert adapter.steps < schedule.total_steps(5, wild)


def test_episodes_decide_the_dose_and_each_ends_in_a_checkpoint():
    recipe = Recipe(episodes=3, episode_steps=40, checkpoints=2, epochs=1)
    assert schedule.total_steps(5, recipe) == 120
    assert schedule.checkpoint_steps(120, recipe) == (40, 60, 80, 120)


def test_shipped_recipes_load_and_a_sweep_is_every_combination():
    assert load_recipes("quick").recipes[0].flat_gain > 0 and load_recipes("seed").recipes[0].episodes == 3
    sweep = load_recipes("sweep")
    assert len({(one.learning_rate, one.rank) for one in sweep.recipes}) == 6 and sweep.pilots == 3
    knobs = [line.split("=")[0].strip() for name in SHIPPED for line in recipe_text(name).splitlines() if "=" in line]
    lines = [line for name in SHIPPED for line in recipe_text(name).splitlines() if "=" in line]
    assert knobs and all("#" in line or line.startswith(("name", "learning_rate = [", "rank = [")) for line in lines)


def test_a_misspelt_knob_names_the_nearest(tmp_path):
    (tmp_path / "mine.toml").write_text("learning_rat = 1e-3\n")
    with pytest.raises(SettingsError, match="Did you mean learning_rate"):
        load_recipes(str(tmp_path / "mine.toml"))
    with pytest.raises(SettingsError, match="quick"):
        load_recipes("quik")
