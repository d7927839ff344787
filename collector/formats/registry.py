"""The protocols this collector speaks, in one list: adding a folder here is all that adds a protocol."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from collector.formats.breakers.receive import PROTOCOL as BREAKERS
from collector.formats.collectd.receive import PROTOCOL as COLLECTD
from collector.formats.elasticsearch.receive import PROTOCOL as ELASTICSEARCH
from collector.formats.exposition.receive import PROTOCOL as EXPOSITION
from collector.formats.fluent_forward.receive import PROTOCOL as FLUENT_FORWARD
from collector.formats.hec.receive import PROTOCOL as HEC
from collector.formats.hec_raw.receive import PROTOCOL as HEC_RAW
from collector.formats.lines.receive import PROTOCOL as LINES
from collector.formats.loki.receive import PROTOCOL as LOKI
from collector.formats.loki_json.receive import PROTOCOL as LOKI_JSON
from collector.formats.otlp_logs.receive import PROTOCOL as OTLP_LOGS
from collector.formats.otlp_logs_json.receive import PROTOCOL as OTLP_LOGS_JSON
from collector.formats.otlp_metrics.receive import PROTOCOL as OTLP_METRICS
from collector.formats.otlp_metrics_json.receive import PROTOCOL as OTLP_METRICS_JSON
from collector.formats.otlp_traces.receive import PROTOCOL as OTLP_TRACES
from collector.formats.otlp_traces_json.receive import PROTOCOL as OTLP_TRACES_JSON
from collector.formats.remote_write.receive import PROTOCOL as REMOTE_WRITE
from collector.formats.remote_write_v2.receive import PROTOCOL as REMOTE_WRITE_V2
from collector.formats.reports.receive import PROTOCOL as REPORTS
from collector.formats.syslog.receive import PROTOCOL as SYSLOG
from collector.formats.zipkin.receive import PROTOCOL as ZIPKIN
from collector.load.loader import Group
from collector.load.mapping import read_mappings
from collector.receive.protocol import Protocol

PROTOCOLS: tuple[Protocol, ...] = (
    LINES,
    LOKI,
    LOKI_JSON,
    ELASTICSEARCH,
    HEC,
    HEC_RAW,
    SYSLOG,
    FLUENT_FORWARD,
    OTLP_LOGS,
    OTLP_LOGS_JSON,
    OTLP_TRACES,
    OTLP_TRACES_JSON,
    OTLP_METRICS,
    OTLP_METRICS_JSON,
    EXPOSITION,
    COLLECTD,
    ZIPKIN,
    REMOTE_WRITE,
    REMOTE_WRITE_V2,
    BREAKERS,
    REPORTS,
)


# What the views behind a table that keeps nothing fill (store/schema/020_metric_entries.sql).
BEHIND = {"metric_entries": ("metric_series", "metric_samples")}


def groups_that_fill(table: str) -> frozenset[str]:
    """Return the groups whose segments become rows of *table*, by themselves or through the views behind an entry."""
    statements = {table, *(entry for entry, filled in BEHIND.items() if table in filled)}
    return frozenset(protocol.group for protocol in PROTOCOLS if statements & set(protocol.tables))


def groups_of(signals: Collection[str]) -> frozenset[str]:
    """Return the groups whose segments hold one of *signals*."""
    return frozenset(protocol.group for protocol in PROTOCOLS if protocol.signal in signals)


def groups() -> dict[str, Group]:
    """Return the loader's groups: each protocol's folder read once."""
    here = Path(__file__).parent
    return {p.group: Group(p.group, read_mappings(here / p.name, p.tables), p.signal) for p in PROTOCOLS}
