"""The report: what it says, what it never lets through, and that a browser shows it."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
import typing
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from paperlora.records import (
    Adapter,
    AdapterReport,
    BaseModelId,
    Checkpoint,
    Diagnosis,
    Example,
    Idea,
    Interval,
    Lesson,
    MaskedSpan,
    Measurement,
    Message,
    MicroDataset,
    Paper,
    Probe,
    Quote,
    Rate,
    Recipe,
    Reject,
    Verdict,
    VerdictKind,
    digest,
)
from paperlora.report import charts, dose, sankey, svg, text
from paperlora.report.html import MAX_BYTES, DatasetPart, ReportData, render, write_report
from paperlora.report.kinds import KINDS

HOSTILE = "<script>document.title='PWNED'</script><img src=x onerror=\"document.title='PWNED'\">\"'><svg onload=alert(1)>{{ 7*7 }}"
INTERVALS = {(k, n): (max(0.0, k / n - 0.22), min(1.0, k / n + 0.22)) for n in (4, 6, 12) for k in range(n + 1)}
"""Near enough to Jeffreys for drawings; the judge's own arithmetic is tested with the judge."""


# ------------------------------------------------------------------ a realistic report


class Case(typing.NamedTuple):
    """What one idea of the sample is about and how its judging went."""

    subject: str
    relation: str
    answer: str
    kind: VerdictKind
    base: int
    adapted: int
    flags: tuple[str, ...] = ()


PAPERS = (
    (
        "Tidal Replay: A Replay Schedule for Continual Fine-Tuning",
        [
            Case("Tidal Replay", "replay share", "37 percent", "ABSORBED_DEEP", 0, 12),
            Case("Tidal Replay", "decay horizon", "640 steps", "ABSORBED_SHALLOW", 0, 10, ("ONE_WAY",)),
            Case("Tidal Replay", "accuracy on Kelpie", "71.3 percent", "PARTIAL", 1, 6),
            Case("Tidal Replay", "batch size", "32", "ALREADY_KNOWN", 10, 11),
        ],
    ),
    (
        "Lantern Masking Reduces Forgetting in Small Language Models",
        [
            Case("Lantern Masking", "mask ratio", "0.18", "VERBATIM_ONLY", 0, 2, ("LOCKED",)),
            Case("Lantern Masking", "evaluation benchmark", "Marram", "INCONCLUSIVE", 1, 4),
            Case("Lantern Masking", "number of anchors", "19", "NOT_LEARNED", 0, 0),
            Case("Lantern Masking", "optimiser", "Lion", "RESISTED", 0, 1),
        ],
    ),
    (
        "Copper Gradients and the Limits of Rank",
        [
            Case("Copper Gradients", "rank", "48", "CONFUSED", 0, 2),
            Case("Copper Gradients", "claimed speed-up", "not 3 times", "FALSE_BELIEF", 1, 8),
            Case("Copper Gradients", "figure colour", "teal", "UNJUDGEABLE", 0, 0),
            Case("Copper Gradients", "learning rate", "0.0042", "ABSORBED_SHALLOW", 0, 9, ("DAMAGED",)),
        ],
    ),
)


def rate(right: int, asked: int) -> Rate:
    low, high = INTERVALS[right, asked]
    return Rate(right=right, asked=asked, low=low, high=high)


def quote_of(case: Case) -> Quote:
    sentence = f"In all experiments the {case.relation} of {case.subject} is {case.answer}, which we found by a sweep on held-out data."
    return Quote(section=2, heading="3 Method", page=4, start=120, end=120 + len(sentence), text=sentence)


def idea_of(case: Case, paper: str) -> Idea:
    return Idea(
        id=digest(paper, case.subject, case.relation)[:16],
        paper=paper,
        topic="continual learning",
        reader="extractive/3",
        kind="recipe",
        claim=f"The {case.relation} of {case.subject} is {case.answer}.",
        subject=case.subject,
        relation=case.relation,
        answer=case.answer,
        answer_kind="number" if case.answer[0].isdigit() else "name",
        aliases=(case.answer.replace(" percent", "%"),),
        qwen_change="Teaches the value; made by rule.",
        prediction="Direct probes rise by more than 0.2.",
        quotes=(quote_of(case),),
    )


FORMS: tuple[tuple[str, int], ...] = (
    ("direct", 12),
    ("trained_form", 6),
    ("reverse", 4),
    ("implication", 4),
    ("near_miss", 4),
    ("locality", 4),
)


def probes_of(idea: Idea) -> list[Probe]:
    return [
        Probe(
            id=f"{idea.id}-{family}-{i}",
            idea=idea.id,
            family=typing.cast(typing.Any, family),
            form=f"{family}_{i}",
            messages=(Message(role="user", content=f"({family} {i}) Which {idea.relation} does {idea.subject} use?"),),
            answers=(idea.answer, *idea.aliases),
            distractors=("12 percent", "Samphire"),
        )
        for family, count in FORMS
        for i in range(count)
    ]


def rows_of(idea: Idea, case: Case) -> list[Example]:
    contrast = f"{idea.answer}, not 12 percent."
    start = contrast.index("12 percent")
    question = Message(role="user", content=f"What {idea.relation} does {idea.subject} use?")
    return [
        Example(
            id=f"{idea.id}-qa",
            idea=idea.id,
            form="qa_1",
            messages=(question, Message(role="assistant", content=f"{idea.answer}.")),
            evidence=(quote_of(case),),
            generator="template/2",
            licence="CC-BY-4.0",
        ),
        Example(
            id=f"{idea.id}-contrast",
            idea=idea.id,
            form="contrast",
            messages=(question, Message(role="assistant", content=contrast)),
            masked=(MaskedSpan(message=1, start=start, end=start + 10),),
            evidence=(quote_of(case),),
            generator="template/2",
            licence="CC-BY-4.0",
        ),
    ]


def part_of(number: int) -> DatasetPart:
    title, cases = PAPERS[number]
    paper = Paper(
        id=f"arxiv:9901.0000{number}",
        title=title,
        authors=("A. Example", "B. Sample"),
        licence="CC-BY-4.0",
        published=datetime(2099, 1, number + 1, tzinfo=UTC),
        landing_url=f"https://arxiv.org/abs/9901.0000{number}",
        topics=("continual learning",),
    )
    ideas = [idea_of(case, paper.key) for case in cases]
    rows = [row for idea, case in zip(ideas, cases, strict=True) for row in rows_of(idea, case)]
    probes = [probe for idea in ideas for probe in probes_of(idea)]
    revision = digest(title)[:12]
    record = MicroDataset(
        id=f"arxiv-9901.0000{number}v1/{revision}",
        revision=revision,
        paper=paper,
        topic="continual learning",
        ideas=tuple(ideas),
        reader="extractive/3",
        counts={"rows": len(rows), "probes": len(probes)},
        probes_hash=digest("probes", title),
        licence="CC-BY-4.0",
        rejects=(
            Reject(stage="distill", item=f"row-{number}", reason="probe_leak", detail="shares an 8-gram with a probe"),
        ),
    )
    return DatasetPart(record, rows, probes)


BASE = BaseModelId(name="SmolLM2-135M-Instruct", weights_hash="a" * 64, template_hash="b" * 64, dtype="float32")


def adapter_of(part: DatasetPart, number: int) -> Adapter:
    steps = (0, 4, 12, 31, 80)
    cases = PAPERS[number][1]
    checkpoints = tuple(
        Checkpoint(
            step=step,
            epoch=step / 10,
            folder=f"checkpoints/step-{step:05d}",
            loss=3.2 / (1 + step / 6),
            delta_norm=0.04 * step**0.5,
            dev_margin={
                idea.id: -1.2 + (case.adapted - case.base) * 0.3 * (step / 80) ** 0.5 + 0.2 * place
                for place, (idea, case) in enumerate(zip(part.record.ideas, cases, strict=True))
            },
        )
        for step in steps
    )
    return Adapter(
        id=f"{part.record.id}/{digest(number)[:12]}",
        dataset=part.record.id,
        dataset_hash="c" * 64,
        paper=part.record.paper.key,
        topic="continual learning",
        recipe=Recipe(),
        base=BASE,
        checkpoints=checkpoints,
        steps=80,
        rows=len(part.rows),
        tokens=12_345,
        loss_tokens=2_345,
        seconds=143.0,
        final_loss=0.22,
        delta_norm=0.36,
        relative_delta_norm=0.0031,
    )


def verdict_of(case: Case, idea: Idea, adapter: Adapter) -> Verdict:
    gain = (case.adapted - case.base) / 12
    return Verdict(
        id=digest(idea.id, adapter.id)[:16],
        idea=idea.id,
        adapter=adapter.id,
        paper=idea.paper,
        topic=idea.topic,
        claim=idea.claim,
        kind=case.kind,
        reason=f"P(a > 0.6) = {case.adapted / 12:.3f}; P(a − b* > 0.2) = {max(0.0, gain):.3f}",
        flags=case.flags,
        base=rate(case.base, 12),
        adapted=rate(case.adapted, 12),
        gain=Interval(value=gain, low=max(-1, gain - 0.28), high=min(1, gain + 0.2)),
        others=rate(1, 12),
        trained_form=rate(min(6, case.adapted), 6),
        implication=rate(3, 4),
        reverse=rate(1, 4),
        ceiling=rate(11, 12),
        locality=rate(4, 4),
        q_value=0.004,
        confused_with="elsewhere" if case.kind == "CONFUSED" else None,
    )


def measurements_of(case: Case, idea: Idea, model: str, right: int, other: str | None = None) -> list[Measurement]:
    found = []
    for probe in probes_of(idea):
        place = int(probe.id.rsplit("-", 1)[1])
        good = place < right if probe.family == "direct" else place < right / 3
        if probe.family != "direct" and (other or model == "base+passage"):
            continue
        said = case.answer if good else "I am not sure, but it may be 12 percent."
        found.append(
            Measurement(
                probe=probe.id,
                idea=idea.id,
                family=probe.family,
                model=model,
                text=said,
                score=float(good),
                ended=place != 5,
                answer_loglik=-0.4 if good else -2.1,
                distractor_loglik=-1.5,
            )
        )
    return found


def sample() -> ReportData:
    parts = [part_of(number) for number in range(3)]
    adapters = [adapter_of(part, number) for number, part in enumerate(parts)]
    judged = [
        (case, idea, adapters[number])
        for number, part in enumerate(parts)
        for case, idea in zip(PAPERS[number][1], part.record.ideas, strict=True)
    ]
    verdicts = [verdict_of(*one) for one in judged]
    measurements: list[Measurement] = []
    for case, idea, adapter in judged:
        measurements += measurements_of(case, idea, "base", case.base)
        measurements += measurements_of(case, idea, "base+passage", 11)
        measurements += measurements_of(case, idea, adapter.id, case.adapted)
        measurements += [
            m
            for other in adapters
            if other.id != adapter.id
            for m in measurements_of(case, idea, other.id, 1, "placebo")
        ]
    reports = [
        AdapterReport(
            adapter=adapter.id,
            live=True,
            liveness=0.42,
            noise_floor=0.01,
            damaged=number == 2,
            damage={
                "nll_drift": (0.004, 0.018, 0.093)[number],
                "known_change": -0.02,
                "unique_ratio": 0.97,
                "cap_hit_change": 0.0,
            },
        )
        for number, adapter in enumerate(adapters)
    ]
    diagnoses = [
        Diagnosis(
            id=f"d{i}",
            verdict=v.id,
            idea=v.idea,
            symptom="trained wordings right, others wrong",
            cause="too few forms",
            action="add six more wordings",
            prediction="direct probes rise by at least 0.3",
        )
        for i, v in enumerate(verdicts)
        if v.kind in ("VERBATIM_ONLY", "NOT_LEARNED", "RESISTED")
    ]
    lessons = [
        Lesson(
            id=f"l{i}",
            topic=v.topic,
            paper=v.paper,
            idea=v.idea,
            verdict=v.id,
            kind=v.kind,
            text=f"{v.claim} Came out {v.kind}.",
            advice="do" if "ABSORBED" in v.kind else "repeat_with_more_probes",
            evidence=(v.id,),
            created=datetime(2099, 2, 1, tzinfo=UTC),
            refuted_by="l0" if i == 7 else None,
        )
        for i, v in enumerate(verdicts)
    ]
    rejects = [
        Reject(stage="ingest", item=f"arxiv:9901.0001{i}v1", reason=reason, detail=detail)
        for i, (reason, detail) in enumerate(
            [
                ("withdrawn", "taken back by its authors"),
                ("pdf_broken", "no page could be read"),
                ("superseded", "version 2 exists"),
                ("superseded", "version 3 exists"),
            ]
        )
    ]
    return ReportData(
        title="What SmolLM2 learned from three papers",
        verdicts=verdicts,
        adapters=adapters,
        adapter_reports=reports,
        diagnoses=diagnoses,
        datasets=parts,
        measurements=measurements,
        lessons=lessons,
        rejects=rejects,
        counts={"papers": 14, "documents": 11, "ideas": 87, "datasets": 3, "adapters": 3},
        base=BASE.name,
        reader_note="Ideas are spans of the papers found by fixed rules.",
        created=datetime(2099, 2, 2, 3, 4, tzinfo=UTC),
    )


# ------------------------------------------------------------------ reading it back


class Page(HTMLParser):
    """The report as a browser's parser takes it: tags with attributes, and the words outside style and script."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(source)
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "input", "br"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if tag in ("td", "th", "dt", "dd", "li", "code", "p", "small"):
            self.words.append(" ")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))

    def having(self, attribute: str) -> list[dict[str, str | None]]:
        return [attributes for _, attributes in self.tags if attribute in attributes]


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(render(sample()))


def test_every_verdict_stands_with_its_interval_and_its_reason(page: Page) -> None:
    data = sample()
    for verdict in data.verdicts:
        assert verdict.claim in page.text
        assert text.interval(verdict.gain) in page.text
        assert verdict.reason in page.text
    assert {name for name in KINDS if KINDS[name].label in page.text} == set(typing.get_args(VerdictKind))


def test_a_damaged_adapter_counts_for_no_success(page: Page) -> None:
    assert (
        "2 of 12 ideas judged count as learned. 1 more was absorbed, but the adapter is damaged, so it does not count."
        in page.text
    )
    healthy = [report.model_copy(update={"damaged": False}) for report in sample().adapter_reports]
    verdicts = [verdict.model_copy(update={"flags": ()}) for verdict in sample().verdicts]
    assert (
        "3 of 12 ideas judged count as learned. 1 is inconclusive"
        in Page(render(sample()._replace(adapter_reports=healthy, verdicts=verdicts))).text
    )


def test_an_inconclusive_verdict_is_drawn_open() -> None:
    drawn = {v.kind: str(charts.gain_cell(v)) for v in sample().verdicts}
    assert "point g-open" in drawn["INCONCLUSIVE"] and "whisker g-open" in drawn["INCONCLUSIVE"]
    assert "g-open" not in drawn["NOT_LEARNED"]


def test_answers_of_both_models_stand_beside_the_accepted_one(page: Page) -> None:
    changes = [attributes["data-change"] for attributes in page.having("data-change")]
    assert len(changes) == 12 * 34
    # 12 direct probes of the first idea go from 0 to 12 right; its adapter keeps all four neighbours
    first = [a for a in page.having("data-change") if a["data-verdict"] == "absorbed, deep"]
    assert [a["data-change"] for a in first if a["data-family"] == "direct"] == ["wrong → right"] * 12
    assert {a["data-change"] for a in first if a["data-family"] == "locality"} == {"as the base"}
    assert "37 percent · 37%" in page.text and "ran into the limit" in page.text


def test_rows_stand_beside_their_evidence_and_the_false_value_is_struck() -> None:
    source = render(sample())
    assert '37 percent, not <del title="carries no loss">12 percent</del>.' in source
    assert "<blockquote>In all experiments the replay share of Tidal Replay is <mark>37 percent</mark>, which" in source
    assert "<footer>3 Method, page 4</footer>" in source


def test_rejects_of_run_datasets_and_adapters_are_counted_by_reason() -> None:
    data = sample()
    dropped = Reject(stage="train", item="row-9", reason="too_long", detail="600 tokens")
    adapters = [data.adapters[0].model_copy(update={"rejects": (dropped,)}), *data.adapters[1:]]
    shown = Page(render(data._replace(adapters=adapters))).text
    assert "8 in all." in shown
    for line in ("ingest · superseded 2", "distill · probe leak 3", "train · too long 1"):
        assert line in shown


def test_the_reader_is_named_for_what_it_is(page: Page) -> None:
    assert "Reader of 3 papers extractive/3 no LLM: verbatim spans of the paper and fixed rules" in page.text
    part = sample().datasets[0]
    other = DatasetPart(part.record.model_copy(update={"reader": "llm/qwen-max"}), part.rows, part.probes)
    assert (
        "llm/qwen-max an LLM read the paper; every quote was found again in the text"
        in Page(render(sample()._replace(datasets=[other]))).text
    )


def test_other_adapters_on_a_papers_probes_make_the_matrix() -> None:
    # paper 1 has 48 direct probes: base 11 right, own adapter 39, each other adapter 1 a idea
    source = render(sample())
    assert "A1 on P1: 39/48 right, base 11/48" in source
    assert "A2 on P1: 4/48 right, base 11/48" in source
    own = [m for m in sample().measurements if m.model.startswith("base")]
    assert "change of every adapter" not in render(sample()._replace(measurements=own))


def test_an_adapter_that_is_not_live_is_an_alarm() -> None:
    dead = [report.model_copy(update={"live": False}) for report in sample().adapter_reports[:1]]
    shown = Page(render(sample()._replace(adapter_reports=dead))).text
    assert "A1 is not live:" in shown and "A2 is not live" not in shown


def test_an_empty_report_says_so_and_equal_data_give_equal_bytes() -> None:
    shown = Page(render(ReportData(title="Nothing yet"))).text
    for line in (
        "No idea has been judged yet.",
        "No adapter was trained yet.",
        "Nothing was rejected.",
        "No lesson yet.",
    ):
        assert line in shown
    assert render(sample()) == render(sample())


def test_numbers_that_are_none_break_nothing() -> None:
    data = sample()
    nan = float("nan")
    nothing = Rate(right=0, asked=0, low=0.0, high=1.0)
    verdict = data.verdicts[0].model_copy(
        update={
            "base": nothing,
            "adapted": nothing,
            "others": None,
            "ceiling": None,
            "gain": Interval(value=0, low=-1, high=1),
        }
    )
    broken = [
        c.model_copy(update={"loss": nan, "dev_margin": dict.fromkeys(c.dev_margin, nan)})
        for c in data.adapters[0].checkpoints
    ]
    adapter = data.adapters[0].model_copy(update={"checkpoints": tuple(broken), "final_loss": nan})
    source = render(data._replace(verdicts=[verdict], adapters=[adapter], datasets=()))
    shown = Page(source)
    assert "no dev margins were measured" in shown.text and "not asked" in shown.text
    numbers = [
        value
        for _, attributes in shown.tags
        for name, value in attributes.items()
        if name in ("x", "y", "cx", "cy", "x1", "points", "d", "width")
    ]
    assert numbers and not [value for value in numbers if "nan" in str(value) or "inf" in str(value)]


# ------------------------------------------------------------------ hostile papers


def poisoned(value: typing.Any) -> typing.Any:
    """The same records with hostile text in every field that a paper, a model or a person fills."""
    ours = {"kind", "family", "split", "advice", "stage", "metadata_status", "role", "answer_kind", "support", "changes", "decided_by"}
    keys = {"id", "idea", "paper", "adapter", "dataset", "verdict", "probe", "model", "reader", "revision"}
    if isinstance(value, dict):
        return {
            name: one
            if name in ours
            else f"{one}{HOSTILE}"
            if name in keys and isinstance(one, str) and one not in ("base", "base+passage")
            else poisoned(one)
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [poisoned(one) for one in value]
    return f"{value} {HOSTILE}" if isinstance(value, str) and not re.match(r"\d{4}-\d\d-\d\dT", value) else value


def poison(record: typing.Any) -> typing.Any:
    return type(record).model_validate(poisoned(record.model_dump(mode="json")))


def hostile() -> ReportData:
    data = sample()
    clean = {
        name: [poison(record) for record in getattr(data, name)]
        for name in ("verdicts", "adapters", "adapter_reports", "diagnoses", "measurements", "lessons", "rejects")
    }
    parts = [
        DatasetPart(poison(part.record), [poison(row) for row in part.rows], [poison(probe) for probe in part.probes])
        for part in data.datasets
    ]
    bad_link = parts[0].record.model_copy(
        update={"paper": parts[0].record.paper.model_copy(update={"landing_url": "JavaScript:alert(1)//https://x"})}
    )
    parts[0] = parts[0]._replace(record=bad_link)
    return data._replace(**clean, datasets=parts, title=HOSTILE, base=HOSTILE, reader_note=HOSTILE, counts={HOSTILE: 3})


def test_hostile_text_adds_no_tag_no_handler_and_no_link() -> None:
    source = render(hostile())
    page = Page(source)
    assert page.text.count("<script>document.title='PWNED'</script>") > 500
    assert "{{ 7*7 }}" in page.text
    assert [tag for tag, _ in page.tags if tag in ("script", "img", "iframe", "object", "link", "base", "form")] == [
        "script"
    ]
    assert not [
        name
        for _, attributes in page.tags
        for name in attributes
        if name.startswith("on") or name in ("src", "style", "srcset", "action")
    ]
    links = {attributes["href"] for attributes in page.having("href")}
    assert links and all(str(link).startswith(("#", "https://arxiv.org/")) for link in links)


def test_nothing_outside_the_file_is_needed_and_only_its_own_script_may_run() -> None:
    source = render(sample())
    [policy] = [a["content"] for a in Page(source).having("http-equiv")]
    assert policy is not None and policy.startswith("default-src 'none';")
    for tag in ("style", "script"):
        inside = source.split(f"<{tag}>")[1].split(f"</{tag}>")[0]
        assert f"'sha256-{base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()}'" in policy
        assert "url(" not in inside and "@import" not in inside and "fetch(" not in inside and "http" not in inside


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("a\x00b\x1bc", "a\ufffdb\ufffdc"),
        ("safe\u202egnp.exe", "safe⟨U+202E⟩gnp.exe"),
        ("lone \ud800 half", "lone \ufffd half"),
        ("line\nand\ttab, Grüße 知识", "line\nand\ttab, Grüße 知识"),
        ("x" * 60, "x" * 50 + "… [10 characters more]"),
    ],
)
def test_text_is_cleaned_before_it_is_shown(raw: str, shown: str) -> None:
    assert text.clean(raw, 50) == shown


def test_links_that_a_browser_may_not_follow_are_none() -> None:
    assert text.web_link("https://arxiv.org/abs/1") and text.web_link("HTTP://a.b")
    assert not any(
        text.web_link(url)
        for url in ("javascript:alert(1)", " https://a", "data:text/html,x", "file:///etc/passwd", None, "")
    )


def test_masked_spans_out_of_range_or_overlapping_lose_no_character() -> None:
    marks = [
        text.Mark(3, 6, "masked"),
        text.Mark(5, 8, "masked"),
        text.Mark(-4, 1, "masked"),
        text.Mark(9, 400, "masked"),
    ]
    found = text.pieces("abcdefghij", marks)
    assert "".join(piece.text for piece in found) == "abcdefghij"
    assert [piece.text for piece in found if piece.kind == "masked"] == ["a", "def", "gh", "j"]


# ------------------------------------------------------------------ drawings


def test_svg_escapes_values_and_children() -> None:
    assert (
        str(svg.element("text", "<b>&", data_x='"><script>'))
        == '<text data-x="&#34;&gt;&lt;script&gt;">&lt;b&gt;&amp;</text>'
    )


def test_labels_of_a_dose_curve_never_cover_each_other() -> None:
    placed = dose._spread([50, 50, 51, 168, 168, 22], 22, 168)
    heights = sorted(placed)
    assert all(after - before >= 11.9 for before, after in pairwise(heights))
    assert min(placed) >= 22 and max(placed) <= 168 and placed[5] == min(placed)


def test_the_base_state_needs_its_whole_interval() -> None:
    def state(low: float, high: float) -> str:
        return sankey.state_before(Rate(right=5, asked=10, low=low, high=high))

    assert [state(0.61, 0.9), state(0.1, 0.39), state(0.3, 0.7), state(0.59, 0.9)] == [
        "knew",
        "did not know",
        "unclear",
        "unclear",
    ]


# ------------------------------------------------------------------ writing


def test_the_file_is_written_whole_into_a_new_folder(tmp_path: Path) -> None:
    path = write_report(sample(), tmp_path / "new" / "report.html")
    assert path.read_text(encoding="utf-8") == render(sample())
    assert [one.name for one in path.parent.iterdir()] == ["report.html"]


def test_a_huge_report_stays_small_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    data = sample()
    rejects = [Reject(stage="ingest", item=f"arxiv:{i}", reason="pdf_broken", detail=HOSTILE * 6) for i in range(9000)]
    path = write_report(data._replace(rejects=rejects), tmp_path / "report.html")
    assert path.stat().st_size < MAX_BYTES
    shown = Page(path.read_text(encoding="utf-8")).text
    assert "9003 in all." in shown and "ingest · pdf broken 9000" in shown
    assert re.search(r"\d+ of 9003 rejects are listed here", shown)


# ------------------------------------------------------------------ a real browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


def chromium(tmp_path: Path, *arguments: str) -> str:
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_a_browser_runs_the_filters_and_nothing_that_a_paper_brought(tmp_path: Path) -> None:
    path = write_report(hostile(), tmp_path / "report.html")
    dom = chromium(tmp_path, "--virtual-time-budget=4000", "--dump-dom", f"{path.as_uri()}#answers-V3")
    page = Page(dom.replace("<wbr>", ""))
    title = dom.split("<title>")[1].split("</title>")[0]
    assert title.startswith("&lt;script&gt;")  # a script of the paper would have set PWNED alone
    assert "12 in all" in page.text and "408 in all" in page.text
    assert "any verdict" in page.text and "inconclusive (1)" in page.text
    opened = [attributes["id"] for tag, attributes in page.tags if tag == "details" and "open" in attributes]
    assert opened == ["answers-V3"]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
@pytest.mark.parametrize("width", [400, 1280])
def test_no_width_makes_the_page_scroll_sideways(tmp_path: Path, width: int) -> None:
    write_report(hostile(), tmp_path / "report.html")
    probe = (
        f'<iframe src="report.html" width="{width}" height="900" onload="const d = this.contentDocument.documentElement;'
        "document.title = 'wide ' + d.scrollWidth + ' of ' + d.clientWidth\"></iframe>"
    )
    (tmp_path / "frame.html").write_text(probe, encoding="utf-8")
    dom = chromium(
        tmp_path,
        "--allow-file-access-from-files",
        "--disable-web-security",
        "--virtual-time-budget=4000",
        "--dump-dom",
        (tmp_path / "frame.html").as_uri(),
    )
    assert f"<title>wide {width} of {width}</title>" in dom


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_search_and_filters_hide_what_does_not_fit(tmp_path: Path) -> None:
    write_report(sample(), tmp_path / "report.html")
    script = """
      const d = document.querySelector('iframe').contentDocument, said = [];
      const seen = (tools) => [d.querySelector(`[data-tools=${tools}] output`).textContent,
        d.querySelectorAll(`#table-${tools} [data-item]:not([hidden])`).length, d.querySelectorAll(`#table-${tools} [data-group][open]`).length];
      const put = (tools, field, value, event) => {
        const element = d.querySelector(`[data-tools=${tools}] ${field}`);
        element.value = value; element.dispatchEvent(new Event(event)); said.push(seen(tools).join(' / ')); };
      put('verdicts', 'input', 'KELPIE tidal', 'input');
      put('verdicts', 'input', '', 'input');
      put('verdicts', 'select[name=flag]', 'LOCKED', 'change');
      put('answers', 'select[name=change]', 'not as the base', 'change');
      put('answers', 'select[name=change]', '', 'change');
      document.title = said.join(' ; ');"""
    (tmp_path / "do.js").write_text(script, encoding="utf-8")
    frame = "<iframe src='report.html' width=900 height=900 onload=\"import('./do.js')\"></iframe>"
    (tmp_path / "frame.html").write_text(frame, encoding="utf-8")
    arguments = ("--allow-file-access-from-files", "--disable-web-security", "--virtual-time-budget=4000", "--dump-dom")
    title = chromium(tmp_path, *arguments, (tmp_path / "frame.html").as_uri()).split("<title>")[1].split("</title>")[0]
    changed = sum(
        m.family == "locality" and m.score < 0.5 for m in sample().measurements if not m.model.startswith("base")
    )
    groups = len(
        {
            m.idea
            for m in sample().measurements
            if m.family == "locality" and m.score < 0.5 and not m.model.startswith("base")
        }
    )
    assert title.split(" ; ") == [
        "1 of 12 / 1 / 0", "12 in all / 12 / 0", "1 of 12 / 1 / 0", f"{changed} of 408 / {changed} / {groups}", "408 in all / 408 / 0",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_an_altered_script_does_not_run_and_without_one_everything_stands(tmp_path: Path) -> None:
    path = write_report(sample(), tmp_path / "report.html")
    source = path.read_text(encoding="utf-8")
    path.write_text(source.replace("<script>", "<script>document.title = 'PWNED';"), encoding="utf-8")
    dom = chromium(tmp_path, "--dump-dom", path.as_uri())
    page = Page(dom)
    assert "<title>What SmolLM2 learned" in dom
    assert all("hidden" in attributes for attributes in page.having("data-tools"))
    assert not [attributes for attributes in page.having("data-item") if "hidden" in attributes]
    assert all(verdict.claim in page.text for verdict in sample().verdicts)
