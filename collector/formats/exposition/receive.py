"""The promise made to a client that posts a ``/metrics`` exposition: ``POST /v1/exposition``, the answer of ``/v1/lines``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from collector.errors import Malformed
from collector.formats.lines.receive import answer, respond
from collector.receive.protocol import Judged, Protocol

# A sample line begins with a metric name; one such line somewhere says that this is an exposition at all.
_SAMPLE = re.compile(rb"^[a-zA-Z_:][a-zA-Z0-9_:]*(?:\{[^\n]*\})?[ \t]+[^ \t\n]+", re.MULTILINE)

# What exemplars.sql looks for in a line.
_EXEMPLAR = b" # {"


def judge(body: bytes, headers: Mapping[bytes, bytes]) -> Judged:
    """
    Count the lines of an exposition.

    Raises:
        Malformed: ``empty_body``; ``bad_exposition``: no line of it is a sample; ``bad_header``: a ``Fuseboard-Format`` that is
            not ``stale``.
    """
    declared = headers.get(b"fuseboard-format", b"").strip().lower()
    if declared not in {b"", b"stale"}:
        raise Malformed(
            "bad_header",
            f"Fuseboard-Format: {declared.decode('latin-1')[:40]!r} is not stale, the one format of an exposition that is declared",
            "Fuseboard-Format",
        )
    if not body.strip():
        raise Malformed("empty_body", "the body is empty; send a Prometheus text or OpenMetrics exposition")
    if _SAMPLE.search(body) is None and not body.lstrip().startswith(b"#"):
        quoted = body[:60].decode("utf-8", "replace")
        raise Malformed("bad_exposition", f"no line is a sample; the body begins with {quoted!r}")
    lines = body.count(b"\n") + (not body.endswith(b"\n"))
    return Judged(lines, lacks=() if _EXEMPLAR in body else ("exemplars",))


PROTOCOL = Protocol(
    name="exposition",
    paths=("/v1/exposition",),
    group="exposition",
    signal="metrics",
    tables=("metric_series", "metric_samples", "exemplars"),
    judge=judge,
    answer=answer,
    respond=respond,
    seal_age_s=8.0,
)
