"""`paperlora doctor`: what works, what doesn't, what to do."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

import httpx
from sqlalchemy.exc import SQLAlchemyError

from paperlora.catalog import open_catalog
from paperlora.control import stack
from paperlora.control.api import PrefectApi
from paperlora.errors import PaperLoraError
from paperlora.settings import Settings

TIMEOUT_SECONDS = 10.0


class Finding(NamedTuple):
    """One thing that was looked at."""

    what: str
    ok: bool
    detail: str
    remedy: str = ""
    needed: bool = True
    """False: the tool works without it."""


def examine(settings: Settings) -> list[Finding]:
    """Look at everything a run needs."""
    checks: tuple[Callable[[Settings], Finding], ...] = (
        _home, _catalog, _arxiv, _semantic_scholar, _llm, _model, _gpu, _stack, _topics,
    )
    return [_guarded(check, settings) for check in checks]


def _guarded(check: Callable[[Settings], Finding], settings: Settings) -> Finding:
    try:
        return check(settings)
    except PaperLoraError as error:
        return Finding(check.__name__.strip("_").replace("_", " "), False, error.message, error.remedy)


def _home(settings: Settings) -> Finding:
    folder = settings.home.expanduser().resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable").write_text("", encoding="utf-8")
        (folder / ".writable").unlink()
    except OSError as error:
        return Finding("home", False, f"{folder}: {error.strerror}", "Set PAPERLORA_HOME to a folder you can write to.")
    free = os.statvfs(folder)
    return Finding("home", True, f"{folder}, {free.f_bavail * free.f_frsize / 1e9:.0f} GB free")


def _catalog(settings: Settings) -> Finding:
    catalog = open_catalog(settings)
    try:
        status = catalog.status()
    except SQLAlchemyError as error:
        return Finding("catalog", False, error.__class__.__name__, "Check PAPERLORA_CATALOG_URL.")
    finally:
        catalog.close()
    return Finding("catalog", True, f"{status.papers} papers, {status.adapters} adapters")


def _reach(what: str, url: str, variable: str, headers: dict[str, str] | None = None, needed: bool = True) -> Finding:
    try:
        answer = httpx.get(url, headers=headers, timeout=TIMEOUT_SECONDS, follow_redirects=True)
    except httpx.HTTPError as error:
        return Finding(what, False, f"{url} doesn't answer ({error.__class__.__name__})", f"Check the network or set {variable}.", needed)
    if answer.status_code in (401, 403):
        return Finding(what, False, f"{url} refuses the key ({answer.status_code})", f"Set the right key in {variable.rsplit('__', 1)[0]}__API_KEY.", needed)
    if answer.status_code >= 500:
        return Finding(what, False, f"{url} answers {answer.status_code}", "It is down for now; try again later.", needed)
    return Finding(what, True, url)


def _arxiv(settings: Settings) -> Finding:
    return _reach("arXiv", f"{settings.arxiv.url}?search_query=all:electron&max_results=1", "PAPERLORA_ARXIV__URL")


def _semantic_scholar(settings: Settings) -> Finding:
    key = settings.semantic_scholar.api_key
    headers = {"x-api-key": key.get_secret_value()} if key else None
    url = f"{settings.semantic_scholar.url}/paper/search/bulk?query=electron&fields=title"
    return _reach("Semantic Scholar", url, "PAPERLORA_SEMANTIC_SCHOLAR__URL", headers, needed=False)


def _llm(settings: Settings) -> Finding:
    llm = settings.llm
    if llm.provider == "extractive":
        return Finding("reader", True, "embedded extractive reader, no LLM",
                       "For an LLM: PAPERLORA_LLM__PROVIDER=openai and __BASE_URL, __API_KEY, __MODEL.")
    headers = {"Authorization": f"Bearer {llm.api_key.get_secret_value()}"} if llm.api_key else None
    return _reach("LLM", f"{llm.base_url.rstrip('/')}/models", "PAPERLORA_LLM__BASE_URL", headers)


def _model(settings: Settings) -> Finding:
    from paperlora.model.base import find_base

    return Finding("base model", True, find_base(settings.base_model, cache=settings.models.expanduser()))


def _gpu(settings: Settings) -> Finding:
    import torch

    if torch.cuda.is_available():
        return Finding("GPU", True, torch.cuda.get_device_name(0))
    return Finding("GPU", False, "none: training runs on the processor", "Fine for the demo; see docs/running.md for a GPU worker.",
                   needed=False)


def _stack(settings: Settings) -> Finding:
    running = stack.current(settings)
    if running is None:
        return Finding("Prefect", False, "not up; commands start it for their own time", "Run `paperlora up` for schedule and UI.",
                       needed=False)
    with PrefectApi(running.api_url) as api:
        pools = api.pools()
    missing = [pool for pool in stack.POOLS if pools.get(pool) != "READY"]
    detail = f"{running.ui_url}, pools {', '.join(f'{name} {status.lower()}' for name, status in pools.items())}"
    return Finding("Prefect", not missing, detail, "Run `paperlora down`, then `paperlora up`." if missing else "")


def _topics(settings: Settings) -> Finding:
    names = [topic.name for topic in settings.topics]
    return Finding("topics", bool(names), ", ".join(names) or "none", "" if names else "Add [[topics]] to paperlora.toml.", needed=False)


