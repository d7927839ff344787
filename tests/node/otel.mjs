// The stock OpenTelemetry SDK for Node: spans, log records and a counter, as JSON or as Protobuf. node otel.mjs URL SERVICE json|proto
import { logs, metrics, SeverityNumber, trace } from "@opentelemetry/api";
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-http";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPTraceExporter as JsonTraces } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtoTraces } from "@opentelemetry/exporter-trace-otlp-proto";
import { BatchLogRecordProcessor } from "@opentelemetry/sdk-logs";
import { PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { NodeSDK } from "@opentelemetry/sdk-node";

const [url, service, encoding] = process.argv.slice(2);
const Traces = encoding === "json" ? JsonTraces : ProtoTraces;
const node = new NodeSDK({
  serviceName: service,
  autoDetectResources: false,
  traceExporter: new Traces({ url: `${url}/v1/traces` }),
  logRecordProcessors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter({ url: `${url}/v1/logs` }) })],
  metricReaders: [new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter({ url: `${url}/v1/metrics` }), exportIntervalMillis: 60_000 })],
});
node.start();
const orders = metrics.getMeter("shop").createCounter("orders");
for (let number = 0; number < 40; number += 1) {
  trace.getTracer("shop").startActiveSpan(`GET /${number}`, { kind: 1, attributes: { "http.route": "/x", list: ["a", "b"] } }, (span) => {
    logs.getLogger("shop").emit({ severityNumber: SeverityNumber.WARN, body: `line ${number}`, attributes: { number } });
    orders.add(1);
    span.setStatus({ code: number % 2 ? 2 : 1 });
    span.end();
  });
}
await node.shutdown();
