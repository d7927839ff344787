"""What there is: endpoints with who uses them, versions with when they were seen."""

from __future__ import annotations

from collector.query.window import Window
from collector.read.sql import Reader, Row

_ENDPOINTS = """
SELECT service, env, method, route, version, sum(u.calls) AS calls, sum(u.errors) AS errors, max(u.last_at) AS last_call
FROM endpoint_usage AS u
WHERE hour >= toStartOfHour({start:DateTime64(9, 'UTC')}) AND hour < {end:DateTime64(9, 'UTC')}
  AND ({env:String} = '' OR env = {env:String}) AND ({service:String} = '' OR service = {service:String})
GROUP BY service, env, method, route, version
ORDER BY service, env, route, method, version
LIMIT {limit:UInt32}
"""


def endpoints(reader: Reader, window: Window, env: str, service: str, limit: int) -> list[Row]:
    """Return ``{service, env, method, route, version, calls, errors, last_call}``; whole hours count."""
    return reader.rows(_ENDPOINTS, {**window.params(), "env": env, "service": service, "limit": limit})


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
