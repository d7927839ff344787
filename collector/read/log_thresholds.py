"""How many records match a search, by the values of some fields."""

from __future__ import annotations

from collections.abc import Sequence

from collector.read.log_counts import facet_value
from collector.read.logs import Slice
from collector.read.sql import Reader

# Groups of one rule.
GROUPS = 10_000

_COUNTED = """
SELECT {values} AS group, count() AS records
FROM logs
WHERE occurred_at >= {{start:DateTime64(9, 'UTC')}} AND occurred_at < {{end:DateTime64(9, 'UTC')}}
  AND toStartOfMinute(occurred_at) >= toStartOfMinute({{start:DateTime64(9, 'UTC')}}) AND toStartOfMinute(occurred_at) <= toStartOfMinute({{end:DateTime64(9, 'UTC')}})
  AND ({{env:String}} = '' OR env = {{env:String}})
  AND {search}
GROUP BY group
ORDER BY records DESC, group
LIMIT {{limit:UInt32}}
"""


def counted(reader: Reader, chosen: Slice, by: Sequence[str]) -> list[tuple[tuple[str, ...], int]]:
    """Return (values of the fields *by*, records), the most first; of no fields one group, counted even if it is empty."""
    values, params = [], {}
    for number, field in enumerate(by):
        value, _ = facet_value(field)
        values.append(f"toString({value.replace('{field:String}', f'{{by{number}:String}}')})")
        params[f"by{number}"] = field
    sql = _COUNTED.format(values=f"[{', '.join(values)}]", search=chosen.search.sql)
    rows = reader.rows(sql, {**chosen.params(), **params, "limit": GROUPS})
    found = [(tuple(row["group"]), int(row["records"])) for row in rows]
    return found or ([] if by else [((), 0)])
