"""How many adapters fit into memory at once: a first guess, halved by the trainer where it was too bold."""

from __future__ import annotations

from collections.abc import Sequence

import psutil
import torch

from paperlora.lora.course import Course
from paperlora.model.base import Base

MOST_SEATS = 64
"""Beyond this a GPU is full, and more seats only wait for one another."""
MOST_ON_CPU = 8
"""A CPU takes a few adapters' rows at a time anyway."""
SHARE = 0.7
"""Of the free memory that is planned with."""
FLOATS = 4
"""Matrices of float32 for each weight of an adapter: itself, its gradient, two moments."""


def seats_that_fit(base: Base, courses: Sequence[Course]) -> int:
    """Adapters that can be trained at once.

    For each: four float32 copies of its weights, and what its rows leave behind for the backward pass, about 20 × width +
    6 × intermediate numbers a token and layer (counted from the layers of a plain decoder, as in 2205.05198).
    """
    config, width = base.model.config, base.model.config.hidden_size
    number = torch.finfo(base.model.dtype).bits // 8
    inner = getattr(config, "intermediate_size", 4 * width)
    a_token = config.num_hidden_layers * (20 * width + 6 * inner) * number
    most = 0
    for course in courses:
        longest = sorted((len(row.ids) for row in course.rows), reverse=True)[: course.recipe.batch_size]
        tokens = sum(longest) if base.device.type == "cuda" else 0
        most = max(most, FLOATS * 4 * adapter_size(base, course.recipe.rank) + tokens * a_token)
    limit = MOST_SEATS if base.device.type == "cuda" else MOST_ON_CPU
    return max(1, min(limit, len(courses), int(SHARE * _free(base.device) // most)))


def adapter_size(base: Base, rank: int) -> int:
    """Numbers in one adapter of this rank beside every linear layer but the output head."""
    head = base.model.get_output_embeddings()
    layers = (m for m in base.model.modules() if isinstance(m, torch.nn.Linear) and m is not head)
    return sum(rank * (layer.in_features + layer.out_features) for layer in layers)


def _free(device: torch.device) -> int:
    return int(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else int(psutil.virtual_memory().available)
