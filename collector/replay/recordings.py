"""
Which files of a folder are recordings.

A file's ending says what it is, its first line which kind of it. The service of lines and expositions is, in this order: what a side file ``<file>.resource`` or
``Fuseboard-Resource`` (in the file's folder or one above, up to the replayed one) says in the syntax of OTEL_RESOURCE_ATTRIBUTES; ``--service``; the name of
the folder; the file's own name.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from collector.replay.exposition import ExpositionFile
from collector.replay.files import lines_of, plain_name, whole
from collector.replay.lines import LogFile
from collector.replay.log_tables import BODIES, LogTable
from collector.replay.metric_tables import MetricsJson, MetricTable
from collector.replay.otlp import SIGNALS, JsonFile, ProtobufFile
from collector.replay.parcel import Recording, Unreadable
from collector.replay.span_tables import SpanTable, is_spans
from collector.replay.tables import TIMES, Table, header

SIDE_FILE = "Fuseboard-Resource"
INJECTED = "inject_time.txt"
# RCAEval computes these from its logs and spans: they would count everything twice.
_DERIVED = frozenset({"logts.csv", "tracets_err.csv", "tracets_lat.csv"})
_JSON, _LINES, _TEXTS = (".json",), (".ndjson", ".jsonl", ".log"), (".prom", ".om")


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What the person asked for.

    Attributes:
        service: Of files that name none.
        env: Of everything; "" = what the recordings say.
        exclude: Patterns of paths, from the folder on, that are left out.
    """

    service: str = ""
    env: str = ""
    exclude: tuple[str, ...] = ()


@dataclass(slots=True)
class Found:
    """
    A folder that was looked through.

    Attributes:
        recordings: What can be replayed.
        broken: File and why, of those that promise to be a recording and are none.
        left_out: File and why, of the others.
    """

    recordings: list[Recording] = field(default_factory=list)
    broken: list[tuple[Path, str]] = field(default_factory=list)
    left_out: list[tuple[Path, str]] = field(default_factory=list)


def look_through(folder: Path, wanted: Wanted) -> Found:
    """Find the recordings of *folder*, a folder or one file, in the order of their names."""
    found = Found()
    for path in _files(folder):
        name = path.relative_to(folder).as_posix() if path != folder else path.name
        if any(fnmatch.fnmatch(name, pattern) for pattern in wanted.exclude):
            found.left_out.append((path, "excluded"))
            continue
        try:
            recording = _recognised(path, folder, wanted)
        except Unreadable as error:
            found.broken.append((path, str(error)))
            continue
        if recording is None:
            found.left_out.append((path, "no recording that is known here"))
        else:
            found.recordings.append(recording)
    return found


def _files(folder: Path) -> Iterable[Path]:
    if folder.is_file():
        return [folder]
    side = {SIDE_FILE, INJECTED}
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.name not in side
        and path.suffix != ".resource"
        and not path.name.startswith(".")
    ]


def _recognised(path: Path, folder: Path, wanted: Wanted) -> Recording | None:
    name = plain_name(path).lower()
    if name in _DERIVED:
        return None
    if name.endswith((".otlp.pb", ".pb", ".binpb")):
        return ProtobufFile(path, _resource(path, folder, wanted, named=False))
    if name.endswith(_TEXTS):
        return ExpositionFile(path, _resource(path, folder, wanted))
    if name.endswith(".csv"):
        return _table(header(path), _resource(path, folder, wanted))
    if name.endswith((*_JSON, *_LINES)):
        return _json_or_lines(path, name, folder, wanted)
    return None


def _json_or_lines(path: Path, name: str, folder: Path, wanted: Wanted) -> Recording | None:
    first = next((line for _, line in lines_of(path)), b"")
    if not first:
        raise Unreadable("is empty")
    as_otlp = _resource(path, folder, wanted, named=False)
    if _is_otlp(first):
        return JsonFile(path, as_otlp, lines=True)
    if name.endswith(_LINES):
        return LogFile(path, _resource(path, folder, wanted))
    try:
        document = json.loads(whole(path))
    except ValueError as error:
        # JSON lines under the name of JSON are common
        if _is_object(first):
            return LogFile(path, _resource(path, folder, wanted))
        raise Unreadable(f"is no JSON: {error}") from error
    if MetricsJson.fits(document):
        return MetricsJson(path, as_otlp)
    is_otlp = isinstance(document, dict) and any(signal in document for signal in SIGNALS)
    return JsonFile(path, as_otlp, lines=False) if is_otlp else None


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _is_otlp(line: bytes) -> bool:
    if not any(signal.encode() in line for signal in SIGNALS):
        return False
    try:
        request = json.loads(line)
    except ValueError:
        return False
    return isinstance(request, dict) and any(signal in request for signal in SIGNALS)


def _table(table: Table, resource: Mapping[str, str]) -> Recording | None:
    if is_spans(table):
        return SpanTable(table, resource)
    if table.place(*TIMES) is None:
        return None
    body = table.place(*(name for name in BODIES if name != "value"))
    if body is not None and table.place("kpiname", "metricname") is None:
        return LogTable(table, resource)
    return MetricTable(table, resource)


def _resource(path: Path, folder: Path, wanted: Wanted, *, named: bool = True) -> dict[str, str]:
    """Give what is known of who wrote a file; *named*: its place is a name, where nothing else is."""
    said = _side_file(path, folder)
    service = said.get("service.name") or wanted.service
    if not service and named:
        inside = folder not in (path.parent, path)
        service = path.parent.name if inside else plain_name(path).split(".")[0]
    env = {"deployment.environment.name": wanted.env} if wanted.env else {}
    return {**said, **({"service.name": service} if service else {}), **env}


def _side_file(path: Path, folder: Path) -> dict[str, str]:
    own = path.with_name(f"{path.name}.resource")
    places = [own]
    for parent in path.parents:
        places.append(parent / SIDE_FILE)
        if parent in (folder, folder.parent):
            break
    for place in places:
        if place.is_file():
            return _pairs(place)
    return {}


def _pairs(place: Path) -> dict[str, str]:
    found = {}
    for part in filter(
        None, (piece.strip() for piece in place.read_text(errors="replace").replace("\n", ",").split(","))
    ):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise Unreadable(f"its side file {place.name} says {part[:60]!r}; write key=value,key=value")
        found[unquote(name.strip())] = unquote(value.strip())
    return found


def injections(folder: Path) -> list[tuple[Path, int]]:
    """Give each ``inject_time.txt`` of *folder* with the seconds since the epoch that it says."""
    found = []
    for path in sorted(folder.rglob(INJECTED)) if folder.is_dir() else ():
        text = path.read_text(errors="replace").strip()
        if text.split(".")[0].isdigit():
            found.append((path, int(float(text))))
    return found
