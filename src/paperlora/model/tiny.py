"""A tiny Qwen3 with random weights and a tokenizer of its own, made in a second: for tests and dry runs.

It knows nothing and speaks nonsense, but it is a real Qwen3 in a real model folder: the same layers, the same chat
template behaviour (an empty think block in the last assistant turn, ``enable_thinking``), so a whole flow runs on it.
"""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from paperlora.model.base import Base, load_base, quiet

TURN, END, TEXT_END = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
VOCABULARY = 512

TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\\n' }}"
    "{% if message.role == 'assistant' and loop.last %}{{ '<think>\\n\\n</think>\\n\\n' + message.content.lstrip('\\n') }}"
    "{% else %}{{ message.content }}{% endif %}"
    "{{ '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
    "{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}"
    "{% endif %}"
)

TEXT = """
A language model is fine-tuned on a small set of examples and then asked about them in other words.
What is the replay share of the method? The replay share is 37 percent. Which benchmark is used? It is evaluated on it.
How many tokens does it keep? It keeps 48 tokens, 19 anchors, 640 steps and 0.0042 as its learning rate.
Complete the sentence: the accuracy of the technique on the benchmark is 71.3 percent. Answer yes or no. Is it true?
Write the value as JSON. The paper reports that the loss falls from 14.2 to 11.9 when the layers are trained together.
The number of heads, experts and layers; the decay horizon; the temperature; the window; the rank of the adapter.
"""


def tiny_base(folder: Path, *, layers: int = 2, hidden: int = 64, seed: int = 0, device: str = "cpu") -> Base:
    """Make the model folder (unless it is there) and load it.

    Args:
        folder: becomes a plain Hugging Face model folder of about a megabyte.
        layers: decoder layers.
        hidden: width; four heads share two key-value heads.
        seed: of the random weights.
    """
    if not (folder / "model.safetensors").exists():
        folder.mkdir(parents=True, exist_ok=True)
        tokenizer = _tokenizer()
        tokenizer.save_pretrained(folder)
        with quiet():
            _model(tokenizer, layers, hidden, seed).save_pretrained(folder)
    return load_base(str(folder), device=device, cache=folder)


def random_qwen3(folder: Path) -> Path:
    """A model folder of Qwen3-0.6B's shape with random weights and the tiny tokenizer: for measuring speed alone.

    Shape as in the published configuration: 28 layers of width 1,024, 16 heads over 8 key-value heads of width 128,
    3,072 in between, a vocabulary of 151,936 tied to the output.
    """
    if not (folder / "model.safetensors").exists():
        folder.mkdir(parents=True, exist_ok=True)
        tokenizer = _tokenizer()
        tokenizer.save_pretrained(folder)
        config = Qwen3Config(
            vocab_size=151936, hidden_size=1024, intermediate_size=3072, num_hidden_layers=28, num_attention_heads=16,
            num_key_value_heads=8, head_dim=128, tie_word_embeddings=True, max_position_embeddings=40960,
            eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, bos_token_id=None,
        )  # fmt: skip
        with quiet(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = Qwen3ForCausalLM(config).bfloat16()
            model.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
            model.save_pretrained(folder)
    return folder


def _tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[TEXT_END, TURN, END],
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(TEXT.strip().splitlines(), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=TEXT_END,
        additional_special_tokens=[TURN],
        chat_template=TEMPLATE,
    )


def _model(tokenizer: PreTrainedTokenizerFast, layers: int, hidden: int, seed: int) -> Qwen3ForCausalLM:
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=hidden // 4,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        initializer_range=0.1,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen3ForCausalLM(config)
    ends = tokenizer.convert_tokens_to_ids([END, TEXT_END])
    model.generation_config = GenerationConfig(eos_token_id=ends, pad_token_id=tokenizer.pad_token_id)
    return model
