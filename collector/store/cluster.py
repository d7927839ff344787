"""
Cluster mode: the schema's statements as a ClickHouse cluster takes them, made from the same text.

| in ``schema/`` | on a cluster |
|---|---|
| ``CREATE TABLE t … ENGINE = MergeTree`` | ``t_local``, Replicated, on every node; and ``t``, ``Distributed`` over them |
| ``CREATE TABLE t … ENGINE = Null`` | ``t_local`` on every node: nothing is asked of it, and INSERTs name that |
| ``CREATE MATERIALIZED VIEW v TO t … FROM s`` | ``v`` from ``s_local`` into ``t_local``: a block is rolled up where it was written |
| ``ALTER TABLE t … COLUMN`` | both; other ALTERs of a table: ``t_local`` |
| ``DROP TABLE t`` | both, and gone from the keeper before the next statement |
| ``schema_versions`` | one table replicated to all nodes of all shards |

``ON CLUSTER`` stands in each. Questions name ``t`` and reach all shards; INSERTs name ``t_local``, because only there a deduplication token
means one block of one shard (ADR 0021). Each shard's macros ``{shard}`` and ``{replica}`` are ClickHouse's own.

Source: https://clickhouse.com/docs/engines/table-engines/mergetree-family/replication, …/engines/table-engines/special/distributed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from collector.errors import FuseboardError

# A token is remembered while it is among so many of its table and shard, or for so long: seven days is the longest outage that is promised.
DEDUPLICATION_S = 7 * 86_400
# A question that reads two Distributed tables, or one twice: the inner one is asked once and its rows are sent to all shards.
QUERY_SETTINGS: Mapping[str, object] = {"distributed_product_mode": "global"}
_EVERYWHERE = frozenset({"schema_versions"})

_TABLE = re.compile(r"\ACREATE TABLE IF NOT EXISTS (\w+)")
_VIEW = re.compile(r"\ACREATE MATERIALIZED VIEW IF NOT EXISTS (\w+) TO (\w+)")
_ALTER = re.compile(r"\AALTER TABLE (\w+)")
_DROP = re.compile(r"\ADROP (TABLE|VIEW) IF EXISTS (\w+)\Z")
_ENGINE = re.compile(r"^ENGINE = (\w*MergeTree)(?:\(([^()]*)\))?", re.MULTILINE)
_ENTRY = re.compile(r"^ENGINE = Null\Z", re.MULTILINE)
_WINDOW = re.compile(r"\bnon_replicated_deduplication_window = (\d+)")
_FROM = re.compile(r"^FROM (\w+)", re.MULTILINE)
_COLUMN = re.compile(r"\A(?:ADD|DROP|MODIFY|RENAME) COLUMN\b")
_INSERT = re.compile(r"^(INSERT INTO )(?!FUNCTION\b)(\w+)", re.MULTILINE)


def local(table: str) -> str:
    """Return the name of the table that holds the rows of *table* on one shard."""
    return f"{table}_local"


def local_insert(sql: str) -> str:
    """Return an INSERT into *t*, comments before it or not, as one into ``t_local``; other statements as they are."""
    return _INSERT.sub(lambda found: found[1] + local(found[2]), sql, count=1)


def render(statement: str, cluster: str, database: str) -> list[str]:
    """
    Return *statement* of the schema as the statements that do the same on *cluster*.

    Args:
        statement: One statement, comments left out.
        cluster: Name of the cluster in ClickHouse's configuration.
        database: Where the tables are, on every node.

    Raises:
        FuseboardError: A form that nobody has taught this function: better than a table that exists on one node.
    """
    on = f"ON CLUSTER '{cluster}'"
    if found := _TABLE.match(statement):
        return _table(statement, found[1], on, cluster, database)
    if found := _VIEW.match(statement):
        head = f"CREATE MATERIALIZED VIEW IF NOT EXISTS {found[1]} {on} TO {local(found[2])}"
        return [head + _from_local(statement[found.end() :])]
    if found := _ALTER.match(statement):
        return _altered(statement[found.end() :].lstrip(), found[1], on)
    if found := _DROP.match(statement):
        names = [local(found[2]), found[2]] if found[1] == "TABLE" else [found[2]]
        return [f"DROP {found[1]} IF EXISTS {one} {on} SYNC" for one in names]
    raise FuseboardError("schema_unknown_form", f"not renderable for a cluster: {statement[:80]!r}")


def _table(statement: str, name: str, on: str, cluster: str, database: str) -> list[str]:
    if _ENTRY.search(statement):
        return [f"CREATE TABLE IF NOT EXISTS {local(name)} {on}{_TABLE.sub('', statement, count=1)}"]
    everywhere = name in _EVERYWHERE
    path, replica = (
        ("/clickhouse/tables/all/{database}/{table}", "{shard}-{replica}")
        if everywhere
        else ("/clickhouse/tables/{shard}/{database}/{table}", "{replica}")
    )
    made, engines = _ENGINE.subn(
        lambda found: (
            f"ENGINE = Replicated{found[1]}('{path}', '{replica}'{', ' + found[2] if found[2] else ''})"
        ),
        statement,
    )
    if engines != 1:
        raise FuseboardError("schema_unknown_form", f"no engine of the MergeTree family in table {name}")
    windows = (
        rf"replicated_deduplication_window = \1, replicated_deduplication_window_seconds = {DEDUPLICATION_S}"
    )
    body = _TABLE.sub("", _WINDOW.sub(windows, made), count=1)
    if everywhere:
        return [f"CREATE TABLE IF NOT EXISTS {name} {on}{body}"]
    return [
        f"CREATE TABLE IF NOT EXISTS {local(name)} {on}{body}",
        f"CREATE TABLE IF NOT EXISTS {name} {on} AS {local(name)}\nENGINE = Distributed('{cluster}', '{database}', '{local(name)}')",
    ]


def _altered(change: str, name: str, on: str) -> list[str]:
    if change.startswith("MODIFY QUERY"):
        return [f"ALTER TABLE {name} {on} {_from_local(change)}"]
    names = [local(name), name] if _COLUMN.match(change) else [local(name)]
    return [f"ALTER TABLE {one} {on} {change}" for one in names]


def _from_local(select: str) -> str:
    """Read the local table under its old name, which the view's expressions may say."""
    made, sources = _FROM.subn(lambda found: f"FROM {local(found[1])} AS {found[1]}", select)
    if sources != 1:
        raise FuseboardError("schema_unknown_form", "a view names its one table at the start of a line")
    return made
