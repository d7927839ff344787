"""
The Prometheus HTTP API at ``/prometheus/api/v1/`` (and, for our own pages, ``/api/v1/metrics/``): Grafana's data source, promtool, curl.

``application.py``  the ASGI application: path, key, form, a thread for the question, Prometheus' error body
``form.py``         parameters: times, durations, limits, ``match[]``, in Prometheus' words
``questions.py``    ``query``, ``query_range``, ``query_exemplars``, ``format_query``
``names.py``        ``series``, ``labels``, ``label/<name>/values``, ``metadata``
``alerts.py``       ``rules`` and ``alerts`` of our own alerting, in Prometheus' shape
``status.py``       ``status/…``: what clients ask to find out whom they talk to
``answers.py``      the envelope; results written without a detour over objects
``numbers.py``      values and times as Prometheus writes them

In:  GET, or POST of a form. Out: ``{"status": "success", "data": …, "warnings": […], "infos": […]}`` or
``{"status": "error", "errorType", "error"}``.

Source: https://prometheus.io/docs/prometheus/latest/querying/api/.
"""

from collector.api.prometheus.application import Prometheus
from collector.api.prometheus.parts import PrometheusParts

__all__ = ["Prometheus", "PrometheusParts"]
