"""Commands that run something."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from paperlora.cli.app import AsJson, Config, app, console, print_json, record, settings_of
from paperlora.control import stack
from paperlora.control.api import PrefectApi, Run
from paperlora.errors import SettingsError
from paperlora.settings import Settings

Uris = Annotated[list[str] | None, typer.Argument(help="URIs of folders in the store; by default everything there is.")]


@app.command()
def demo(
    config: Config = None,
    base_model: Annotated[str, typer.Option(help="Hub id, folder, GGUF file, or smollm2.")] = "smollm2",
    keep_ui: Annotated[bool, typer.Option("--keep-ui", help="Leave the Prefect UI up until Ctrl+C.")] = False,
) -> None:
    """The whole loop offline: sandbox papers → ideas → micro-datasets → adapters → verdicts → report.

    Example: `paperlora demo --keep-ui`
    """
    from paperlora.control.demo import run_demo

    run_demo(settings_of(config), base_model, console, keep_ui=keep_ui)


@app.command()
def up(config: Config = None) -> None:
    """Start Prefect's server, the work pools cpu and gpu, a worker on each, and all deployments.

    Example: `paperlora up && open http://127.0.0.1:4200`
    """
    settings = settings_of(config)
    running = stack.current(settings)
    if running is not None:
        console.print(f"Already up: {running.ui_url}")
        return
    with console.status("starting") as status:
        running = stack.start(settings, config, owner=None, progress=lambda label, done, total: status.update(label))
    console.print(f"UI: {running.ui_url}\nFor the prefect command: export PREFECT_API_URL={running.api_url}\nEnd it with: paperlora down")


@app.command()
def down(config: Config = None) -> None:
    """End exactly what `paperlora up` started, runs in progress included.

    Example: `paperlora down`
    """
    console.print(f"{stack.stop(settings_of(config))} processes ended")


@app.command()
def ingest(
    since: Annotated[str | None, typer.Option(help="Backfill: only papers published on or after this day.")] = None,
    until: Annotated[str | None, typer.Option(help="Backfill: only papers published on or before this day.")] = None,
    topic: Annotated[str | None, typer.Option(help="Name of one topic; by default all.")] = None,
    config: Config = None, as_json: AsJson = False,
) -> None:
    """Search every topic, fetch and read the papers that are new; with days, those of a window.

    Example: `paperlora ingest --since 2025-01-01 --until 2025-03-31 --topic memory`
    """
    _run_flow("ingest", config, as_json, since=since, until=until, topic=topic)


@app.command()
def refresh(config: Config = None, as_json: AsJson = False) -> None:
    """Ask the sources anew for every paper that was read: new versions, withdrawals, licences. Good once a week.

    Example: `paperlora refresh && paperlora show 2405.05904`
    """
    from paperlora.control.ingest import refresh_known

    settings = settings_of(config)
    with console.status("asking") as status:
        counts = refresh_known(settings, lambda label, done, total: status.update(f"{label}: {done} of {total}"))
    if as_json:
        print_json(counts)
        return
    console.print(f"{counts['asked']} papers asked for anew: {counts['changed']} changed, {counts['unknown_at_source']} unknown to their source now. "
                  "`paperlora status` counts what is stale; `paperlora ingest` reads the new versions.", highlight=False, soft_wrap=True)


@app.command()
def distill(documents: Uris = None, config: Config = None, as_json: AsJson = False) -> None:
    """Read ideas out of documents, quiz the base on them, and write micro-datasets.

    Example: `paperlora distill && paperlora status`
    """
    _run_flow("distill", config, as_json, documents=documents)


@app.command()
def train(
    datasets: Uris = None,
    recipe: Annotated[str, typer.Option(help="quick, seed, sweep, or a TOML file; by default the recipe of the settings.")] = "",
    config: Config = None, as_json: AsJson = False,
) -> None:
    """Train an adapter for each micro-dataset.

    Examples: `paperlora train --recipe quick` · `paperlora train datasets/arxiv-9901.00012v1/0123456789ab --recipe sweep`
    """
    from paperlora.lora.recipes import load_recipes

    book = load_recipes(recipe) if recipe else None
    chosen = {"recipes": [one.model_dump(mode="json") for one in book.recipes], "pilots": book.pilots} if book else {}
    _run_flow("train", config, as_json, **chosen, datasets=[str(Path(d).resolve()) if "://" not in d else d for d in datasets or []])


@app.command()
def judge(
    adapters: Annotated[list[str] | None, typer.Argument(help="Ids of adapters, beginnings of them, or folders; by default all in the store.")] = None,
    config: Config = None, as_json: AsJson = False,
) -> None:
    """Judge what each adapter learned, what it broke and why; answers are kept, so that a second call asks what is new.

    Shares are of 0 to 1 with 95% intervals, drift is in nats a token. How it is judged stands under `judge` in the settings:
    passes = 3, damage = full, choice and robustness on, thinking where the template has it.

    Examples: `paperlora judge` · `paperlora judge arxiv-9901.00012v1` · `PAPERLORA_JUDGE__DAMAGE=quick paperlora judge && paperlora report`
    """
    from paperlora.control.chosen import chosen_adapters

    _run_flow("judge", config, as_json, adapters=chosen_adapters(settings_of(config), adapters or []))


@app.command()
def reflect(judgements: Uris = None, config: Config = None, as_json: AsJson = False) -> None:
    """Turn verdicts into lessons and write the report.

    Example: `paperlora reflect`
    """
    _run_flow("reflect", config, as_json, judgements=judgements)


@app.command()
def nightly(config: Config = None, as_json: AsJson = False) -> None:
    """Run all five stages now, one child run each.

    Example: `paperlora nightly --config paperlora.toml`
    """
    _run_flow("nightly", config, as_json)


@app.command()
def rerun(
    run: Annotated[str, typer.Argument(help="Id, beginning of an id, or name of a flow run.")],
    from_stage: Annotated[str | None, typer.Option("--from", help="Run again from this stage on, whatever its state: ingest, distill, train, judge or reflect.")] = None,
    config: Config = None, as_json: AsJson = False,
) -> None:
    """Run a failed flow run again from the stage that failed; finished stages are not repeated.

    Example: `paperlora rerun 1c0ffee2 --from judge`
    """
    from paperlora.control.follow import follow
    from paperlora.control.rerun import revive

    settings = settings_of(config)
    with _prefect(settings, config) as api:
        _tell(follow(api, revive(api, run, from_stage), console if not as_json else Console(stderr=True)), as_json)
    record(settings)


@app.command()
def sandbox(
    papers: Annotated[Path | None, typer.Option(help="Serve the PDFs of this folder instead of the invented papers.")] = None,
    crowd: Annotated[int, typer.Option(min=0, help="Serve this many short papers without a story instead.")] = 0,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8765,
) -> None:
    """Serve an offline arXiv, Semantic Scholar and LLM endpoint.

    Example: `paperlora sandbox --papers ~/papers`
    """
    from paperlora.sandbox.server import serve

    if papers is not None and not papers.is_dir():
        raise SettingsError(f"There is no folder {papers}.", "Give --papers a folder of PDFs.")
    serve(papers, host, port, crowd)


@contextmanager
def _prefect(settings: Settings, config: Path | None) -> Iterator[PrefectApi]:
    from paperlora.control.follow import started

    with started(settings, config, console) as running, PrefectApi(running.api_url) as api:
        yield api


def _run_flow(name: str, config: Path | None, as_json: bool, **parameters: Any) -> None:
    from paperlora.control.follow import follow

    settings = settings_of(config)
    chosen = str(config.resolve()) if config else None
    with _prefect(settings, config) as api:
        run = api.start(f"{name}/{name}", {"config": chosen, **{k: v for k, v in parameters.items() if v}})
        _tell(follow(api, run, console if not as_json else Console(stderr=True)), as_json)
    record(settings)


def _tell(run: Run, as_json: bool) -> None:
    if as_json:
        print_json({"run": run.id, "name": run.name, "state": run.state})
    else:
        console.print(f"{run.name} ({run.id[:8]}): {run.state_name.lower()}. `paperlora status` counts what there is.")
