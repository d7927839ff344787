"""Whether the services that a series came from are still heard of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from collector.query.matchers import Chosen
from collector.query.window import parse_time, sql_time
from collector.read.sql import Reader

# Services per label set; a sum over more of them says little about any one.
_SOURCES = 1000

# `wanted` holds label sets: a series fits one if no label of both differs.
_HEARD = """
WITH JSONExtract({{wanted:String}}, 'Array(Map(String, String))') AS wanted
SELECT number, min(last) AS heard
FROM
(
    SELECT number, service, env, max(at) AS last
    FROM
    (
        SELECT DISTINCT number, s.service AS service, s.env AS env
        FROM metric_series AS s
        ARRAY JOIN arrayEnumerate(wanted) AS number
        WHERE ({chosen}) AND s.series_id != cityHash64('metadata', s.service, s.env, s.name)
          AND s.last_seen >= {{began:DateTime64(9, 'UTC')}}
          AND NOT arrayExists(x -> wanted[number][x.1] NOT IN ('', x.2), CAST(s.labels, 'Array(Tuple(String, String))'))
        LIMIT {{sources:UInt32}}
    ) AS sources
    LEFT JOIN
    (
        SELECT service, env, max(l.last_at) AS at FROM log_minutes AS l WHERE minute >= toDateTime({{since:DateTime64(9, 'UTC')}}) - 60 GROUP BY service, env
        UNION ALL
        SELECT service, env, max(m.last_at) AS at FROM service_minutes AS m WHERE minute >= toDateTime({{since:DateTime64(9, 'UTC')}}) - 60 GROUP BY service, env
        UNION ALL
        SELECT service, env, toDateTime64(max(r.last_seen), 9, 'UTC') AS at FROM metric_series AS r WHERE r.last_seen >= {{since:DateTime64(9, 'UTC')}} GROUP BY service, env
    ) AS heard USING (service, env)
    GROUP BY number, service, env
)
GROUP BY number
LIMIT {{sources:UInt32}}
"""


def last_heard(
    reader: Reader, chosen: Chosen, wanted: Sequence[Mapping[str, str]], began_ns: int, since_ns: int
) -> dict[int, int]:
    """
    Say when the sources of series were last heard of, by any record, span or sample.

    Args:
        reader: The store.
        chosen: Which series.
        wanted: Label sets that narrow them, each by itself.
        began_ns: Series seen since then have sources.
        since_ns: How far back to listen.

    Returns:
        By index in *wanted*, where there are sources: nanoseconds since the epoch when the most silent of them was heard; 0 = not since then.
    """
    params = {
        **chosen.params,
        "wanted": json.dumps([dict(labels) for labels in wanted]),
        "began": sql_time(max(began_ns, 0)),
        "since": sql_time(max(since_ns, 0)),
        "sources": _SOURCES,
    }
    rows = reader.rows(_HEARD.format(chosen=chosen.sql), params)
    return {row["number"] - 1: parse_time(row["heard"], "heard", 0) for row in rows}
