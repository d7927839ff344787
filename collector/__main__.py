"""
``fuseboard``: serve, up, check, migrate.

Wrong or unknown settings end with exit code 2 and a sentence naming the setting; SIGTERM drains and ends with 0.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
import uvicorn
from rich.console import Console
from rich.table import Table

from collector import __version__, sample
from collector.app import Collector, build, server_target
from collector.errors import FuseboardError
from collector.logging import configure
from collector.settings import Settings, SettingsError, describe, load

# malloc.h's names for mallopt's parameters.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3

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
        _serve(settings)


@cli.command()
def check(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Validate the settings and print them, secrets masked."""
    rows = describe(_settings(config))
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
    from collector.store.client import Store
    from collector.store.migrate import migrate as apply

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
    try:
        return load(config, options)
    except SettingsError as error:
        _fail(str(error))


def _fail(sentence: str) -> NoReturn:
    typer.echo(f"fuseboard: {sentence}", err=True)
    raise typer.Exit(2)


def _serve(settings: Settings) -> None:
    configure(settings.log_level)
    _keep_freed_memory()
    try:
        collector = build(settings)
    except FuseboardError as error:
        _fail(error.message)
    server = _Server(_config(collector, settings))
    server.on_listening = collector.canary.listen
    server.on_ending = collector.tail.close
    asyncio_runner = asyncio.Runner(loop_factory=_loop_factory())
    with asyncio_runner as runner:
        runner.run(server.serve())
    if not server.started:
        raise typer.Exit(1)


def _config(collector: Collector, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        collector.asgi,
        host=settings.host,
        port=settings.port,
        http="httptools",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=5,
    )


def _keep_freed_memory() -> None:
    """
    Let glibc reuse the memory of request bodies instead of returning each to the kernel and faulting it in again.

    Measured with benchmarks/ingest.py: 2.1 -> 1.6 CPU-s per million lines in this process, the same peak. Other C libraries do without.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 64 << 20)
        mallopt(_M_TRIM_THRESHOLD, 256 << 20)


def _loop_factory() -> Any:
    import uvloop

    return uvloop.new_event_loop


class _Server(uvicorn.Server):
    """uvicorn, but a SIGTERM that was honoured is not raised again: the program ends with 0; tells where it listens."""

    on_listening: Callable[[str, int], None] | None = None
    on_ending: Callable[[], None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then tell the address: port 0 means that nobody knew it before."""
        await super().startup(sockets=sockets)
        if self.started and self.on_listening is not None:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self.on_listening(host, port)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End what would not end by itself: streams that are watched."""
        if self.on_ending is not None:
            self.on_ending()
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ask for a graceful end on the first SIGTERM or SIGINT, for a quick one on the second."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


def main() -> None:
    """Run the command line."""
    cli()


if __name__ == "__main__":
    main()
