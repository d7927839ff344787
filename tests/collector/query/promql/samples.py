"""Series as the loader would leave them, from (seconds, value) pairs."""

import itertools
import struct
import time
from collections.abc import Iterable, Sequence
from typing import Any

from collector.query.promql.grid import sql_ms
from collector.store.client import Store

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]


def stale(value: float) -> bool:
    """Whether *value* has the bits of Prometheus' stale marker."""
    return struct.pack("<d", value) == struct.pack("<d", STALE)


class SamplesFiller:
    """Inserts series and their samples, and empties the tables again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ids = itertools.count(1)

    def __call__(
        self,
        name: str,
        samples: Sequence[tuple[float, float]],
        labels: dict[str, str] | None = None,
        **columns: Any,
    ) -> None:
        """Insert one series; *columns* are those of `metric_series`."""
        series_id = columns.pop("series_id", next(self._ids))
        times = [at for at, _ in samples]
        row = {
            "series_id": series_id, "name": name, "type": "gauge", "unit": "", "temporality": "", "service": "", "env": "",
            "labels": labels or {}, "help": "", "original_name": name,
            "first_seen": sql_ms(round(min(times) * 1000)), "last_seen": sql_ms(round(max(times) * 1000)),
        }  # fmt: skip
        self._store.insert("metric_series", [{**row, **columns}], f"series-{time.time_ns()}")
        self._samples(series_id, samples)

    def _samples(self, series_id: int, samples: Iterable[tuple[float, float]]) -> None:
        rows = ",".join(
            f"({series_id}, '{sql_ms(round(at * 1000))}', reinterpretAsFloat64({struct.unpack('<Q', struct.pack('<d', value))[0]}::UInt64), 3000)"
            for at, value in samples
        )
        self._store.command(
            "INSERT INTO metric_samples (series_id, at, value, retention_days) SELECT * FROM VALUES("
            f"'series_id UInt64, at DateTime64(3, \\'UTC\\'), value Float64, retention_days UInt16', {rows})"
        )

    def empty(self) -> None:
        """Forget everything."""
        for table in ("metric_series", "metric_samples"):
            self._store.command(f"TRUNCATE TABLE {table}")
