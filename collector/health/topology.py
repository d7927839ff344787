"""The map: services, databases, queues and external hosts, and the edges between them with their breakers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from collector.health.facts import NO_SLOS, board
from collector.query.window import Window
from collector.read import breakers as breaker_reads
from collector.read import edges as edge_reads
from collector.read.breakers import BreakerState
from collector.read.sampling import NOT_SAMPLED
from collector.read.sql import Reader, Row
from collector.read.transitions import Chosen

# Protocols of things that answer calls; what else is called and never calls is a database.
_CALLED = frozenset(
    {"http", "https", "grpc", "apache_dubbo", "connect_rpc", "dotnet_wcf", "java_rmi", "jsonrpc", "soap"}
)
_WORST = {"unhealthy": 0, "degraded": 1, "unknown": 2, "healthy": 3}
_NUMBERS = ("rate", "error_ratio", "p95_ms")
# A breaker that never opens protects nobody.
_IDLE_STATES = ("disabled", "metrics_only")
_TELLS_MOST_LAST = (*_IDLE_STATES, "closed", "unknown", "half_open", "forced_open", "open")


def topology(reader: Reader, window: Window, env: str, slos: Mapping[str, str] = NO_SLOS) -> Row:
    """Return ``{nodes, edges}``; without *env* the nodes and edges of all environments are laid over each other."""
    rows, found = reader.together(
        lambda its: board(its, window, env, slos=slos), lambda its: edge_reads.edges(its, window, env)
    )
    services = _services(rows)
    # the board has asked for them
    edges = _with_breakers(found, breaker_reads.states(reader, window, Chosen(env=env)))
    callers = {edge["caller"] for edge in edges}
    outside = {
        name: edge for edge in edges for name in (edge["caller"], edge["callee"]) if name not in services
    }
    nodes = [_node(name, "service", row) for name, row in services.items()]
    nodes += [
        _node(name, _kind(name, edge["protocol"], callers), {}) for name, edge in sorted(outside.items())
    ]
    return {"nodes": nodes, "edges": edges}


def edges_with_breakers(reader: Reader, window: Window, env: str, service: str = "") -> list[Row]:
    """Return the edges, of *service* only if named, each with the caller's breaker on its callee."""
    states, found = reader.together(
        lambda its: breaker_reads.states(its, window, Chosen(env=env)),
        lambda its: edge_reads.edges(its, window, env, service),
    )
    return _with_breakers(found, states)


def _with_breakers(edges: Iterable[Row], states: Iterable[BreakerState]) -> list[Row]:
    by_edge = _by_edge(states)
    return [{**edge, **_protection(by_edge.get((edge["caller"], edge["callee"])))} for edge in edges]


def protected(reader: Reader, window: Window, env: str) -> dict[str, bool]:
    """Return for each caller whether all that it calls in *window* is behind a breaker of its."""
    states, pairs = reader.together(
        lambda each: breaker_reads.states(each, window, Chosen(env=env)),
        lambda each: edge_reads.pairs(each, window, env),
    )
    by_edge = _by_edge(states)
    found: dict[str, bool] = {}
    for caller, callee in pairs:
        found[caller] = found.get(caller, True) and bool(
            _protection(by_edge.get((caller, callee)))["protected"]
        )
    return found


def _by_edge(states: Iterable[BreakerState]) -> Mapping[tuple[str, str], BreakerState]:
    """Give the breaker of each (caller, callee), by its name or target: of several the one that protects, and of those the one that tells most."""
    by_edge: dict[tuple[str, str], BreakerState] = {}
    for state in sorted(states, key=lambda each: _TELLS_MOST_LAST.index(each.state)):
        for name in (state.breaker, state.target):
            by_edge[state.service, name] = state
    return by_edge


def _protection(state: BreakerState | None) -> Row:
    if state is None:
        return {"breaker": None, "protected": False}
    return {
        "breaker": {"name": state.breaker, "state": state.state},
        "protected": state.state not in _IDLE_STATES,
    }


def _services(rows: Iterable[Row]) -> dict[str, Row]:
    """Give one row per service name: of several environments the one that is worst off."""
    worst_last = sorted(rows, key=lambda row: _WORST[row["health"]], reverse=True)
    return {row["service"]: row for row in worst_last}


def _kind(name: str, protocol: str, callers: set[str]) -> str:
    # only a consumer's span makes something that is no service a caller: its queue
    if name in callers:
        return "queue"
    return "external" if protocol in _CALLED else "database"


def _node(name: str, kind: str, row: Row) -> Row:
    numbers = {number: row.get(number) for number in _NUMBERS}
    kept = {field: row.get(field, NOT_SAMPLED[field]) for field in NOT_SAMPLED}
    return {
        "id": name,
        "service": name,
        "kind": kind,
        "health": row.get("health", "unknown"),
        **numbers,
        **kept,
    }
