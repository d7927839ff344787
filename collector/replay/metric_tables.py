"""Tables of metrics: a column per series, a row per series and time, or a file per series; sent as expositions, one service a body."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from collector.replay.files import plain_name, whole
from collector.replay.parcel import Extent, Move, Parcel, Unreadable, resource_header
from collector.replay.tables import SERVICES, TIMES, Table, first_row, is_number, of_pod, plain_column
from collector.replay.times import read_ns

# What follows the last "_" of a column where services have one in their names too.
_METRICS = re.compile(
    r"(?:cpu|mem|memory|load|latency|error|errors|workload|diskio|disk|socket|sockets|rps|qps|count|rt|duration|throughput)(?:-\w+)?\Z"
)
_BAD = re.compile(r"[^a-zA-Z0-9_:]+")
# Samples of a body; lines have some sixty bytes.
_MOST = 12_000

Point = tuple[int, str, str, float]  # recorded time, service, metric, value


@dataclass(frozen=True, slots=True)
class MetricTable:
    """
    A CSV file of metrics.

    Attributes:
        table: Its header.
        resource: ``service.name``: whose the columns are that name none.
        what: Its form, in words.
    """

    table: Table
    resource: Mapping[str, str]
    what: str = "a table of metrics"

    @property
    def path(self) -> Path:
        """The file."""
        return self.table.path

    def extent(self) -> Extent:
        """Read all of it."""
        return _extent(self._points())

    def parcels(self, move: Move) -> Iterator[Parcel]:
        """Cut it by time and service."""
        return expositions(self._points(), move, self.resource)

    def _points(self) -> Iterator[Point]:
        time = self.table.place(*TIMES)
        assert time is not None
        name, value = (
            self.table.place("kpiname", "metricname", "metric", "kpi", "name"),
            self.table.place("value"),
        )
        entity = self.table.place(*SERVICES)
        if name is not None and value is not None:
            yield from self._tall(time, entity, name, value)
        elif value is not None and len(self.table.columns) <= 3:
            yield from self._single(time, value)
        else:
            yield from self._wide(time, entity)

    def _tall(self, time: int, entity: int | None, name: int, value: int) -> Iterator[Point]:
        for number, row in self.table.rows():
            service = of_pod(row[entity]) if entity is not None else self._service()
            yield _at(row[time], number), service, metric_name(row[name]), _number(row[value], number)

    def _single(self, time: int, value: int) -> Iterator[Point]:
        stem = plain_name(self.path).rsplit(".", 1)[0]
        service, _, metric = stem.partition("_")
        for number, row in self.table.rows():
            yield _at(row[time], number), service, metric_name(metric or "value"), _number(row[value], number)

    def _wide(self, time: int, entity: int | None) -> Iterator[Point]:
        given = first_row(self.table)
        numeric = [
            place for place, text in enumerate(given) if place not in (time, entity) and is_number(text)
        ]
        numeric = [place for place in numeric if plain_column(self.table.columns[place]) not in TIMES]
        columns = {place: self._column(self.table.columns[place], entity) for place in numeric}
        for number, row in self.table.rows():
            at_ns = _at(row[time], number)
            of_row = of_pod(row[entity]) if entity is not None else ""
            for place, (service, metric) in columns.items():
                if text := row[place]:
                    yield at_ns, service or of_row, metric, _number(text, number)

    def _column(self, column: str, entity: int | None) -> tuple[str, str]:
        if entity is not None:
            return "", metric_name(re.sub(r"\(.*?\)", "", column))
        service, metric = split_column(column)
        return (service or self._service()), metric_name(metric)

    def _service(self) -> str:
        return self.resource.get("service.name") or "unknown_service"


def split_column(column: str) -> tuple[str, str]:
    """Tell service and metric of ``cart_cpu``, ``ts-auth-service_latency-90``, ``user_service_cpu``, ``cart_container-cpu-usage``; ("", all) without ``_``."""
    service, cut, metric = column.rpartition("_")
    if cut and _METRICS.match(metric.lower()):
        return service, metric
    service, cut, metric = column.partition("_")
    return (service, metric) if cut else ("", column)


def metric_name(text: str) -> str:
    """Write a name as Prometheus has them."""
    name = _BAD.sub("_", text.strip()).strip("_") or "value"
    return f"_{name}" if name[0].isdigit() else name


def _at(text: str, number: int) -> int:
    try:
        return read_ns(text)
    except ValueError as error:
        raise Unreadable(f"line {number}: {error}") from error


def _number(text: str, number: int) -> float:
    try:
        return float(text or "nan")
    except ValueError as error:
        raise Unreadable(f"line {number}: {text[:40]!r} is no number") from error


def _extent(points: Iterator[Point]) -> Extent:
    extent = Extent()
    for at_ns, _, _, _ in points:
        extent.add(at_ns, at_ns, 1)
    if not extent.records:
        raise Unreadable("has no row")
    return extent


def expositions(points: Iterator[Point], move: Move, resource: Mapping[str, str]) -> Iterator[Parcel]:
    """Gather points of about one step into a body per service."""
    lines: dict[str, list[str]] = defaultdict(list)
    began_ns, gathered = 0, 0
    for at_ns, service, metric, value in points:
        if math.isnan(value):
            continue
        if gathered >= _MOST or (gathered and abs(at_ns - began_ns) >= move.step_ns):
            yield from _bodies(lines, began_ns, resource)
            lines.clear()
            gathered = 0
        if not gathered:
            began_ns = at_ns
        lines[service].append(f"{metric} {value!r} {(at_ns + move.shift_ns) / 1e9:.3f}")
        gathered += 1
    yield from _bodies(lines, began_ns, resource)


def _bodies(lines: Mapping[str, list[str]], at_ns: int, resource: Mapping[str, str]) -> Iterator[Parcel]:
    for service, some in sorted(lines.items()):
        body = "\n".join((*sorted(some), "# EOF\n")).encode()
        headers = resource_header({**resource, "service.name": service})
        kind = "application/openmetrics-text; version=1.0.0"
        yield Parcel(at_ns, "/v1/exposition", kind, body, len(some), headers)


@dataclass(frozen=True, slots=True)
class MetricsJson:
    """RCAEval's ``metrics.json``: ``{"<service>_<metric>": [[seconds, value], …]}``."""

    path: Path
    resource: Mapping[str, str]
    what: str = "metrics in JSON"

    @staticmethod
    def fits(found: object) -> bool:
        """Whether a JSON text is one."""
        if not isinstance(found, dict) or not found:
            return False
        first = next(iter(found.values()))
        return isinstance(first, list) and bool(first) and isinstance(first[0], list) and len(first[0]) == 2

    def extent(self) -> Extent:
        """Read all of it."""
        return _extent(iter(self._points()))

    def parcels(self, move: Move) -> Iterator[Parcel]:
        """Cut it by time and service."""
        return expositions(iter(self._points()), move, self.resource)

    def _points(self) -> list[Point]:
        points = []
        for column, pairs in json.loads(whole(self.path)).items():
            service, metric = split_column(column)
            for pair in pairs:
                if not (isinstance(pair, list) and len(pair) == 2):
                    raise Unreadable(f"{column!r}: {str(pair)[:40]} is no pair of time and value")
                if pair[1] is not None:
                    points.append(
                        (
                            read_ns(str(pair[0])),
                            service or "unknown_service",
                            metric_name(metric),
                            float(pair[1]),
                        )
                    )
        return sorted(points)
