"""
``fuseboard``: run a collector, or ask one.

Wrong or unknown settings end with exit code 2 and a sentence naming the setting; SIGTERM drains and ends with 0. What a command needs is imported by it: the
server's parts take a second, and a question from a terminal needs none of them.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from collector import __version__
from collector.assistants.command import mcp
from collector.replay.command import replay
from collector.ruletests.command import rules_cli
from collector.terminal.commands import COMMANDS, add_to
from collector.terminal.managing import keys_cli, quarantine_cli

if TYPE_CHECKING:
    from collector.settings import Settings

cli = typer.Typer(
    name="fuseboard",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help=__doc__.split("\n")[1],
)

ConfigOption = Annotated[Path | None, typer.Option("--config", help="TOML file with settings.")]
DataOption = Annotated[
    Path | None, typer.Option("--data-dir", help="Directory of journal, database and state.")
]
HostOption = Annotated[str | None, typer.Option("--host", help="Address to listen on; default 127.0.0.1.")]
PortOption = Annotated[int | None, typer.Option("--port", help="Port; default 4318, 0 = any free one.")]
ClickHouseOption = Annotated[
    str | None,
    typer.Option("--clickhouse", help="http://user:password@host:8123/database; default: embedded."),
]


@cli.command()
def serve(
    config: ConfigOption = None,
    data_dir: DataOption = None,
    host: HostOption = None,
    port: PortOption = None,
    clickhouse: ClickHouseOption = None,
) -> None:
    """Run collector and dashboards until SIGTERM."""
    _serve(_settings(config, data_dir=data_dir, host=host, port=port, clickhouse=clickhouse))


@cli.command()
def up(
    config: ConfigOption = None,
    data_dir: DataOption = None,
    host: HostOption = None,
    port: PortOption = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Start the sample shop too, shipping into this collector.")
    ] = False,
) -> None:
    """Run collector and dashboards on the embedded engine, with the sample shop if asked."""
    from collector import sample

    options: dict[str, Any] = {"data_dir": data_dir, "host": host, "port": port}
    if config is None and "FUSEBOARD_LOG_LEVEL" not in os.environ:
        options["log_level"] = "warning"  # a person is watching: what goes well is on the page
    settings = _settings(config, **options)
    typer.echo(f"Fuseboard: http://{settings.host}:{settings.port}  (Ctrl-C ends it)", err=True)
    if not demo:
        _serve(settings)
        return
    fault = f"{sys.executable} -m demo fault payment errors --on --data-dir {settings.data_dir / 'shop'}"
    typer.echo(f"break something: {fault}   (--off heals it)", err=True)
    with ExitStack() as stack:
        if not settings.rule_files:
            options["rule_files"] = (str(sample.rule_file()),)
        if not settings.receivers:
            options["receivers"] = [stack.enter_context(sample.pager(settings.data_dir / "shop"))]
        settings = _settings(config, **options)
        stack.enter_context(sample.shop(settings))
        _serve(settings, fault)


@cli.command()
def check(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Validate the settings and the rule files, and print the settings, secrets masked."""
    from rich.console import Console
    from rich.table import Table

    from collector.errors import FuseboardError
    from collector.settings import describe
    from collector.wiring import alerting, flow

    settings = _settings(config)
    try:
        alerting(settings)
        if through := flow(settings):
            through.close()
    except FuseboardError as error:
        _fail(error.message)
    rows = describe(settings)
    if as_json:
        typer.echo(json.dumps({name: value for name, value, _ in rows}, indent=2))
        return
    table = Table("setting", "value", "what it is")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


@cli.command()
def migrate(config: ConfigOption = None, clickhouse: ClickHouseOption = None) -> None:
    """Apply the schema to a ClickHouse server."""
    from collector.errors import FuseboardError
    from collector.store.client import Store
    from collector.store.migrate import migrate as apply
    from collector.wiring import server_target

    settings = _settings(config, clickhouse=clickhouse)
    target = server_target(settings)
    if target is None:
        _fail("clickhouse: not set; the embedded engine applies its schema by itself at every start")
    try:
        applied = apply(Store(lambda: target, settings.query_timeout_s))
    except FuseboardError as error:
        typer.echo(f"fuseboard: {error.message}", err=True)
        raise typer.Exit(1) from error
    typer.echo("\n".join(f"applied {name}" for name in applied) or "the schema is up to date")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"fuseboard {__version__}")
        raise typer.Exit


@cli.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


def _settings(config: Path | None, **options: Any) -> Settings:
    from collector.settings import SettingsError, load

    try:
        return load(config, options)
    except SettingsError as error:
        _fail(str(error))


def _serve(settings: Settings, tour: str = "") -> None:
    from collector.errors import FuseboardError
    from collector.serving import serve as run

    try:
        started = run(settings, tour)
    except FuseboardError as error:
        _fail(error.message)
    if not started:
        raise typer.Exit(1)


def _fail(sentence: str) -> NoReturn:
    typer.echo(f"fuseboard: {sentence}", err=True)
    raise typer.Exit(2)


cli.add_typer(keys_cli, name="keys")
cli.add_typer(quarantine_cli, name="quarantine")
cli.add_typer(rules_cli, name="rules")
ASKING = {**COMMANDS, "mcp": mcp}
add_to(cli, ASKING)
cli.command("replay")(replay)


def main() -> None:
    """Run the command line."""
    cli()


if __name__ == "__main__":
    main()
