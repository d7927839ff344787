"""
Test scripts in the language of Prometheus' promqltest: text -> statements.

::

    clear
    load 1m
        requests{job="a"} 0+10x5 _ stale 7
    eval instant at 5m sum(requests)
        {} 50
    eval range from 0 to 5m step 1m requests
        requests{job="a"} 0 10 20 30 40 50
    eval instant at 5m rate(requests)
        expect fail regex: range

A comment ``# needs 3`` marks the statement below it as PromQL that Debian's Prometheus (2.42) has not, or answers otherwise;
``# fails: why`` one that our engine is known to answer otherwise, and must: when it does not any more, the mark has to go.

Source: https://github.com/prometheus/prometheus/blob/main/promql/promqltest/README.md.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

# A NaN of its own bits: the series has ended.
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
_UNITS_MS = {
    "ms": 1,
    "s": 1000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
    "y": 31_536_000_000,
}
# No hexadecimal ones: in a series 0x5 is a zero and five more.
_NUMBER = r"[+-]?(?:inf|nan|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)"
_VALUE = re.compile(rf"({_NUMBER})(?:([+-]{_NUMBER.removeprefix('[+-]?')}))?(?:x(\d+))?", re.IGNORECASE)
_GAP = re.compile(r"_(?:x(\d+))?")
_SERIES = re.compile(
    r"""\s*([a-zA-Z_:][\w:]*)?\s*(\{(?:[^"'{}]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')*\})?(?:\s+|$)"""
)
_LABEL = re.compile(
    r"""\s*([a-zA-Z_][\w]*|"(?:[^"\\]|\\.)*")\s*(?:=\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'))?\s*,?"""
)
_EVAL = re.compile(r"eval(?:_(fail|warn|info|ordered))?\s+(instant|range)\s+(.*)", re.DOTALL)
_INSTANT = re.compile(r"(?:at\s+(\S+)\s+)?(.+)", re.DOTALL)
_RANGE = re.compile(r"from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.+)", re.DOTALL)
_EXPECT = re.compile(r"expect\s+(fail|warn|info|no_warn|no_info|ordered|string|range vector)\b\s*(.*)")
_OLD_MESSAGE = re.compile(r"expected_fail_(message|regexp)\s+(.*)")

Labels = dict[str, str]
Points = list[tuple[int, float]]


class NotSpoken(Exception):
    """A part of the language that the runner does not speak: native histograms."""


@dataclass(frozen=True, slots=True)
class Load:
    """Samples to write: (labels, points) by series, ms since the script's beginning."""

    series: Sequence[tuple[Labels, Points]]


@dataclass(frozen=True, slots=True)
class Clear:
    """Forget what was loaded."""


@dataclass(slots=True)
class Expected:
    """
    What an evaluation should come to.

    Attributes:
        fail: It fails; *fail_matches* are patterns its message fits.
        annotations: (warn | info, pattern): there is one that fits; ``""`` = any.
        without: Kinds of annotations that are not there.
        ordered: The series come in this order.
        scalar, text: A number or a string instead of series.
        series: (labels, points); points of an instant vector are at the evaluation's time.
        matrix: The answer of an instant evaluation is a range vector.
    """

    fail: bool = False
    fail_matches: list[str] = field(default_factory=list)
    annotations: list[tuple[str, str]] = field(default_factory=list)
    without: set[str] = field(default_factory=set)
    ordered: bool = False
    scalar: float | None = None
    text: str | None = None
    series: list[tuple[Labels, Points]] = field(default_factory=list)
    matrix: bool = False


@dataclass(frozen=True, slots=True)
class Evaluation:
    """
    One question.

    Attributes:
        line: Where it stands.
        step_ms: 0 for an instant one.
        newer: It needs Prometheus 3.
        fails: Why our engine answers otherwise; "" = it does not.
    """

    line: int
    text: str
    start_ms: int
    end_ms: int
    step_ms: int
    expected: Expected
    newer: bool
    fails: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A statement the runner does not speak, and why."""

    line: int
    reason: str


Statement = Load | Clear | Evaluation | Skipped


def parse(text: str) -> list[Statement]:
    """Read a script; what does not fit the language is a `ValueError` with its line."""
    return list(_statements(text.splitlines()))


def _statements(lines: list[str]) -> Iterator[Statement]:
    place = 0
    newer, fails = False, ""
    while place < len(lines):
        line = lines[place].strip()
        if not line or line.startswith("#"):
            newer = newer or line.startswith("# needs 3")
            fails = line.partition("# fails: ")[2] or fails
            place += 1
            continue
        first = place
        place += 1
        block: list[str] = []
        while place < len(lines) and lines[place].strip():
            if not lines[place].strip().startswith("#"):
                block.append(lines[place].strip())
            place += 1
        try:
            made = _statement(first + 1, line, block)
            yield replace(made, newer=newer, fails=fails) if isinstance(made, Evaluation) else made
        except NotSpoken as reason:
            yield Skipped(first + 1, str(reason))
        except (ValueError, AssertionError) as error:
            raise ValueError(f"line {first + 1}: {error}") from error
        newer, fails = False, ""


def _statement(number: int, line: str, block: list[str]) -> Statement:
    if line == "clear":
        assert not block, "nothing stands below clear"
        return Clear()
    if line.startswith("load"):
        command, _, step = line.partition(" ")
        if command != "load":
            raise NotSpoken(command)
        return Load([_series(one, duration_ms(step)) for one in block])
    found = _EVAL.fullmatch(line)
    if found is None:
        raise ValueError(f"no statement: {line!r}")
    return _evaluation(number, found, block)


def _evaluation(number: int, found: re.Match[str], block: list[str]) -> Evaluation:
    mode, kind, rest = found.groups()
    start = end = step = 0
    if kind == "instant":
        asked = _INSTANT.fullmatch(rest)
        assert asked is not None, rest
        start = end = duration_ms(asked[1] or "0")
        text = asked[2]
    else:
        asked = _RANGE.fullmatch(rest)
        assert asked is not None, rest
        start, end, step = (duration_ms(asked[group]) for group in (1, 2, 3))
        text = asked[4]
    expected = Expected(fail=mode == "fail", ordered=mode == "ordered")
    if mode in {"warn", "info"}:
        expected.annotations.append((mode, ""))
    frame = (start, step)
    for line in block:
        frame = _expect(line, expected, frame)
    return Evaluation(number, text, start, end, step, expected, newer=False)


def _expect(line: str, expected: Expected, frame: tuple[int, int]) -> tuple[int, int]:
    """Take one line below an evaluation; return where its series' points begin and how far apart they are."""
    if found := _EXPECT.fullmatch(line):
        return _expectation(found[1], found[2], expected, frame)
    if found := _OLD_MESSAGE.fullmatch(line):
        expected.fail_matches.append(re.escape(found[2]) if found[1] == "message" else found[2])
    elif re.fullmatch(_NUMBER, line, re.IGNORECASE):
        expected.scalar = number_of(line)
    else:
        labels, points = _series(line, frame[1] or 1)
        expected.series.append((labels, [(frame[0] + at, value) for at, value in points]))
    return frame


def _expectation(kind: str, rest: str, expected: Expected, frame: tuple[int, int]) -> tuple[int, int]:
    way, _, message = rest.partition(":")
    pattern = re.escape(message.strip()) if way.strip() == "msg" else message.strip()
    if kind == "fail":
        expected.fail = True
        expected.fail_matches += [pattern] if rest else []
    elif kind in {"warn", "info"}:
        expected.annotations.append((kind, pattern))
    elif kind in {"no_warn", "no_info"}:
        expected.without.add(kind.removeprefix("no_"))
    elif kind == "ordered":
        expected.ordered = True
    elif kind == "string":
        expected.text = _unquoted(rest)
    else:
        found = re.fullmatch(r"from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)", rest)
        assert found is not None, rest
        expected.matrix = True
        return duration_ms(found[1]), duration_ms(found[3])
    return frame


def _series(line: str, step_ms: int) -> tuple[Labels, Points]:
    found = _SERIES.match(line)
    assert found is not None, f"no series: {line!r}"
    assert found[1] or found[2], f"no series: {line!r}"
    labels = _labels(found[2] or "{}")
    if found[1]:
        labels["__name__"] = found[1]
    if "{{" in line[found.end() :]:
        raise NotSpoken("native histograms")
    points: Points = []
    at = 0
    for word in line[found.end() :].split():
        for value in _values(word):
            if value is not None:
                points.append((at * step_ms, value))
            at += 1
    return labels, points


def _labels(text: str) -> Labels:
    labels: Labels = {}
    rest = text.strip()[1:-1]
    while rest.strip():
        found = _LABEL.match(rest)
        assert found is not None, f"no label: {rest!r}"
        name = _unquoted(found[1]) if found[1].startswith('"') else found[1]
        if found[2] is None:
            labels["__name__"] = name
        else:
            labels[name] = _unquoted(found[2])
        rest = rest[found.end() :]
    return labels


def _values(word: str) -> Iterator[float | None]:
    """Give the points that a word stands for, None where there is none."""
    if found := _GAP.fullmatch(word):
        yield from [None] * int(found[1] or 1)
        return
    if word == "stale":
        yield STALE
        return
    found = _VALUE.fullmatch(word)
    assert found is not None, f"no value: {word!r}"
    value, growth = number_of(found[1]), number_of(found[2] or "0")
    for _ in range(int(found[3] or 0) + 1):
        yield value
        value += growth


def number_of(text: str) -> float:
    """Read a number."""
    return float(text)


def duration_ms(text: str) -> int:
    """Read ``1m30s``, or a number of seconds."""
    if re.fullmatch(r"-?\d+(?:\.\d+)?", text):
        return round(float(text) * 1000)
    body = text.removeprefix("-")
    parts = re.findall(r"(\d+)(ms|[smhdwy])", body)
    assert "".join(number + unit for number, unit in parts) == body, f"no duration: {text!r}"
    length = sum(int(number) * _UNITS_MS[unit] for number, unit in parts)
    return -length if text.startswith("-") else length


def _unquoted(text: str) -> str:
    text = text.strip()
    if text[:1] == "`":
        return text[1:-1]
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "t": "\t"}.get(found[1], found[1]), text[1:-1])


def almost_equal(one: float, other: float) -> bool:
    """Compare as promqltest does: a millionth apart at most, NaN is NaN, a stale marker is one."""
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    if one == other:
        return True
    if math.isinf(one) or math.isinf(other):
        return False
    size = abs(one) + abs(other)
    return abs(one - other) < 1e-6 * max(size, 2.3e-308)
