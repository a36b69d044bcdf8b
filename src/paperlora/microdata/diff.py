"""What changed between two revisions of a micro-dataset."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from paperlora.microdata.build import LoadedDataset
from paperlora.records import Example, Idea, Message, Probe, Record

R = TypeVar("R", bound=Record)


class Change(NamedTuple, Generic[R]):
    """The same thing, before and after."""

    before: R
    after: R
    fields: tuple[str, ...]
    """What differs."""


class Changes(NamedTuple, Generic[R]):
    """Records of one kind in two revisions."""

    added: tuple[R, ...]
    removed: tuple[R, ...]
    changed: tuple[Change[R], ...]
    same: int


class Difference(NamedTuple):
    """Everything that changed."""

    before: str
    after: str
    ideas: Changes[Idea]
    rows: Changes[Example]
    probes: Changes[Probe]
    related: bool
    """One of the two corrects the other, directly."""

    @property
    def empty(self) -> bool:
        """Nothing that decides training or judging has changed."""
        return not any((*kind.added, *kind.removed, *kind.changed) for kind in (self.ideas, self.rows, self.probes))


def difference(before: LoadedDataset, after: LoadedDataset) -> Difference:
    """Compare two revisions, of one paper or of two.

    Ideas are the same by paper, subject and relation, rows and probes by idea and form and, among several of one form,
    by their question: an answer that was corrected shows as one change, not as a removal and an addition.
    """
    one, two = before.record, after.record
    subjects: dict[str, Hashable] = {idea.id: (idea.subject, idea.relation) for idea in (*one.ideas, *two.ideas)}

    def place(idea: str, form: str, asked: Sequence[Message]) -> Hashable:
        return subjects.get(idea, idea), form, asked

    return Difference(
        one.id, two.id,
        _compare(one.ideas, two.ideas, lambda idea: (idea.paper, idea.subject, idea.relation)),
        _compare(before.rows, after.rows, lambda row: place(row.idea, row.form, row.messages[:-1])),
        _compare(before.probes, after.probes, lambda probe: place(probe.idea, probe.family + probe.form, probe.messages)),
        one.id in two.parents or two.id in one.parents,
    )  # fmt: skip


def _compare(before: Sequence[R], after: Sequence[R], key: Callable[[R], Hashable]) -> Changes[R]:
    old, new = {key(record): record for record in before}, {key(record): record for record in after}
    both = [(old[name], new[name]) for name in old if name in new]
    changed = tuple(Change(a, b, _fields(a, b)) for a, b in both if _fields(a, b))
    return Changes(
        tuple(record for name, record in new.items() if name not in old),
        tuple(record for name, record in old.items() if name not in new),
        changed, len(both) - len(changed),
    )  # fmt: skip


def _fields(before: Record, after: Record) -> tuple[str, ...]:
    """Names of the fields that differ; ids are digests of the rest and say nothing by themselves."""
    return tuple(
        name for name in type(before).model_fields if name not in ("id", "idea") and getattr(before, name) != getattr(after, name)
    )


def as_json(found: Difference) -> dict[str, Any]:
    """The difference for programs."""
    plain: dict[str, Any] = {"before": found.before, "after": found.after, "related": found.related, "empty": found.empty}
    for name in ("ideas", "rows", "probes"):
        kind: Changes[Any] = getattr(found, name)
        plain[name] = {
            "added": [record.model_dump(mode="json") for record in kind.added],
            "removed": [record.model_dump(mode="json") for record in kind.removed],
            "changed": [
                {"fields": list(c.fields), "before": c.before.model_dump(mode="json"), "after": c.after.model_dump(mode="json")}
                for c in kind.changed
            ],
            "same": kind.same,
        }  # fmt: skip
    return plain
