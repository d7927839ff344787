"""The promise made to a remote_write 1.0 sender: ``POST /api/v1/write`` (or ``/api/v1/push``), 204."""

from __future__ import annotations

from typing import Any

from collector.formats import prometheus
from collector.receive.protocol import Judged

_GATHERED = """
message Request { Series timeseries = 1; }
message Series { repeated bytes exemplars = 3; repeated bytes histograms = 4; }
"""


def look(request: Any, gathered: Any) -> Judged:
    """Count series and families; samples are counted by ClickHouse. Metadata alone carries no time."""
    series, families = len(request.timeseries), len(request.metadata)
    told = gathered.timeseries
    lacks = prometheus.lacking(len(told.histograms), families, len(told.exemplars))
    return Judged(series + families, timed=series > 0, lacks=lacks)


PROTOCOL = prometheus.protocol(
    "remote_write",
    ("application/x-protobuf", "application/x-protobuf;proto=prometheus.WriteRequest"),
    look,
    _GATHERED,
    prometheus.respond,
)
