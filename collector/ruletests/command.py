"""``fuseboard rules check FILE…`` and ``fuseboard rules test FILE…``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collector.alerting.rules import Group
    from collector.ruletests.file import TestFile
    from collector.ruletests.trial import Failure
    from collector.store.client import Store

rules_cli = typer.Typer(no_args_is_help=True, help="Check and test rule files.")

_START_S = 60.0

Files = Annotated[list[Path], typer.Argument(help="Files.", show_default=False)]


@rules_cli.command()
def check(files: Files) -> None:
    """Check rule files; 0 = all are right, 1 = one is not: its file and line are said."""
    from collector.alerting.rules import load_groups
    from collector.errors import Malformed

    failed = False
    for path in files:
        typer.echo(f"Checking {path}")
        try:
            groups = load_groups([str(path)])
        except Malformed as error:
            failed = True
            typer.echo(f"  FAILED:\n{error.message}\n", err=True)
            continue
        typer.echo(f"  SUCCESS: {sum(len(group.rules) for group in groups)} rules found\n")
    raise typer.Exit(int(failed))


@rules_cli.command()
def test(files: Files) -> None:
    """Run unit tests of rules, in promtool's format; 0 = all hold, 1 = one does not."""
    from collector.errors import FuseboardError

    failed = False
    with _engine() as store:
        for path in files:
            typer.echo(f"Unit Testing:  {path}")
            try:
                failures = list(_failures(path, store))
            except (FuseboardError, ValueError) as error:
                failures = [str(getattr(error, "message", error))]
            failed = failed or bool(failures)
            typer.echo("\n".join(["  FAILED:", *failures, ""]) if failures else "  SUCCESS\n")
    raise typer.Exit(int(failed))


@contextmanager
def _engine() -> Iterator[Store]:
    """Run an engine in a directory of its own, with the schema."""
    from collector.engine.process import Engine
    from collector.store.client import Store
    from collector.store.migrate import migrate

    with TemporaryDirectory(prefix="fuseboard-rules-") as folder:
        engine = Engine(Path(folder))
        engine.start()
        try:
            until = time.monotonic() + _START_S
            while engine.state.state != "up":
                if time.monotonic() > until:
                    typer.echo(f"fuseboard: the engine does not start: {engine.state.last_error}", err=True)
                    raise typer.Exit(1)
                time.sleep(0.02)
            store = Store(engine.target)
            migrate(store)
            yield store
        finally:
            engine.stop()


def _failures(path: Path, store: Store) -> Iterator[str]:
    from collector.alerting.expression import parse_duration_s
    from collector.ruletests.file import read_tests
    from collector.ruletests.trial import Trial

    file = read_tests(path)
    groups = _groups(path, file)
    interval_s = parse_duration_s(file.evaluation_interval)
    for number, one in enumerate(file.tests, start=1):
        name = one.name or f"test {number}"
        for failure in Trial(store, groups, one, interval_s).failures():
            yield _report(name, failure)


def _groups(path: Path, file: TestFile) -> Sequence[Group]:
    """Read the rules, beside the test file, in the order that it asks for."""
    from collector.alerting.rules import load_groups

    groups = load_groups([str(path.parent / pattern) for pattern in file.rule_files])
    order = {name: number for number, name in enumerate(file.group_eval_order)}
    return sorted(groups, key=lambda group: order.get(group.name, len(order)))


def _report(name: str, failure: Failure) -> str:
    def listed(title: str, texts: Sequence[str]) -> str:
        rows = "".join(f"\n            {number}: {text}" for number, text in enumerate(texts))
        return f"        {title}:[{rows}{chr(10) + '            ' if texts else ''}]"

    return "\n".join(
        [
            f"    name: {name},",
            f"    {failure.title},",
            listed("exp", failure.expected) + ",",
            listed("got", failure.got),
        ]
    )
