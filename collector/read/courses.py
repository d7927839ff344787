"""How every service, and every breaker, fared over a window: few numbers per bucket of whole minutes, for many at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from collector.query.window import SECOND_NS, Window
from collector.read.edges import NAMED
from collector.read.services import bucket_starts, minutes_step_s, rfc_minute
from collector.read.sql import Reader, Row
from collector.read.transitions import Chosen, Transition, transitions

BUCKETS = 40
"""As many points as a small picture can show; the page of one service has the finer course."""

_SERVICES = """
SELECT service, env, intDiv(toUnixTimestamp(minute), {step_s:UInt32}) * {step_s:UInt32} AS bucket,
       sumIf(s.calls, kind IN ('server', 'consumer')) AS served, sum(s.calls) AS every,
       if(served > 0, served, every) AS calls,
       if(served > 0, sumIf(s.errors, kind IN ('server', 'consumer')), sum(s.errors)) AS failed,
       round(if(served > 0, quantilesTDigestMergeIf(0.95)(s.duration_ns, kind IN ('server', 'consumer')),
                            quantilesTDigestMerge(0.95)(s.duration_ns))[1] / 1e6, 3) AS p95_ms
FROM service_minutes AS s
WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
  AND ({env:String} = '' OR env = {env:String})
GROUP BY service, env, bucket
ORDER BY service, env, bucket
LIMIT 100000
"""
_QUIET: Row = {"rate": 0.0, "error_ratio": None, "p95_ms": None}


def services(reader: Reader, window: Window, env: str) -> list[Row]:
    """Return ``{service, env, series: [{at, rate, error_ratio, p95_ms}]}``, empty buckets included."""
    step_s = minutes_step_s(window, BUCKETS)
    by_service: dict[tuple[str, str], dict[int, Row]] = defaultdict(dict)
    for row in reader.rows(_SERVICES, {**window.params(), "env": env, "step_s": step_s}):
        length_s = max(min(step_s, window.end_ns / SECOND_NS - row["bucket"]), 1.0)
        by_service[row["service"], row["env"]][row["bucket"]] = {
            "rate": round(row["calls"] / length_s, 4),
            "error_ratio": round(row["failed"] / row["calls"], 6),
            "p95_ms": row["p95_ms"],
        }
    return [
        {"service": service, "env": each_env, "series": _series(window, step_s, found, _QUIET)}
        for (service, each_env), found in sorted(by_service.items())
    ]


_CALLS = f"""
SELECT env, caller, callee, intDiv(toUnixTimestamp(minute), {{step_s:UInt32}}) * {{step_s:UInt32}} AS bucket,
       sum(e.errors) / sum(e.calls) AS failure_rate
FROM ({NAMED}) AS e
GROUP BY env, caller, callee, bucket
ORDER BY env, caller, callee, bucket
LIMIT 100000
"""


def breakers(reader: Reader, window: Window, env: str) -> list[Row]:
    """
    Return ``{service, env, breaker, target, series: [{at, failure_rate, not_permitted}]}`` per breaker that changed in *window*.

    *failure_rate* is of the calls from the service to the breaker's target, as traces tell (null: none was made);
    *not_permitted* is what transitions told, at their time.
    """
    step_s = minutes_step_s(window, BUCKETS)
    failing: dict[tuple[str, str, str], dict[int, float]] = defaultdict(dict)
    for row in reader.rows(_CALLS, {**window.params(), "env": env, "step_s": step_s}):
        failing[row["env"], row["caller"], row["callee"]][row["bucket"]] = round(row["failure_rate"], 6)
    turned = _turned_away(transitions(reader, window, Chosen(env=env)), step_s)
    return [
        {
            "service": service,
            "env": each_env,
            "breaker": breaker,
            "target": target,
            "series": _of_breaker(
                window, step_s, failing.get((each_env, service, target or breaker), {}), counts
            ),
        }
        for (each_env, service, breaker, target), counts in sorted(turned.items())
    ]


def _turned_away(
    told: Iterable[Transition], step_s: int
) -> Mapping[tuple[str, str, str, str], Mapping[int, int]]:
    found: dict[tuple[str, str, str, str], dict[int, int]] = defaultdict(dict)
    for each in told:
        counts = found[each.env, each.service, each.breaker, each.target]
        if each.not_permitted is not None:
            bucket = each.at_ns // SECOND_NS // step_s * step_s
            counts[bucket] = counts.get(bucket, 0) + each.not_permitted
    return found


def _of_breaker(
    window: Window, step_s: int, rates: Mapping[int, float], counts: Mapping[int, int]
) -> list[Row]:
    found = {
        at: {"failure_rate": rates.get(at), "not_permitted": counts.get(at, 0)} for at in {*rates, *counts}
    }
    return _series(window, step_s, found, {"failure_rate": None, "not_permitted": 0})


def _series(window: Window, step_s: int, found: Mapping[int, Row], nothing: Row) -> list[Row]:
    return [{"at": rfc_minute(at), **found.get(at, nothing)} for at in bucket_starts(window, step_s)]
