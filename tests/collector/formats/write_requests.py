"""Write requests of both versions, as tests build them."""

from __future__ import annotations

import struct
from typing import Any

from collector.formats.prometheus import message_of

# model/value/value.go of Prometheus: a NaN of its own bits.
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
JOINED = """SELECT name, type, temporality, service, env, labels, toUnixTimestamp64Milli(at) AS ms, s.value AS value, hex(reinterpretAsUInt64(s.value)) AS bits
FROM metric_samples s JOIN (SELECT DISTINCT series_id, name, type, temporality, service, env, labels FROM metric_series) m USING series_id
ORDER BY name, toFloat64OrZero(labels['le']), ms, bits"""

Request = message_of("remote_write")


def add_series(request: Any, name: str, /, **labels: str) -> Any:
    """Add a series of remote_write 1.0, its labels sorted as senders do."""
    series = request.timeseries.add()
    for key, value in sorted({"__name__": name, **labels}.items()):
        series.labels.add(name=key, value=value)
    return series


def fill_histogram(histogram: Any, ms: int) -> None:
    """Fill a native histogram: buckets 1, 2 and 6 of schema 0, two negative ones, a zero bucket."""
    histogram.count_int, histogram.sum, histogram.zero_threshold, histogram.zero_count_int = 10, 3.5, 0.001, 1
    histogram.positive_spans.add(offset=1, length=2)
    histogram.positive_spans.add(offset=3, length=1)
    histogram.positive_deltas.extend([1, 1, -1])
    histogram.negative_spans.add(offset=0, length=2)
    histogram.negative_deltas.extend([2, 0])
    histogram.timestamp = ms


# What its buckets mean, by `le`.
BUCKETS = {"-1": 2, "-0.5": 4, "0.001": 5, "2": 6, "4": 8, "64": 9, "+Inf": 10}


class Table:
    """A request of remote_write 2.0 and its table of symbols."""

    def __init__(self) -> None:
        self.request: Any = message_of("remote_write_v2")()
        self._symbols = {"": 0}

    def ref(self, text: str) -> int:
        """Number of *text*."""
        return self._symbols.setdefault(text, len(self._symbols))

    def refs(self, **labels: str) -> list[int]:
        """Numbers of names and values by turns."""
        return [self.ref(text) for pair in sorted(labels.items()) for text in pair]

    def series(self, name: str, /, **labels: str) -> Any:
        """Add a series."""
        return self.request.timeseries.add(labels_refs=self.refs(__name__=name, **labels))

    def body(self) -> bytes:
        """The request with its symbols."""
        self.request.symbols[:] = list(self._symbols)
        return bytes(self.request.SerializeToString())
