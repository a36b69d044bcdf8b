"""A person's decisions: from the edited file to the revision that obeys them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from test_publishing import CC_BY, build, ideas_of

from paperlora.errors import NothingToDo, SettingsError
from paperlora.ideas.conflicts import teachable
from paperlora.microdata.build import LoadedDataset, load
from paperlora.microdata.diff import difference
from paperlora.microdata.review import parse, question, reviewed, reviews_of, save, template
from paperlora.microdata.revise import obey, revise
from paperlora.records import Decision, Review
from paperlora.store import Store, read_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "datasets"


@pytest.fixture
def dataset(folder: Path) -> LoadedDataset:
    return build(folder, 1, "Tidal Replay", CC_BY)


def file_of(dataset: LoadedDataset) -> dict:
    return yaml.safe_load(template(dataset.record.id, dataset.record.paper.title, dataset.record.ideas, dataset.rows))


def take(dataset: LoadedDataset, body: dict) -> Review:
    return parse(yaml.safe_dump(body, allow_unicode=True), dataset.record.id, dataset.record.ideas, dataset.rows)


def after(dataset: LoadedDataset, folder: Path, *decisions: Decision) -> LoadedDataset | None:
    manifest = read_manifest(folder / dataset.record.id)
    uri = revise(dataset, manifest, reviewed(decisions), Store.at(folder))
    return None if uri is None else load(Path(uri))


# ----------------------------------------------------------------------- the file


def test_the_file_shows_every_idea_with_its_evidence_and_every_row(dataset: LoadedDataset) -> None:
    body = file_of(dataset)
    assert [entry["id"] for entry in body["ideas"]] == [idea.id for idea in dataset.record.ideas]
    for entry, idea in zip(body["ideas"], dataset.record.ideas, strict=True):
        assert idea.quotes[0].text in entry["evidence"][0] and "p. 2" in entry["evidence"][0]
    shown = [row["id"] for entry in body["ideas"] for row in entry["rows"]] + [row["id"] for row in body["shared_rows"]]
    assert sorted(shown) == sorted(row.id for row in dataset.rows)


def test_an_untouched_file_decides_nothing(dataset: LoadedDataset) -> None:
    assert take(dataset, file_of(dataset)).decisions == ()
    with pytest.raises(SettingsError, match="Nothing was decided"):
        save(take(dataset, file_of(dataset)), Store.at("unused"))


def test_words_and_changed_texts_become_decisions(dataset: LoadedDataset) -> None:
    body = file_of(dataset)
    body["ideas"][0] |= {"decision": "Accept"}
    body["ideas"][1]["rows"][0] |= {"decision": "reject", "note": "clumsy"}
    body["ideas"][1]["rows"][1] |= {"answer": "601 steps in all"}
    found = {(d.target, d.action): d for d in take(dataset, body).decisions}
    assert set(found) == {("idea", "accept"), ("row", "reject"), ("row", "correct")}
    assert found["row", "reject"].note == "clumsy"
    assert (found["row", "correct"].answer, found["row", "correct"].question) == ("601 steps in all", "")


@pytest.mark.parametrize(("change", "message"), [
    (lambda body: body.update(review="other/1"), "is of other/1"),
    (lambda body: body["ideas"][0].update(id="nobody"), "doesn't hold"),
    (lambda body: body["ideas"][0].update(decision="acept"), "Did you mean accept"),
    (lambda body: body["ideas"][0].update(decision="correct"), "nothing in it was changed"),
    (lambda body: body["ideas"][0].update(answer="99 percent"), "doesn't stand in its evidence"),
    (lambda body: body.update(ideas="all"), "list of entries"),
])  # fmt: skip
def test_a_wrong_file_is_one_clear_error(dataset: LoadedDataset, change, message: str) -> None:
    body = file_of(dataset)
    change(body)
    with pytest.raises(SettingsError, match=message):
        take(dataset, body)


def test_a_file_that_is_no_yaml_names_the_line(dataset: LoadedDataset) -> None:
    with pytest.raises(SettingsError, match="line 2"):
        parse("review: [\nideas: }", dataset.record.id, dataset.record.ideas, dataset.rows)


# ------------------------------------------------------------------- the revision


def test_a_rejected_row_goes_and_nothing_else_changes(dataset: LoadedDataset, folder: Path) -> None:
    row = dataset.rows[3]
    new = after(dataset, folder, Decision(target="row", id=row.id, action="reject", note="clumsy"))
    found = difference(dataset, new)
    assert [gone.id for gone in found.rows.removed] == [row.id] and not found.rows.added and not found.rows.changed
    assert found.probes.same == len(dataset.probes) and new.record.probes_hash == dataset.record.probes_hash
    assert new.record.parents == (dataset.record.id,) and new.record.revision != dataset.record.revision
    assert [(r.item, r.reason, r.detail) for r in new.record.rejects if r not in dataset.record.rejects] == [(f"row:{row.id}", "review_rejected", "clumsy")]
    assert new.record.counts["rows"] == len(new.rows) == len(dataset.rows) - 1


def test_a_corrected_row_changes_in_its_place(dataset: LoadedDataset, folder: Path) -> None:
    row = next(row for row in dataset.rows if row.masked)
    new = after(dataset, folder, Decision(target="row", id=row.id, action="correct", answer="It is 37 percent, no more."))
    place = dataset.rows.index(row)
    assert new.rows[place].messages[-1].content == "It is 37 percent, no more." and new.rows[place].masked == ()
    assert new.rows[place].generator == "person" and question(new.rows[place]) == question(row)
    assert [r for r in new.rows if r is not new.rows[place]] == [r for r in dataset.rows if r is not row]


def test_a_correction_that_gives_a_probe_away_is_rejected(dataset: LoadedDataset, folder: Path) -> None:
    probe = next(probe for probe in dataset.probes if probe.family == "direct" and probe.split == "test")
    new = after(dataset, folder, Decision(target="row", id=dataset.rows[0].id, action="correct", question=probe.messages[-1].content))
    assert len(new.rows) == len(dataset.rows) - 1
    assert any(r.reason == "probe_leak" and r.item == f"row:{dataset.rows[0].id}" for r in new.record.rejects)


def test_a_rejected_idea_takes_its_rows_and_probes_with_it(dataset: LoadedDataset, folder: Path) -> None:
    gone, kept = dataset.record.ideas
    new = after(dataset, folder, Decision(target="idea", id=gone.id, action="reject"))
    assert [idea.id for idea in new.record.ideas] == [kept.id]
    assert not [row for row in new.rows if row.idea == gone.id] and not [probe for probe in new.probes if probe.idea == gone.id]
    assert list(new.rows) == [r for r in dataset.rows if r.idea != gone.id]
    assert [r.item for r in new.record.rejects if r.reason == "review_rejected"] == [f"idea:{gone.id}"]


def test_a_corrected_idea_gets_new_rows_and_probes_and_its_neighbour_keeps_its_own(dataset: LoadedDataset, folder: Path) -> None:
    one, other = dataset.record.ideas
    new = after(dataset, folder, Decision(target="idea", id=one.id, action="correct", answer="37"))
    changed = next(idea for idea in new.record.ideas if idea.subject == one.subject and idea.relation == one.relation)
    assert changed.answer == "37" and changed.id != one.id
    assert [r for r in new.rows if r.idea == other.id] == [r for r in dataset.rows if r.idea == other.id]
    assert [p for p in new.probes if p.idea == other.id] == [p for p in dataset.probes if p.idea == other.id]
    fresh = [row for row in new.rows if row.idea == changed.id]
    assert len(fresh) >= 4 and not [row for row in new.rows if row.idea == one.id]
    direct = [probe for probe in new.probes if probe.idea == changed.id and probe.family == "direct"]
    assert direct and all(probe.answers[0] == "37" for probe in direct)


def test_accepting_changes_nothing_and_the_same_review_is_one_revision(dataset: LoadedDataset, folder: Path) -> None:
    assert after(dataset, folder, Decision(target="row", id=dataset.rows[0].id, action="accept")) is None
    decision = Decision(target="row", id=dataset.rows[0].id, action="reject")
    first, second = after(dataset, folder, decision), after(dataset, folder, decision)
    assert first.record == second.record and len(list(folder.glob("*/*/manifest.json"))) == 2


def test_a_review_that_leaves_no_idea_is_an_error(dataset: LoadedDataset, folder: Path) -> None:
    with pytest.raises(NothingToDo):
        after(dataset, folder, *(Decision(target="idea", id=idea.id, action="reject") for idea in dataset.record.ideas))


# -------------------------------------------------------------------- kept reviews


def test_a_later_build_obeys_the_reviews_and_the_last_decision_holds(dataset: LoadedDataset, folder: Path, tmp_path: Path) -> None:
    reviews, datasets = Store.at(tmp_path / "store"), Store.at(folder)
    row, other = dataset.rows[0], dataset.rows[1]
    uri = str(folder / dataset.record.id)
    assert obey(uri, reviews_of(reviews, dataset.record.paper.key), datasets) == uri
    save(Review(dataset=dataset.record.id, decisions=(Decision(target="row", id=row.id, action="reject"),)), reviews)
    revised = load(Path(obey(uri, reviews_of(reviews, dataset.record.paper.key), datasets)))
    assert row.id not in {r.id for r in revised.rows}
    save(Review(dataset=revised.record.id, decisions=(Decision(target="row", id=other.id, action="correct", answer="37 percent, always"),)), reviews)
    again = load(Path(obey(uri, reviews_of(reviews, dataset.record.paper.key), datasets)))
    assert row.id not in {r.id for r in again.rows} and "37 percent, always" in [r.messages[-1].content for r in again.rows]
    assert Path(obey(uri, reviews_of(reviews, dataset.record.paper.key), datasets)).name == again.record.revision
    save(Review(dataset=dataset.record.id, decisions=(Decision(target="row", id=row.id, action="accept"),)), reviews)
    assert row.id in {r.id for r in load(Path(obey(uri, reviews_of(reviews, dataset.record.paper.key), datasets))).rows}


def test_reviews_of_one_paper_are_no_others(dataset: LoadedDataset, tmp_path: Path) -> None:
    store = Store.at(tmp_path / "store")
    save(Review(dataset=dataset.record.id, decisions=(Decision(target="row", id="x", action="reject"),)), store)
    assert reviews_of(store, dataset.record.paper.key).rows and not reviews_of(store, "arxiv:9901.00002v1").rows


def test_an_accepted_guide_idea_may_be_taught(tmp_path: Path) -> None:
    store = Store.at(tmp_path)
    mine = [idea.model_copy(update={"guide": True, "paper": "guide:notes"}) for idea in ideas_of(1, "Tidal Replay")]
    save(Review(dataset="guide:notes", decisions=(Decision(target="idea", id=mine[0].id, action="accept"),)), store)
    kept, rejects = teachable(mine, reviews_of(store, "guide:notes").accepted_ideas)
    assert [idea.id for idea in kept] == [mine[0].id] and [reject.reason for reject in rejects] == ["guide_unreviewed"]
