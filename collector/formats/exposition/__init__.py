"""
Metric expositions, Prometheus text format or OpenMetrics, posted to ``/v1/exposition`` by agents that scrape.

In:  text; the envelope's ``at`` is the time of the scrape.
Out: rows of ``metric_series``, ``metric_samples`` and ``exemplars``. The three .sql files begin with the same expressions,
     so that they agree on ``series_id`` without asking each other.

``Fuseboard-Format: stale`` is the last good exposition of a target that has vanished: each of its samples becomes Prometheus' stale
marker at the time of the scrape, without exemplars, and no series is registered by it.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/, https://prometheus.io/docs/specs/om/open_metrics_spec/
"""
