"""What a text means to the base: the mean of its last hidden states.

Hidden states of language models share a large common direction, so that any two texts look alike; it is taken out by
centring over the texts that are compared (1909.00512 shows the effect, 1702.01417 the remedy).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from paperlora.model.bank import Bank, SlotInfo
from paperlora.model.base import Base
from paperlora.model.packing import Block, pack

BATCH_TOKENS = 2048


@torch.no_grad()
def embed(base: Base, texts: Sequence[str]) -> Tensor:
    """Mean last hidden state of each text (n × width, float32, on the CPU), not yet centred.

    Raises:
        ValueError: a text has no token.
    """
    ids = [tuple(base.tokenizer(text, add_special_tokens=False).input_ids) for text in texts]
    if not all(ids):
        raise ValueError("A text without a token has no meaning.")
    found: list[Tensor] = []
    with Bank(base, [SlotInfo(0, 0.0)]) as bank:
        for batch in _batches(ids):
            packed = pack([Block(text, 0) for text in batch], base.device)
            hidden = bank.hidden(packed).float()
            found += [
                hidden[start : start + len(text)].mean(dim=0) for start, text in zip(packed.starts, batch, strict=True)
            ]
    return torch.stack(found).cpu() if found else torch.zeros(0, 0)


def cosines(left: Tensor, right: Tensor) -> Tensor:
    """Cosines (n × m) after centring over both."""
    mean = torch.cat([left, right]).mean(dim=0)
    left, right = (torch.nn.functional.normalize(part - mean, dim=-1) for part in (left, right))
    return left @ right.t()


def _batches(texts: Sequence[tuple[int, ...]]) -> list[list[tuple[int, ...]]]:
    batches: list[list[tuple[int, ...]]] = [[]]
    for text in texts:
        if batches[-1] and sum(map(len, batches[-1])) + len(text) > BATCH_TOKENS:
            batches.append([])
        batches[-1].append(text)
    return batches if batches[0] else []
