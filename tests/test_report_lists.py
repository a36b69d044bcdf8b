"""The answer at the head of the report, and lists that are longer than a page: all of them are held, found and filtered."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from pictured import Size, pictured
from test_report_pictures import browser, drive

from paperlora.records import Diagnosis
from paperlora.report import html
from paperlora.report.data import ReportData
from paperlora.report.html import LEVELS, MAX_BYTES, render, write_report
from paperlora.report.packed import Item, pack_list
from paperlora.report.short import LISTED, Short, in_short
from paperlora.report.views import Index, adapter_views, verdict_views

HOSTILE = "</template><script>document.title='PWNED'</script>"


def short_of(data: ReportData) -> Short:
    index = Index(data)
    verdicts = verdict_views(index, LEVELS[0])
    return in_short(verdicts, adapter_views(index, verdicts))


def diagnosis(verdict: str, cause: str, action: str) -> Diagnosis:
    return Diagnosis(id=f"{verdict}-{cause}", verdict=verdict, idea="i", symptom="s", cause=cause, action=action, prediction="p")


def many(adapters: int = 160, ideas: int = 3) -> ReportData:
    return pictured(Size(adapters=adapters, ideas=ideas, layers=1, probes=1))


def held(source: str, name: str) -> dict[str, Any]:
    packed = re.search(f'<template id="packed-{name}">([^<]*)</template>', source)
    assert packed is not None
    found: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(packed[1])))
    return found


# ------------------------------------------------------------------ what, why, what next


def test_causes_are_counted_by_idea_with_the_commonest_action_first() -> None:
    data = pictured()
    ids = [verdict.id for verdict in data.verdicts]
    found = [diagnosis(name, "too few forms", "add wordings") for name in ids[:5]] + [diagnosis(ids[5], "too few forms", "rewrite it all")]
    found += [diagnosis(name, "the dose displaces", "lower alpha") for name in ids[:2]]
    said = short_of(data._replace(diagnoses=found))
    assert [(line.cause, line.ideas, line.action, line.others) for line in said.causes] == [
        ("too few forms", 6, "add wordings", 1), ("the dose displaces", 2, "lower alpha", 0),
    ]  # fmt: skip
    assert all(sum(one.verdicts for one in line.kinds) == line.ideas for line in said.causes)
    wanting = {v.id for v in data.verdicts if not v.kind.startswith("ABSORBED") and v.kind != "ALREADY_KNOWN"}
    assert said.unexplained == len(wanting - set(ids[:6]))


def test_damage_and_right_answers_are_those_of_papers_alone() -> None:
    data = pictured()
    said = short_of(data)
    own = [report for report in data.adapter_reports if not report.placebo]
    assert (said.judged, said.damaged) == (len(own), sum(report.damaged for report in own))
    assert sum(one.adapters for one in said.broken) == sum(check.broken for report in own for check in report.checks)
    assert (said.right, said.asked) == (sum(v.adapted.right for v in data.verdicts), 12 * len(data.verdicts))


def test_the_page_answers_first_and_only_counts_the_causes_that_it_does_not_list() -> None:
    data = pictured()
    causes = [diagnosis(verdict.id, f"cause {n:02d} {HOSTILE}", "do it") for n, verdict in enumerate(data.verdicts[: LISTED + 3])]
    source = render(data._replace(diagnoses=causes, counts={"papers": 12}))
    head = source[source.index('<section id="summary">') : source.index('<section id="verdicts">')]
    assert "Why not, and what next" in head and head.count("do it") == LISTED and "3 more causes: filter the verdicts by cause." in head
    assert head.index("count as learned") < head.index('id="next"') < head.index('class="funnel"')
    assert source.count("<script>") == 1


# ------------------------------------------------------------------ packed lists


def test_a_short_list_is_not_packed() -> None:
    source = render(pictured())
    assert 'id="packed-' not in source and source.count('<details class="verdict"') == 36


def test_every_verdict_and_adapter_of_a_long_list_is_in_the_page() -> None:
    data = many()
    source = render(data)
    assert source.count('<details class="verdict"') == LEVELS[0].verdicts and source.count('<article class="adapter"') == LEVELS[0].adapters
    verdicts, adapters = held(source, "verdicts"), held(source, "adapters")
    assert verdicts["ids"] == [f"V{n}" for n in range(1, 481)] and adapters["ids"] == [f"A{n}" for n in range(1, 161)]
    assert all(f'id="{name}"' in text for name, text in zip(verdicts["ids"], verdicts["html"], strict=True))
    kinds = verdicts["facets"]["verdict"]
    assert sorted(kinds["values"][of[0]] for of in kinds["of"]) == sorted(view.kind.label for view in verdict_views(Index(data), LEVELS[0]))
    assert "All 480 verdicts are in this file" in source and "All 160 adapters are in this file" in source


def test_words_of_papers_stay_words_in_packed_items() -> None:
    data = many()
    source = render(data._replace(verdicts=[verdict.model_copy(update={"claim": HOSTILE}) for verdict in data.verdicts]))
    assert source.count("<script>") == 1
    assert not any("<script" in text or "</template" in text for text in held(source, "verdicts")["html"])


def test_what_does_not_fit_is_left_out_from_the_end_and_counted() -> None:
    items = [Item(f"V{n}", (("absorbed",),), f"<details>{n} {n * 2654435761 % 2**32}</details>") for n in range(2000)]
    whole, part = pack_list(["verdict"], items), pack_list(["verdict"], items, 9_000)
    assert (whole.held, whole.total) == (2000, 2000)
    assert 0 < part.held < 2000 and part.total == 2000 and len(part.text) <= 9_000
    assert json.loads(gzip.decompress(base64.b64decode(part.text)))["ids"][-1] == f"V{part.held - 1}"


def test_packed_lists_come_on_top_of_the_pages_own_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "PAGE_BYTES", 900_000)
    source = write_report(many(), tmp_path / "report.html").read_text(encoding="utf-8")
    bare = re.sub(r"<template.*?</template>", "", source)
    assert len(held(source, "verdicts")["ids"]) == 480
    assert len(bare.encode()) < 900_000 or source.count('<details class="verdict"') == LEVELS[-1].verdicts
    assert len(source.encode()) < MAX_BYTES


# ------------------------------------------------------------------ a real browser


@pytest.mark.slow
@browser
@pytest.mark.timeout(600)
def test_search_filters_and_links_reach_verdicts_beyond_the_first_leaf(tmp_path: Path) -> None:
    data = many()
    script = """
      const box = d.querySelector("[data-tools=verdicts]"), list = () => [box.querySelector("output").textContent, d.querySelectorAll("#table-verdicts [data-item]").length];
      const go = async id => { frame.contentWindow.location.hash = "#" + id; await wait(700); return Boolean(d.getElementById(id)); };
      d.getElementById("verdicts").scrollIntoView(); while (box.hidden) await wait(50);
      said.push(list());
      const kind = box.querySelector("select[name=verdict]"); kind.value = [...kind.options].find(one => one.text.startsWith("unjudgeable")).value;
      kind.dispatchEvent(new Event("change")); said.push(list());
      box.querySelector("input").value = "no such words"; box.querySelector("input").dispatchEvent(new Event("input")); await wait(400); said.push(list());
      said.push(await go("V470"), d.getElementById("V470").open, list());
      said.push(await go("A155"), d.querySelectorAll("#table-adapters [data-item]").length);
      said.push(d.querySelector("#V470 [data-why]").hidden, d.querySelector("#verdicts [data-static]").hidden);"""
    unjudgeable = sum(verdict.kind == "UNJUDGEABLE" for verdict in data.verdicts)
    found = drive(tmp_path, data, script)
    assert found[:3] == [["1–50 of 480", 50], [f"1–{unjudgeable} of {unjudgeable} found among 480", unjudgeable], ["0 found among 480", 0]]
    assert found[3:6] == [True, True, ["451–480 of 480", 30]]
    assert found[6:] == [True, 10, False, True, []]
