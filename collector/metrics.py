"""
The collector's own metrics, served at ``/metrics``: one class per part, each metric with its help.

Names follow ``fuseboard_<component>_<what>_<unit>_total``; what is given up carries a ``reason`` or ``code``.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class ReceiveMetrics:
    """What came in over HTTP."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "fuseboard_receive_requests",
            "Ingest requests answered, by format and status.",
            ["format", "status"],
            registry=registry,
        )
        self._bytes = Counter(
            "fuseboard_receive_bytes", "Decompressed bytes accepted.", ["format"], registry=registry
        )
        self._records = Counter(
            "fuseboard_receive_records",
            "Records accepted, as counted in the body.",
            ["format"],
            registry=registry,
        )
        self._rejected = Counter(
            "fuseboard_receive_rejected_records",
            "Records left out of requests whose others were accepted: OTLP's partial success.",
            ["format"],
            registry=registry,
        )
        self._duplicates = Counter(
            "fuseboard_receive_deduplicated_batches",
            "Repeats that got their first answer.",
            ["format"],
            registry=registry,
        )
        self.repeats: dict[str, int] = {}
        self._errors = Counter(
            "fuseboard_receive_errors",
            "Requests rejected or refused, by error code.",
            ["format", "code"],
            registry=registry,
        )
        self._seconds = Histogram(
            "fuseboard_receive_seconds",
            "From the request to its answer, fsync included.",
            ["format"],
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5),
            registry=registry,
        )

    def answered(self, name: str, status: int, seconds: float) -> None:
        """Count one answer."""
        self._requests.labels(name, str(status)).inc()
        self._seconds.labels(name).observe(seconds)

    def accepted(self, name: str, size: int, records: int, rejected: int = 0) -> None:
        """Count one batch made durable, and the records that were left out of it."""
        self._bytes.labels(name).inc(size)
        if rejected:
            self._rejected.labels(name).inc(rejected)
        self._records.labels(name).inc(records)

    def deduplicated(self, name: str) -> None:
        """Count one repeat."""
        self._duplicates.labels(name).inc()
        self.repeats[name] = self.repeats.get(name, 0) + 1

    def refused(self, name: str, code: str) -> None:
        """Count one error by its slug."""
        self._errors.labels(name, code).inc()


class LoadMetrics:
    """What went from the journal into ClickHouse."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.segments = Counter(
            "fuseboard_load_segments", "Segments every table holds.", ["group"], registry=registry
        )
        self.bytes = Counter(
            "fuseboard_load_raw_bytes", "Decompressed bytes of those segments.", ["group"], registry=registry
        )
        self.seconds = Histogram(
            "fuseboard_load_seconds",
            "From taking a segment to its last table.",
            ["group"],
            buckets=(0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60),
            registry=registry,
        )
        self.retries = Counter(
            "fuseboard_load_retries",
            "Loads repeated under the same token, by reason.",
            ["group", "reason"],
            registry=registry,
        )
        self.quarantined = Counter(
            "fuseboard_load_quarantined_batches",
            "Batches the data itself made unloadable.",
            ["group"],
            registry=registry,
        )


class JournalMetrics:
    """How full the journal is."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.bytes = Gauge(
            "fuseboard_journal_bytes", "Bytes of segments not yet in ClickHouse.", registry=registry
        )
        self.max_bytes = Gauge(
            "fuseboard_journal_max_bytes", "Beyond this, requests are refused with 429.", registry=registry
        )
        self.waiting = Gauge(
            "fuseboard_journal_segments_waiting", "Sealed segments waiting for ClickHouse.", registry=registry
        )
        self.damaged = Gauge(
            "fuseboard_journal_damaged_segments",
            "Segments set aside as .damaged because the disk had not kept them, for a person to look at.",
            registry=registry,
        )


class SyslogMetrics:
    """What became of messages whose sender cannot be told."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.dropped = Counter(
            "fuseboard_syslog_dropped_messages",
            "Messages that could not be kept, by reason: buffer_full (datagrams), or why the journal refused.",
            ["reason"],
            registry=registry,
        )
        self.cut = Counter(
            "fuseboard_syslog_cut_messages", "Messages over 1 MiB, kept as far as that.", registry=registry
        )


class FluentMetrics:
    """What was not taken of forward senders."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.refused = Counter(
            "fuseboard_fluent_refused_connections",
            "Connections of the forward protocol ended because of what they sent, or because the journal refused, by error code.",
            ["code"],
            registry=registry,
        )


class CanaryMetrics:
    """The collector's own numbered lines, sent through the front door and looked for in the tables."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.sent = Counter(
            "fuseboard_canary_sent", "Canary lines acknowledged since the start.", registry=registry
        )
        self.stored = Counter(
            "fuseboard_canary_stored", "Canary lines found in the tables since the start.", registry=registry
        )
        self.missing = Gauge(
            "fuseboard_canary_missing",
            "Canary lines of the last hour that were acknowledged and are not in the tables though all older ones are loaded.",
            registry=registry,
        )
        self.duplicated = Gauge(
            "fuseboard_canary_duplicated",
            "Canary lines of the last hour stored more than once.",
            registry=registry,
        )
        self.latency = Histogram(
            "fuseboard_canary_latency_seconds",
            "From a canary line's 2xx until it was found, in steps of half a second.",
            buckets=(1.5, 2, 2.5, 3, 5, 10, 30),
            registry=registry,
        )


class EngineMetrics:
    """ClickHouse: the embedded engine, or the server."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.up = Gauge("fuseboard_engine_up", "1 while ClickHouse answers.", registry=registry)
        self.restarts = Gauge(
            "fuseboard_engine_restarts_total",
            "Times the engine was started again, or the server was away.",
            registry=registry,
        )


class QueryMetrics:
    """Questions of API and pages."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.running = Gauge(
            "fuseboard_query_running_statements",
            "Statements of API and pages that run in ClickHouse.",
            registry=registry,
        )
        self.waiting = Gauge(
            "fuseboard_query_waiting_statements",
            "Statements of API and pages that wait for their turn (query_at_once).",
            registry=registry,
        )
        self.refused = Counter(
            "fuseboard_query_refused_statements",
            "Statements answered 503 queries_busy because too many waited or none ended in time.",
            registry=registry,
        )
        self.cancelled = Counter(
            "fuseboard_query_cancelled_statements",
            "Statements ended in ClickHouse because their client went away.",
            registry=registry,
        )


class DiskMetrics:
    """The embedded engine's share of the disk."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.bytes = Gauge(
            "fuseboard_disk_bytes",
            "Bytes of the embedded engine's tables, at the last look.",
            registry=registry,
        )
        self.free_bytes = Gauge(
            "fuseboard_disk_free_bytes",
            "Bytes free on the disk of data_dir, at the last look.",
            registry=registry,
        )
        self.dropped_bytes = Counter(
            "fuseboard_disk_dropped_bytes",
            "Bytes of partitions dropped before their time because there was no room, by table.",
            ["table"],
            registry=registry,
        )
        self.dropped_rows = Counter(
            "fuseboard_disk_dropped_rows", "Rows of those partitions.", ["table"], registry=registry
        )


class JobMetrics:
    """The watermark jobs."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.windows = Counter(
            "fuseboard_job_windows",
            "Windows that a watermark job has run, by job.",
            ["job"],
            registry=registry,
        )
        self.seconds = Counter(
            "fuseboard_job_seconds", "Time a watermark job took, by job.", ["job"], registry=registry
        )
        self.failures = Counter(
            "fuseboard_job_failures",
            "Windows that could not be run and will be tried again, by job.",
            ["job"],
            registry=registry,
        )
        self.lag_s = Gauge(
            "fuseboard_job_lag_seconds",
            "How long ago the last window of a watermark job ended, by job.",
            ["job"],
            registry=registry,
        )


class TailMetrics:
    """The live tail of log records."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.viewers = Gauge("fuseboard_tail_viewers", "Live tails that are watched now.", registry=registry)
        self.searches = Gauge("fuseboard_tail_searches", "Different searches among them.", registry=registry)
        self.records = Counter(
            "fuseboard_tail_records", "Log records sent to viewers of live tails.", registry=registry
        )
        self.skipped = Counter(
            "fuseboard_tail_skipped_records",
            "Log records left out of live tails because they were too many or the viewer too slow; viewers are told.",
            registry=registry,
        )
        self.seconds = Histogram(
            "fuseboard_tail_tick_seconds",
            "Reading what was stored since the last look, for all live tails.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
            registry=registry,
        )
