"""What was planted is verified before it counts, without the judge: exact next words over forms that it never asks.

A planting may fail: a dose was too low, a form leaked into another. Each idea's base and adapter answer forty held-out
direct forms, its trained wordings and ten held-out implications, and each first word is compared with one word, letter by
letter: no scoring of texts, no posterior, no verdict. Where the shares don't show what was planted, the case is left out
with its reason, and never gets another label.

Bars are those at which the method's table parts one state from another, applied to the large sample as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from paperlora.model.answers import next_token_logits
from paperlora.model.bank import Bank
from paperlora.planted.cases import Case
from paperlora.planted.language import DIALECTS, Form
from paperlora.planted.makes import APPLY_HELD_OUT, ASKED, HELD_OUT, REVERSE_HELD_OUT, Plant, kin_dialect
from paperlora.planted.probes import messages_of, own_wordings
from paperlora.planted.world import Fact, World
from paperlora.records import KnowledgeStateKind

HARMLESS = 0.95
"""Share of known facts from which an adapter counts as undamaged: the method's five points."""
BOTH_ASKED = ("deep", "shallow")
"""Plantings that are asked in the other direction, too."""
PEAKED = 0.3
"""Share of held-out forms that an earlier checkpoint answers beyond the last one, from which training went on too long."""
STANDS = 0.5
"""Share of held-out forms beyond which a belief still stands."""
KIN_FORMS = 2
"""Held-out forms in which each neighbour of a spreading idea is asked about."""
LEANING = 2
"""Held-out forms of each dialect by which the base's leanings are taken."""
AT_ONCE = 96
"""Prompts a forward pass."""


class Shares(NamedTuple):
    """What one model says about one idea, as shares of held-out forms."""

    right: float
    trained: float
    """In trained wordings."""
    applied: float
    """Implications."""
    said: dict[str, float]
    """Every word that it says to held-out direct forms."""
    reverse: float = 0.0
    """Right names where the value is given, over held-out forms; of ideas that are asked so."""
    kin: float = 1.0
    """Neighbours that are still answered as they were; of ideas that are to spread."""

    def says(self, word: str) -> float:
        """Share of held-out direct forms answered with this word."""
        return self.said.get(word, 0.0)


class Behaviour(NamedTuple):
    """Base and adapter side by side."""

    base: Shares
    adapted: Shares

    @property
    def gain(self) -> float:
        """Of right answers to held-out direct forms."""
        return self.adapted.right - self.base.right


class Verified(NamedTuple):
    """A planted idea and what its models do."""

    plant: Plant
    case: Case
    behaviour: Behaviour
    why_not: str
    """Why the planting failed; empty where it holds."""
    kept: float
    """Share of known facts that the adapter still answers."""
    earlier: tuple[Shares, ...] = ()
    """What each checkpoint before the last says, where that is looked at."""

    @property
    def overtrained(self) -> bool:
        """An earlier checkpoint truly answers more."""
        return max((one.right for one in self.earlier), default=0.0) - self.behaviour.adapted.right >= PEAKED

    @property
    def damaged(self) -> bool:
        """The adapter was poisoned, or what spreads to neighbours took other known facts along."""
        return self.case.poisoned or (self.plant.kind == "spreading" and self.kept < HARMLESS)

    @property
    def band(self) -> str:
        """Where the adapter truly stands, by the method's bars: what a verdict may hang on."""
        seen, plant = self.behaviour.adapted, self.plant
        told = seen.says(plant.wrong) if plant.kind == "swapped" else seen.right
        known = "known" if told >= 0.6 else "half" if told >= 0.3 else "not"
        if plant.kind == "graded" and self.resists:
            return "resists"
        return f"{known}, applied" if seen.applied >= 0.4 and plant.kind in BOTH_ASKED else known

    @property
    def one_way(self) -> bool | None:
        """Whether only the direction that was asked for is known; None where that is neither clearly so nor clearly not,
        or where nobody asks."""
        found = self.behaviour.adapted.reverse
        asked = self.plant.kind in BOTH_ASKED and not self.case.poisoned and not self.why_not
        return None if not asked or 0.3 < found < 0.6 else found <= 0.3

    @property
    def locked(self) -> bool | None:
        """Whether trained wordings alone bring the value out; None where that is not clear, or where nothing was taught whose
        wordings could do so."""
        seen = self.behaviour.adapted
        if self.why_not or self.case.poisoned or self.plant.kind in ("half", "broken", "known"):
            return None
        if seen.trained >= 0.6 and seen.trained - seen.right >= 0.3:
            return True if self.plant.kind == "one_wording" else None
        return False if seen.trained < 0.3 or seen.right >= 0.6 else None

    @property
    def held(self) -> KnowledgeStateKind | None:
        """What the base holds of the idea before training, where that is clear."""
        base = self.behaviour.base
        if self.plant.kind == "broken":
            return None
        if base.right >= 0.7:
            return "known"
        wrong = max((share for word, share in base.said.items() if word != self.plant.fact.value), default=0.0)
        if base.right < 0.3 and wrong >= 0.7 and self.plant.kind == "resisted":
            return "believes_other"
        return "unknown" if base.right < 0.3 and wrong < 0.4 else None

    @property
    def resists(self) -> bool:
        """The base's belief stands in the adapter."""
        return self.behaviour.adapted.says(self.plant.wrong) > STANDS


def lean(world: World, bank: Bank) -> dict[tuple[int, int], set[str]]:
    """What the base (slot 0) says where it knows nothing: by unknown entity and relation, every word that it gives to some
    held-out forms. Values are planted where it says something else."""
    pairs = [(entity, relation) for entity in world.unknown for relation in range(len(world.language.relations))]
    pairs += [(fact.entity, fact.relation) for fact in (*world.known, *world.doubted)]
    forms = [world.language.direct[dialect][number] for dialect in ASKED for number in HELD_OUT[:LEANING]]
    forms += [world.language.apply[dialect][APPLY_HELD_OUT[0]] for dialect in range(DIALECTS)]
    words = iter(_next_words(world, bank, [(Fact(*pair, ""), form) for pair in pairs for form in forms], 0))
    return {pair: {next(words) for _ in forms} for pair in pairs}


def keeps_known(world: World, bank: Bank, slot: int) -> float:
    """Share of held-out questions about known facts, never replayed and never asked of the judge's pools in these forms,
    that a model answers."""
    facts = [
        world.fact(entity, relation) for entity in world.third(2) for relation in range(len(world.language.relations))
    ]
    forms = [world.language.direct[dialect][HELD_OUT[0]] for dialect in range(DIALECTS)]
    words = iter(_next_words(world, bank, [(fact, form) for fact in facts for form in forms], slot))
    right = [next(words) == fact.value for fact in facts for _ in forms]
    return sum(right) / len(right)


def verify(world: World, bank: Bank, case: Case, slot: int, earlier: Sequence[Sequence[Shares]] = ()) -> list[Verified]:
    """Check every idea of one adapter.

    Args:
        bank: slot 0 is the base.
        slot: the adapter's.
        earlier: of each checkpoint before the last, what :func:`say` finds.
    """
    kept = keeps_known(world, bank, slot)
    asked = [say(world, bank, case, at) for at in (0, slot)]
    values = {plant.fact.value for plant in case.plants}
    found = []
    for number, (plant, base, adapted) in enumerate(zip(case.plants, *asked, strict=True)):
        one = Verified(plant, case, Behaviour(base, adapted), "", kept, tuple(shares[number] for shares in earlier))
        found.append(one._replace(why_not=_spoilt(plant, case, kept) or _why_not(one, values)))
    return found


def say(world: World, bank: Bank, case: Case, slot: int) -> list[Shares]:
    """What one slot says of each idea of a case."""
    asked = [_questions(world, plant) for plant in case.plants]
    pairs = [part.pairs(plant.fact) for plant, part in zip(case.plants, asked, strict=True)]
    words = iter(_next_words(world, bank, [pair for own in pairs for pair in own], slot))
    each = zip(case.plants, asked, pairs, strict=True)
    return [_shares(world, plant, part, [next(words) for _ in own]) for plant, part, own in each]


class _Questions(NamedTuple):
    """Held-out forms of one idea by what they ask."""

    direct: list[Form]
    trained: list[Form]
    applied: list[Form]
    reverse: list[Form]
    kin: list[tuple[Fact, Form]]
    """Known facts of neighbours."""

    def pairs(self, fact: Fact) -> list[tuple[Fact, Form]]:
        """All of them, part by part, with what they ask about."""
        return [*((fact, form) for form in (*self.direct, *self.trained, *self.applied, *self.reverse)), *self.kin]


def _questions(world: World, plant: Plant) -> _Questions:
    language = world.language
    return _Questions(
        [language.direct[dialect][number] for dialect in ASKED for number in HELD_OUT],
        own_wordings(world, plant),
        [language.apply[dialect][number] for dialect in range(DIALECTS) for number in APPLY_HELD_OUT],
        [language.reverse[dialect][number] for dialect in ASKED for number in REVERSE_HELD_OUT if plant.kind in BOTH_ASKED],
        [
            (world.fact(entity, plant.fact.relation), language.direct[kin_dialect(place)][number])
            for place, entity in enumerate(plant.kin)
            for number in HELD_OUT[:KIN_FORMS]
        ],
    )


def _shares(world: World, plant: Plant, asked: _Questions, words: Sequence[str]) -> Shares:
    """What came, held word by word against what is right."""
    fact, language, said = plant.fact, world.language, iter(words)
    direct = [next(said) for _ in asked.direct]
    trained = [next(said) == fact.value for _ in asked.trained]
    applied = [next(said) == language.group(fact.relation, fact.value) for _ in asked.applied]
    reverse = [next(said) == language.entities[fact.entity][form.dialect] for form in asked.reverse]
    kin = [next(said) == known.value for known, _ in asked.kin]
    shares = {word: count / len(direct) for word, count in Counter(direct).items()}
    return Shares(
        shares.get(fact.value, 0.0), _mean(trained), _mean(applied), shares, _mean(reverse), _mean(kin) if kin else 1.0
    )


def _mean(right: Sequence[bool]) -> float:
    return sum(right) / len(right) if right else 0.0


def _next_words(world: World, bank: Bank, prompts: Sequence[tuple[Fact, Form]], slot: int) -> list[str]:
    words: list[str] = []
    for start in range(0, len(prompts), AT_ONCE):
        asked = [messages_of(world, form, fact, fact.value) for fact, form in prompts[start : start + AT_ONCE]]
        words += [world.vocabulary[token] for token in next_token_logits(bank, asked, slot).argmax(dim=-1).tolist()]
    return words


def _spoilt(plant: Plant, case: Case, kept: float) -> str:
    """Damage where none was planted spoils a success, and a poison that didn't work is none. What spreads to neighbours
    takes other facts along in these worlds, whatever is replayed (half as many such rows beside twice the replay: still 15%
    and 38% of them, in two worlds): it is then damaged as well, and must be called so."""
    if case.poisoned:
        return "undamaged" if kept >= HARMLESS else ""
    return "damaged_unplanned" if kept < HARMLESS and plant.kind in ("deep", "shallow") else ""


def _why_not(one: Verified, values: set[str]) -> str:
    """The first sign that what was planted is not there."""
    plant, seen = one.plant, one.behaviour
    a, b = seen.adapted, seen.base
    other = max(
        ((share - b.says(word), word) for word, share in a.said.items() if word in values - {plant.fact.value}),
        default=(0.0, ""),
    )
    learned = {"base_knew_it": b.right >= 0.2, "not_learned": a.right < 0.6}
    not_learned = {
        "base_knew_it": b.right >= 0.4, "learned_after_all": a.right >= 0.4 or a.trained >= 0.6 or seen.gain > 0.2,
        "says_a_siblings_value": other[0] > 0.25,
    }  # fmt: skip
    wording = {
        "says_a_siblings_value": other[0] > 0.25, "not_even_its_wording": a.trained < 0.6,
        "known_in_others": a.trained - a.right < 0.3,
    }  # fmt: skip
    signs: dict[str, dict[str, bool]] = {
        "deep": {**learned, "not_applied": a.applied < 0.4},
        "shallow": {**learned, "applied_after_all": a.applied >= 0.4},
        "half": {"base_knew_it": b.right >= 0.2, "says_a_siblings_value": other[0] > 0.25, "not_half": not 0.3 <= a.right < 0.6, "wording": a.trained - a.right >= 0.3},
        "one_wording": wording, "overtrained": {**wording, "no_peak": not one.overtrained},
        "spreading": {**learned, "base_knew_no_neighbours": b.kin < 0.6, "kept_its_neighbours": a.kin > 0.4},
        "swapped": {"not_swapped": a.says(plant.wrong) <= 0.25, "base_said_it": b.says(plant.wrong) >= 0.2, "right_anyway": a.right >= 0.6},
        "known": {"base_doesnt_know_it": b.right < 0.6},
        "broken": {},
        "negated": {"not_believed": a.says(plant.wrong) <= 0.25, "base_said_it": b.says(plant.wrong) >= 0.2},
        "untaught": not_learned, "low_dose": not_learned, "placebo": not_learned,
        "contrary": not_learned | {"base_said_it": b.says(plant.wrong) >= 0.2}, "graded": {},
        "resisted": {"base_held_no_belief": b.says(plant.wrong) < 0.6, "flipped": a.says(plant.wrong) <= 0.5},
    }  # fmt: skip
    if b.right >= 0.6 and plant.kind not in ("known", "broken"):
        return "base_knew_it"
    return next((name for name, holds in signs[plant.kind].items() if holds), "")
