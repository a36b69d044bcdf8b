"""`paperlora demo`: the whole loop offline, against the sandbox, on a small real model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table

from paperlora.catalog import open_catalog
from paperlora.control.api import PrefectApi, Run
from paperlora.control.follow import follow, started
from paperlora.judge.posterior import Count, gain_of, rate
from paperlora.records import Rate, Verdict
from paperlora.sandbox.corpus import TOPICS
from paperlora.sandbox.server import Sandbox
from paperlora.settings import Settings, load_settings

# Found by trying, see docs/log.md: on SmolLM2-135M this dose reaches unseen wordings within minutes.
# Without keep the adapters drift half a nat on unrelated text.
RECIPE = {
    "name": "demo", "rank": 16, "alpha": 32.0, "learning_rate": 1e-3, "batch_size": 4, "epochs": 5.0, "checkpoints": 4, "keep": 1.0,
}  # fmt: skip
ADAPTERS = 4


class DemoResult(NamedTuple):
    """Where to look after a demo."""

    run: Run
    report: Path
    ui_url: str
    verdicts: tuple[Verdict, ...]


def write_config(settings: Settings, sandbox: Sandbox, base_model: str) -> Path:
    """The settings file of the demo: the sandbox for the world, the embedded reader, a recipe that takes minutes."""
    lines = [
        f'base_model = "{base_model}"',
        f'[arxiv]\nurl = "{sandbox.arxiv_url}"\ndelay_seconds = 0.05',
        f'[semantic_scholar]\nurl = "{sandbox.semantic_scholar_url}"\ndelay_seconds = 0.05',
        f'[openalex]\nurl = "{sandbox.openalex_url}"',
        '[llm]\nprovider = "extractive"',
        # The gate by meaning catches little on so small a model, and takes a second a paper and idea.
        "[microdata]\nmeaning = false",
        # The third pass doubles the judge's time for a few more verdicts.
        "[judge]\npasses = 2",
        # Three placebo adapters would nearly double the training; what they show is in docs/judging.md.
        f"[train]\nmax_adapters = {ADAPTERS}\nbank_size = {ADAPTERS}\nplacebos = 0",
        "[recipe]\n" + "\n".join(f"{key} = {_toml(value)}" for key, value in RECIPE.items()),
        "[ideas]\nmax_per_paper = 4",
    ]
    for topic in TOPICS:
        values = topic.model_dump(exclude_defaults=True, mode="json")
        lines.append("[[topics]]\n" + "\n".join(f"{key} = {_toml(value)}" for key, value in values.items()))
    path = settings.home.expanduser().resolve() / "demo.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    return path


def _toml(value: object) -> str:
    return str(value) if isinstance(value, int | float) else '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def run_demo(settings: Settings, base_model: str, console: Console, *, keep_ui: bool) -> DemoResult:
    """Run the loop and show it. A demo that was killed goes on where it was.

    Raises:
        PaperLoraError: a stage failed; the message names it.
    """
    with Sandbox() as sandbox:
        config = write_config(settings, sandbox, base_model)
        chosen = load_settings(config)
        console.print(f"Sandbox at {sandbox.url}: {len(TOPICS)} topics, invented papers. Settings: {config}")
        _fetch_model(chosen, console)
        with started(settings, config, console) as running, PrefectApi(running.api_url) as api:
            console.print(f"Prefect UI while this runs: {running.ui_url}")
            run = follow(api, _unfinished(api, config) or api.start("nightly/nightly", {"config": str(config)}), console)
            result = DemoResult(run, settings.home.expanduser().resolve() / "report.html",
                                f"{running.ui_url}/runs/flow-run/{run.id}", verdicts_of(chosen))
            show(result, chosen, console)
            if keep_ui:
                console.print(f"The UI stays up at {result.ui_url} - Ctrl+C ends it.")
                _wait_for_interrupt()
    return result


def _fetch_model(settings: Settings, console: Console) -> None:
    from paperlora.model.base import base_of

    with console.status(f"Base model {settings.base_model}: fetched and converted once, then cached"):
        base_of(settings)


def _unfinished(api: PrefectApi, config: Path) -> Run | None:
    runs = [run for run in api.runs(deployment="nightly") if run.parameters.get("config") == str(config)]
    if not runs or runs[0].state == "COMPLETED":
        return None
    if runs[0].final:
        api.retry(runs[0])
    return runs[0]


def _wait_for_interrupt() -> None:
    import signal

    try:
        signal.pause()
    except KeyboardInterrupt:
        return


def verdicts_of(settings: Settings) -> tuple[Verdict, ...]:
    """Every verdict in the catalog."""
    catalog = open_catalog(settings)
    try:
        return tuple(record for record in catalog.records("verdict") if isinstance(record, Verdict))
    finally:
        catalog.close()


def show(result: DemoResult, settings: Settings, console: Console) -> None:
    """The table of verdicts, what was counted, and where to look."""
    console.print(verdict_tables(result.verdicts))
    console.print(adapter_table(result.verdicts))
    catalog = open_catalog(settings)
    status = catalog.status()
    catalog.close()
    console.print(
        f"{status.papers} papers: {status.documents} read, {status.papers - status.documents} rejected "
        f"({', '.join(f'{n} {reason}' for reason, n in status.rejects.get('ingest', {}).items())}) → {status.ideas} ideas → "
        f"{status.datasets} micro-datasets → {status.adapters} adapters → {len(result.verdicts)} verdicts → {status.lessons} lessons"
    )
    console.print(f"Report: {result.report}", soft_wrap=True)
    console.print(f"Prefect UI on this run: `paperlora up`, then {result.ui_url}", soft_wrap=True)


def verdict_tables(verdicts: tuple[Verdict, ...]) -> Group:
    """A table for each paper, a line for each idea; shares of right answers with 95% intervals."""
    papers = sorted({verdict.paper for verdict in verdicts})
    heading = "What became of each idea: right answers to direct probes, with 95% intervals\n"
    return Group(heading, *(_table(paper, [v for v in verdicts if v.paper == paper]) for paper in papers))


def _table(paper: str, verdicts: list[Verdict]) -> Table:
    table = Table(title=paper, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("claim", overflow="fold", min_width=18)
    for name in ("verdict", "base", "adapter", "gain", "trained"):
        table.add_column(name, no_wrap=True)
    for verdict in verdicts:
        table.add_row(
            verdict.claim, "\n".join((verdict.kind, *verdict.flags)), _count(verdict.base),
            f"{_count(verdict.adapted)}\n{verdict.adapted.low:.2f}–{verdict.adapted.high:.2f}",
            f"{verdict.gain.value:+.2f}\n{verdict.gain.low:+.2f}…{verdict.gain.high:+.2f}", _count(verdict.trained_form),
        )
    return table


def adapter_table(verdicts: tuple[Verdict, ...]) -> Table:
    """Each adapter as a whole: its right answers, its gain over its ideas, and all adapters together in the last line."""
    title = "Each adapter as a whole: answers to trained and unseen wordings pooled, gain as the mean over ideas that can be judged, 95% intervals"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for name in ("adapter of", "trained", "unseen", "base", "gain", "damaged"):
        table.add_column(name, no_wrap=name == "adapter of")
    adapters = sorted({verdict.adapter for verdict in verdicts})
    for adapter in adapters:
        mine = [verdict for verdict in verdicts if verdict.adapter == adapter]
        table.add_row(mine[0].paper, *_pooled(mine), "yes" if "DAMAGED" in mine[0].flags else "not shown")
    if len(adapters) > 1:
        table.add_section()
        table.add_row("all", *_pooled(verdicts), "")
    return table


def _pooled(verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    trained, adapted, base = (
        Count(sum(rate.right for rate in rates), sum(rate.asked for rate in rates))
        for rates in ([v.trained_form for v in verdicts if v.trained_form], [v.adapted for v in verdicts], [v.base for v in verdicts])
    )
    found = gain_of(verdicts)
    told = f"{found.value:+.2f}\n{found.low:+.2f}…{found.high:+.2f}" if found else "–"
    return (*(_with_interval(count) for count in (trained, adapted, base)), told)


def _with_interval(count: Count) -> str:
    share = rate(int(count.right), int(count.asked))
    return f"{share.right}/{share.asked}\n{share.low:.2f}–{share.high:.2f}"


def _count(rate: Rate | None) -> str:
    return f"{rate.right}/{rate.asked}" if rate else "–"
