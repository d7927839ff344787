"""
CSV files, told apart by their header: metrics, spans or log records of public data sets of faults in microservices.

Known by name: RCAEval (``data.csv``, ``simple_metrics.csv``, ``metrics.csv``: a column ``time`` and ``<service>_<metric>``; ``logs.csv``; ``traces.csv``), Nezha
(``…_metric.csv`` per pod, ``*_trace.csv``, ``*_log.csv``), GAIA and the AIOps challenges (``timestamp,cmdb_id,kpi_name,value``; ``timestamp,value`` with the name in the
file's). Others with such columns work as well: names are compared without case, dashes and underscores.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path

from collector.replay.files import opened
from collector.replay.parcel import Unreadable

# A log message may be a stack trace of a megabyte.
csv.field_size_limit(16 << 20)

TIMES = ("timestamp", "time", "timeunixnano", "datetime", "starttime", "ts", "date")
SERVICES = (
    "servicename",
    "service",
    "containername",
    "container",
    "podname",
    "pod",
    "cmdbid",
    "k8pod",
    "app",
    "component",
    "tc",
)
_POD = re.compile(r"(?:-[0-9a-f]{6,10})?-[a-z0-9]{5}$|-\d{1,3}$")


@dataclass(frozen=True, slots=True)
class Table:
    """
    A CSV file whose header was read.

    Attributes:
        path: The file.
        columns: As they are written.
    """

    path: Path
    columns: tuple[str, ...]

    def place(self, *names: str) -> int | None:
        """Give the place of the first of *names* (lower case, no dashes) that is a column."""
        plain = [plain_column(column) for column in self.columns]
        return next((plain.index(name) for name in names if name in plain), None)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """
        Yield number (from 2) and fields of each row.

        Raises:
            Unreadable: A row has too few fields, or the text is no CSV.
        """
        with reading(self.path) as reader:
            next(reader)
            for row in reader:
                if not row:
                    continue
                if len(row) < len(self.columns):
                    raise Unreadable(
                        f"line {reader.line_num} has {len(row)} fields, the header {len(self.columns)}"
                    )
                yield reader.line_num, row


class _Rows(Iterator[list[str]]):
    line_num: int


@contextmanager
def reading(path: Path) -> Iterator[_Rows]:
    """
    Open a CSV file.

    Raises:
        Unreadable: Also while it is read.
    """
    with opened(path) as stream:
        text = TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
        try:
            yield csv.reader(text)  # type: ignore[misc]
        except csv.Error as error:
            raise Unreadable(f"is no CSV: {error}") from error


def header(path: Path) -> Table:
    """
    Read the first line.

    Raises:
        Unreadable: There is none, or it has one column.
    """
    with reading(path) as reader:
        columns = next(reader, [])
    if len(columns) < 2:
        raise Unreadable("is no table: its first line names fewer than two columns")
    return Table(path, tuple(column.strip() for column in columns))


def plain_column(name: str) -> str:
    """Give a column's name without case, dashes, underscores, dots and unit in brackets."""
    return re.sub(r"\(.*?\)|[-_. ]", "", name).lower()


def of_pod(name: str) -> str:
    """Give the service of a pod: ``adservice-5f6585d649-fnmft`` and ``node-1.adservice-0`` are adservice."""
    return _POD.sub("", name.rpartition(".")[2]) or name


def first_row(table: Table) -> Sequence[str]:
    """Give the first row; empty where there is none."""
    return next((row for _, row in table.rows()), [])


def is_number(text: str) -> bool:
    """Whether a field holds a number, or nothing."""
    try:
        float(text or 0)
    except ValueError:
        return False
    return True


Resource = Mapping[str, str]
