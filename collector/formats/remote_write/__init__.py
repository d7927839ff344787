"""
Prometheus remote_write 1.0: what Prometheus, Alloy, vmagent and the OpenTelemetry Collector send to ``/api/v1/write``.

In:  ``prometheus.WriteRequest``, Protobuf in a snappy block, as field 15 of an envelope.
Out: rows of ``metric_series``, ``metric_samples`` and ``exemplars``. The stale marker keeps its bits; a native histogram becomes
     _bucket, _sum and _count with the bounds its buckets mean, as otlp_metrics does. Metadata comes without its series: a family is a row
     of ``metric_series`` without labels and samples.

Source: https://prometheus.io/docs/specs/prw/remote_write_spec/
"""
