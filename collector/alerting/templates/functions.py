"""
The functions of templates: Prometheus' own and the ones Go has built in.

Each is given what the template is filled with, then its arguments. Source: Prometheus template/template.go; Go text/template/funcs.go.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, urlsplit

from collector.alerting.expression import parse_duration_s
from collector.alerting.templates import numbers
from collector.alerting.templates.printing import shown, sprintf

if TYPE_CHECKING:
    from collector.alerting.templates.filling import Given

_MANY = 1000


@dataclass(frozen=True)
class Row:
    """One result of ``query``."""

    labels: Mapping[str, str]
    value: float

    def field(self, name: str) -> Any:
        """Give ``.Labels`` or ``.Value``."""
        if name not in {"Labels", "Value"}:
            raise ValueError(f"a result has Labels and Value, not {name!r}")
        return self.labels if name == "Labels" else self.value

    def __str__(self) -> str:
        """Write it as Go does the struct."""
        return f"{{map[{' '.join(f'{name}:{value}' for name, value in sorted(self.labels.items()))}] {numbers.shortest(self.value)}}}"


def truth(value: Any) -> bool:
    """Whether Go's ``if`` takes *value* for true: not if it is zero or empty."""
    return bool(value)


def as_number(value: Any) -> float:
    """
    Read a number, or a string that is one, as Prometheus' convertToFloat does.

    Raises:
        ValueError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{shown(value)!r} is not a number")  # noqa: TRY004 - a template's error
    try:
        return float(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is not a number") from error


def _numeric(write: Callable[[float], Any]) -> Callable[..., Any]:
    return lambda _, value: write(as_number(value))


def _texts(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda _, *texts: function(*(shown(text) for text in texts))


def _title(text: str) -> str:
    return re.sub(r"(?<![\w'])\w", lambda found: found[0].upper(), text)


def _replace(pattern: str, template: str, text: str) -> str:
    def group(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        return "$" if name == "$" else f"\\g<{name}>"

    escaped = re.sub(r"\$(?:\{(\w+)\}|(\w+|\$))", group, template.replace("\\", "\\\\"))
    try:
        return re.sub(pattern, escaped, text)
    except (re.error, IndexError) as error:
        raise ValueError(f"reReplaceAll: {error}") from error


def _match(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error as error:
        raise ValueError(f"match: {pattern!r}: {error}") from error


def _first(_: Given, rows: Sequence[Row]) -> Row:
    if not rows:
        raise ValueError("first() called on vector with no elements")
    return rows[0]


def _label(_: Given, name: str, row: Row) -> str:
    return row.labels.get(name, "")


def _sorted_by_label(_: Given, name: str, rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.labels.get(name, ""))


def _strip_port(text: str) -> str:
    host, mark, port = text.rpartition(":")
    return host.strip("[]") if mark and port.isdigit() and (":" not in host or host.startswith("[")) else text


def _strip_domain(text: str) -> str:
    host = _strip_port(text)
    port = text[len(host) :] if text.startswith(host) else ""
    if re.fullmatch(r"[\d.]+|[0-9a-fA-F:]+", host):
        return text
    return host.partition(".")[0] + port


def _url(view: str) -> Callable[[str], str]:
    return lambda expression: f"/graph?g0.expr={quote_plus(expression)}&g0.tab={view}"


def _index(_: Given, value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(key, "")
        elif isinstance(value, Sequence) and isinstance(key, int) and 0 <= key < len(value):
            value = ord(value[key]) if isinstance(value, str) else value[key]
        else:
            raise ValueError(f"index: {shown(key)} is out of range")
    return value


def _compare(test: Callable[[Any, Any], bool]) -> Callable[..., bool]:
    def compare(_: Given, left: Any, right: Any) -> bool:
        if isinstance(left, str) != isinstance(right, str):
            raise ValueError(f"incompatible types for comparison: {shown(left)} and {shown(right)}")
        return test(left, right)

    return compare


def _and(_: Given, *values: Any) -> Any:
    return next((value for value in values if not truth(value)), values[-1])


def _or(_: Given, *values: Any) -> Any:
    return next((value for value in values if truth(value)), values[-1])


def _print(_: Given, *values: Any) -> str:
    """Write *values*; Go puts a space between two of which neither is a string."""
    text = ""
    for number, value in enumerate(values):
        if number and not isinstance(value, str) and not isinstance(values[number - 1], str):
            text += " "
        text += shown(value)
    return text


def _duration(value: float) -> str:
    """Write seconds as Go writes a Duration: 1h2m3.5s."""
    sign, value = ("-" if value < 0 else ""), abs(value)
    if value and value < 1:
        for unit, scale in (("ms", 1e3), ("µs", 1e6), ("ns", 1e9)):
            if value * scale >= 1:
                return f"{sign}{numbers.shortest(round(value * scale, 6))}{unit}"
    minutes, seconds = divmod(value, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{text}{numbers.shortest(round(seconds, 9))}s"


def _path(given: Given) -> str:
    return urlsplit(given.external_url).path or ""


# name: function, least and most arguments
FUNCTIONS: Mapping[str, tuple[Callable[..., Any], int, int]] = {
    "query": (lambda given, text: given.query(text), 1, 1),
    "first": (_first, 1, 1),
    "label": (_label, 2, 2),
    "value": (lambda _, row: row.value, 1, 1),
    "strvalue": (lambda _, row: row.labels.get("__value__", ""), 1, 1),
    "sortByLabel": (_sorted_by_label, 2, 2),
    "args": (lambda _, *values: {f"arg{number}": value for number, value in enumerate(values)}, 0, _MANY),
    "humanize": (_numeric(numbers.humanize), 1, 1),
    "humanize1024": (_numeric(numbers.humanize1024), 1, 1),
    "humanizeDuration": (_numeric(numbers.humanize_duration), 1, 1),
    "humanizePercentage": (_numeric(numbers.humanize_percentage), 1, 1),
    "humanizeTimestamp": (_numeric(numbers.humanize_timestamp), 1, 1),
    "toTime": (_numeric(numbers.humanize_timestamp), 1, 1),
    "toDuration": (_numeric(_duration), 1, 1),
    "now": (lambda given: given.now_s, 0, 0),
    "parseDuration": (lambda _, text: parse_duration_s(text), 1, 1),
    "title": (_texts(_title), 1, 1),
    "toUpper": (_texts(str.upper), 1, 1),
    "toLower": (_texts(str.lower), 1, 1),
    "match": (_texts(_match), 2, 2),
    "reReplaceAll": (_texts(_replace), 3, 3),
    "stripPort": (_texts(_strip_port), 1, 1),
    "stripDomain": (_texts(_strip_domain), 1, 1),
    "safeHtml": (_texts(str), 1, 1),
    "graphLink": (_texts(_url("0")), 1, 1),
    "tableLink": (_texts(_url("1")), 1, 1),
    "externalURL": (lambda given: given.external_url, 0, 0),
    "pathPrefix": (_path, 0, 0),
    "urlQueryEscape": (_texts(quote_plus), 1, 1),
    "and": (_and, 1, _MANY),
    "or": (_or, 1, _MANY),
    "not": (lambda _, value: not truth(value), 1, 1),
    "eq": (lambda _, left, *others: any(left == other for other in others), 2, _MANY),
    "ne": (lambda _, left, right: left != right, 2, 2),
    "lt": (_compare(lambda left, right: left < right), 2, 2),
    "le": (_compare(lambda left, right: left <= right), 2, 2),
    "gt": (_compare(lambda left, right: left > right), 2, 2),
    "ge": (_compare(lambda left, right: left >= right), 2, 2),
    "len": (lambda _, value: len(value.encode() if isinstance(value, str) else value), 1, 1),
    "index": (_index, 1, _MANY),
    "slice": (lambda _, value, *at: value[slice(*at)] if at else value, 1, 3),
    "print": (_print, 0, _MANY),
    "println": (lambda _, *values: " ".join(map(shown, values)) + "\n", 0, _MANY),
    "printf": (lambda _, form, *values: sprintf(form, values), 1, _MANY),
    "html": (
        _texts(lambda text: html.escape(text).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")),
        1,
        1,
    ),
    "urlquery": (_texts(quote_plus), 1, 1),
    "js": (_texts(lambda text: quote(text, safe=" ~!@#$%^&*()_+-=,./?:;[]{}|")), 1, 1),
}
