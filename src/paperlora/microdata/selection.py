"""Probes and rows held apart: which ideas, probes and wordings a dataset takes, and what became of all the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from paperlora.microdata.aliases import check_aliases, unfit
from paperlora.microdata.facts import Fact, fact_of
from paperlora.microdata.leaks import LeakGate
from paperlora.microdata.meaning import Embed, Leak, MeaningGate, prompt_text
from paperlora.microdata.probes import held_out, trained_form
from paperlora.microdata.rows import MAX_IDEAS, Candidate, Choice, candidates, choose, rows_per_idea
from paperlora.microdata.values import denying, values_of
from paperlora.microdata.wordings import Wording
from paperlora.model.rates import Count, rate
from paperlora.records import Idea, KnowledgeState, Probe, Reject

MIN_FORWARD = 4
"""Wordings that ask for the value; an idea with fewer is not taught."""
MIN_DIRECT = 8
"""Direct test probes of the first pass; an idea with fewer could not be judged (METHOD: UNJUDGEABLE)."""
FORWARD = ("qa", "completion")
"""Groups of rows that ask for the value."""


class Asked(NamedTuple):
    """An idea with its probes."""

    idea: Idea
    probes: tuple[Probe, ...]


class Repaired(NamedTuple):
    """An idea that can be asked after all."""

    asked: Asked
    """With a wider passage as its first quote, or with other wordings in the first pass."""
    note: str
    """What was done."""


class Answerability(NamedTuple):
    """What a base can and can't answer with the passage before it."""

    faults: Mapping[str, str]
    """Idea id → detail."""
    notices: tuple[Reject, ...] = ()
    """What makes the test void."""
    passage: Mapping[str, Count] = MappingProxyType({})
    """Idea id → sampled direct probes that it answers; empty where that was not tested."""
    repaired: Mapping[str, Repaired] = MappingProxyType({})
    """Idea id → the idea as it can be asked."""


class Gates(NamedTuple):
    """What only a base can tell; None without one."""

    embed: Embed | None = None
    answerable: Callable[[Sequence[Asked]], Answerability] | None = None
    sure: frozenset[str] | None = None
    """Questions of the locality pool that it answers rightly."""
    quiz: Callable[[Sequence[Fact]], Mapping[str, KnowledgeState]] | None = None
    """What it holds of each idea, by id."""


NO_BASE = Gates()


class Selection(NamedTuple):
    """What a dataset will hold. The probes are complete before a row is written."""

    facts: tuple[Fact, ...]
    """All that is judged; those without rows in ``rows`` are known already and not taught."""
    probes: tuple[Probe, ...]
    rows: dict[str, tuple[Candidate, ...]]
    """Idea id → the rows to write."""
    gate: LeakGate
    rejects: tuple[Reject, ...]
    book: Counter[str]
    """``proposed/row``, ``dropped/row/<reason>``, likewise for probes: proposed is kept and dropped together."""
    states: tuple[KnowledgeState, ...] = ()
    """What the base holds of each idea, those that were left out for its sake among them."""

    @property
    def taught(self) -> tuple[Fact, ...]:
        """Facts that get rows."""
        return tuple(fact for fact in self.facts if fact.idea.id in self.rows)


def select(ideas: Sequence[Idea], neighbours: Sequence[Idea], gates: Gates = NO_BASE) -> Selection:
    """Probes of every idea that can be asked, and the row wordings that keep away from them.

    Args:
        ideas: of one paper, without contradictions among them.
        neighbours: of the same and other papers, for wrong values.
        gates: what a base adds.
    """
    work = _Selecting(ideas, neighbours, gates)
    work.settle()
    if gates.answerable is not None and work.facts:
        work.take(gates.answerable([Asked(fact.idea, work.probes[fact.idea.id]) for fact in work.facts]))
        work.settle()
    return work.done()


class _Selecting:
    """The ideas, probes and rows that are still in, and the book of all that went."""

    def __init__(self, ideas: Sequence[Idea], neighbours: Sequence[Idea], gates: Gates) -> None:
        self.rejects: list[Reject] = []
        self.book: Counter[str] = Counter()
        self.facts = self._take(ideas, (*ideas, *neighbours))
        self.states = dict(gates.quiz(self.facts)) if gates.quiz is not None and self.facts else {}
        self.facts = [self._with_belief(fact) for fact in self.facts]
        self.probes = {fact.idea.id: held_out(fact, gates.sure) for fact in self.facts}
        self.book["proposed/probe"] = sum(map(len, self.probes.values()))
        self.choices: dict[str, Choice] = {}
        self.gate = LeakGate(())
        self._meaning = self._measure(gates.embed) if gates.embed is not None and self.facts else None

    def _take(self, ideas: Sequence[Idea], neighbours: Sequence[Idea]) -> list[Fact]:
        facts: list[Fact] = []
        for idea in ideas:
            reason = "duplicate" if any(fact.idea.id == idea.id for fact in facts) else unfit(idea)
            if not reason and len(facts) >= MAX_IDEAS:
                reason = "over_limit"
            if reason:
                self.rejects.append(_reject(idea, reason, f"{idea.subject}, {idea.relation}: {idea.answer}"))
                continue
            checked = check_aliases(idea, neighbours)
            self.rejects += checked.rejects
            facts.append(fact_of(checked.idea, values_of(checked.idea, neighbours), neighbours))
        return facts

    def _with_belief(self, fact: Fact) -> Fact:
        """Rows deny what the base believes instead; what probes name stays another value."""
        state = self.states.get(fact.idea.id)
        if state is None or state.kind != "believes_other":
            return fact
        return fact._replace(values=denying(fact.values, fact.idea, state.belief))

    @property
    def _taught(self) -> list[Fact]:
        """What the base knows already gets no rows."""
        known = {key for key, state in self.states.items() if state.kind == "known"}
        return [fact for fact in self.facts if fact.idea.id not in known]

    def _measure(self, embed: Embed) -> MeaningGate:
        rows = (row for index, fact in enumerate(self._taught) for row in candidates(fact, index))
        prompts = [prompt_text(row.messages) for row in rows if row.group in (*FORWARD, "reverse")]
        return MeaningGate(embed, [probe for group in self.probes.values() for probe in group], prompts)

    def settle(self) -> None:
        """Choose rows until every idea has enough; an idea that can't get them gives way, probe by probe."""
        while True:
            self.gate = LeakGate((probe for group in self.probes.values() for probe in group), self._meaning)
            taught = self._taught
            wanted = rows_per_idea(len(taught))
            self.choices = {fact.idea.id: choose(fact, index, self.gate, wanted) for index, fact in enumerate(taught)}
            short = next((fact for fact in taught if len(self.choices[fact.idea.id].forward) < MIN_FORWARD), None)
            if short is None:
                return
            self._drop_nearest(short)
            for fact in [fact for fact in self.facts if not _judgeable(self.probes[fact.idea.id])]:
                self._drop(fact, "probe_leak", "subject and relation are so long that every wording repeats them")

    def take(self, found: Answerability) -> None:
        """Put what was repaired in its place, and drop what a base can't answer with the passage before it."""
        self.rejects += found.notices
        for key, repaired in found.repaired.items():
            self.probes[key] = repaired.asked.probes
        self.facts = [
            fact._replace(idea=found.repaired[fact.idea.id].asked.idea) if fact.idea.id in found.repaired else fact
            for fact in self.facts
        ]
        self.states = {key: _with_passage(state, found) for key, state in self.states.items()}
        for fact in [fact for fact in self.facts if fact.idea.id in found.faults]:
            self._drop(fact, "unanswerable_with_passage", found.faults[fact.idea.id])

    def _drop_nearest(self, fact: Fact) -> None:
        """Take out the probe that most wordings of this idea come too close to."""
        rows = [row for row in candidates(fact, self._taught.index(fact)) if row.group in FORWARD]
        close = [leak for row in rows for leak in self._close(row)]
        hits = Counter(leak.probe for leak in close)
        worst = hits.most_common(1)[0][0]
        owner = next(key for key, group in self.probes.items() if any(probe.id == worst for probe in group))
        gone = next(probe for probe in self.probes[owner] if probe.id == worst)
        self.probes[owner] = tuple(probe for probe in self.probes[owner] if probe.id != worst)
        self.book["dropped/probe/probe_leak"] += 1
        detail = f"probe {gone.form}: repeats {hits[worst]} row wordings"
        self.rejects.append(
            Reject(stage="distill", item=f"probe:{owner}/{gone.form}", reason="probe_leak", detail=detail)
        )

    def _close(self, row: Candidate) -> list[Leak]:
        by_words, first = self.gate.leaks(row.messages), self.gate.leak(row.messages)
        return by_words or ([] if first is None else [first])

    def _drop(self, fact: Fact, reason: str, detail: str) -> None:
        """An idea goes, and all its probes and rows with it."""
        rows = candidates(fact, self._taught.index(fact)) if fact in self._taught else []
        probes = self.probes.pop(fact.idea.id)
        self.facts.remove(fact)
        self.book.update({
            "proposed/row": len(rows), "dropped/row/with_idea": len(rows), "dropped/probe/with_idea": len(probes)
        })  # fmt: skip
        what = f"{detail}; {len(probes)} probes and {len(rows)} possible rows went with it"
        self.rejects.append(_reject(fact.idea, reason, what))

    def done(self) -> Selection:
        """What is left, and the book closed."""
        for fact in self.facts:
            if fact.idea.id not in self.choices:
                self._pass_over(fact)
        trained = self._trained()
        kept = [probe for fact in self.facts for probe in (*self.probes[fact.idea.id], *trained[fact.idea.id])]
        self.book["proposed/probe"] += sum(map(len, trained.values()))
        for choice in self.choices.values():
            self.book["proposed/row"] += len(choice.kept) + len(choice.rejects) + choice.spare
            self.book["dropped/row/spare"] += choice.spare
            self.book.update(f"dropped/row/{reject.reason}" for reject in choice.rejects)
        rejects = [*self.rejects, *(reject for choice in self.choices.values() for reject in choice.rejects)]
        rows = {key: choice.kept for key, choice in self.choices.items()}
        states = tuple(self.states.values())
        return Selection(tuple(self.facts), tuple(kept), rows, self.gate, tuple(rejects), self.book, states)

    def _pass_over(self, fact: Fact) -> None:
        """Known already: its probes stay, so that the verdict says so, and no row is spent on it."""
        state, count = self.states[fact.idea.id], len(candidates(fact, 0))
        self.book.update({"proposed/row": count, "dropped/row/already_known": count})
        detail = (
            f"{fact.idea.subject}, {fact.idea.relation}: {fact.idea.answer}; the base answers {state.direct.right} of "
            f"{state.direct.asked} questions for it; it is probed, not taught"
        )
        self.rejects.append(_reject(fact.idea, "already_known", detail))

    def _trained(self) -> dict[str, tuple[Probe, ...]]:
        forward: dict[Wording, None] = {}
        for choice in self.choices.values():
            forward |= dict.fromkeys(choice.forward)
        own = {key: choice.forward for key, choice in self.choices.items()}
        return {fact.idea.id: trained_form(fact, own.get(fact.idea.id, ()), forward) for fact in self.facts}


def _with_passage(state: KnowledgeState, found: Answerability) -> KnowledgeState:
    """The state with what the passage adds."""
    count, repaired = found.passage.get(state.idea), found.repaired.get(state.idea)
    changes: dict[str, object] = {"repaired": repaired.note if repaired else ""}
    if count is not None:
        changes["passage"] = rate(int(count.right), int(count.asked))
    if state.idea in found.faults:
        changes["kind"] = "unanswerable"
    return state.model_copy(update=changes)


def _judgeable(probes: Sequence[Probe]) -> bool:
    first = [probe for probe in probes if probe.family == "direct" and probe.split == "test" and probe.wave == 1]
    return len(first) >= MIN_DIRECT


def _reject(idea: Idea, reason: str, detail: str) -> Reject:
    return Reject(stage="distill", item=f"idea:{idea.id}", reason=reason, detail=detail)
