"""
Prometheus texts with time stamps (``*.prom``, ``*.om``): milliseconds in the one, seconds in OpenMetrics, which ends with ``# EOF``.

A sample without a time stamp is of the file's time: the number or date in its name, else when it was last changed. Samples of a family stand
together in these files, whatever their times; they are sent in the order of time, so a file is held in memory.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from collector.replay.files import lines_of
from collector.replay.parcel import BODY_BYTES, SECOND_NS, Extent, Move, Parcel, Unreadable, resource_header
from collector.replay.times import epoch_ns

# name{labels} value [time stamp] [# exemplar]
_SAMPLE = re.compile(
    rb'^([a-zA-Z_:][\w:.]*(?:\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?[ \t]+[^ \t#]+)(?:[ \t]+(-?\d+(?:\.\d+)?))?([ \t]*#[ \t]*\{.*)?[ \t]*$'
)
_NAME = re.compile(rb"[\w:.]+")
_META = re.compile(rb"^# (?:TYPE|HELP|UNIT) ([\w:.]+)")
_SUFFIX = re.compile(rb"_(?:total|bucket|sum|count|created|info)$")
_IN_NAME = re.compile(r"(?<!\d)(1\d{9}(?:\d{3}|\d{9})?)(?!\d)")


@dataclass(frozen=True, slots=True)
class Sample:
    """One line: its recorded time, series and value, exemplar, family."""

    at_ns: int
    text: bytes
    exemplar: bytes
    family: bytes


@dataclass(frozen=True, slots=True)
class ExpositionFile:
    """
    Samples for ``/v1/exposition``.

    Attributes:
        path: The file.
        resource: Who exposed them.
    """

    path: Path
    resource: Mapping[str, str]
    what: str = "an exposition"

    def extent(self) -> Extent:
        """Read all of it."""
        extent = Extent()
        for sample in self._read()[1]:
            extent.add(sample.at_ns, sample.at_ns, 1)
        return extent

    def parcels(self, move: Move) -> Iterator[Parcel]:
        """Cut it by time: each body has the samples of one step, with what is said about their families."""
        about, samples = self._read()
        headers = resource_header(self.resource)
        body: list[bytes] = []
        said, size, at_ns = set[bytes](), 0, 0
        for sample in sorted(samples, key=lambda each: (each.at_ns // move.step_ns, each.family)):
            if body and (size > BODY_BYTES or sample.at_ns // move.step_ns != at_ns // move.step_ns):
                yield _parcel(at_ns, body, headers)
                body, said, size, at_ns = [], set(), 0, 0
            if sample.family not in said:
                said.add(sample.family)
                body += about.get(sample.family, [])
            later_ms = (sample.at_ns + move.shift_ns) // 1_000_000
            body.append(b"%b %d.%03d%b" % (sample.text, later_ms // 1000, later_ms % 1000, sample.exemplar))
            size += len(body[-1]) + 1
            at_ns = min(at_ns or sample.at_ns, sample.at_ns)
        if body:
            yield _parcel(at_ns, body, headers)

    def _read(self) -> tuple[dict[bytes, list[bytes]], list[Sample]]:
        """
        Return what is said about each family, and the samples.

        Raises:
            Unreadable: A line is neither a comment nor a sample; quoting it.
        """
        about: dict[bytes, list[bytes]] = defaultdict(list)
        lines = list(lines_of(self.path))
        unit_ns = SECOND_NS if any(line == b"# EOF" for _, line in lines) else 1_000_000
        otherwise_ns = self._file_ns()
        samples = []
        for number, line in lines:
            if line.startswith(b"#"):
                meta = _META.match(line)
                if meta and line not in about[meta[1]]:
                    about[meta[1]].append(line)
                continue
            found = _SAMPLE.match(line)
            if found is None:
                raise Unreadable(f"line {number} is no sample: {line[:80].decode('utf-8', 'replace')!r}")
            at_ns = _stamp_ns(found[2], unit_ns) if found[2] else otherwise_ns
            samples.append(
                Sample(
                    at_ns, found[1], b" " + found[3].strip() if found[3] else b"", _family(found[1], about)
                )
            )
        if not samples:
            raise Unreadable("has no sample")
        return about, samples

    def _file_ns(self) -> int:
        found = _IN_NAME.search(self.path.name)
        return epoch_ns(found[1]) if found else int(self.path.stat().st_mtime * SECOND_NS)


def _stamp_ns(stamp: bytes, unit_ns: int) -> int:
    # a stamp of the other dialect is told by its size: 1e11 s is the year 5138, 1e11 ms is 1973
    value = float(stamp)
    if unit_ns == SECOND_NS:
        return int(round(value * 1000) * 1_000_000) if value < 1e11 else int(value) * 1_000_000
    return int(value) * 1_000_000 if value >= 1e11 else int(value * SECOND_NS)


def _family(text: bytes, about: Mapping[bytes, list[bytes]]) -> bytes:
    name = _NAME.match(text)
    assert name is not None
    bare = _SUFFIX.sub(b"", name[0])
    return bare if bare in about and name[0] not in about else name[0]


def _parcel(at_ns: int, body: list[bytes], headers: Mapping[str, str]) -> Parcel:
    text = b"\n".join(body) + b"\n# EOF\n"
    scraped = datetime.fromtimestamp(at_ns // SECOND_NS, UTC)
    return Parcel(
        at_ns,
        "/v1/exposition",
        "application/openmetrics-text; version=1.0.0",
        text,
        sum(not line.startswith(b"#") for line in body),
        {**headers, "Fuseboard-Scraped-At": f"{scraped:%Y-%m-%dT%H:%M:%SZ}"},
    )
