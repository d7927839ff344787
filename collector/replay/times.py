"""Times in recorded texts: where they stand in a line, what they mean, and the same place with a later one."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

SECOND_NS = 1_000_000_000
# By magnitude, as the collector's mapping reads them: seconds, milliseconds, microseconds, nanoseconds.
_UNITS = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3))

_ISO = rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|[+-]\d\d:?\d\d))?"
_ISO_PARTS = re.compile(
    r"(\d{4})[-/](\d\d?)[-/](\d\d?)[T ](\d\d?):(\d\d)(?::(\d\d)(?:([.,])(\d{1,9}))?)?( ?)(Z|[+-]\d\d:?\d\d)?\Z"
)
_NAMES = rb"timestamp|@timestamp|time|ts|t|datetime|date|asctime|eventTime|@t|at|observed_timestamp"
# A known name and its value in JSON; in logfmt; a time that a plain line begins with or has in brackets.
_IN_JSON = re.compile(rb'(?<!\\)"(?:' + _NAMES + rb')"\s*:\s*(?:"([^"\\]{8,40})"|(\d{9,19}(?:\.\d{1,9})?))')
_IN_LOGFMT = re.compile(rb"(?:^|\s)(?:" + _NAMES + rb')=(?:"([^"\\]{8,40})"|(\S{8,40}))')
_IN_TEXT = re.compile(rb"^\W{0,2}(?:\w{1,12}[ \t:]{1,3}){0,2}\W?(" + _ISO + rb")")
_IN_ACCESS = re.compile(rb"\[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\]")
_ACCESS = "%d/%b/%Y:%H:%M:%S %z"


def epoch_ns(number: str) -> int:
    """Read ``1700000000``, ``1700000000.25``, milliseconds, microseconds or nanoseconds since the epoch, by magnitude."""
    whole, _, fraction = number.partition(".")
    value = int(whole)
    unit = next((ns for limit, ns in _UNITS if value < limit), 1)
    return value * unit + (int(fraction[:9].ljust(9, "0")) * unit // SECOND_NS if fraction else 0)


def read_ns(text: str) -> int:
    """
    Read a time: epoch by magnitude, RFC 3339, ``2023-11-14 22:13:20,123`` (no zone = UTC).

    Raises:
        ValueError: It is none.
    """
    stripped = text.strip()
    if stripped.replace(".", "", 1).isdigit():
        return epoch_ns(stripped)
    if "e+" in stripped.lower():
        return epoch_ns(f"{float(stripped):.0f}")
    found = _ISO_PARTS.match(stripped)
    if found is None:
        raise ValueError(f"{text[:60]!r} is not a time")
    year, month, day, hour, minute, second, _, fraction, _, zone = found.groups()
    moment = datetime(
        int(year), int(month), int(day), int(hour), int(minute), int(second or 0), tzinfo=_zone(zone)
    )
    return int(moment.timestamp()) * SECOND_NS + int((fraction or "0").ljust(9, "0"))


def _zone(text: str | None) -> timezone:
    if text in {None, "Z"}:
        return UTC
    assert text is not None
    sign = -1 if text[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(text[1:3]), minutes=int(text[-2:])))


def moved(text: str, shift_ns: int) -> str:
    """
    Write the time that *text* says later by *shift_ns*, the way it was written.

    Raises:
        ValueError: It is no time.
    """
    if text.replace(".", "", 1).isdigit():
        return _moved_epoch(text, shift_ns)
    found = _ISO_PARTS.match(text)
    if found is None:
        return _moved_access(text, shift_ns)
    *_, mark, fraction, space, zone = found.groups()
    seconds, nanos = divmod(read_ns(text) + shift_ns, SECOND_NS)
    moment = datetime.fromtimestamp(seconds, _zone(zone))
    joint = "T" if "T" in text else " "
    written = f"{moment:%Y-%m-%d}{joint}{moment:%H:%M:%S}"
    if fraction:
        written += f"{mark}{nanos:09d}"[: len(fraction) + 1]
    return written + space + (zone or "")


def _moved_epoch(text: str, shift_ns: int) -> str:
    whole, dot, fraction = text.partition(".")
    unit = next((ns for limit, ns in _UNITS if int(whole) < limit), 1)
    at_ns = epoch_ns(text) + shift_ns
    if not dot:
        return str(at_ns // unit)
    return f"{at_ns // unit}.{at_ns % unit * SECOND_NS // unit:09d}"[
        : len(str(at_ns // unit)) + 1 + len(fraction)
    ]


def _moved_access(text: str, shift_ns: int) -> str:
    moment = datetime.strptime(text, _ACCESS)  # noqa: DTZ007 - the format has %z
    return f"{moment + timedelta(seconds=shift_ns // SECOND_NS):{_ACCESS}}"


def _read_any(text: str) -> int:
    try:
        return read_ns(text)
    except ValueError:
        return int(datetime.strptime(text, _ACCESS).timestamp()) * SECOND_NS  # noqa: DTZ007 - as above


def of_line(line: bytes) -> int:
    """Give the time that a log line has, epoch nanoseconds; 0 = none that is known."""
    for found in _found(line):
        try:
            return _read_any(found.decode("ascii", "replace"))
        except ValueError:
            continue
    return 0


def _found(line: bytes) -> list[bytes]:
    if line.lstrip()[:1] == b"{":
        return [first or second for first, second in _IN_JSON.findall(line)]
    text = _IN_TEXT.search(line)
    found = [text[1]] if text else []
    found += [first or second for first, second in _IN_LOGFMT.findall(line)]
    access = _IN_ACCESS.search(line)
    return [*found, access[1]] if access else found


def move_line(line: bytes, shift_ns: int) -> bytes:
    """Return the log line with its times moved; one that has none stays as it is."""
    if not shift_ns:
        return line

    def later(match: re.Match[bytes]) -> bytes:
        place = next(number for number in range(1, match.re.groups + 1) if match[number] is not None)
        try:
            new = moved(match[place].decode("ascii"), shift_ns).encode()
        except ValueError:
            return match[0]
        start, end = match.span(place)
        return match[0][: start - match.start()] + new + match[0][end - match.start() :]

    if line.lstrip()[:1] == b"{":
        return _IN_JSON.sub(later, line)
    patterns: tuple[tuple[re.Pattern[bytes], int], ...] = ((_IN_TEXT, 1), (_IN_LOGFMT, 0), (_IN_ACCESS, 1))
    for pattern, count in patterns:
        line = pattern.sub(later, line, count=count)
    return line


_OTLP = re.compile(rb'(?<!\\)("\w*[tT]ime_?[uU]nix_?[nN]ano"\s*:\s*"?)(\d{1,20})')


def move_otlp_json(text: bytes, shift_ns: int) -> tuple[bytes, int, int]:
    """Return an OTLP/JSON text with its times moved, and the first and the last of them as they were; 0 = not set stays so."""
    times: list[int] = []

    def later(match: re.Match[bytes]) -> bytes:
        at_ns = int(match[2])
        if not at_ns:
            return match[0]
        times.append(at_ns)
        return match[1] + b"%d" % (at_ns + shift_ns)

    changed = _OTLP.sub(later, text)
    return changed, min(times, default=0), max(times, default=0)
