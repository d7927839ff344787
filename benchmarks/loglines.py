"""
Seeded, realistic log lines for the benchmarks: structlog-like JSON of about 430 bytes.

Eight services in four pods each, sixty message templates with identifiers in them, a trace id on each line, attributes of text and numbers,
1 % errors with a short stack. The same seed gives the same bytes.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

_SERVICES = ["gateway", "catalog", "cart", "checkout", "payment", "inventory", "notifications", "search"]
_VERBS = [
    "accepted",
    "queued",
    "fetched",
    "stored",
    "priced",
    "reserved",
    "rendered",
    "retried",
    "validated",
    "expired",
]
_THINGS = ["order", "cart", "payment intent", "stock level", "session", "address"]
_ROUTES = ["/v1/cart", "/v2/cart/{id}", "/v1/orders", "/v1/orders/{id}", "/v1/items/{sku}", "/v1/pay"]
_PODS = {
    service: [f"{service}-{seed:010x}-{pod}" for pod in ("x2k7p", "9qvzd", "m4tbw", "c8rfj")]
    for seed, service in enumerate(_SERVICES, 0x5D8F7C9B40)
}
_LEVELS = ["info"] * 88 + ["debug"] * 6 + ["warning"] * 5 + ["error"]


def lines(count: int, seed: int = 7, start: datetime | None = None, per_s: int = 10_000) -> Iterator[bytes]:
    """Yield *count* lines without their newline, *per_s* of them to a second from *start* (default: an hour ago)."""
    rng = random.Random(seed)
    at = start or datetime.now(UTC) - timedelta(hours=1)
    step = timedelta(microseconds=1_000_000 / per_s)
    for number in range(count):
        at += step
        yield json.dumps(_line(rng, at, number), separators=(",", ":")).encode()


def _line(rng: random.Random, at: datetime, number: int) -> dict[str, object]:
    level = rng.choice(_LEVELS)
    route = rng.choice(_ROUTES)
    service = rng.choice(_SERVICES)
    line: dict[str, object] = {
        "timestamp": at.isoformat().replace("+00:00", "Z"),
        "level": level,
        "service": service,
        "event": f"{rng.choice(_THINGS)} {rng.choice(_VERBS)} for customer {rng.randrange(50_000)}",
        "trace_id": f"{rng.getrandbits(128):032x}",
        "span_id": f"{rng.getrandbits(64):016x}",
        "http.request.method": rng.choice(["GET", "POST"]),
        "http.route": route,
        "http.response.status_code": 500 if level == "error" else 200,
        "duration_ms": round(rng.expovariate(1 / 20), 3),
        "user.id": rng.randrange(50_000),
        "k8s.pod.name": rng.choice(_PODS[service]),
        "region": rng.choice(["eu-west-1", "us-east-1", "ap-south-1"]),
        "logger": "shop." + route.strip("/").replace("/", "."),
        "sequence": number,
    }
    if level == "error":
        line["exception"] = (
            'Traceback (most recent call last):\n  File "app.py", line 42, in handle\nTimeoutError: upstream'
        )
    return line
