"""Versions: when each was first and last seen."""

from __future__ import annotations

from collections.abc import Sequence

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


_HISTORY = """
SELECT service, env, groupArray((seen.version, seen.began)) AS versions
FROM (
    SELECT service, env, version, toUnixTimestamp64Nano(min(d.first_seen)) AS began
    FROM deploys AS d
    WHERE service IN {services:Array(String)}
    GROUP BY service, env, version
    ORDER BY began DESC
    LIMIT 200 BY service, env
) AS seen
GROUP BY service, env
LIMIT 5000
"""


def history(reader: Reader, services: Sequence[str]) -> dict[tuple[str, str], list[tuple[str, int]]]:
    """Return ``(version, first seen in nanoseconds since the epoch)`` by service and env, the newest 200 first."""
    rows = reader.rows(_HISTORY, {"services": list(services)})
    return {
        (row["service"], row["env"]): sorted(
            ((version, began) for version, began in row["versions"]), key=lambda each: -each[1]
        )
        for row in rows
    }
