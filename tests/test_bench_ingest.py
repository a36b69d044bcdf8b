"""The benchmark of ingestion measures a run that loses nothing."""

from __future__ import annotations

import pytest

from paperlora.bench.ingest import bench_ingest


@pytest.mark.slow
def test_small_benchmark_accounts_for_every_paper() -> None:
    result = bench_ingest(48, faults=True)
    quarter, half, whole, again, spoiled = (row.figures for row in result.rows)
    for figures in (quarter, half, whole, spoiled):
        assert figures["in"] == int(figures["documents"]) + int(figures["rejects"])
    assert int(quarter["documents"]) < int(half["documents"]) < int(whole["documents"])
    assert again["requests"] == 16
    assert {"overhead ms/paper", "bare ms/paper", "peak MB", "papers/s"} <= set(whole)
    assert spoiled["papers that differ"] == 0
    assert int(spoiled["requests"]) > int(whole["requests"])
