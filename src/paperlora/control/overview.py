"""What stands beside the catalog's counts: what LLMs cost, and whether one was believed when it read answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import fsspec

from paperlora.llm.client import book_address
from paperlora.llm.ledger import Spending, spendings, summed
from paperlora.records import Agreement, Interval
from paperlora.settings import Settings
from paperlora.store import Store, read_manifest

SHOWN_DAYS = 7
_NUMBERS = ("requests", "kept", "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "usd")


class Costs(NamedTuple):
    """The LLM ledger in short."""

    days: tuple[Spending, ...]
    """By night (ISO date, UTC), newest first."""
    total: Spending


def llm_costs(settings: Settings) -> Costs:
    """What every request so far cost; nothing, and no file is made, where none was ever made."""
    store = Store.at(settings.store_root)
    address = book_address(settings, store)
    there = not address.startswith("sqlite:///") or Path(address.removeprefix("sqlite:///")).exists()
    lines = spendings(settings, store) if there else ()
    days = sorted(summed(lines, "night"), key=lambda line: line.night, reverse=True)
    return Costs(tuple(days), next(iter(summed(lines)), Spending()))


def newest_agreement(settings: Settings) -> Agreement | None:
    """How far an LLM that read answers agreed with the rules, in the newest judgement that asked one."""
    store = Store.at(settings.store_root)
    measured = [(manifest.created, uri) for uri in store.folders("judgements") if (manifest := read_manifest(uri)).counts.get("agreement")]
    if not measured:
        return None
    fs, path = fsspec.core.url_to_fs(max(measured)[1])
    return Agreement.model_validate_json(fs.cat_file(f"{path}/agreement.jsonl").decode("utf-8").split("\n")[0])


def plain(costs: Costs) -> dict[str, Any]:
    """For programs."""
    return {"total": _numbers(costs.total), "days": [{"day": line.night, **_numbers(line)} for line in costs.days]}


def _numbers(line: Spending) -> dict[str, Any]:
    return {name: getattr(line, name) for name in _NUMBERS}


def told(line: Spending) -> str:
    """One line of an account in words."""
    parts = [f"{line.requests:,} requests", f"{line.input_tokens:,} tokens in ({line.cached_tokens:,} from the provider's cache)", f"{line.output_tokens:,} out"]
    parts += [f"{line.usd:.4f} USD"] if line.usd else ["no price set, or free"] if line.requests else []
    parts += [f"{line.kept:,} answered from before"] if line.kept else []
    return ", ".join(parts)


def believed(one: Agreement) -> str:
    """An agreement in words."""
    hard = f", on {one.planted} made to be hard {_told(one.planted_kappa)}" if one.planted else ""
    word = "believed" if one.taken else "not believed"
    return (
        f"{one.model or 'no endpoint'}: {_told(one.kappa)}, n = {one.asked}{hard}, bar {one.bar:g}: {word}; "
        f"{one.turned} of {one.undecided} unread answers right by its word"
    )


def _told(kappa: Interval | None) -> str:
    return f"κ {kappa.value:.2f} [{kappa.low:.2f}, {kappa.high:.2f}]" if kappa else "κ not measured"
