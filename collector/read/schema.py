"""Which tables and columns statements of people may read, for those who write them."""

from __future__ import annotations

from collector.read.sql import Reader, Row

_COLUMNS = """
SELECT table, groupArray(name) AS names, groupArray(type) AS types
FROM (SELECT table, name, type FROM system.columns
      WHERE database = currentDatabase() AND NOT startsWith(table, '.') AND NOT endsWith(table, '_mv')
      ORDER BY table, position)
GROUP BY table
ORDER BY table
LIMIT 500
"""


def tables(reader: Reader) -> list[Row]:
    """Return ``{table, columns: [{name, type}]}`` by name."""
    return [
        {
            "table": row["table"],
            "columns": [
                {"name": name, "type": kind} for name, kind in zip(row["names"], row["types"], strict=True)
            ],
        }
        for row in reader.rows(_COLUMNS)
    ]
