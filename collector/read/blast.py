"""
Blast radius: who feels that services have lost dependencies, for many openings in two statements.

What each service served and what it called is added up from each opening's minute on. From the breaker's service the calls are followed upstream: of a
caller's requests, those that called a service that is hit share in its loss. Who has no caller is where users come in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from collector.query.window import SECOND_NS, Window, sql_time
from collector.read.sql import Reader, Row

# An older opening is judged by its last day: it is the same by now.
_MOST_NS = 86_400 * SECOND_NS
_MINUTE_NS = 60 * SECOND_NS
# Below this a share is noise that walked along an edge.
_LEAST_SHARE = 0.001
_ROUTES = 10

Node = tuple[str, str]  # env, service


class Opening(NamedTuple):
    """An open breaker of *service*; *from_ns* is when its trouble began, nanoseconds since the epoch."""

    env: str
    service: str
    from_ns: int


@dataclass(frozen=True, slots=True)
class _Traffic:
    """What went on since one minute: calls by (caller, callee), requests and failures by service and route."""

    calls: dict[Node, dict[Node, float]] = field(default_factory=lambda: defaultdict(dict))
    callers: dict[Node, dict[Node, float]] = field(default_factory=lambda: defaultdict(dict))
    routes: dict[Node, dict[str, tuple[float, float]]] = field(default_factory=lambda: defaultdict(dict))

    def requests(self, node: Node) -> float:
        """Give how many requests it got."""
        return sum(calls for calls, _ in self.routes.get(node, {}).values())

    def failed(self, node: Node) -> float:
        """Give how many of them failed."""
        return sum(failed for _, failed in self.routes.get(node, {}).values())


def blast_radii(reader: Reader, openings: Sequence[Opening], window: Window) -> list[Row]:
    """
    Return, for each of *openings*, who feels it until the end of *window* (whole minutes).

    Returns:
        ``callers``: ``{service, share, requests}``, *share* of the requests the service got; ``endpoints``: its routes that failed; ``share``: of all
        its requests, those that failed; ``upstream``: ``{service, distance, share}``, *share* of its requests that are hit; ``entries``: those of them
        that nobody calls (the service itself, where that is so), with ``requests`` and the ``routes`` that failed there; ``users_share``: of all requests
        that enter the system, those that are hit. Shares are 0 to 1.
    """
    if not openings:
        return []
    starts = sorted({_start_s(each, window) for each in openings})
    traffic = _traffic(reader, starts, window)
    return [
        _radius(traffic[starts.index(_start_s(each, window))], (each.env, each.service)) for each in openings
    ]


def _start_s(opening: Opening, window: Window) -> int:
    from_ns = max(opening.from_ns, window.end_ns - _MOST_NS, 0)
    return from_ns // _MINUTE_NS * 60


# Added up before names are looked for; the address that a caller calls is the service that answered there (edges.py).
_CALLS = """
SELECT told.env AS env, told.caller AS caller, if(names.callee != '', names.callee, told.callee) AS callee, sumForEach(told.calls) AS calls
FROM (
    SELECT env, caller, callee, sumForEach(arrayMap(start -> if(minute >= start, weighted, 0.), {starts:Array(DateTime('UTC'))})) AS calls
    FROM (
        SELECT minute, CAST(env, 'String') AS env, CAST(caller, 'String') AS caller, CAST(callee, 'String') AS callee, weighted_calls AS weighted
        FROM edge_minutes
        WHERE toStartOfHour(minute) >= toStartOfHour({first:DateTime('UTC')}) AND minute >= {first:DateTime('UTC')} AND minute < {end:DateTime64(9, 'UTC')}
        UNION ALL
        SELECT minute, CAST(env, 'String') AS env, CAST(caller, 'String') AS caller, CAST(callee, 'String') AS callee, weighted_calls AS weighted
        FROM paired_minutes
        WHERE minute >= {first:DateTime('UTC')} AND minute < {end:DateTime64(9, 'UTC')}
    )
    GROUP BY env, caller, callee
) AS told
LEFT JOIN (
    SELECT env, caller, peer, argMax(callee, n) AS callee
    FROM (SELECT env, caller, peer, callee, sum(p.calls) AS n FROM peer_names AS p
          WHERE day >= toDate({first:DateTime('UTC')}) - 1 AND day <= toDate({end:DateTime64(9, 'UTC')})
          GROUP BY env, caller, peer, callee)
    GROUP BY env, caller, peer
) AS names ON names.env = told.env AND names.caller = told.caller AND names.peer = told.callee
GROUP BY env, caller, callee
LIMIT 20000
"""
_SERVED = """
SELECT env, service, route,
       sumForEach(arrayMap(start -> if(minute >= start, s.weighted_calls, 0.), {starts:Array(DateTime('UTC'))})) AS requests,
       sumForEach(arrayMap(start -> if(minute >= start, s.weighted_errors, 0.), {starts:Array(DateTime('UTC'))})) AS failed
FROM service_minutes AS s
WHERE kind IN ('server', 'consumer') AND toStartOfHour(minute) >= toStartOfHour({first:DateTime('UTC')})
  AND minute >= {first:DateTime('UTC')} AND minute < {end:DateTime64(9, 'UTC')}
GROUP BY env, service, route
ORDER BY env, service, route
LIMIT 20000
"""


def _traffic(reader: Reader, starts: Sequence[int], window: Window) -> list[_Traffic]:
    params = {
        "starts": [_minute(start) for start in starts],
        "first": _minute(starts[0]),
        "end": sql_time(window.end_ns),
    }
    found = [_Traffic() for _ in starts]
    calls, served = reader.together(
        lambda its: its.rows(_CALLS, params), lambda its: its.rows(_SERVED, params)
    )
    for row in calls:
        caller, callee = (row["env"], row["caller"]), (row["env"], row["callee"])
        for traffic, calls in zip(found, row["calls"], strict=True):
            if calls:
                traffic.calls[caller][callee] = traffic.callers[callee][caller] = calls
    for row in served:
        for traffic, requests, failed in zip(found, row["requests"], row["failed"], strict=True):
            if requests:
                traffic.routes[row["env"], row["service"]][row["route"]] = (requests, failed)
    return found


def _minute(at_s: int) -> str:
    return sql_time(at_s * SECOND_NS)[:19]


def _radius(traffic: _Traffic, hit: Node) -> Row:
    requests, failed = traffic.requests(hit), traffic.failed(hit)
    share = failed / requests if requests else 0.0
    feeling = _upstream(traffic, hit, share)
    entries = [node for node in feeling if not traffic.callers.get(node) and traffic.requests(node)]
    return {
        "callers": _callers(traffic, hit),
        "endpoints": [route for route, _, _ in _failing(traffic, hit)],
        "share": share,
        "upstream": [
            {"service": node[1], "distance": distance, "share": round(felt, 4)}
            for node, (distance, felt) in feeling.items()
            if node != hit
        ],
        "entries": [_entry(traffic, node, feeling[node][1]) for node in entries],
        "users_share": _users_share(traffic, hit[0], {node: feeling[node][1] for node in entries}),
    }


def _callers(traffic: _Traffic, hit: Node) -> list[Row]:
    callers = traffic.callers.get(hit, {})
    every = sum(callers.values())
    rows: list[Row] = [
        {"service": node[1], "requests": round(calls), "share": calls / every}
        for node, calls in callers.items()
    ]
    return sorted(rows, key=lambda row: (-row["share"], row["service"]))[:100]


def _failing(traffic: _Traffic, node: Node) -> list[tuple[str, float, float]]:
    rows = [
        (route, calls, failed) for route, (calls, failed) in traffic.routes.get(node, {}).items() if failed
    ]
    return sorted(rows, key=lambda row: (-row[2], row[0]))


def _upstream(traffic: _Traffic, hit: Node, share: float) -> dict[Node, tuple[int, float]]:
    """Give (steps from *hit*, share of its requests that are hit) of each that feels it, nearest first; a caller feels what it calls, not who calls it."""
    found = {hit: (0, share)}
    level, distance = [hit], 0
    while level:
        distance += 1
        callers = {caller for node in level for caller in traffic.callers.get(node, {})} - found.keys()
        felt = {caller: _felt(traffic, caller, found) for caller in callers}
        level = sorted(caller for caller in callers if felt[caller] >= _LEAST_SHARE)
        found |= {caller: (distance, felt[caller]) for caller in level}
    return found


def _felt(traffic: _Traffic, caller: Node, hit: Mapping[Node, tuple[int, float]]) -> float:
    # who serves nothing (a job) has as many requests as calls
    requests = traffic.requests(caller) or sum(traffic.calls[caller].values())
    return min(
        sum(
            min(calls / requests, 1.0) * hit[callee][1]
            for callee, calls in traffic.calls[caller].items()
            if callee in hit
        ),
        1.0,
    )


def _entry(traffic: _Traffic, node: Node, share: float) -> Row:
    routes = [
        {"route": route, "requests": round(calls), "failed": round(failed)}
        for route, calls, failed in _failing(traffic, node)[:_ROUTES]
    ]
    return {
        "service": node[1],
        "share": round(share, 4),
        "requests": round(traffic.requests(node)),
        "routes": routes,
    }


def _users_share(traffic: _Traffic, env: str, entries: Mapping[Node, float]) -> float:
    """Give the share of all requests that enter the system of *env* which *entries* lose."""
    every = sum(
        traffic.requests(node) for node in traffic.routes if node[0] == env and not traffic.callers.get(node)
    )
    lost = sum(traffic.requests(node) * share for node, share in entries.items())
    return round(min(lost / every, 1.0), 4) if every else 0.0
