"""
Where a server keeps the rows: the schema's CREATE statements with a storage policy, and with a move of what is old.

``storage_policy`` names a policy of the server's own configuration (its disks may be S3 buckets); Fuseboard knows neither disks nor
credentials. With ``move_after_days`` each table that forgets by time also moves: parts go to a volume or disk of that policy when all their rows are older.
Only tables made from then on are made so: what a table is made with is not changed under its rows, and `elsewhere` says which those are.

Source: https://clickhouse.com/docs/engines/table-engines/mergetree-family/mergetree (storage_policy, TTL … TO VOLUME).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TABLE = re.compile(r"\ACREATE TABLE IF NOT EXISTS \w+")
_SETTINGS = re.compile(r"^SETTINGS ", re.MULTILINE)
_TTL = re.compile(r"^TTL (.+?) \+ toIntervalDay\(retention_days\)$", re.MULTILINE)
# The tables of ours in this database that are kept under another policy; those of the schema's own books have none.
ELSEWHERE = """
SELECT name, storage_policy
FROM system.tables
WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND name != 'schema_versions' AND storage_policy != {policy:String}
ORDER BY name
LIMIT 1000
"""


@dataclass(frozen=True, slots=True)
class Storage:
    """
    What is rendered into every table with rows.

    Attributes:
        policy: ``storage_policy`` of the server's configuration.
        move_after_days: Age in days at which parts move; ``None`` = they stay where the policy puts them.
        move_to: ``volume:<name>`` or ``disk:<name>`` of that policy.
    """

    policy: str
    move_after_days: int | None = None
    move_to: str = "volume:cold"

    def render(self, statement: str) -> str:
        """Return *statement* of the schema with the policy in it; what makes no table with settings, as it is."""
        if not _TABLE.match(statement) or not _SETTINGS.search(statement):
            return statement
        made = _SETTINGS.sub(f"SETTINGS storage_policy = '{self.policy}', ", statement, count=1)
        return made if self.move_after_days is None else _TTL.sub(self._moved, made)

    def _moved(self, ttl: re.Match[str]) -> str:
        kind, _, name = self.move_to.partition(":")
        move = f"{ttl[1]} + toIntervalDay({self.move_after_days}) TO {kind.upper()} '{name}'"
        return f"{ttl[0]} DELETE,\n    {move}"
