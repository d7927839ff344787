"""
A Hystrix event stream (Hystrix's servlet, hystrix-go, Turbine) as an exposition: one round of its events, under the names that Micrometer gives them.

The stream never ends: each command and thread pool is told again and again, every half second or so. A round is over when one is told a second time, or
when the stream says that it is still there (``ping``) after it told something. Its counts are of a rolling window and no counters: they stay out.

Source: the README of hystrix-metrics-event-stream; names of io.micrometer.core.instrument.binder.hystrix.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

CONTENT_TYPE = "text/event-stream"
# A service that has run no command yet tells of none; that is an answer.
NOTHING = b"# no command has run yet\n"
_LONGEST = 1 << 20
_PINGS = 2
_WHAT = re.compile(rb'"(?:type|name)"\s*:\s*"((?:[^"\\]|\\.)*)"')
_COMMAND = (
    ("hystrix_circuit_breaker_open", "isCircuitBreakerOpen"),
    ("hystrix_error_percentage", "errorPercentage"),
    ("hystrix_request_count", "requestCount"),
)
_POOL = (
    ("hystrix_threadpool_threads_active_current_count", "currentActiveCount"),
    ("hystrix_threadpool_threads_max_pool_current_size", "currentMaximumPoolSize"),
    ("hystrix_threadpool_queue_current_size", "currentQueueSize"),
)
_KINDS = {"HystrixCommand": _COMMAND, "HystrixThreadPool": _POOL}


def one_round(readline: Callable[[int], bytes], max_bytes: int) -> bytes:
    """
    Read one round of events.

    Args:
        readline: Gives the next line of at most so many bytes; b"" = the stream ended.
        max_bytes: What is longer is cut one line later.
    """
    told: set[tuple[bytes, ...]] = set()
    read: list[bytes] = []
    pings = 0
    while sum(map(len, read)) <= max_bytes:
        line = readline(_LONGEST)
        if line.startswith(b"data:"):
            what = tuple(_WHAT.findall(line)[:2])
            if what in told:
                break
            told.add(what)
            read.append(line)
        elif line[:5] in (b"ping:", b": pin"):
            pings += 1
            if told or pings == _PINGS:
                break
        elif not line:
            break
    return b"".join(read)


def exposition(events: bytes) -> bytes:
    """Write *events* as gauges; what is no event of Hystrix is left out."""
    samples: dict[str, list[str]] = {}
    for event in _events(events):
        for name, key in _KINDS.get(str(event.get("type")), ()):
            value = event.get(key)
            if isinstance(value, bool | int | float):
                samples.setdefault(name, []).append(f"{name}{_labels(event)} {float(value)}")
    lines = [line for name, rows in samples.items() for line in (f"# TYPE {name} gauge", *rows)]
    return ("\n".join(lines) + "\n").encode() if lines else NOTHING


def _events(text: bytes) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        try:
            event = json.loads(line.removeprefix(b"data:"))
        except ValueError:
            continue
        # Turbine's and Spring Cloud's wrap it
        inner = event.get("data", event) if isinstance(event, dict) else None
        if isinstance(inner, dict):
            yield inner


def _labels(event: dict[str, Any]) -> str:
    named = {"group": event.get("group"), "key": event.get("name")}
    return (
        "{" + ",".join(f'{label}="{_escaped(str(value))}"' for label, value in named.items() if value) + "}"
    )


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
