"""The bank against peft, answers against Hugging Face's own generation."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model

from paperlora.errors import ModelUnavailable, StoreError
from paperlora.model import frozen
from paperlora.model.answers import Answer, Ask, Continuation, answer, log_likelihoods, next_token_logits, respond
from paperlora.model.bank import Bank
from paperlora.model.base import Base, load_base
from paperlora.model.chat import render_example, render_prompt
from paperlora.model.packing import Block, pack
from paperlora.model.tiny import tiny_base
from paperlora.records import Message

torch.set_num_threads(1)

QUESTIONS = (
    "What is the replay share?",
    "Which benchmark?",
    "How many tokens does it keep, and why are they kept at all?",
    "Is it true?",
    "Write the value as JSON.",
    "Complete: the loss falls from 14.2 to",
    "The rank of the adapter?",
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny_base(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def adapters(base: Base, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three adapters of different rank that change what the base says."""
    folders = []
    for seed, rank in ((1, 4), (2, 8), (3, 2)):
        bank = Bank.fresh(base, 1, rank, [2.0 * rank], [seed])
        noise = torch.randn(bank.weights.shape, generator=torch.Generator().manual_seed(seed))
        bank.weights += 0.05 * noise
        folders.append(tmp_path_factory.mktemp("adapters") / f"rank-{rank}")
        bank.save(0, folders[-1])
    return folders


def user(text: str) -> tuple[Message, ...]:
    return (Message(role="user", content=text),)


def with_peft(base: Base, folder: Path) -> PeftModel:
    """A model of its own, so that peft changes nothing of the bank's base."""
    other = load_base(base.id.name, device="cpu", cache=folder)
    return PeftModel.from_pretrained(other.model, folder)


# ---------------------------------------------------------------- bank = peft


def test_each_slot_gives_the_logits_of_its_adapter_in_peft(base, adapters):
    bank = Bank.load(base, [None, *adapters])
    texts = [render_prompt(base.tokenizer, user(text)) for text in QUESTIONS]
    blocks = [Block(text, index % 4) for index, text in enumerate(texts)]
    packed = pack(blocks, base.device)
    logits = bank.logits(bank.hidden(packed))
    models = [base.model, *(with_peft(base, folder) for folder in adapters)]
    for block, start in zip(blocks, packed.starts, strict=True):
        wanted = models[block.slot](input_ids=torch.tensor([block.ids])).logits[0]
        torch.testing.assert_close(logits[start : start + len(block.ids)], wanted, rtol=1e-4, atol=2e-5)
    assert (
        models[0](input_ids=torch.tensor([texts[0]])).logits - models[1](input_ids=torch.tensor([texts[0]])).logits
    ).abs().max() > 0.05


def test_bank_leaves_the_model_as_it_was(base, adapters):
    ids = torch.tensor([render_prompt(base.tokenizer, user(QUESTIONS[0]))])
    before = base.model(input_ids=ids).logits
    bank = Bank.load(base, adapters)
    bank.hidden(pack([Block(tuple(ids[0].tolist()), 1)], base.device))
    assert torch.equal(base.model(input_ids=ids).logits, before)
    bank.remove()
    assert torch.equal(base.model(input_ids=ids).logits, before)


def test_two_banks_on_one_base_do_not_mix(base, adapters):
    first, second = Bank.load(base, adapters[:1]), Bank.load(base, adapters[1:2])
    alone = next_token_logits(first, [user(QUESTIONS[0])], 0)
    next_token_logits(second, [user(QUESTIONS[0])], 0)
    assert torch.equal(next_token_logits(first, [user(QUESTIONS[0])], 0), alone)
    assert not torch.allclose(next_token_logits(second, [user(QUESTIONS[0])], 0), alone, atol=1e-3)


def test_a_bank_follows_its_weights_whatever_it_kept_of_them(base, adapters, tmp_path):
    """What is kept from pass to pass belongs to the weights it was made from: training moves them in between."""
    bank = Bank.load(base, [None, adapters[0], adapters[1]])
    before = next_token_logits(bank, [user(QUESTIONS[0])], 1)
    with torch.no_grad():
        bank.weights[1].mul_(1.5)
    moved = next_token_logits(bank, [user(QUESTIONS[0])], 1)
    assert not torch.allclose(moved, before, atol=1e-3)
    bank.save(1, tmp_path / "moved")
    torch.testing.assert_close(next_token_logits(Bank.load(base, [None, tmp_path / "moved"]), [user(QUESTIONS[0])], 1), moved, rtol=1e-4, atol=1e-5)
    bank.clear(1)
    assert torch.equal(next_token_logits(bank, [user(QUESTIONS[0])], 1), next_token_logits(bank, [user(QUESTIONS[0])], 0))


def test_saved_slot_loads_in_peft_and_in_a_bank(base, adapters, tmp_path):
    bank = Bank.load(base, [None, *adapters])
    bank.save(2, tmp_path / "saved")
    model = with_peft(base, tmp_path / "saved")
    ids = render_prompt(base.tokenizer, user(QUESTIONS[1]))
    ours = next_token_logits(bank, [user(QUESTIONS[1])], 2)[0]
    torch.testing.assert_close(model(input_ids=torch.tensor([ids])).logits[0, -1], ours, rtol=1e-4, atol=2e-5)
    assert json.loads((tmp_path / "saved" / "adapter_config.json").read_text())["r"] == 8
    again = next_token_logits(Bank.load(base, [tmp_path / "saved"]), [user(QUESTIONS[1])], 0)[0]
    torch.testing.assert_close(again, ours, rtol=1e-5, atol=1e-6)
    merged = model.merge_and_unload()
    torch.testing.assert_close(merged(input_ids=torch.tensor([ids])).logits[0, -1], ours, rtol=1e-3, atol=1e-4)


def test_equal_adapters_are_equal_bytes(base, adapters, tmp_path):
    for name in ("one", "two"):
        Bank.load(base, [adapters[0]]).save(0, tmp_path / name)
    for file in ("adapter_model.safetensors", "adapter_config.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_fresh_adapter_changes_nothing_and_depends_on_its_seed_alone(base):
    bank = Bank.fresh(base, 3, 4, [8.0, 8.0, 8.0], [7, 8, 9])
    lone = Bank.fresh(base, 1, 4, [8.0], [8])
    assert torch.equal(bank.weights[1], lone.weights[0])
    assert not torch.equal(bank.weights[0], bank.weights[1])
    plain = next_token_logits(Bank.load(base, [None]), [user(QUESTIONS[0])], 0)
    torch.testing.assert_close(next_token_logits(bank, [user(QUESTIONS[0])], 1), plain, rtol=0, atol=0)


def test_adapter_that_peft_made_is_read(base, tmp_path):
    other = load_base(base.id.name, device="cpu", cache=tmp_path)
    model = get_peft_model(
        other.model,
        LoraConfig(r=4, lora_alpha=8, use_rslora=True, target_modules=["q_proj", "down_proj"], init_lora_weights=False),
    )
    model.save_pretrained(tmp_path / "made")
    ids = render_prompt(base.tokenizer, user(QUESTIONS[0]))
    ours = next_token_logits(Bank.load(base, [tmp_path / "made"]), [user(QUESTIONS[0])], 0)[0]
    model.eval()
    torch.testing.assert_close(model(input_ids=torch.tensor([ids])).logits[0, -1], ours, rtol=1e-4, atol=1e-4)


def test_other_kinds_of_adapters_are_refused(base, adapters, tmp_path):
    config = json.loads((adapters[0] / "adapter_config.json").read_text())
    weights = (adapters[0] / "adapter_model.safetensors").read_bytes()
    for change in ({"use_dora": True}, {"peft_type": "IA3"}, {"bias": "all"}):
        (tmp_path / "adapter_config.json").write_text(json.dumps(config | change))
        (tmp_path / "adapter_model.safetensors").write_bytes(weights)
        with pytest.raises(StoreError, match="no plain LoRA"):
            Bank.load(base, [tmp_path])
    with pytest.raises(StoreError, match="no readable"):
        Bank.load(base, [tmp_path / "nothing"])


def test_adapter_of_another_base_is_refused(base, adapters, tmp_path):
    wider = tiny_base(tmp_path / "wider", hidden=96)
    with pytest.raises(StoreError, match="another base"):
        Bank.load(wider, adapters[:1])
    deeper = tiny_base(tmp_path / "deeper", layers=3)
    Bank.fresh(deeper, 1, 4, [8.0], [0]).save(0, tmp_path / "deep")
    with pytest.raises(StoreError, match="another base"):
        Bank.load(base, [tmp_path / "deep"])


def test_norm_of_the_delta_is_that_of_the_product(base, adapters):
    bank = Bank.load(base, [None, adapters[1]])
    norms = bank.delta_norms(1)
    for name, weights in bank.adapter(1).layers.items():
        assert norms[name] == pytest.approx(float((2.0 * weights.b @ weights.a).norm()), rel=1e-4)
    assert all(norm > 0 for norm in bank.base_norms.values())


# -------------------------------------------------------------------- answers


@pytest.fixture(scope="module")
def asks() -> list[Ask]:
    return [Ask(user(text), slot) for text in QUESTIONS for slot in range(4)]


@pytest.fixture(scope="module")
def answers(base: Base, adapters: list[Path], asks: list[Ask]) -> list[Answer]:
    return answer(Bank.load(base, [None, *adapters]), asks, max_new_tokens=12, batch_rows=8)


def test_answers_are_those_of_generate(base, adapters, asks, answers):
    models = [base.model, *(with_peft(base, folder) for folder in adapters)]
    for ask, got in zip(asks, answers, strict=True):
        ids = torch.tensor([render_prompt(base.tokenizer, ask.messages)])
        out = models[ask.slot].generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False
        )
        new = out[0, ids.shape[1] :].tolist()
        assert got.ended == (new[-1] in base.end_ids)
        assert got.tokens == len(new) - got.ended
        assert got.text == base.tokenizer.decode(new, skip_special_tokens=True)
    assert len({(ask.messages, got.text) for ask, got in zip(asks, answers, strict=True)}) > len(QUESTIONS)


def test_answers_are_equal_in_any_order_and_with_repeats(base, adapters, asks, answers):
    bank = Bank.load(base, [None, *adapters])
    order = list(range(len(asks)))
    random.Random(3).shuffle(order)
    shuffled = answer(bank, [asks[index] for index in [*order, *order[:5]]], max_new_tokens=12, batch_rows=8)
    assert shuffled[: len(asks)] == [answers[index] for index in order]
    assert shuffled[len(asks) :] == shuffled[:5]


@pytest.mark.parametrize("rows", [1, 3, 64])
def test_answers_are_equal_in_batches_of_any_size(base, adapters, asks, answers, rows):
    assert answer(Bank.load(base, [None, *adapters]), asks, max_new_tokens=12, batch_rows=rows) == answers


def test_slots_may_stand_in_any_place(base, adapters, asks, answers):
    turned = Bank.load(base, [adapters[2], None, adapters[0]])
    places = {0: 1, 1: 2, 3: 0}
    chosen = [(ask, got) for ask, got in zip(asks, answers, strict=True) if ask.slot in places]
    again = answer(turned, [Ask(ask.messages, places[ask.slot]) for ask, _ in chosen], max_new_tokens=12, batch_rows=8)
    assert again == [got for _, got in chosen]


def test_answer_ends_by_itself_or_at_the_limit(base):
    long = answer(Bank.load(base, [None]), [Ask(user(text), 0) for text in QUESTIONS], max_new_tokens=5, batch_rows=4)
    assert all(got.tokens == 5 for got in long if not got.ended) and any(not got.ended for got in long)


def test_progress_ends_full(base):
    seen: list[tuple[int, int]] = []
    answer(
        Bank.load(base, [None]), [Ask(user(text), 0) for text in QUESTIONS], max_new_tokens=2, batch_rows=3,
        progress=lambda label, done, total: seen.append((done, total)),
    )  # fmt: skip
    assert seen == [(3, 7), (6, 7), (7, 7)]


@pytest.mark.parametrize("rows", [2, 5, 64])
def test_what_is_weighed_beside_questions_is_what_is_weighed_alone(base, adapters, asks, answers, rows):
    bank = Bank.load(base, [None, *adapters])
    items = [Continuation(user(text), reply, slot) for text in QUESTIONS for reply in ("37 percent", "7") for slot in range(4)]
    alone = log_likelihoods(bank, items, batch_rows=8)
    mixed = respond(bank, asks, items[::-1], max_new_tokens=12, batch_rows=rows)
    assert mixed.answers == answers
    weighed = mixed.weighed[::-1]
    assert [one.tokens for one in weighed] == [one.tokens for one in alone]
    assert [one.total for one in weighed] == pytest.approx([one.total for one in alone], rel=1e-4)


def test_slots_read_together_answer_as_slots_read_one_by_one(base, adapters, asks, answers):
    """As on a GPU, where a pass takes all of them in lanes."""
    bank = Bank.load(base, [None, *adapters])
    bank.batched = True
    assert answer(bank, asks, max_new_tokens=12, batch_rows=64) == answers


def test_layers_of_one_block_share_a_product_only_where_they_read_the_same(base, adapters):
    """Each of them gives its own part for whatever it is called with, in whatever order."""
    bank = Bank.load(base, [None, *adapters])
    block = next(module for module in base.model.modules() if hasattr(module, "k_proj"))
    inputs = [torch.randn(1, 6, block.k_proj.in_features, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2)]
    packed = pack([Block((5, 6, 7), 1), Block((8, 9, 10), 2)], base.device)
    with torch.no_grad(), bank._applied(packed.segments):
        together = [layer(inputs[0]) for layer in (block.q_proj, block.k_proj, block.v_proj)]
        apart = [block.v_proj(inputs[0]), block.q_proj(inputs[1]), block.k_proj(inputs[0]), block.q_proj(inputs[0])]
    for got, wanted in ((apart[0], together[2]), (apart[2], together[1]), (apart[3], together[0])):
        torch.testing.assert_close(got, wanted)
    assert not torch.allclose(apart[1], together[0], atol=1e-3)


def test_no_question_no_answer(base):
    assert answer(Bank.load(base, [None]), [], max_new_tokens=2, batch_rows=3) == []
    assert log_likelihoods(Bank.load(base, [None]), [], batch_rows=3) == []


def test_a_base_wide_enough_for_onednn_answers_as_generate_does(tmp_path, monkeypatch):
    """Its large layers are laid out anew for products without a gradient, whether a slot holds an adapter or not; where
    memory is short they are left as they are."""
    wide = tiny_base(tmp_path / "wide", hidden=384)
    bank = Bank.fresh(wide, 2, 4, [8.0, 8.0], [1, 2])
    bank.clear(0)
    bank.weights[1] += 0.02 * torch.randn(bank.weights[1].shape, generator=torch.Generator().manual_seed(1))
    bank.save(1, tmp_path / "adapter")
    asks = [Ask(user(text), slot) for slot in (0, 1) for text in QUESTIONS[:3]]
    items = [Continuation(user(text), "37 percent", slot) for slot in (0, 1) for text in QUESTIONS[:3]]
    found = answer(bank, asks, max_new_tokens=8, batch_rows=4)
    assert len(bank._forwards.frozen._laid_out) > 8
    models = [wide.model, with_peft(wide, tmp_path / "adapter")]
    for ask, got in zip(asks, found, strict=True):
        ids = torch.tensor([render_prompt(wide.tokenizer, ask.messages)])
        out = models[ask.slot].generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False)
        assert got.text == wide.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)
    monkeypatch.setattr(frozen, "MEMORY_SHARE", 0.0)
    plain = Bank.load(wide, [None, tmp_path / "adapter"])
    assert answer(plain, asks, max_new_tokens=8, batch_rows=4) == found and not plain._forwards.frozen._laid_out
    weighed = [log_likelihoods(one, items, batch_rows=4) for one in (bank, plain)]
    assert [one.total for one in weighed[0]] == pytest.approx([one.total for one in weighed[1]], rel=1e-5)


# ------------------------------------------------------------ log-likelihoods


def test_log_likelihood_is_the_sum_over_the_text_alone(base, adapters):
    items = [
        Continuation(user(text), reply, slot)
        for text in QUESTIONS[:3]
        for reply in ("37 percent", "7", "It is evaluated on it.")
        for slot in range(4)
    ]
    got = log_likelihoods(Bank.load(base, [None, *adapters]), items, batch_rows=5)
    models = [base.model, *(with_peft(base, folder) for folder in adapters)]
    for item, found in zip(items, got, strict=True):
        row = render_example(base.tokenizer, (*item.messages, Message(role="assistant", content=item.text)))
        first, ids = row.prompt_tokens, row.ids[:-1]
        logs = models[item.slot](input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
        wanted = sum(float(logs[place - 1, ids[place]]) for place in range(first, len(ids)))
        assert found.tokens == len(ids) - first
        assert found.total == pytest.approx(wanted, rel=1e-4)
        assert found.per_token == pytest.approx(wanted / found.tokens, rel=1e-4)


def test_log_likelihood_in_any_order(base, adapters):
    bank = Bank.load(base, [None, *adapters])
    items = [Continuation(user(text), "37 percent", slot) for text in QUESTIONS for slot in (0, 2)]
    forward = log_likelihoods(bank, items, batch_rows=4)
    assert log_likelihoods(bank, items[::-1], batch_rows=4) == forward[::-1]


def test_text_that_stands_alone_is_scored_without_a_template(base):
    bank = Bank.load(base, [None])
    text = "A language model is fine-tuned."
    (got,) = log_likelihoods(bank, [Continuation((), text, 0)], batch_rows=1)
    ids = [base.tokenizer.eos_token_id, *base.tokenizer(text).input_ids]
    logs = base.model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
    assert got.total == pytest.approx(sum(float(logs[i - 1, ids[i]]) for i in range(1, len(ids))), rel=1e-4)


# ------------------------------------------------------------------ a packed base


def packed_copy(base: Base, folder) -> Base:
    """The same model with its decoder's linear layers packed by bitsandbytes; and with the same numbers unpacked in ``base``."""
    bnb = pytest.importorskip("bitsandbytes")
    from paperlora.model.layers import dense_weight

    other = load_base(base.id.name, device="cpu", cache=folder)
    for name, module in list(other.model.named_modules()):
        if not isinstance(module, torch.nn.Linear) or module is other.model.get_output_embeddings():
            continue
        packed = bnb.nn.Linear4bit(module.in_features, module.out_features, bias=False, quant_type="nf4")
        packed.weight = bnb.nn.Params4bit(module.weight.data.clone(), requires_grad=False, quant_type="nf4").to("cpu")
        parent, _, last = name.rpartition(".")
        setattr(other.model.get_submodule(parent), last, packed)
        whole = base.model.get_submodule(name)
        unpacked = dense_weight(packed)
        assert 0 < float((unpacked - whole.weight).norm() / whole.weight.norm()) < 0.2
        whole.weight.data.copy_(unpacked)
    return other


def test_a_bank_on_a_4_bit_base_trains_as_on_its_unpacked_weights(tmp_path):
    """The same products, forward and backward, as beside a base that holds the unpacked weights as plain numbers."""
    plain = tiny_base(tmp_path / "tiny")
    packed = packed_copy(plain, tmp_path)
    rows, found = [Block(tuple(range(5, 20)), 0), Block(tuple(range(9, 31)), 1)], []
    for base in (packed, plain):
        bank = Bank.fresh(base, 2, 4, [8.0, 8.0], [0, 1])
        bank.weights += 0.01
        bank.train()
        hidden = bank.hidden(pack(rows, base.device))
        bank.token_losses(hidden, torch.arange(len(hidden))).sum().backward()
        found.append((hidden.detach(), bank.gradients.clone()))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-3, atol=1e-3)


def test_a_4_bit_base_on_a_cpu_is_refused(tmp_path):
    folder = tiny_base(tmp_path / "tiny").id.name
    with pytest.raises(ModelUnavailable, match="needs a CUDA device"):
        load_base(folder, device="cpu", cache=tmp_path, four_bit=True)
