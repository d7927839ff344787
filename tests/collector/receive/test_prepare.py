"""What the journal is told of a body: whether its records may wait for a reader."""

from __future__ import annotations

import time

import pytest

from collector.formats.exposition.receive import PROTOCOL as EXPOSITION
from collector.formats.lines.receive import PROTOCOL as LINES
from collector.journal.batch import Batch
from collector.journal.envelope import Head
from collector.read.breaker_metrics import WAYS
from collector.receive.decompress import Limits
from collector.receive.prepare import prepare

METRICS = sorted({(way.metric, way.label, way.value) for way in WAYS if way.role in ("state", "number", "flag", "opened")})  # fmt: skip


def waits(protocol, body):
    """Whether what is in *body* waits for a reader."""
    made = prepare(protocol, protocol.paths[0], {}, Head("b", time.time_ns()), body, "identity", Limits())
    assert isinstance(made, Batch)
    return made.waits


@pytest.mark.parametrize(("metric", "label", "value"), METRICS)
def test_samples_of_a_breaker_wait_for_no_reader(metric, label, value):
    """A transition is derived from them, and somebody sleeps beside a pager."""
    labels = f'name="pay",{label}="{value}"' if label else 'name="pay"'

    assert not waits(EXPOSITION, f"# TYPE x gauge\nx 1\n{metric}{{{labels}}} 1\n".encode())


def test_what_opentelemetry_calls_them_is_known_as_well():
    """With dots, as Micrometer and Polly export them."""
    for name in (b"resilience4j.circuitbreaker.state", b"hystrix.circuit.breaker.open", b"resilience.polly.strategy.events"):  # fmt: skip
        assert not waits(EXPOSITION, b"x 1\n# " + name + b"\n")


def test_other_samples_and_lines_that_only_mention_a_breaker_wait():
    """A logger's name is no transition."""
    assert waits(EXPOSITION, b'http_requests_total{code="200"} 7\n')
    assert waits(LINES, b"INFO io.github.resilience4j.circuitbreaker.Registry : 3 breakers\n")
    assert not waits(LINES, b'{"event":"circuit_breaker.transition","breaker":"pay","to":"open"}\n')
