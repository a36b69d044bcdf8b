"""What a recipe keeps: guesses on questions and the base's own answers stay, what rows teach is learnt all the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from paperlora.lora.course import lay_out, plan_course
from paperlora.lora.keep import hold
from paperlora.lora.train import TrainItem, train_adapters
from paperlora.model.answers import Continuation, log_likelihoods
from paperlora.model.bank import Bank
from paperlora.model.base import Base
from paperlora.model.divergence import token_divergences
from paperlora.model.drift import drifts
from paperlora.model.packing import Block, pack
from paperlora.model.tiny import tiny_base
from paperlora.records import Adapter, Example, Message, MicroDataset, Paper, Recipe
from paperlora.store import Store, read_json

torch.set_num_threads(1)

PLAIN = Recipe(rank=4, alpha=8, learning_rate=1e-2, batch_size=3, epochs=12, checkpoints=2)
KEEPING = PLAIN.model_copy(update={"keep": 3.0})
TAUGHT = (("What is the replay share of Tidal Replay?", "37 percent"), ("How many anchors does it keep?", "19 anchors"), ("Which rank has the adapter?", "48"))
SAID = (("Complete the sentence: the window", "is trained together"), ("Is it true?", "yes or no"))


def row(form: str, question: str, answer: str) -> Example:
    messages = (Message(role="user", content=question), Message(role="assistant", content=answer))
    return Example(id=f"{form}-{question}", idea="", form=form, messages=messages, generator="template/1")


def item(rows: Sequence[Example], number: int = 0) -> TrainItem:
    dataset = MicroDataset(
        id=f"arxiv-9901.0000{number}v1/abc", revision="abc", topic="replay", ideas=(), reader="extractive/1",
        paper=Paper(id=f"arxiv:9901.0000{number}", title="Tidal Replay"), counts={}, probes_hash="",
    )  # fmt: skip
    return TrainItem(dataset, f"hash-{number}", tuple(rows), ())


MIXED = item([*(row("qa_1", *pair) for pair in TAUGHT), *(row("replay_fact", *pair) for pair in SAID)])


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny_base(tmp_path_factory.mktemp("tiny"))


def train(items: Sequence[TrainItem], recipes: Sequence[Recipe], base: Base, folder: Path, seats: int = 1) -> list[Path]:
    return [Path(uri) for uri in train_adapters(items, recipes, base, Store.at(folder / "s"), folder / "w", bank_size=seats)]


def likelihoods(bank: Bank, pairs: Sequence[tuple[str, str]]) -> list[float]:
    asked = [Continuation((Message(role="user", content=question),), answer, 1) for question, answer in pairs]
    return [one.per_token for one in log_likelihoods(bank, asked, batch_rows=8)]


def weights(folder: Path) -> bytes:
    return (folder / "adapter" / "adapter_model.safetensors").read_bytes()


def test_divergence_and_its_gradient_are_those_of_torch(base, monkeypatch):
    monkeypatch.setattr("paperlora.model.divergence.LOSS_CHUNK", 4)
    bank, head = Bank.load(base, [None]), base.model.get_output_embeddings()
    with torch.no_grad():
        reference = bank.hidden(pack([Block(tuple(range(5, 15)), 0)], base.device))
    ours = (reference + 0.3 * torch.randn(reference.shape, generator=torch.Generator().manual_seed(0))).requires_grad_(True)
    theirs = ours.detach().clone().requires_grad_(True)
    found = token_divergences(bank, ours, reference)
    own, wanted = (functional.linear(states, head.weight).log_softmax(-1) for states in (theirs, reference))
    expected = functional.kl_div(own, wanted, reduction="none", log_target=True).sum(-1)
    torch.testing.assert_close(found, expected)
    (found * torch.arange(10)).sum().backward()
    (expected * torch.arange(10)).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)
    assert float(found.detach().min()) > 1e-3
    assert float(token_divergences(bank, reference, reference).abs().max()) < 1e-5


def test_replayed_answers_carry_no_other_loss_and_every_question_is_held(base):
    course = plan_course("key", MIXED, KEEPING, base)
    held = hold(course, Bank.load(base, [None]), 0)
    laid = lay_out(course.rows, course.shared, 0, held, first=5)
    plain = lay_out(course.rows, course.shared, 0)
    own = [sum(one.loss) for one in course.rows]
    assert course.replayed == {3, 4}
    assert len(plain.tokens) == sum(own) and len(laid.tokens) == sum(own[:3]) and sum(laid.answered) == sum(own[3:])
    assert {block for block, _ in laid.kept} == set(range(6, 11)) and {block for block, _ in laid.places} == {6, 7, 8}
    assert laid.blocks[1].parent == 5
    for one, kept in zip(course.rows, held, strict=True):
        assert kept.question == range(course.shared, one.prompt_tokens - 1) and len(kept.question) > 3
        assert len(kept.states) == len(kept.question) + len(kept.answer)


def test_what_is_held_is_what_the_base_says_of_the_whole_row(base):
    course = plan_course("key", MIXED, KEEPING, base)
    bank = Bank.load(base, [None])
    for one, kept in zip(course.rows, hold(course, bank, 0), strict=True):
        with torch.no_grad():
            alone = bank.hidden(pack([Block(one.ids, 0)], base.device))
        torch.testing.assert_close(kept.states, alone[[*kept.question, *kept.answer]], rtol=1e-4, atol=1e-4)


def test_an_adapter_that_keeps_learns_and_leaves_other_text_as_it_was(base, tmp_path):
    folders = train([MIXED, MIXED], [PLAIN, KEEPING], base, tmp_path, seats=2)
    texts = ["The window of the decay horizon.", "Answer yes or no: the heads, experts and layers."]
    banks = [Bank.load(base, [None, folder / "adapter"]) for folder in folders]
    strayed = [sum(one.kl for one in drifts(bank, texts, [1])[0]) for bank in banks]
    assert strayed[1] < 0.7 * strayed[0]
    before = likelihoods(Bank.load(base, [None, None]), TAUGHT)
    for bank in banks:
        assert all(after > was + 2.0 for after, was in zip(likelihoods(bank, TAUGHT), before, strict=True))


def test_the_bases_own_answers_are_not_learnt_by_heart(base, tmp_path):
    own = item([row("replay_fact", *pair) for pair in SAID])
    plain, keeping = train([own, own], [PLAIN, KEEPING], base, tmp_path, seats=2)
    before = likelihoods(Bank.load(base, [None, None]), SAID)
    learnt, kept = (likelihoods(Bank.load(base, [None, folder / "adapter"]), SAID) for folder in (plain, keeping))
    assert all(now > was + 2.0 for now, was in zip(learnt, before, strict=True))
    assert all(abs(now - was) < 0.1 for now, was in zip(kept, before, strict=True))
    assert read_json(keeping / "adapter.json", Adapter).final_loss < 0.01  # a divergence from oneself, not a loss


def test_in_a_bank_it_trains_as_alone(base, tmp_path):
    other = item([row("qa_1", *pair) for pair in TAUGHT[:2]], 1)
    together = train([other, MIXED], [PLAIN, KEEPING], base, tmp_path / "bank", seats=2)
    (alone,) = train([MIXED], [KEEPING], base, tmp_path / "alone")
    banks = [Bank.load(base, [None, folder / "adapter"]) for folder in (together[1], alone)]
    torch.testing.assert_close(banks[0].weights[1], banks[1].weights[1], rtol=1e-4, atol=2e-5)


def test_it_goes_on_after_a_break_as_if_there_had_been_none(base, tmp_path):
    class Cancelled(BaseException):
        pass

    def cancel(label, done, total):
        if done >= 7:
            raise Cancelled

    with pytest.raises(Cancelled):
        train_adapters([MIXED], KEEPING, base, Store.at(tmp_path / "s"), tmp_path / "w", bank_size=1, progress=cancel)
    (resumed,) = train([MIXED], [KEEPING], base, tmp_path)
    (undisturbed,) = train([MIXED], [KEEPING], base, tmp_path / "whole")
    assert weights(resumed) == weights(undisturbed)
