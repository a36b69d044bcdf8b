"""What of an adapter's damage measures is too much.

Bounds are those of the project's method. Two of them are read as follows. The drift of the likelihood of unrelated text
is held against .05 nats alone, where no placebo adapters give a percentile. A pool of two dozen facts can't exclude a loss
of five points, so that loss of known facts is damage where it is shown (P(loss > 5 points) ≥ .95), not wherever it can't
be excluded.
"""

from __future__ import annotations

from collections.abc import Mapping

from paperlora.judge.posterior import Count, p_above

NLL_DRIFT = 0.05
"""Nats a token."""
KNOWN_LOSS = 0.05
UNIQUE_RATIO = 0.85
CAP_HITS = 0.05
THINK_LEAK = 0.02


def broken(measures: Mapping[str, float]) -> tuple[str, ...]:
    """Names of the measures that are out of bounds; without any the adapter is undamaged."""
    asked = measures.get("known_asked", 0.0)
    kept = Count(min(max(round(asked * (1.0 + measures.get("known_change", 0.0))), 0), asked), asked)
    out = {
        "nll_drift": measures.get("nll_drift", 0.0) >= NLL_DRIFT,
        "known_change": 1.0 - p_above(kept, 1.0 - KNOWN_LOSS) >= 0.95,
        "unique_ratio": measures.get("unique_ratio", 1.0) < UNIQUE_RATIO,
        "cap_hit_change": measures.get("cap_hit_change", 0.0) >= CAP_HITS,
        "loop_change": measures.get("loop_change", 0.0) >= CAP_HITS,
        "think_leak": measures.get("think_leak", 0.0) > THINK_LEAK,
    }
    return tuple(name for name, holds in out.items() if holds)
