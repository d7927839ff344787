"""The command ``fuseboard replay``."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from collector.terminal.address import address
from collector.terminal.asking import UrlOption
from collector.terminal.output import ERROR, FOUND, INTERRUPTED, NOTHING, TerminalError, tell
from collector.terminal.plain import safe

if TYPE_CHECKING:
    from collector.replay.journey import Journey
    from collector.replay.parcel import Extent, Recording
    from collector.replay.player import Tally
    from collector.replay.recordings import Found

_UNITS_NS = {
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86_400 * 10**9,
    "w": 604_800 * 10**9,
}
_DURATION = re.compile(r"([+-]?)(\d{1,9}(?:\.\d+)?)(ms|s|m|h|d|w)\Z")
_RETENTION_S = 30 * 86_400
_SHOWN = 20


def replay(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of recordings, or one file.")],
    speed: Annotated[
        str, typer.Option("--speed", help="Recorded seconds per second: 1, 60, 0.5; max: without waiting.")
    ] = "max",
    shift: Annotated[
        str,
        typer.Option(
            "--shift",
            help="now: the recording ends when the replay does; a duration added to all times, 2h or -30d; none.",
        ),
    ] = "now",
    service: Annotated[
        str,
        typer.Option(
            "--service",
            help="The service of files that name none; default: their folder's or their own name.",
        ),
    ] = "",
    env: Annotated[
        str, typer.Option("--env", help="The environment of everything; default: what the recordings say.")
    ] = "",
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", help="Files to leave out, as '*/metrics.csv'; may be repeated."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read everything, say what would be sent, send nothing.")
    ] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew though this folder's last replay was not finished.")
    ] = False,
    patience_s: Annotated[
        float,
        typer.Option(
            "--patience-s",
            min=1,
            max=86_400,
            help="Seconds that a collector that does not answer is waited for.",
        ),
    ] = 300,
    url: UrlOption = None,
    key: Annotated[
        str | None, typer.Option("--key", help="An ingest key; default FUSEBOARD_KEY, the file.")
    ] = None,
) -> None:
    """Send recorded telemetry into a collector again, at a given speed and moved to another time."""
    from collector.replay.parcel import Unreadable
    from collector.replay.recordings import Wanted

    try:
        wanted = Wanted(service, env, tuple(exclude or ()))
        code = _replay(
            folder,
            _speed(speed),
            _shift(shift),
            wanted,
            url,
            key,
            patience_s,
            dry_run=dry_run,
            restart=restart,
        )
    except (TerminalError, Unreadable) as error:
        tell([str(error)])
        raise typer.Exit(ERROR) from error
    except KeyboardInterrupt as interrupt:
        tell(["interrupted; the same command goes on where it ended"])
        raise typer.Exit(INTERRUPTED) from interrupt
    raise typer.Exit(code)


def _replay(
    folder: Path,
    speed: float,
    shift: str | int,
    wanted: object,
    url: str | None,
    key: str | None,
    patience_s: float,
    *,
    dry_run: bool,
    restart: bool,
) -> int:
    from collector.replay.journey import Logbook
    from collector.replay.player import Player, plan
    from collector.replay.recordings import Wanted, look_through
    from collector.replay.sender import Sender

    assert isinstance(wanted, Wanted)
    if not folder.exists():
        raise TerminalError(f"{safe(folder)}: there is no such folder or file")
    where = address(url, key)
    found = look_through(folder, wanted)
    extent = _read(found)
    _list(found, folder)
    if not found.recordings:
        tell([f"{safe(folder)}: nothing to replay; docs/replay.md says what is known"])
        return NOTHING if not found.broken else ERROR - 1
    asked = {
        "service": wanted.service,
        "env": wanted.env,
        "shift": str(shift),
        "exclude": ",".join(wanted.exclude),
    }
    logbook = Logbook(folder, where.url)
    before = None if restart or dry_run else logbook.unfinished()
    if before and before.asked != asked:
        raise TerminalError(
            f"the last replay of {safe(folder)} was not finished, and its options were others: {_options(before.asked)}; give these, or --restart"
        )
    journey = before or plan(extent, speed, shift, asked, time.time_ns())
    _announce(extent, journey, folder, speed, resumed=before is not None)
    if dry_run:
        return int(bool(found.broken))
    sender = Sender(where, patience_s)
    try:
        with _progress(extent) as told:
            tally = Player(sender, logbook, folder).play(found.recordings, journey, extent, speed, told)
    finally:
        sender.close()
    _summary(tally)
    return int(bool(found.broken or tally.rejected)) or FOUND


def _speed(text: str) -> float:
    if text == "max":
        return 0.0
    try:
        speed = float(text)
    except ValueError:
        speed = -1.0
    if not 0.001 <= speed <= 1e6:
        raise TerminalError(
            f"--speed {text!r}: write a number of recorded seconds per second, as 1 or 60, or max"
        )
    return speed


def _shift(text: str) -> str | int:
    if text in {"now", "none"}:
        return "now" if text == "now" else 0
    found = _DURATION.match(text)
    if found is None:
        raise TerminalError(f"--shift {text!r}: write now, none, or a duration as 90m, 2h, -30d")
    return int(float(found[2]) * _UNITS_NS[found[3]]) * (-1 if found[1] == "-" else 1)


def _read(found: Found) -> Extent:
    """Read every file: what is broken is put aside; the extent of the others."""
    from collector.replay.parcel import Extent, Unreadable

    together = Extent()
    sound: list[Recording] = []
    for recording in found.recordings:
        try:
            extent = recording.extent()
        except Unreadable as error:
            found.broken.append((recording.path, str(error)))
            continue
        sound.append(recording)
        together.add(extent.first_ns, extent.last_ns, extent.records)
        together.untimed += extent.untimed
    found.recordings[:] = sound
    return together


def _list(found: Found, folder: Path) -> None:
    def named(path: Path) -> str:
        return safe(path.relative_to(folder) if path != folder else path.name)

    for what, pairs in (("left out", found.left_out), ("broken", found.broken)):
        for path, why in pairs[:_SHOWN]:
            tell([f"{what}: {named(path)}: {safe(why)}"])
        if len(pairs) > _SHOWN:
            tell([f"{what}: and {len(pairs) - _SHOWN} more"])
    for recording in found.recordings[:_SHOWN]:
        typer.echo(f"{named(recording.path)}: {recording.what}")
    if len(found.recordings) > _SHOWN:
        typer.echo(f"and {len(found.recordings) - _SHOWN} more files")


def _announce(extent: Extent, journey: Journey, folder: Path, speed: float, *, resumed: bool) -> None:
    from collector.replay.recordings import injections

    typer.echo(f"{extent.records} records of {_moment(extent.first_ns)} to {_moment(extent.last_ns)}")
    typer.echo(
        f"as of {_moment(extent.first_ns + journey.shift_ns)} to {_moment(extent.last_ns + journey.shift_ns)}, {f'speed {speed:g}' if speed else 'without waiting'}"
    )
    for path, at_s in injections(folder):
        typer.echo(
            f"{safe(path.relative_to(folder))}: {_moment(at_s * 10**9)} becomes {_moment(at_s * 10**9 + journey.shift_ns)}"
        )
    if extent.untimed:
        tell(
            [f"{extent.untimed} lines have no time of their own: the collector stores them at their arrival"]
        )
    if extent.first_ns and extent.first_ns + journey.shift_ns < time.time_ns() - _RETENTION_S * 10**9:
        tell(
            [
                "times older than the collector's retention_days (30 by default) are stored at their arrival; --shift now moves them"
            ]
        )
    if resumed:
        tell([f"going on with a replay that was not finished, after {journey.sent} requests"])


def _moment(at_ns: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(max(at_ns, 0) // 10**9)) if at_ns else "no time"


@contextmanager
def _progress(extent: Extent) -> Iterator[Callable[[Tally, int], None]]:
    """A bar on a terminal, nothing in a pipe."""
    if not sys.stderr.isatty():
        yield lambda _tally, _at_ns: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("replaying"),
        BarColumn(),
        TextColumn("{task.completed} of {task.total} records"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("replay", total=extent.records)
        yield lambda tally, _at_ns: bar.update(task, completed=tally.records)


def _summary(tally: Tally) -> None:
    parts = ", ".join(f"{count} by {path}" for path, count in sorted(tally.by_path.items()))
    typer.echo(
        f"sent {tally.records} records in {tally.parcels} requests ({tally.bytes / 1e6:.1f} MB): {parts or 'nothing'}"
    )
    if tally.duplicates:
        typer.echo(f"{tally.duplicates} requests were there already")
    for sentence in tally.rejected[:_SHOWN]:
        tell([f"rejected: {sentence}"])
    if len(tally.rejected) > _SHOWN:
        tell([f"rejected: and {len(tally.rejected) - _SHOWN} more"])


def _options(asked: dict[str, str]) -> str:
    return ", ".join(f"--{name} {value}" for name, value in asked.items() if value) or "none"
