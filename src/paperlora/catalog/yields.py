"""What each topic brought: papers → documents → ideas → datasets → adapters → absorbed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from paperlora.catalog.queue import topics_of, waiting
from paperlora.catalog.tables import items, paper_topics, papers

ABSORBED = ("ABSORBED_DEEP", "ABSORBED_SHALLOW")


class TopicYield(NamedTuple):
    """One topic, with everything that came from its papers; a paper of several topics counts in each."""

    topic: str
    papers: int
    waiting: int
    """Papers that could be read and have not been."""
    documents: int
    ideas: int
    datasets: int
    adapters: int
    absorbed: int
    """Verdicts that an idea was absorbed, deeply or in the trained wording; of those that differ by the seed alone the first."""
    verdicts: int
    overlaps: dict[str, int]
    """Other topic → papers that both found."""


def topic_yields(connection: Connection) -> tuple[TopicYield, ...]:
    """Every topic that ever found a paper, by name."""
    member = topics_of(connection)
    waits = {row.canonical for row in waiting(connection)}
    counts = _counts(connection)
    found: dict[str, set[str]] = defaultdict(set)
    for canonical, topics in member.items():
        for topic in topics:
            found[topic].add(canonical)
    shared = _overlaps(member.values())
    return tuple(
        TopicYield(
            topic=topic, papers=len(found[topic]), waiting=len(found[topic] & waits),
            documents=counts[topic]["document"], ideas=counts[topic]["idea"], datasets=counts[topic]["dataset"],
            adapters=counts[topic]["adapter"], absorbed=counts[topic]["absorbed"], verdicts=counts[topic]["verdict"],
            overlaps=shared[topic],
        )
        for topic in sorted(found)
    )  # fmt: skip


def _counts(connection: Connection) -> dict[str, Counter[str]]:
    member = (
        select(papers.c.canonical, paper_topics.c.topic).distinct()
        .join(paper_topics, paper_topics.c.paper == papers.c.key).subquery()
    )  # fmt: skip
    query = (
        select(member.c.topic, items.c.kind, items.c.label, func.count())
        .join(papers, papers.c.canonical == member.c.canonical).join(items, items.c.paper == papers.c.key)
        .where(items.c.kind != "paper", items.c.role == "").group_by(member.c.topic, items.c.kind, items.c.label)
    )  # fmt: skip
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for topic, kind, label, number in connection.execute(query):
        counts[topic][kind] += number
        if kind == "verdict" and label in ABSORBED:
            counts[topic]["absorbed"] += number
    return counts


def _overlaps(memberships: Iterable[set[str]]) -> dict[str, dict[str, int]]:
    shared: dict[str, Counter[str]] = defaultdict(Counter)
    for topics in memberships:
        for topic in topics:
            shared[topic].update(topics - {topic})
    return {topic: dict(others.most_common()) for topic, others in shared.items()}
