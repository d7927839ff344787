"""Versions: when each was first and last seen."""

from __future__ import annotations

from collector.query.window import Window
from collector.read.sql import Reader, Row

_DEPLOYS = """
SELECT service, env, version, min(d.first_seen) AS began, max(d.last_seen) AS ended
FROM deploys AS d
WHERE ({env:String} = '' OR env = {env:String}) AND ({service:String} = '' OR service = {service:String})
GROUP BY service, env, version
HAVING ended >= {start:DateTime64(9, 'UTC')} AND began < {end:DateTime64(9, 'UTC')}
ORDER BY began DESC, service, version
LIMIT {limit:UInt32}
"""


def deploys(reader: Reader, window: Window, env: str, service: str, limit: int) -> list[Row]:
    """Return ``{service, env, version, first_seen, last_seen}`` of the versions seen in *window*, newest first."""
    rows = reader.rows(_DEPLOYS, {**window.params(), "env": env, "service": service, "limit": limit})
    return [
        {
            **{name: row[name] for name in ("service", "env", "version")},
            "first_seen": row["began"],
            "last_seen": row["ended"],
        }
        for row in rows
    ]
