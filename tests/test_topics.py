"""The starter map finds what it should, topics may stand in a file of their own, and `paperlora topics` shows what each brought."""

from __future__ import annotations

import json
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import pytest
from shelf import Shelf, paper
from typer.testing import CliRunner

from paperlora.catalog import Catalog
from paperlora.cli import app
from paperlora.errors import SettingsError
from paperlora.literature.query import parse, searchable
from paperlora.records import Topic
from paperlora.sandbox.search import parse_openalex, parse_scholar
from paperlora.settings import load_settings
from paperlora.topics import starter, starter_text

KNOWN = Path(__file__).parent / "fixtures" / "known_papers.tsv"
PARSERS = {"arxiv": parse, "semantic_scholar": parse_scholar, "openalex": parse_openalex}


class Known(NamedTuple):
    """A paper that everybody knows."""

    categories: tuple[str, ...]
    title: str
    topics: frozenset[str]
    gist: str


def known() -> list[Known]:
    lines = [line.split("\t") for line in KNOWN.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    return [Known(tuple(c.split()), t, frozenset(names.split()) - {"-"}, "".join(gist)) for c, t, names, *gist in lines]


def found_by(source: str) -> dict[str, set[str]]:
    """Title → topics whose query finds it at this source."""
    found: dict[str, set[str]] = defaultdict(set)
    for topic in starter():
        score = PARSERS[source](getattr(topic, source))
        for one in known():
            record = searchable({"ti": one.title, "abs": one.gist}, identifier="", categories=one.categories, dates={})
            if score(record):
                found[one.title].add(topic.name)
    return found


@pytest.mark.parametrize("source", list(PARSERS))
def test_each_known_paper_is_found_by_its_topics_and_by_no_other(source: str) -> None:
    found = found_by(source)
    wrong = {one.title: (sorted(found[one.title]), sorted(one.topics)) for one in known() if found[one.title] != one.topics}
    assert wrong == {}


def test_map_is_wide_and_every_node_is_whole() -> None:
    topics = starter()
    assert len(topics) >= 24
    assert len({topic.name for topic in topics}) == len(topics)
    for topic in topics:
        assert topic.angle, topic.name
        assert all(getattr(topic, source) for source in PARSERS), topic.name
        assert len(topic.arxiv) < 1500, "an address may not grow without end"
    tested = {name for one in known() for name in one.topics}
    assert tested == {topic.name for topic in topics}
    assert len(known()) >= 100


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with two followed topics, one of them in a file of its own, and papers of a third that was dropped."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    Path("paperlora.toml").write_text('topics_file = "more.toml"\ndatasets = "var/datasets"\n[[topics]]\nname = "memory"\narxiv = "all:memory"\npriority = 1\n')
    Path("more.toml").write_text('[[topics]]\nname = "forgetting"\npriority = 2\nmax_papers = 7\n')
    shelf = Shelf(tmp_path / "var")
    both, old = paper("arxiv:2405.00001", topics=("memory", "forgetting")), paper("arxiv:2405.00002", topics=("dropped",))
    shelf.listed("1", [both, old, paper("arxiv:2405.00003", external_ids={"doi": "10.1000/x"})])
    shelf.read(both)
    shelf.made(both)
    catalog = Catalog(f"sqlite:///{tmp_path / 'var' / 'catalog.sqlite'}")
    catalog.refresh(shelf.stores)
    catalog.close()
    return tmp_path


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, done.output + repr(done.exception)
    return done.output


def test_topics_show_what_each_brought(home: Path) -> None:
    lines = {line["name"]: line for line in json.loads(run("topics", "--json"))}
    assert list(lines) == ["forgetting", "memory", "dropped"]
    memory = lines["memory"]
    counts = [memory[name] for name in ("papers", "waiting", "documents", "ideas", "datasets", "adapters", "verdicts", "absorbed")]
    assert counts == [2, 1, 1, 1, 1, 1, 1, 1]
    assert (memory["overlaps"], memory["arxiv"], memory["followed"]) == ({"forgetting": 1}, "all:memory", True)
    assert (lines["dropped"]["followed"], lines["dropped"]["papers"], lines["forgetting"]["max_papers"]) == (False, 1, 7)


def test_table_of_topics_fits_a_terminal(home: Path) -> None:
    shown = run("topics")
    assert max(map(len, shown.splitlines())) <= 80
    rows = {cells[0]: cells[1:] for line in shown.splitlines() if (cells := line.split())}
    assert rows["memory"] == ["1", "2", "1", "1", "1", "1", "1", "1"]
    assert rows["dropped"][0] == "(dropped)"
    assert "forgetting + memory" in shown
    assert "At most 32 papers are read a day" in shown
    assert "Without any query: forgetting" in shown


def test_names_of_the_starter_map_fit_the_table(home: Path) -> None:
    Path("more.toml").write_text(starter_text().replace('name = "memory"', 'name = "memory-2"'))
    shown = run("topics")
    assert all(topic.name in shown for topic in starter() if topic.name != "memory")


def test_starter_map_is_printed_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    printed = run("topics", "--starter")
    assert len(tomllib.loads(printed)["topics"]) == len(starter())
    run("topics", "init", "mine.toml")
    Path("paperlora.toml").write_text('topics_file = "mine.toml"\n')
    assert load_settings().topics == starter()
    with pytest.raises(SettingsError, match="there already"):
        CliRunner().invoke(app, ["topics", "init", "mine.toml"], catch_exceptions=False)
    assert Path("mine.toml").read_text() == printed


def test_file_of_topics_is_found_beside_the_settings_that_name_it(tmp_path: Path) -> None:
    (tmp_path / "paperlora.toml").write_text('topics_file = "more.toml"\n[[topics]]\nname = "one"\n')
    (tmp_path / "more.toml").write_text('[[topics]]\nname = "two"\n')
    assert [topic.name for topic in load_settings(tmp_path / "paperlora.toml").topics] == ["one", "two"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ('[[topics]]\nname = "one"\n', "more than one topic named one"),
        ('[[topics]]\nname = "two"\narxvi = "x"\n', "arxvi"),
        ('home = "x"\n[[topics]]\nname = "two"\n', "home"),
        ("[[topics]\n", "can't be read as TOML"),
        (None, "paperlora topics init"),
    ],
)
def test_mistake_in_the_file_of_topics_is_said(tmp_path: Path, more: str | None, says: str) -> None:
    (tmp_path / "paperlora.toml").write_text('topics_file = "more.toml"\n[[topics]]\nname = "one"\n')
    if more is not None:
        (tmp_path / "more.toml").write_text(more)
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path / "paperlora.toml")
    assert says in str(caught.value)


def test_a_name_given_twice_in_the_settings_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "paperlora.toml").write_text('[[topics]]\nname = "one"\n[[topics]]\nname = "one"\n')
    with pytest.raises(SettingsError, match="more than one topic named one"):
        load_settings(tmp_path / "paperlora.toml")


def test_show_says_what_a_paper_is_and_what_must_be_done(home: Path) -> None:
    shown = " ".join(run("show", "https://arxiv.org/abs/2405.00001").split())
    assert "paper arxiv:2405.00001v1" in shown
    assert "rows may be published (cc-by-4.0 allows it)" in shown
    assert "topics forgetting, memory" in shown
    assert "1 document: document:arxiv:2405.00001v1 1 idea: idea:" in shown
    assert "Stale" not in shown
    assert "waits to be read" in run("show", "10.1000/X")
    shelf = Shelf(home / "var")
    shelf.listed("2", [paper("arxiv:2405.00001", 2)])
    run("rebuild")
    shown = " ".join(run("show", "2405.00001").split())
    assert "Stale: arxiv:2405.00001v2 is newer; 1 document, 1 idea, 1 dataset, 1 adapter, 1 verdict, 1 lesson." in shown
    assert "paperlora ingest && paperlora distill && paperlora train && paperlora judge && paperlora reflect" in shown
    value = json.loads(run("show", "2405.00001v1", "--json"))
    assert {one["kind"] for one in value["stale"]} == {"document", "idea", "dataset", "adapter", "verdict", "lesson"}
    assert value["record"]["title"] == "Title of arxiv:2405.00001"
    assert json.loads(run("status", "--json"))["stale"] == 6
    shelf.listed("3", [paper("arxiv:2405.00001", 3, withdrawn=True)])
    run("rebuild")
    assert "take its adapters out of use" in " ".join(run("show", "2405.00001").split())


def test_every_kind_of_thing_can_be_shown(home: Path) -> None:
    for id_ in (
        "document:arxiv:2405.00001v1", "idea:", "arxiv-2405.00001v1/0123456789ab", "arxiv-2405.00001v1/0123456789ab/aaaaaaaaaaaa",
        "verdict-arxiv-2405.00001v1", "lesson-arxiv-2405.00001v1",
    ):  # fmt: skip
        shown = run("show", id_)
        assert "made from" in shown, id_
        assert "paper: arxiv:2405.00001v1" in shown, id_


def test_topic_of_the_settings_that_found_nothing_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "paperlora topics init" in run("topics")
    Path("paperlora.toml").write_text('[[topics]]\nname = "memory"\narxiv = "all:memory"\n')
    (line,) = json.loads(run("topics", "--json"))
    assert (Topic.model_validate({name: line[name] for name in Topic.model_fields}).name, line["papers"]) == ("memory", 0)
