"""``status/…``: what clients ask to find out whom they talk to."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import collector
from collector.api.prometheus.answers import Said, said
from collector.api.prometheus.form import Form
from collector.api.prometheus.parts import PrometheusParts
from collector.read import series
from collector.read.sql import Reader

# The version of Prometheus whose API this is: Grafana asks for what that version has. Features would say that it is Mimir.
SPEAKS = "3.5.0"
_TOP = 10


def buildinfo(parts: PrometheusParts, reader: Reader, form: Form) -> Said:
    """Answer ``status/buildinfo``."""
    del parts, reader, form
    unknown = dict.fromkeys(("branch", "buildUser", "buildDate", "goVersion"), "")
    return said({"version": SPEAKS, "revision": f"fuseboard-{collector.__version__}", **unknown})


def runtimeinfo(parts: PrometheusParts, reader: Reader, form: Form) -> Said:
    """Answer ``status/runtimeinfo``."""
    del reader, form
    began = datetime.fromtimestamp(parts.began_ns / 1e9, UTC)
    return said(
        {
            "startTime": f"{began:%Y-%m-%dT%H:%M:%SZ}",
            "CWD": "",
            "hostname": "",
            "serverTime": f"{datetime.fromtimestamp(parts.clock_ns() / 1e9, UTC):%Y-%m-%dT%H:%M:%SZ}",
            "reloadConfigSuccess": True,
            "lastConfigTime": f"{began:%Y-%m-%dT%H:%M:%SZ}",
            "corruptionCount": 0,
            "goroutineCount": 0,
            "GOMAXPROCS": os.cpu_count() or 1,
            "GOGC": "",
            "GODEBUG": "",
            "storageRetention": f"{parts.retention_days}d",
        }
    )


def flags(parts: PrometheusParts, reader: Reader, form: Form) -> Said:
    """Answer ``status/flags``: those that say how questions are answered."""
    del reader, form
    return said(
        {
            "query.lookback-delta": "5m",
            "query.timeout": f"{parts.limits.time_s:g}s",
            "storage.tsdb.retention.time": f"{parts.retention_days}d",
        }
    )


def config(parts: PrometheusParts, reader: Reader, form: Form) -> Said:
    """Answer ``status/config``: there is nothing of it here."""
    del parts, reader, form
    return said({"yaml": ""})


def tsdb(parts: PrometheusParts, reader: Reader, form: Form) -> Said:
    """Answer ``status/tsdb``: how many series there are, and of what."""
    del parts
    found = series.cardinality(reader, form.limit() or _TOP)
    return said(
        {
            "headStats": {
                "numSeries": found.series,
                "numLabelPairs": 0,
                "chunkCount": 0,
                "minTime": found.first_ms,
                "maxTime": found.last_ms,
            },
            "seriesCountByMetricName": found.by_name,
            "labelValueCountByLabelName": found.by_label,
            "memoryInBytesByLabelName": [],
            "seriesCountByLabelValuePair": [],
        }
    )
