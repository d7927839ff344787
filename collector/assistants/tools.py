"""The tools: docstrings and descriptions are what an assistant chooses by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import Field

from collector.assistants.answers import written
from collector.terminal.metrics import series
from collector.terminal.plain import moment_s
from collector.terminal.remote import Found, Remote

Search = Annotated[
    str,
    Field(
        max_length=4000,
        description='Lucene-style search: service:checkout severity:>=error "connection refused" -path:"/health" status:[500 TO 599] user.id:42; '
        "AND OR NOT, parentheses, * and ?, /regex/, field:* (exists). Empty: everything.",
    ),
]
Start = Annotated[str, Field(max_length=64, description="RFC 3339, epoch, or relative: -15m, -2h, now-1d. Empty: one hour before end.")]  # fmt: skip
End = Annotated[str, Field(max_length=64, description="As start. Empty: now.")]
Env = Annotated[str, Field(max_length=256, description="Only this deployment environment. Empty: all.")]
Service = Annotated[str, Field(max_length=256, description="A service's name.")]
AnyService = Annotated[str, Field(max_length=256, description="Only this service. Empty: all.")]
Limit = Annotated[int, Field(ge=1, le=200, description="Most rows.")]
Cursor = Annotated[str, Field(max_length=4000, description="next_cursor of the answer before.")]


class Tools:
    """
    Questions to one collector.

    Args:
        remote: The collector.
        most_chars: Of an answer.
        most_rows: Of an answer, below the tools' own limits.
    """

    def __init__(self, remote: Remote, most_chars: int, most_rows: int) -> None:
        self._remote = remote
        self._most_chars = most_chars
        self._most_rows = most_rows

    def all(self) -> Sequence[Callable[..., str]]:
        """Return every tool."""
        return (
            self.search_logs, self.log_histogram, self.log_facets, self.log_patterns, self.log_context, self.search_traces, self.get_trace,
            self.services, self.service_health, self.service_map, self.causes, self.breakers, self.breaker_transitions, self.bulkheads, self.alerts, self.deploys, self.queues, self.gateway, self.hot, self.endpoints,
            self.databases, self.catalogue, self.ledger, self.pipeline, self.metric_names, self.promql, self.sql,
        )  # fmt: skip

    def search_logs(
        self,
        query: Search = "",
        start: Start = "",
        end: End = "",
        env: Env = "",
        limit: Limit = 30,
        cursor: Cursor = "",
    ) -> str:
        """Find log records, newest first: time, service, severity, body, attributes, trace_id. Count first with log_histogram or log_patterns where there may be many."""
        return self._asked("/logs", query=query, start=start, end=end, env=env, limit=limit, cursor=cursor)

    def log_histogram(
        self,
        query: Search = "",
        start: Start = "",
        end: End = "",
        env: Env = "",
        buckets: Annotated[int, Field(ge=1, le=120, description="About how many.")] = 30,
    ) -> str:
        """Count matching log records over time, by severity: shows when something began."""
        return self._asked("/logs/histogram", query=query, start=start, end=end, env=env, buckets=buckets)

    def log_facets(
        self,
        fields: Annotated[str, Field(max_length=1000, description="Comma-separated: service,severity or attributes like http.route")] = "service,severity",
        query: Search = "",
        start: Start = "",
        end: End = "",
        env: Env = "",
    ) -> str:  # fmt: skip
        """Give the commonest values of some fields among the matching log records, with counts."""
        return self._asked("/logs/facets", query=query, start=start, end=end, env=env, fields=fields)

    def log_patterns(
        self,
        query: Search = "",
        start: Start = "",
        end: End = "",
        env: Env = "",
        new_since: Annotated[str, Field(max_length=300, description="Mark what is new since a time, 'deploy' (the newest) or 'deploy:<version>'.")] = "",
        limit: Limit = 20,
    ) -> str:  # fmt: skip
        """Summarise what matching log records say: templates with counts, share, trend, worst severity, examples; the best first look at many records."""
        return self._asked("/logs/patterns", query=query, start=start, end=end, env=env, new_since=new_since, limit=limit)  # fmt: skip

    def log_context(
        self,
        record_id: Annotated[
            str, Field(max_length=300, description="id of a record that search_logs found.")
        ],
        before: Annotated[int, Field(ge=0, le=100, description="Older ones.")] = 10,
        after: Annotated[int, Field(ge=0, le=100, description="Newer ones.")] = 10,
    ) -> str:
        """Show a log record among its neighbours from the same source, oldest first."""
        return self._asked(f"/logs/{_segment(record_id)}/context", before=before, after=after)

    def search_traces(
        self,
        query: Search = "",
        service: AnyService = "",
        error: Annotated[bool | None, Field(description="true: only failed traces.")] = None,
        min_duration_ms: Annotated[float, Field(ge=0, le=1e9, description="Only those that took at least so long.")] = 0,
        start: Start = "",
        end: End = "",
        env: Env = "",
        limit: Limit = 20,
        cursor: Cursor = "",
    ) -> str:  # fmt: skip
        """Find traces, newest first; query is about attributes of a span. Then get_trace."""
        failed = "" if error is None else str(error).lower()
        return self._asked("/traces", query=query, service=service, error=failed, min_duration_ms=min_duration_ms or "", start=start, end=end, env=env, limit=limit, cursor=cursor)  # fmt: skip

    def get_trace(
        self, trace_id: Annotated[str, Field(max_length=64, description="32 hexadecimal digits.")]
    ) -> str:
        """Show one trace: spans (failed and critical ones first), operations, log records of all its services, and breaker transitions around it."""
        found = self._remote.get(f"/traces/{_segment(trace_id)}", {}, trace_id)
        return self._said(Found([_trace(row) for row in found.rows], "", found.warnings))

    def services(self, start: Start = "", end: End = "", env: Env = "") -> str:
        """List services with health, evidence, request rate, error ratio, latency and breakers: where to begin when something is wrong."""
        return self._asked("/services", start=start, end=end, env=env)

    def service_health(self, service: Service, start: Start = "", end: End = "", env: Env = "") -> str:
        """Show one service: health with evidence, its course over time, callers and callees with their breakers."""
        return self._asked(f"/services/{_segment(service)}", start=start, end=end, env=env)

    def service_map(self, start: Start = "", end: End = "", env: Env = "") -> str:
        """Show who calls whom, with rate, errors, latency and breaker of each edge."""
        return self._asked("/map", start=start, end=end, env=env)

    def breakers(self, service: AnyService = "", start: Start = "", end: End = "", env: Env = "") -> str:
        """Show every circuit breaker as it stands, open ones first: since when, per instance, why it opened (the first failing span) and who feels it."""
        return self._asked("/breakers", service=service, start=start, end=end, env=env)

    def breaker_transitions(
        self,
        service: AnyService = "",
        breaker: Annotated[str, Field(max_length=256, description="Only this breaker.")] = "",
        start: Start = "",
        end: End = "",
        env: Env = "",
        limit: Limit = 50,
    ) -> str:
        """List changes of breakers' states, newest first."""
        return self._asked("/breakers/transitions", service=service, breaker=breaker, start=start, end=end, env=env, limit=limit)  # fmt: skip

    def causes(self, service: AnyService = "", start: Start = "", end: End = "", env: Env = "") -> str:
        """Rank where trouble in the window began: score, evidence, the first failing call, and the way to it from whoever feels it."""
        return self._asked("/causes", service=service, start=start, end=end, env=env)

    def bulkheads(self, service: AnyService = "", env: Env = "") -> str:
        """List bulkheads and pools, the fullest first: in use, limit, queue, rejections, and when they will be full."""
        return self._asked("/bulkheads", service=service, env=env)

    def databases(self, start: Start = "", end: End = "", env: Env = "") -> str:
        """List databases and who uses them, with the tables that several services share."""
        return self._asked("/databases", start=start, end=end, env=env)

    def catalogue(self, start: Start = "", end: End = "", env: Env = "") -> str:
        """List who owns each service, with runbook, documents and what is missing."""
        return self._asked("/catalogue", start=start, end=end, env=env)

    def alerts(self) -> str:
        """List alerts: pending, firing, lately resolved."""
        return self._asked("/alerts")

    def deploys(self, start: Start = "", end: End = "", env: Env = "") -> str:
        """List deploys and versions with a verdict: regressed, improved or unchanged against what served before, and the evidence."""
        return self._asked("/deploys", start=start, end=end, env=env)

    def queues(self, start: Start = "", end: End = "", env: Env = "") -> str:
        """List queues and topics, the worst first: producers, consumers, lag, whether it grows, dead letters."""
        return self._asked("/queues", start=start, end=end, env=env)

    def gateway(self, service: AnyService = "", start: Start = "", end: End = "", env: Env = "") -> str:
        """List clients that call from outside, those that feel an outage first, with the routes that fail."""
        return self._asked("/gateway", service=service, start=start, end=end, env=env)

    def hot(self, start: Start = "", end: End = "", env: Env = "") -> str:
        """List services by what presses them (CPU, throttling, pools, queues, load) with a recommendation: what to scale next."""
        return self._asked("/hot", start=start, end=end, env=env)

    def endpoints(self, service: AnyService = "", start: Start = "", end: End = "", env: Env = "") -> str:
        """List endpoints with their calls, last call, callers and a verdict: in use, idle or safe to delete."""
        return self._asked("/endpoints", service=service, start=start, end=end, env=env)

    def ledger(self, service: AnyService = "", start: Start = "", end: End = "", env: Env = "") -> str:
        """Say whether telemetry was lost: per agent and service what was emitted, stored, rejected, dropped (with reason) or is in flight."""
        return self._asked("/ledger", service=service, start=start, end=end, env=env)

    def pipeline(self) -> str:
        """Show the state of Fuseboard itself: engine, journal, quarantine."""
        return self._asked("/pipeline")

    def metric_names(
        self, containing: Annotated[str, Field(max_length=256, description="Part of the name.")] = ""
    ) -> str:
        """List names of metrics, for promql."""
        names = [name for name in self._remote.metric_names() if containing.lower() in name.lower()]
        rows = [{"name": name} for name in names[: 5 * self._most_rows]]
        left = len(names) - len(rows)
        return self._said(Found(rows, "", (f"{left} more names; say what they contain",) if left else ()))

    def promql(
        self,
        expression: Annotated[str, Field(min_length=1, max_length=8000, description="sum by (service_name) (rate(http_requests_total[5m]))")],
        start: Annotated[str, Field(max_length=64, description="A range from here: RFC 3339, epoch, -1h. Empty: one instant.")] = "",
        end: Annotated[str, Field(max_length=64, description="The range's end, or the instant.")] = "now",
        step: Annotated[str, Field(max_length=16, description="Of a range: 30s, 5m.")] = "60s",
    ) -> str:  # fmt: skip
        """Evaluate a PromQL expression at an instant, or over a range where start is given."""
        now = datetime.now(UTC)
        form = {"query": expression}
        if start:
            form |= {"start": moment_s(start, now), "end": moment_s(end, now), "step": step}
        else:
            form["time"] = moment_s(end, now)
        data = self._remote.prometheus("/query_range" if start else "/query", form)
        rows = series(data)
        return self._said(Found([dict(row) for row in rows], "", tuple(map(str, data["warnings"]))))

    def sql(
        self,
        statement: Annotated[str, Field(min_length=1, max_length=20_000, description="One SELECT, SHOW, DESCRIBE or EXPLAIN of ClickHouse's SQL, with a LIMIT.")],
    ) -> str:  # fmt: skip
        """Run a read-only statement. SHOW TABLES and DESCRIBE TABLE logs say what there is: logs, spans, metric_series, metric_samples, breaker_transitions, service_minutes, edge_minutes, …"""
        return self._said(self._remote.sql(statement))

    def _asked(self, path: str, **params: object) -> str:
        if "limit" in params:
            params["limit"] = min(int(str(params["limit"])), self._most_rows)
        return self._said(self._remote.get(path, params, str(params.get("query", ""))))

    def _said(self, found: Found) -> str:
        rows, left = found.rows[: 5 * self._most_rows], len(found.rows) - 5 * self._most_rows
        more = (f"{left} more rows; ask more narrowly",) if left > 0 else ()
        return written(rows, self._most_chars, found.cursor, (*found.warnings, *more))


def _segment(text: str) -> str:
    return quote(text, safe="")


_SPAN = ("span_id", "parent_span_id", "service", "name", "kind", "adjusted_start", "start", "duration_ns", "critical_ns", "status", "status_message")  # fmt: skip
_LOG = ("occurred_at", "service", "severity", "body", "span_id")


def _trace(row: Mapping[str, Any]) -> dict[str, Any]:
    """Keep of a trace what explains it: attributes only of spans that failed."""
    spans = [span for span in row.get("spans") or () if isinstance(span, dict)]
    spans.sort(key=lambda span: (span.get("status") != "error", -(span.get("critical_ns") or 0)))
    return {
        "trace_id": row.get("trace_id"),
        "spans_total": row.get("spans_total", len(spans)),
        "operations": row.get("operations", []),
        "spans": [
            _of(span, (*_SPAN, "attributes", "events") if span.get("status") == "error" else _SPAN)
            for span in spans
        ],
        "logs": [_of(log, _LOG) for log in row.get("logs") or () if isinstance(log, dict)],
        "transitions": row.get("transitions", []),
    }


def _of(row: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: row[name] for name in names if row.get(name) not in (None, "", 0, [], {})}
