"""
Metric expositions, Prometheus text format or OpenMetrics, posted to ``/v1/exposition`` by agents that scrape.

In:  text; the envelope's ``at`` is the time of the scrape.
Out: rows of ``metric_series``, ``metric_samples`` and ``exemplars``. The three .sql files begin with the same expressions,
     so that they agree on ``series_id`` without asking each other.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/, https://prometheus.io/docs/specs/om/open_metrics_spec/
"""
