"""What was spent, for people: by paper, stage and night, as records and as a folder of the store."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from paperlora.llm.book import Book
from paperlora.llm.budget import Account
from paperlora.llm.client import book_address, open_book
from paperlora.llm.usage import Usage
from paperlora.records import Record
from paperlora.settings import Settings
from paperlora.store import Store, slug, write_json

LEDGERS = "ledgers"
"""Kind of the store's folders that hold the accounts of runs."""


class Spending(Record):
    """What one paper, or any other share of a run, cost."""

    run: str = ""
    night: str = ""
    stage: str = ""
    paper: str = ""
    model: str = ""
    requests: int = 0
    """Answered ones, repairs included."""
    kept: int = 0
    """Questions answered from before, at no cost."""
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    """Of the input: found in the provider's prefix cache."""
    reasoning_tokens: int = 0
    """Of the output: thinking."""
    usd: float = 0.0

    def plus(self, other: Spending) -> Spending:
        """Both together, named as this one."""
        sums = {name: getattr(self, name) + getattr(other, name) for name in _SUMMED}
        return self.model_copy(update=sums)


_SUMMED = ("requests", "kept", *Usage._fields, "usd")
_NAMES = ("run", "night", "stage", "paper", "model")


def spendings(settings: Settings, store: Store, run: str | None = None) -> tuple[Spending, ...]:
    """Every paper's cost by run, night, stage and model; of one run, or of all."""
    return of_book(open_book(book_address(settings, store)), run)


def of_book(book: Book, run: str | None = None) -> tuple[Spending, ...]:
    """The same from a book at hand."""
    return tuple(Spending(**row) for row in book.calls(run))


def summed(lines: Iterable[Spending], *by: str) -> tuple[Spending, ...]:
    """Sums by some of run, night, stage, paper and model; the other names are left empty. Without any: one sum."""
    sums: dict[tuple[str, ...], Spending] = {}
    for line in lines:
        key = tuple(getattr(line, name) for name in by)
        start = sums.get(key) or Spending(**dict(zip(by, key, strict=True)))
        sums[key] = start.plus(line)
    return tuple(sums.values())


def write_ledger(path: Path, lines: Iterable[Spending]) -> None:
    """The account as one JSON file: the total, by stage, and by paper."""
    kept = tuple(lines)
    total = next(iter(summed(kept)), Spending())
    write_json(path, {
        "total": _plain(total), "stages": [_plain(line) for line in summed(kept, "stage")],
        "papers": [_plain(line) for line in summed(kept, "paper")],
    })  # fmt: skip


def keep_ledger(settings: Settings, store: Store, account: Account, attempt: int) -> str:
    """A folder of kind ``ledgers`` with what a run's stage has cost so far; what other stages cost is in theirs.

    Args:
        attempt: of the stage's run: each leaves a folder of its own.

    Returns:
        The folder's URI.
    """
    key = f"{slug(account.run or 'process')}-{account.stage or 'all'}-{attempt}"
    lines = [line for line in spendings(settings, store, account.run) if line.stage == account.stage]
    total = next(iter(summed(lines)), Spending())
    with store.writing(LEDGERS, key) as draft:
        write_ledger(draft.path / "ledger.json", lines)
        draft.settings = {"run": account.run, "stage": account.stage}
        draft.models = {line.model: line.model for line in lines}
        draft.counts = {name: int(getattr(total, name)) for name in _SUMMED if name != "usd"}
    return store.uri(LEDGERS, key)


def _plain(line: Spending) -> dict[str, object]:
    return {name: value for name, value in line.model_dump().items() if value != ""}
