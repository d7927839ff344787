"""A real engine with the real schema, and rows as the loader would leave them."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from collector.engine.process import Engine
from collector.store.client import Store
from collector.store.migrate import migrate

NOW_NS = 1_795_000_000 * 10**9  # 2026-11-18T11:06:40Z, what the tests call now
_DEADLINE_S = 60


@pytest.fixture(scope="session")
def store(tmp_path_factory) -> Iterator[Store]:
    """A migrated, empty database."""
    engine = Engine(tmp_path_factory.mktemp("engine") / "db")
    engine.start()
    store = Store(engine.target)
    deadline = time.monotonic() + _DEADLINE_S
    while engine.state.state != "up":
        assert time.monotonic() < deadline, engine.state
        time.sleep(0.02)
    migrate(store)
    yield store
    engine.stop()
    engine._child.stdout.close()


def at(seconds: float) -> str:
    """The time *seconds* after the tests' now, as ClickHouse reads it."""
    from collector.query.window import sql_time

    return sql_time(NOW_NS + round(seconds * 1e9))


def log(seconds: float, body: str, **fields: Any) -> dict[str, Any]:
    """One row of `logs`, *seconds* after now."""
    row = {
        "occurred_at": at(seconds),
        "observed_at": at(seconds),
        "service": "checkout",
        "env": "demo",
        "severity": "info",
        "severity_number": 9,
        "body": body,
        "trace_id": "",
        "span_id": "",
        "attributes": {},
        "resource": {},
        "batch_id": "b",
        "line": 0,
        "retention_days": 3000,
    }
    return {**row, **fields}


def span(seconds: float, service: str, name: str, **fields: Any) -> dict[str, Any]:
    """One row of `spans`, *seconds* after now."""
    row = {
        "start": at(seconds),
        "duration_ns": 10_000_000,
        "trace_id": "t" * 32,
        "span_id": "s" * 16,
        "parent_span_id": "",
        "service": service,
        "env": "demo",
        "name": name,
        "kind": "server",
        "status": "ok",
        "status_message": "",
        "attributes": {},
        "resource": {},
        "events": [],
        "links": [],
        "observed_at": at(seconds),
        "batch_id": "sb",
        "retention_days": 3000,
    }
    return {**row, **fields}


def transition(seconds: float, service: str, breaker: str, change: str, **fields: Any) -> dict[str, Any]:
    """One row of `breaker_transitions`; *change* is ``closed>open``."""
    from_state, to_state = change.split(">")
    row = {
        "at": at(seconds),
        "service": service,
        "env": "demo",
        "breaker": breaker,
        "target": breaker,
        "instance": f"{service}-1",
        "from_state": from_state,
        "to_state": to_state,
        "reason": "",
        "derived": False,
        "trace_id": "",
        "span_id": "",
        "observed_at": at(seconds),
        "batch_id": "tb",
        "source": "post",
        "retention_days": 3000,
    }
    return {**row, **fields}


_FED_BY = {
    "breaker_transitions": ("breaker_instances", "breaker_hours"),
    "logs": ("log_minutes", "deploys", "descriptions", "batch_rows", "breaker_transitions", "breaker_instances", "breaker_hours"),
    "spans": ("trace_index", "service_minutes", "edge_minutes", "endpoint_usage", "database_usage", "queue_minutes", "deploys", "descriptions", "batch_rows", "breaker_transitions", "breaker_instances", "breaker_hours"),
}  # fmt: skip


class Counting:
    """The real store, and what it was asked."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.asked: list[str] = []

    def query(self, sql: str, *more: Any) -> Any:
        """Note and pass on."""
        self.asked.append(sql)
        return self._store.query(sql, *more)


class Filler:
    """Inserts rows, and remembers which tables to empty."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._filled: set[str] = set()

    def __call__(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert *rows* once; each may have columns of its own."""
        self._filled |= {table, *_FED_BY.get(table, ())}
        for columns in {tuple(row) for row in rows}:
            alike = [row for row in rows if tuple(row) == columns]
            self._store.insert(table, alike, f"{table}-{time.time_ns()}")

    def empty(self) -> None:
        """Truncate what was filled, rollups included."""
        for table in self._filled:
            self._store.command(f"TRUNCATE TABLE {table}")
        self._filled.clear()
