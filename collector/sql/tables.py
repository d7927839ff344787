"""
Which tables a statement may read: those of our schema, and the system tables that say what is there.

Not readable are the system tables that show what others ask, who they are, what the server is configured with, or its memory.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from collector.store.migrate import read_migrations

_CREATED = re.compile(r"CREATE (?:TABLE|MATERIALIZED VIEW|VIEW) IF NOT EXISTS (\w+)", re.IGNORECASE)
# What clickhouse-connect, Grafana's data source and DBeaver's driver read on connecting, and what a person looks at.
SYSTEM_TABLES = frozenset(
    {
        "aggregate_function_combinators",
        "columns",
        "data_skipping_indices",
        "data_type_families",
        "databases",
        "formats",
        "functions",
        "keywords",
        "numbers",
        "numbers_mt",
        "one",
        "parts",
        "settings",
        "table_engines",
        "table_functions",
        "tables",
        "time_zones",
        "zeros",
        "zeros_mt",
    }
)


@cache
def our_tables() -> frozenset[str]:
    """Return the tables and views of our schema, by name."""
    created = {name for migration in read_migrations() for name in _CREATED.findall(migration.text)}
    return frozenset(created | {"schema_versions"})


@dataclass(frozen=True, slots=True)
class Readable:
    """
    The readable tables, seen from the database a statement runs in.

    Attributes:
        ours: Name of our database.
        current: Where a name without a database lives.
    """

    ours: str
    current: str

    def database(self, name: str | None) -> bool:
        """Whether *name* is a database that may be looked at; ``None``: the current one."""
        return (name or self.current) in {self.ours, "system"}

    def table(self, database: str | None, name: str) -> bool:
        """Whether a table may be read."""
        if (database or self.current) == "system":
            return name in SYSTEM_TABLES
        return (database or self.current) == self.ours and name in our_tables()
