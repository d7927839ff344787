"""How much is stored, of whom: rows, bytes and series by service and signal, metrics by their series, and what that suggests to drop."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from collector.query.window import Window
from collector.read.sql import Reader, Row, column

_ROWS = """
SELECT service, env, signal, sum(stored) AS rows
FROM (SELECT service, env, 'logs' AS signal, sum(l.records) AS stored FROM log_minutes AS l
      WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
        AND ({env:String} = '' OR env = {env:String})
      GROUP BY service, env
      UNION ALL
      SELECT service, env, 'traces' AS signal, sum(s.calls) AS stored FROM service_minutes AS s
      WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
        AND ({env:String} = '' OR env = {env:String})
      GROUP BY service, env
      UNION ALL
      SELECT m.service, m.env, 'metrics' AS signal, sum(p.samples) AS stored
      FROM (SELECT series_id, count() AS samples FROM metric_samples
            WHERE at >= {start:DateTime64(9, 'UTC')} AND at < {end:DateTime64(9, 'UTC')} GROUP BY series_id) AS p
      INNER JOIN (SELECT series_id, any(service) AS service, any(env) AS env FROM metric_series
                  WHERE last_seen >= {start:DateTime64(9, 'UTC')} GROUP BY series_id) AS m ON p.series_id = m.series_id
      WHERE {env:String} = '' OR m.env = {env:String}
      GROUP BY m.service, m.env)
GROUP BY service, env, signal
HAVING rows > 0
ORDER BY rows DESC, service, env, signal
LIMIT 5000
"""

_BYTES = """
SELECT service, env, signal, sum(b.bytes) AS bytes
FROM batches AS b
WHERE received_at >= {start:DateTime64(9, 'UTC')} AND received_at < {end:DateTime64(9, 'UTC')}
  AND signal IN ('logs', 'traces', 'metrics') AND ({env:String} = '' OR env = {env:String})
GROUP BY service, env, signal
ORDER BY bytes DESC, service, env, signal
LIMIT 5000
"""

_SERIES = """
SELECT service, env, uniqExact(series_id) AS series
FROM metric_series
WHERE last_seen >= {start:DateTime64(9, 'UTC')} AND first_seen < {end:DateTime64(9, 'UTC')} AND ({env:String} = '' OR env = {env:String})
GROUP BY service, env
LIMIT 5000
"""

_SEVERITIES = """
SELECT service, env, severity, sum(l.records) AS records
FROM log_minutes AS l
WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
  AND ({env:String} = '' OR env = {env:String})
GROUP BY service, env, severity
ORDER BY records DESC
LIMIT 20000
"""


def volume(reader: Reader, window: Window, env: str) -> list[Row]:
    """
    Return ``{service, env, signal, rows, share, rows_per_s, bytes, series, severities, advice}``, the largest first.

    ``bytes`` are those of the bodies as they came, of the service that the body was declared to be of (``Fuseboard-Resource``, the agent): OTLP's are not,
    so their bytes stand in a row without a service. ``share`` is of the signal's rows.
    """
    params = {**window.params(), "env": env}
    found: dict[tuple[str, str, str], Row] = {}
    for row in reader.rows(_ROWS, params):
        _of(found, row)["rows"] = row["rows"]
    for row in reader.rows(_BYTES, params):
        _of(found, row)["bytes"] = row["bytes"]
    for row in reader.rows(_SERIES, params):
        _of(found, {**row, "signal": "metrics"})["series"] = row["series"]
    for row in reader.rows(_SEVERITIES, params):
        _of(found, {**row, "signal": "logs"})["severities"][row["severity"]] = row["records"]
    totals: dict[str, int] = defaultdict(int)
    for row in found.values():
        totals[row["signal"]] += row["rows"]
    return [
        _judged(row, totals[row["signal"]], window)
        for row in sorted(
            found.values(), key=lambda it: (-it["rows"], -it["bytes"], it["service"], it["signal"])
        )
    ]


def _of(found: dict[tuple[str, str, str], Row], row: Row) -> Row:
    key = (row["service"], row["env"], row["signal"])
    empty = {
        **dict(zip(("service", "env", "signal"), key, strict=True)),
        "rows": 0,
        "bytes": 0,
        "series": None,
        "severities": {},
    }
    return found.setdefault(key, empty)


def _judged(row: Row, total: int, window: Window) -> Row:
    row["share"] = round(row["rows"] / total, 6) if total else 0.0
    row["rows_per_s"] = round(row["rows"] / window.seconds, 3)
    row["advice"] = _advice(row) if row["signal"] == "logs" else []
    return row


# A fifth of what is written at debug is worth a line of settings; the newest thousand records are too few to tell.
_DEBUG_SHARE = 0.2
_FEW_ROWS = 1000
# One service that writes half of everything, mostly at info.
_LOUD_SHARE = 0.5
_INFO_SHARE = 0.8
_KEPT_INFO = 0.1


def _advice(row: Row) -> list[dict[str, Any]]:
    """Say what an agent's settings could spare of a service's log records."""
    if row["rows"] < _FEW_ROWS:
        return []
    severities = row["severities"]
    debug = severities.get("debug", 0) + severities.get("trace", 0)
    info = severities.get("info", 0)
    found = []
    if debug >= _DEBUG_SHARE * row["rows"]:
        found.append(_spare(
            "debug", debug, row, f"{debug / row['rows']:.0%} of its records are debug or trace: drop them at the agent",
            "[sample]\ndebug = 0\ntrace = 0\n",
        ))  # fmt: skip
    if row["share"] >= _LOUD_SHARE and info >= _INFO_SHARE * row["rows"]:
        found.append(_spare(
            "info", round(info * (1 - _KEPT_INFO)), row,
            f"it writes {row['share']:.0%} of all records, {info / row['rows']:.0%} of them info: keep every tenth",
            f"[sample]\ninfo = {_KEPT_INFO}\n",
        ))  # fmt: skip
    if row["share"] >= _LOUD_SHARE:
        most = max(1, round(row["rows_per_s"] / 2))
        found.append(_spare(
            "rate", row["rows"] // 2, row, f"it writes {row['share']:.0%} of all records: bound it to half of its rate",
            f"[limit]\nlines_per_s = {most}\n",
        ))  # fmt: skip
    return found


def _spare(code: str, rows: int, row: Row, message: str, snippet: str) -> dict[str, Any]:
    return {"code": code, "message": message, "spares_rows": rows, "spares_ratio": round(rows / row["rows"], 4), "snippet": snippet}  # fmt: skip


_METRICS = """
SELECT name, uniqExact(series_id) AS series, groupUniqArray(20)(service) AS services, any(type) AS type
FROM metric_series
WHERE last_seen >= {start:DateTime64(9, 'UTC')} AND first_seen < {end:DateTime64(9, 'UTC')} AND ({env:String} = '' OR env = {env:String})
  AND ({service:String} = '' OR service = {service:String})
GROUP BY name
ORDER BY series DESC, name
LIMIT {limit:UInt32}
"""

_LABELS = """
SELECT name, label, uniq(value) AS different, groupUniqArray(3)(value) AS examples
FROM metric_series ARRAY JOIN mapKeys(labels) AS label, mapValues(labels) AS value
WHERE name IN {names:Array(String)} AND last_seen >= {start:DateTime64(9, 'UTC')} AND first_seen < {end:DateTime64(9, 'UTC')}
  AND ({env:String} = '' OR env = {env:String}) AND ({service:String} = '' OR service = {service:String})
GROUP BY name, label
ORDER BY different DESC, label
LIMIT 5 BY name
LIMIT 50000
"""

_SAMPLES = """
SELECT m.name AS name, sum(p.samples) AS samples
FROM (SELECT series_id, count() AS samples FROM metric_samples
      WHERE at >= {start:DateTime64(9, 'UTC')} AND at < {end:DateTime64(9, 'UTC')}
        AND series_id IN (SELECT series_id FROM metric_series WHERE name IN {names:Array(String)})
      GROUP BY series_id) AS p
INNER JOIN (SELECT series_id, name FROM metric_series
            WHERE name IN {names:Array(String)} AND ({env:String} = '' OR env = {env:String})
              AND ({service:String} = '' OR service = {service:String})
            GROUP BY series_id, name) AS m ON p.series_id = m.series_id
GROUP BY name
LIMIT 10000
"""

# Beyond it a label is an identity, not a dimension that somebody groups by.
_MANY_VALUES = 100


def cardinality(reader: Reader, window: Window, env: str, service: str, limit: int) -> list[Row]:
    """Return ``{metric, type, services, series, samples, labels: [{label, values, examples}], advice}``, most series first."""
    asked = {**window.params(), "env": env, "service": service}
    metrics = reader.rows(_METRICS, {**asked, "limit": limit})
    names = {**asked, "names": column(metrics, "name")}
    samples = {row["name"]: row["samples"] for row in reader.rows(_SAMPLES, names)} if metrics else {}
    labels: dict[str, list[Row]] = defaultdict(list)
    for row in reader.rows(_LABELS, names) if metrics else ():
        labels[row["name"]].append(
            {"label": row["label"], "values": row["different"], "examples": sorted(row["examples"])}
        )
    return [
        {
            "metric": row["name"],
            "type": row["type"],
            "services": sorted(row["services"]),
            "series": row["series"],
            "samples": samples.get(row["name"], 0),
            "labels": labels[row["name"]],
            "advice": _label_advice(labels[row["name"]]),
        }
        for row in metrics
    ]


def _label_advice(labels: list[Row]) -> str | None:
    """Say which label makes the series many; None where none does."""
    if not labels or labels[0]["values"] < _MANY_VALUES:
        return None
    worst = labels[0]
    return (
        f"the label {worst['label']} has {worst['values']} values, such as {', '.join(map(repr, worst['examples'][:2]))}: "
        "take it off where the metric is made, or keep it on traces and logs, where it costs nothing more"
    )
