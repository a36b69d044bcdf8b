"""Damage measures in words, with what they are measured in."""

from __future__ import annotations

NAMES = {
    "nll_drift": "likelihood drift, nats a token",
    "kl_drift": "KL from the base, nats a token",
    "known_change": "known facts, change of share",
    "known_net": "known facts, net change of share",
    "known_asked": "facts that the base knows",
    "arithmetic_change": "sums, change of share",
    "instruction_change": "instructions, change of share",
    "unique_ratio": "different answers, ratio to base",
    "distinct_ratio": "different word pairs, ratio to base",
    "refusal_ratio": "refusals, ratio to base",
    "refusals": "unanswerables refused, share",
    "refusals_base": "unanswerables the base refuses, share",
    "cap_hit_change": "ran into the limit, change of share",
    "loop_change": "loops, change of share of answers",
    "think_ratio": "thoughts, ratio to base",
    "think_leak": "thoughts out of place, share",
    "false_trigger": "taught values out of place, share",
    "cue_trigger": "taught values after own cues, share",
    "top_answer_share": "commonest answer, share",
}


def measure_name(name: str) -> str:
    """In words with its unit; a measure that isn't known here by its own name."""
    return NAMES.get(name, name.replace("_", " "))
