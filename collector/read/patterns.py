"""
Patterns: what the records of a search say, as templates with counts.

The engine masks the words that hold digits in the first line of each body and counts equal texts (0.4 CPU-seconds per
million records); `collector.read.templates` groups the thousands of texts that remain. Over `_ROWS_MOST` records a
fixed sample of whole records is taken and the counts are scaled up, and the answer says so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from collector.errors import QueryError
from collector.query.window import Window, parse_time, rfc_3339
from collector.read.deploys import deploys
from collector.read.log_counts import step_ns
from collector.read.logs import Slice
from collector.read.sql import Reader, Row
from collector.read.templates import MASK, WILDCARD, Shape, group

# Five million bodies are masked and counted in under two seconds on two cores: what a person waits for.
_ROWS_MOST = 5_000_000
# The commonest shapes that are grouped; what is rarer is counted as the rest.
_SHAPES_MOST = 20_000
BODY_CHARS = 1000
# A word that holds a digit is a value. The separators are those of `templates`.
VALUE = r"""[^\s=:,;()\[\]"'{}<>|/]*[0-9][^\s=:,;()\[\]"'{}<>|/]*"""
_EXAMPLES, _SERVICES = 3, 20
_DEPLOY = "deploy"


@dataclass(frozen=True, slots=True)
class PatternQuestion:
    """
    Which records, and how the answer is wanted.

    Attributes:
        limit: Most patterns.
        buckets: About how many numbers the trend has.
        new_since: A time, ``deploy`` (the newest version first seen in the window) or ``deploy:<version>``; "" = do not ask.
        only_new: Leave out what was seen before *new_since*.
    """

    slice: Slice
    limit: int = 100
    buckets: int = 24
    new_since: str = ""
    only_new: bool = False


@dataclass(frozen=True, slots=True)
class Patterns:
    """The commonest patterns first, and what the reader of them should know."""

    rows: list[Row]
    warnings: list[str]


_COUNT = """
SELECT count() AS records
FROM logs
WHERE occurred_at >= {{start:DateTime64(9, 'UTC')}} AND occurred_at < {{end:DateTime64(9, 'UTC')}}
  AND toStartOfMinute(occurred_at) >= toStartOfMinute({{start:DateTime64(9, 'UTC')}}) AND toStartOfMinute(occurred_at) <= toStartOfMinute({{end:DateTime64(9, 'UTC')}})
  AND ({{env:String}} = '' OR env = {{env:String}})
  AND {search}
LIMIT 1
"""
_SHAPES = """
SELECT shape, sum(p.records) AS records, groupArray((p.bucket, p.records)) AS trend, min(p.first_at) AS first_at,
       max(p.last_at) AS last_at, max(p.worst) AS worst, groupUniqArrayArray({{services:UInt8}})(p.services) AS services,
       groupArray({{examples:UInt8}})(p.example) AS examples,
       sum(sum(p.records)) OVER () AS all_records, count() OVER () AS all_shapes
FROM (
    SELECT replaceRegexpAll(substringUTF8(substringIndex(body, '\\n', 1), 1, {{chars:UInt16}}), {{value:String}}, {{mask:String}}) AS shape,
           intDiv(toUnixTimestamp64Nano(occurred_at), {{step:Int64}}) AS bucket,
           count() AS records, min(occurred_at) AS first_at, max(occurred_at) AS last_at,
           max((severity_number, severity)) AS worst, groupUniqArray({{services:UInt8}})(service) AS services,
           any((batch_id, line, substringUTF8(body, 1, {{chars:UInt16}}))) AS example
    FROM logs
    WHERE occurred_at >= {{start:DateTime64(9, 'UTC')}} AND occurred_at < {{end:DateTime64(9, 'UTC')}}
      AND toStartOfMinute(occurred_at) >= toStartOfMinute({{start:DateTime64(9, 'UTC')}}) AND toStartOfMinute(occurred_at) <= toStartOfMinute({{end:DateTime64(9, 'UTC')}})
      AND ({{env:String}} = '' OR env = {{env:String}})
      AND ({{one_in:UInt32}} = 1 OR cityHash64(batch_id, line) % {{one_in:UInt32}} = 0)
      AND {search}
    GROUP BY shape, bucket
) AS p
GROUP BY shape
ORDER BY records DESC, shape
LIMIT {{shapes:UInt32}}
"""


def patterns(reader: Reader, question: PatternQuestion) -> Patterns:
    """
    Return the patterns of the records asked for.

    Returns:
        Rows ``{template, count, share, first_seen, last_seen, trend, trend_start, trend_step_s, severity, services, examples, new,
        query}``: *share* of all matching records, 0 to 1; *trend* counts per step from *trend_start*; *severity* the worst;
        *new* None unless asked; *query* a search that finds the records.

    Raises:
        QueryError: ``new_since`` is no time, or names no deploy.
    """
    chosen, step = question.slice, step_ns(question.slice.window, question.buckets)
    found = reader.rows(_COUNT.format(search=chosen.search.sql), chosen.params())
    one_in = max(1, -(-found[0]["records"] // _ROWS_MOST))
    params = {**chosen.params(), "step": step, "one_in": one_in, "shapes": _SHAPES_MOST, "value": VALUE, "mask": MASK,
              "chars": BODY_CHARS, "services": _SERVICES, "examples": _EXAMPLES}  # fmt: skip
    shapes = reader.rows(_SHAPES.format(search=chosen.search.sql), params)
    warnings = _warnings(shapes, one_in)
    since_ns, missing = _since(reader, question, shapes)
    templates = group([Shape(row["shape"], row["records"]) for row in shapes])
    rows = [
        _pattern(template.text, [shapes[number] for number in template.shapes], one_in)
        for template in templates
    ]
    rows.sort(key=lambda row: (-row["count"], row["template"]))
    return Patterns(
        [_finished(row, chosen.window, step, since_ns) for row in _wanted(rows, question, since_ns)],
        warnings + missing,
    )


def _warnings(shapes: Sequence[Row], one_in: int) -> list[str]:
    said = []
    if one_in > 1:
        said.append(
            f"counted in one of {one_in} records and scaled up; patterns rarer than that may be missing"
        )
    if shapes and shapes[0]["all_shapes"] > len(shapes):
        kept = sum(row["records"] for row in shapes)
        rest = 1 - kept / shapes[0]["all_records"]
        said.append(f"the {len(shapes)} commonest texts were grouped; {rest:.1%} of the records are rarer")
    return said


def _pattern(text: str, members: Sequence[Row], one_in: int) -> Row:
    trend: Counter[int] = Counter()
    for row in members:
        for bucket, records in row["trend"]:
            trend[bucket] += records * one_in
    count = sum(row["records"] for row in members)
    worst = max(tuple(row["worst"]) for row in members)
    examples = [example for row in members for example in row["examples"]]
    return {
        "template": text,
        "count": count * one_in,
        "share": count / members[0]["all_records"],
        "first_seen": min(row["first_at"] for row in members),
        "last_seen": max(row["last_at"] for row in members),
        "trend": trend,
        "severity": worst[1],
        "services": sorted({service for row in members for service in row["services"]})[:_SERVICES],
        "examples": [
            {"id": f"{batch}:{line}", "body": body} for batch, line, body in _spread(examples, _EXAMPLES)
        ],
    }


def _spread(examples: Sequence[list[object]], most: int) -> Sequence[list[object]]:
    """Take examples from all over: neighbours are alike."""
    return examples[:: max(1, len(examples) // most)][:most]


def _wanted(rows: list[Row], question: PatternQuestion, since_ns: int | None) -> list[Row]:
    if question.only_new and question.new_since:
        rows = [row for row in rows if _is_new(row, since_ns)]
    return rows[: question.limit]


def _finished(row: Row, window: Window, step: int, since_ns: int | None) -> Row:
    numbers = range(window.start_ns // step, (window.end_ns - 1) // step + 1)
    return {
        **row,
        "trend": [row["trend"].get(number, 0) for number in numbers],
        "trend_start": rfc_3339(numbers.start * step),
        "trend_step_s": step / 1e9,
        "new": None if since_ns is None else _is_new(row, since_ns),
        "query": search_for(row["template"]),
    }


def _is_new(row: Row, since_ns: int | None) -> bool:
    return since_ns is not None and parse_time(row["first_seen"], "first_seen", 0) >= since_ns


def _since(reader: Reader, question: PatternQuestion, shapes: Iterable[Row]) -> tuple[int | None, list[str]]:
    """Read ``new_since``: nanoseconds, or None with a warning."""
    window, asked = question.slice.window, question.new_since
    if not asked:
        return None, []
    if asked.partition(":")[0] == _DEPLOY:
        services = {service for row in shapes for service in row["services"]}
        return _deployed(reader, question, asked.partition(":")[2], services)
    at_ns = parse_time(asked, "new_since", window.now_ns)
    if not window.start_ns < at_ns < window.end_ns:
        raise QueryError(
            "bad_parameter",
            f"new_since={asked!r} is outside of the window: new is what the part of it before then does not have",
            "new_since",
        )
    return at_ns, []


def _deployed(
    reader: Reader, question: PatternQuestion, version: str, services: set[str]
) -> tuple[int | None, list[str]]:
    window = question.slice.window
    known = deploys(reader, window, question.slice.env, "", 1000)
    began = [
        parse_time(row["first_seen"], "first_seen", 0)
        for row in known
        if row["service"] in services and version in ("", row["version"])
    ]
    inside = [at_ns for at_ns in began if window.start_ns < at_ns < window.end_ns]
    if inside:
        return max(inside), []
    named = f"version {version!r}" if version else "a version"
    return None, [
        f"new_since={question.new_since}: {named} of these services was not first seen in the window"
    ]


_REGEX_LIMIT = 800


def search_for(template: str) -> str:
    """Write a search that finds the records of *template*: a regular expression on the body."""
    pieces = [re.escape(piece).replace("/", r"\/") for piece in template.split(WILDCARD)]
    pattern = "^" + ".*?".join(pieces)
    if len(pattern) > _REGEX_LIMIT:
        return f"body:/{pattern[:_REGEX_LIMIT].rstrip(chr(92))}/"
    return f"body:/{pattern}(?:\\n|$)/" if len(template) < BODY_CHARS else f"body:/{pattern}/"
