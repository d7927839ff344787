"""Databases: who uses which, and which of their tables: what two services share neither can change alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from collector.query.window import Window
from collector.read.sql import Reader, Row

# Words that change what others read. Everything else is taken for reading.
_WRITES = frozenset({
    "INSERT", "UPDATE", "DELETE", "UPSERT", "REPLACE", "MERGE", "TRUNCATE", "CREATE", "ALTER", "DROP",
    "SET", "DEL", "HSET", "LPUSH", "RPUSH", "ZADD", "SADD", "INCR", "EXPIRE", "INSERTONE", "INSERTMANY",
    "UPDATEONE", "UPDATEMANY", "DELETEONE", "DELETEMANY", "FINDANDMODIFY", "PUTITEM", "UPDATEITEM",
    "DELETEITEM", "INDEX", "BULK",
})  # fmt: skip

_USAGE = """
SELECT env, system, namespace, groupUniqArray(20)(server) AS servers, collection, operation, service,
       sum(u.calls) AS calls, sum(u.errors) AS errors, sum(u.duration_ns_sum) AS duration_ns, max(u.last_at) AS last_call
FROM database_usage AS u
WHERE hour >= toStartOfHour({start:DateTime64(9, 'UTC')}) AND hour < {end:DateTime64(9, 'UTC')}
  AND ({env:String} = '' OR env = {env:String})
GROUP BY env, system, namespace, if(namespace = '', server, '') AS alone, collection, operation, service
ORDER BY env, system, namespace, alone, collection, service, operation
LIMIT 50000
"""


def databases(reader: Reader, window: Window, env: str) -> list[Row]:
    """
    Return every database that spans name, the shared ones first.

    Returns:
        ``{env, system, namespace, servers, shared, finding, services, tables}``: *services* ``{service, calls, writes, errors, mean_ms,
        last_call}``, the busiest first; *tables* ``{table, shared, services, writers}``; *finding* a sentence, or None where one
        service has it for itself. A database without a name is known by its server.
    """
    by_database: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in reader.rows(_USAGE, {**window.params(), "env": env}):
        server = "" if row["namespace"] else next(iter(row["servers"]), "")
        by_database[row["env"], row["system"], row["namespace"], server].append(row)
    found = [_database(rows) for rows in by_database.values()]
    return sorted(
        found, key=lambda it: (not it["shared"], it["env"], it["system"], it["namespace"], it["servers"])
    )


def _database(rows: Sequence[Row]) -> Row:
    services = _services(rows)
    tables = _tables(rows)
    shared = len(services) > 1
    return {
        **{name: rows[0][name] for name in ("env", "system", "namespace")},
        "servers": sorted({server for row in rows for server in row["servers"] if server}),
        "shared": shared,
        "finding": _finding(services, tables) if shared else None,
        "services": services,
        "tables": tables,
    }


def _services(rows: Iterable[Row]) -> list[Row]:
    by_service: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_service[row["service"]].append(row)
    found = []
    for service, its in by_service.items():
        calls = sum(row["calls"] for row in its)
        found.append({
            "service": service,
            "calls": calls,
            "writes": sum(row["calls"] for row in its if row["operation"] in _WRITES),
            "errors": sum(row["errors"] for row in its),
            "mean_ms": round(sum(row["duration_ns"] for row in its) / calls / 1e6, 3),
            "last_call": max(row["last_call"] for row in its),
        })  # fmt: skip
    return sorted(found, key=lambda row: (-row["calls"], row["service"]))


def _tables(rows: Iterable[Row]) -> list[Row]:
    users: dict[str, set[str]] = defaultdict(set)
    writers: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row["collection"]:
            users[row["collection"]].add(row["service"])
            if row["operation"] in _WRITES:
                writers[row["collection"]].add(row["service"])
    found = [
        {
            "table": table,
            "shared": len(services) > 1,
            "services": sorted(services),
            "writers": sorted(writers[table]),
        }
        for table, services in users.items()
    ]
    return sorted(found, key=lambda row: (not row["shared"], -len(row["writers"]), row["table"]))


def _finding(services: Sequence[Row], tables: Sequence[Row]) -> str:
    names = ", ".join(sorted(row["service"] for row in services))
    contested = [row["table"] for row in tables if len(row["writers"]) > 1]
    shared = [row["table"] for row in tables if row["shared"]]
    if contested:
        return f"{names} share this database, and several of them write {', '.join(contested)}: none can change it alone"
    if shared:
        return (
            f"{names} share this database and its {', '.join(shared)}: a change for one is a change for all"
        )
    return f"{names} share this database, though no table of it: one's load is the other's latency"
