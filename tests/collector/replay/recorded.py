"""Recordings of each kind, a few records each, all of the same hour of 2023."""

import gzip
import json
import struct
from pathlib import Path

from backports import zstd
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

AT_S = 1_700_000_000
AT_NS = AT_S * 10**9


def otlp_spans(service: str, count: int = 3) -> ExportTraceServiceRequest:
    """A request of *count* spans, one a second."""
    request = ExportTraceServiceRequest()
    part = request.resource_spans.add()
    part.resource.attributes.add(key="service.name").value.string_value = service
    scope = part.scope_spans.add()
    for number in range(count):
        span = scope.spans.add(
            name="GET /", kind=2, trace_id=bytes([1, number]) * 8, span_id=bytes([2, number]) * 4
        )
        span.start_time_unix_nano = AT_NS + number * 10**9
        span.end_time_unix_nano = span.start_time_unix_nano + 5_000_000
    return request


def otlp_logs(service: str) -> ExportLogsServiceRequest:
    """A request of one record."""
    request = ExportLogsServiceRequest()
    part = request.resource_logs.add()
    part.resource.attributes.add(key="service.name").value.string_value = service
    record = part.scope_logs.add().log_records.add(time_unix_nano=AT_NS, severity_number=17)
    record.body.string_value = "told by protobuf"
    return request


def otlp_metrics(service: str) -> ExportMetricsServiceRequest:
    """A request of one gauge."""
    request = ExportMetricsServiceRequest()
    part = request.resource_metrics.add()
    part.resource.attributes.add(key="service.name").value.string_value = service
    metric = part.scope_metrics.add().metrics.add(name="depth")
    metric.gauge.data_points.add(time_unix_nano=AT_NS, as_double=7)
    return request


def json_logs(service: str, text: str, at_ns: int = AT_NS) -> dict:
    """OTLP/JSON of one record."""
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
                "scopeLogs": [{"logRecords": [{"timeUnixNano": str(at_ns), "body": {"stringValue": text}}]}],
            }
        ]
    }


def otlp(folder: Path) -> None:
    """Protobuf: alone, without a telling name, and as the OpenTelemetry Collector's file exporter writes it; JSON: a document, and lines, compressed."""
    folder.mkdir(parents=True)
    (folder / "spans.otlp.pb").write_bytes(otlp_spans("pb-spans").SerializeToString())
    (folder / "a.otlp.pb").write_bytes(otlp_logs("pb-logs").SerializeToString())
    framed = b"".join(
        struct.pack(">I", len(body)) + body for body in [otlp_metrics("pb-metrics").SerializeToString()] * 2
    )
    (folder / "metrics.pb").write_bytes(framed)
    (folder / "document.json").write_text(json.dumps(json_logs("json-logs", "told by JSON"), indent=1))
    lines = "".join(
        json.dumps(json_logs("exporter", f"line {number}", AT_NS + number * 10**9)) + "\n"
        for number in range(5)
    )
    (folder / "exporter.ndjson.zst").write_bytes(zstd.compress(lines.encode()))


def lines(folder: Path) -> None:
    """Log files: by folder, by side file, by their own name."""
    (folder / "checkout").mkdir(parents=True)
    (folder / "checkout" / "app.log").write_text("2023-11-14 22:13:20 INFO by folder\nno time of its own\n")
    (folder / "side.log").write_text("2023-11-14T22:13:21Z by side file\n")
    (folder / "side.log.resource").write_text("service.name=told,service.version=7\n")
    (folder / "payment.ndjson.gz").write_bytes(
        gzip.compress(b'{"time":1700000002,"level":"error","msg":"by its name"}\n')
    )


def expositions(folder: Path) -> None:
    """A Prometheus text in milliseconds, OpenMetrics in seconds, and a scrape whose name has its time."""
    (folder / "shop").mkdir(parents=True)
    (folder / "shop" / "metrics.prom").write_text(
        f'# TYPE jobs gauge\njobs{{queue="a"}} 3 {AT_S}000\njobs{{queue="a"}} 4 {AT_S + 15}000\n'
    )
    (folder / "shop" / "metrics.om").write_text(
        f"# TYPE calls counter\ncalls_total 1 {AT_S}\ncalls_total 9 {AT_S + 15}.5\n# EOF\n"
    )
    (folder / "shop" / f"scrape-{AT_S}.prom").write_text("up 1\n")


def rcaeval(folder: Path) -> None:
    """A case as RCAEval's second set has them."""
    folder.mkdir(parents=True)
    (folder / "inject_time.txt").write_text(f"{AT_S + 30}\n")
    rows = [f"{AT_S + second},{0.1 + second},2e8,{30 + second},," for second in range(60)]
    (folder / "simple_metrics.csv").write_text(
        "time,cart-service_cpu,cart-service_mem,frontend_latency-90,frontend_container-cpu-usage-seconds-total,redis_error\n"
        + "\n".join(rows)
        + "\n"
    )
    (folder / "logs.csv").write_text(
        "time,timestamp,container_name,message,level,req_path,error\n"
        f'22:13,{AT_NS},cart-service,"said, with a comma",info,/cart,\n'
        f"22:13,{AT_NS + 10**9},cart-service,failed,error,/cart,deadline\n"
    )
    micro = AT_S * 10**6
    (folder / "traces.csv").write_text(
        "time,traceID,spanID,serviceName,methodName,operationName,startTimeMillis,startTime,duration,statusCode,parentSpanID\n"
        f"22:13,aa01,01,frontend,GET,GET /,{micro // 1000},{micro},9000,0,\n"
        f"22:13,aa01,02,frontend,GetCart,CartService/GetCart,{micro // 1000},{micro + 1000},7000,13,01\n"
        f"22:13,aa01,03,cart-service,GetCart,CartService/GetCart,{micro // 1000},{micro + 2000},5000,13,02\n"
    )
    (folder / "logts.csv").write_text("time,cart-service_1\n1,0\n")
    (folder / "cluster_info.json").write_text('{"1": {"template": "a <*>"}}')


def others(folder: Path) -> None:
    """Nezha's tables per pod, a tall table, and one series a file."""
    folder.mkdir(parents=True)
    pod = "adservice-5f6585d649-fnmft"
    (folder / "adservice_metric.csv").write_text(
        f"Time,TimeStamp,PodName,CpuUsage(m),MemoryUsage(Mi)\n2023-11-14 22:13:20 +0000 UTC,{AT_S},{pod},12.5,200\n"
    )
    (folder / "22_13_trace.csv").write_text(
        "TraceID,SpanID,ParentID,PodName,OperationName,StartTimeUnixNano,EndTimeUnixNano,Duration\n"
        f"bb01,11,root,{pod},GetAds,{AT_NS},{AT_NS + 4_000_000},4000\n"
    )
    (folder / "22_13_log.csv").write_text(
        "Timestamp,TimeUnixNano,Node,PodName,Container,TraceID,SpanID,Log\n"
        f'2023-11-14T22:13:20Z,{AT_NS},n1,{pod},server,bb01,11,"{{""log"":""received ad request\\n""}}"\n'
    )
    (folder / "kpi.csv").write_text(
        f"timestamp,cmdb_id,kpi_name,value\n{AT_S},node-6.mesh-0,container.memory-usage,5\n"
    )
    (folder / "redis_cpu_pct.csv").write_text(f"timestamp,value\n{AT_S}000,1.5\n")
