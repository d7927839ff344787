"""
The composition root: the only place where objects meet.

``build`` makes a `Collector` out of `Settings`; its ASGI application serves, by path: ingest (``receive/``), ``/api``, ``/clickhouse/`` and ``/prometheus/`` (``api/``), the
probes and ``/metrics`` (``probes.py``), and everything else the dashboards, who talk to ``/api`` through ASGI without a socket.

``build.py``      every part connected, in the order in which they need each other
``ground.py``     what all others stand on: ClickHouse, journal and loader, state
``watching.py``   what goes on by itself: alerts, the canary, jobs, the disk's bound
``answering.py``  who answers questions: the API, ``/clickhouse/``, ``/prometheus/``, the dashboards
``running.py``    `Collector`: the order of starting and of ending

In: `Settings`, read by ``collector/wiring.py``. Out: a `Collector`, for ``collector/serving.py``.
"""

from collector.app.build import build
from collector.app.running import Collector

__all__ = ["Collector", "build"]
