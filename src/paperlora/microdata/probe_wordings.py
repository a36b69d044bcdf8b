"""How probes ask: in other words and forms than the rows (:mod:`~paperlora.microdata.wordings`).

Each group lists the wordings of the first pass, then those that a second and a third pass add.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

from paperlora.microdata import wordings
from paperlora.microdata.wordings import VERSION, Wording, wording
from paperlora.records import digest

T = TypeVar("T")


class Waves(NamedTuple):
    """How many wordings of a group the first, and the first two passes ask."""

    first: int
    second: int

    def number(self, items: Sequence[T]) -> Iterator[tuple[int, T]]:
        """Each item with the pass that asks it, counted from 1."""
        for index, item in enumerate(items):
            yield (1 if index < self.first else 2 if index < self.second else 3), item


DIRECT_WAVES = Waves(6, 10)
"""Of 16 in new words, and of 16 in forms never trained: 12, 20, then all 32 direct probes."""
IMPLICATION_WAVES = Waves(6, 9)
SMALL_WAVES = Waves(4, 6)
"""Of 8: reverse, near-miss, locality."""

ASKED = (
    wording("ask_remind", "I forgot one detail about {s}: its {r}. Can you remind me?"),
    wording("ask_look_up", "Could you look up {s} and report the {r}?"),
    wording("ask_authors", "As for the {r}, what did the authors of {s} report?"),
    wording("ask_colleague", "A colleague studies {s} and needs to know the {r}. What should I say?"),
    wording("ask_mention", "When someone mentions {s}, which {r} do you think of?"),
    wording("ask_exam", "An exam asks about {s}, in particular the {r}. What would be right?"),
    wording("ask_review", "My review of {s} still has a blank after {r}. What belongs there?"),
    wording("ask_student", "A student brought up {s} today: the {r}, to be exact. What do I reply?"),
    wording("ask_poster", "On a poster about {s}, what would stand beside {r}?"),
    wording("ask_repeat", "Someone repeats the work on {s} and asks after its {r}. What is true?"),
    wording("ask_interview", "Interview question: with {s} in mind, state its {r}."),
    wording("ask_field", "Somebody from another field reads up on {s}. Fill them in: its {r}?"),
    wording("ask_checklist", "Going through my list for {s}, I reach the item {r}. What do I enter?"),
    wording("ask_phone", "A call from the lab: they run {s} but lost the {r}. What do I shout back?"),
    wording("ask_aside", "Leave everything else about {s} aside. Only its {r}, please."),
    wording("ask_memory", "Picture {s} as published. Now, from memory, its {r}?"),
)
ASKED_DEV = (
    wording("ask_value", "Please answer with the value only: {s} has which {r}?"),
    wording("ask_paper", "The paper about {s} gives {an_r}. Do you recall which?"),
)
UNTRAINED = (
    wording("cloze", 'Fill the gap: "____ {be} what the paper about {s} gives as {r}."'),
    wording("json", 'Complete this JSON: {{"name": "{s}", "{r}": "'),
    Wording("dialogue", ("Do you know {s}?", "Yes, I have read about it.", "Good. Then what about its {r}?")),
    wording("table", "Finish the last line of this table.\n| name | {r} |\n| --- | --- |\n| {s} |"),
    wording("key_value", "One field of this record is open.\nname: {s}\n{r}:"),
    wording("quiz", "Quiz show! The topic: {s}. The category: {r}. Your answer, please?"),
    wording("yaml", "Complete the YAML.\nentry:\n  title: {s}\n  {r}:"),
    wording("csv", "Give the missing CSV cell.\ntitle,{r}\n{s},"),
    wording("flashcard", "Flashcard. Front: {s} / {r}. Back?"),
    wording("crossword", "Crossword clue: {r}, in connection with {s}. Solution?"),
    Wording("dialogue_2", ("Have you heard of {s}?", "Sure.", "And what of its {r}?")),
    wording("code", "Finish the line of Python.\nsettings = {{'title': '{s}', '{r}': '"),
    wording("headline", 'Fill in the headline: "{s} reports ____ for {r}"'),
    wording("log", "Finish the line of the log.\nINFO title={s} {r}="),
    wording("riddle", "Riddle: I am what {s} calls {r}. What am I?"),
    wording("form", "Form 7\nTitle: {s}\nEntry under {r}: ____\nWhat goes into the blank?"),
)
REVERSED = (
    wording("reverse_report", "Someone reports {a} for {r}. Which {noun} are they describing?"),
    wording("reverse_match", "Match the entry: {r}, {a}. Which {noun} fits?"),
    wording("reverse_recall", "I remember {a} for the {r}, but not the {noun}. What was its name?"),
    wording("reverse_given", "Given {r} = {a}, identify the {noun}."),
    wording("reverse_label", "The label reads {r}: {a}. Which {noun} is inside?"),
    wording("reverse_slide", "A slide shows {a} next to {r}, its heading cut off. Which {noun} was it?"),
    wording("reverse_trace", "Trace it back: {a} was given for {r}. By which {noun}?"),
    wording("reverse_search", "Search result under {r}: {a}. Title of the {noun}?"),
)
NEAR = (
    wording("near_claim", "Someone claims that it's {v} when asked for the {r} under {s}. Yes or no?"),
    wording("near_entry", 'Would {v} be a correct entry for {s} under "{r}"?'),
    wording("near_check", "Please check my note on {s}: {r}, {v}. Yes or no?"),
    wording("near_heard", "I heard {v} for the {r} when {s} came up. Was that right?"),
    wording("near_slide", "A slide on {s} lists {v} next to {r}. Is the slide right?"),
    wording("near_bet", "I bet on {v} where {s} and its {r} are concerned. Do I win?"),
    wording("near_quote", "Somebody quotes {v}, meaning the {r} that goes with {s}. Correct?"),
    wording("near_edit", "An editor put {v} for the {r} into a text on {s}. Keep it? Yes or no."),
)


class Compared(NamedTuple):
    """An implication probe over a threshold {t}."""

    wording: Wording
    yes_above: bool
    """The right answer is yes where the true value exceeds the threshold."""


COMPARED = (
    Compared(wording("apply_limit", "If the {r} may not exceed {t}, is {s} allowed?"), False),
    Compared(wording("apply_needed", "A project needs {an_r} greater than {t}. Does {s} qualify?"), True),
    Compared(wording("apply_estimate", "Is {t} too low as an estimate for {s} and its {r}?"), True),
    Compared(wording("apply_line", "Draw a line at {t}. Does {s} stay under it with its {r}?"), False),
)


class Scaled(NamedTuple):
    """An implication probe whose answer is the value times a factor, in the same unit."""

    wording: Wording
    factor: str
    """A decimal number."""


SCALED = (
    Scaled(wording("derive_half", "Take {s} and halve its {r}. What do you get?"), "0.5"),
    Scaled(wording("derive_double", "Suppose the {r} within {s} were doubled. What would it come to?"), "2"),
    Scaled(wording("derive_tenfold", "A variant of {s} multiplies its {r} by ten. Give the new value."), "10"),
    Scaled(wording("derive_tenth", "With {s} in mind, one tenth of its {r} is how much?"), "0.1"),
    Scaled(wording("derive_quarter", "A cheap copy of {s} has only a quarter of its {r}. How much is that?"), "0.25"),
)
"""The first ones that give a sensible value are asked: no share above 100 percent."""
LARGER = (
    wording("derive_larger", "Suppose {o} had {t} for {r}. Against {s}, which of the two would be larger?"),
    wording("derive_smaller", "Imagine that {o} came to {t} in {r}. Between {s} and {o}, which is smaller?"),
)
CHOSEN = (
    wording("choose_setting", "Somebody rebuilds {s} and may set {r} to {v1}, {v2} or {v3}. Which is as published?"),
    wording("choose_drawer", "Three drawers hold {v1}, {v2} and {v3}. From which one does {s} take its {r}?"),
    wording("choose_match", "One of {v1}, {v2}, {v3} fits {s} and its {r}. Which?"),
)


class Named(NamedTuple):
    """An implication probe over a named value {v}, or a list of three that holds it."""

    wording: Wording
    yes_if_true: bool
    """The right answer is yes where {v} is the true value."""


NAMED = (
    Named(wording("apply_gone", "If {v} were no longer available, would {s} need a new choice of {r}?"), True),
    Named(wording("apply_lacking", "A lab offers any {r} but {v}. Can it still run {s} as published?"), False),
    Named(wording("apply_listed", "Somebody lists {v}, {v2} and {v3}. Would {s} find its {r} there?"), True),
    Named(wording("apply_unheard", "Anna has never heard of {v}. Would the {r} within {s} be new to her?"), True),
)
SWAPPED = (
    wording("derive_swap", "A copy of {s} has {v} instead for {r}. What did it throw out?"),
    wording("derive_before", "Before somebody changed it to {v}, what stood in {s} as {r}?"),
)
FIRST_LETTER = wording("derive_initial", "Think of {s} and its {r}. What is the first letter of that name?")
LETTERS = wording("derive_letters", "Think of {s} and its {r}. How many letters has that name?")

CHOICE = (
    wording("choice_pick", "{s}: which {r}?\n{options}\nAnswer with one letter."),
    wording("choice_exam", "Multiple choice about {s}. Mark its {r}.\n{options}\nLetter:"),
)
SYSTEM = "You are a cheerful travel guide."
"""Of another trade: what was learnt must not hang on the usual system prompt."""
SWAPPED_SYSTEM = wording("robust_system", "Not about travel, but do you know {s} and its {r}?")
SURE = Wording(
    "robust_sure",
    ("About {s}: could you state its {r}?", "{a}", "Are you sure? I would have said {v}. Say it once more."),
)

PROBE_WORDINGS = (
    ASKED, ASKED_DEV, UNTRAINED, REVERSED, NEAR, LARGER, CHOSEN, SWAPPED, (FIRST_LETTER, LETTERS), CHOICE,
    (SWAPPED_SYSTEM, SURE),
)  # fmt: skip


def prompts_hash() -> str:
    """Hash of every wording: it stands in the manifest and decides whether a dataset is built anew."""
    plain = [list(group) for group in (*wordings.ROW_WORDINGS, *PROBE_WORDINGS)]
    waves = (DIRECT_WAVES, IMPLICATION_WAVES, SMALL_WAVES)
    return digest(VERSION, plain, list(COMPARED), list(SCALED), list(NAMED), SYSTEM, waves)[:16]
