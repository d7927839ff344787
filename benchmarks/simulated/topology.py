"""Systems to break: the demo shop's services and calls, and generated ones of forty services."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Call:
    """
    One dependency.

    Attributes:
        to: A service, database or queue.
        protocol: ``http``, ``db``, ``queue``.
        chance: That a request makes this call.
        timeout_ms: The caller gives up.
        attempts: How often it tries.
        breaker: Whether it holds one on it.
        optional: Whether the request goes on without.
    """

    to: str
    protocol: str = "http"
    chance: float = 1.0
    timeout_ms: float = 2000.0
    attempts: int = 1
    breaker: bool = False
    optional: bool = False


@dataclass(slots=True)
class Service:
    """
    One service.

    Attributes:
        name: Its name.
        base_ms: Median of its own work.
        calls: What a request calls, in this order.
        consumes: The queue it reads; "" = it serves requests.
        error: Share of its requests that fail by themselves on a good day.
        instances: Processes.
        memory: Share of its limit in use on a good day; *cpu* likewise.
        pool: Whether its database calls wait for a connection of a pool.
    """

    name: str
    base_ms: float
    calls: list[Call] = field(default_factory=list)
    consumes: str = ""
    error: float = 0.002
    instances: int = 2
    memory: float = 0.5
    cpu: float = 0.3
    pool: bool = False


@dataclass(frozen=True, slots=True)
class System:
    """Services by name, the databases' medians in milliseconds, where users enter and how often a minute."""

    name: str
    services: dict[str, Service]
    databases: dict[str, float]
    entries: tuple[str, ...]
    rate: float


def shop() -> System:
    """The demo shop (demo/topology.py): a gateway, six services behind it, two databases, a queue."""
    known = [
        Service("gateway", 3, [Call("catalog", chance=0.7, timeout_ms=800, breaker=True, optional=True), Call("cart", chance=0.6, timeout_ms=800, breaker=True),
                               Call("checkout", chance=0.5, timeout_ms=2000, breaker=True)]),
        Service("catalog", 6, [Call("products", "db", chance=0.9)], pool=True),
        Service("cart", 5, [Call("catalog", chance=0.5, timeout_ms=500, attempts=2, breaker=True), Call("carts", "db")], pool=True),
        Service("checkout", 9, [Call("inventory", timeout_ms=700, attempts=2, breaker=True), Call("payment", timeout_ms=1000, breaker=True),
                                Call("orders", "db"), Call("order-events", "queue")], pool=True),
        Service("inventory", 7, [Call("stock", "db")], pool=True),
        Service("payment", 22, []),
        Service("notifications", 14, [], consumes="order-events"),
    ]  # fmt: skip
    return System(
        "shop",
        {service.name: service for service in known},
        {"products": 3, "carts": 2, "orders": 5, "stock": 3},
        ("gateway",),
        42,
    )


def generated(seed: int, size: int = 40) -> System:
    """Generate *size* services in four layers behind two entries, with databases, two queues and their workers."""
    rng = random.Random(f"topology {seed}")
    names = [f"{word}-{number}" for number, word in enumerate(rng.choices(_WORDS, k=size - 4))]
    layers = [names[:6], names[6:18], names[18:30], names[30:]]
    databases = {f"db-{number}": rng.uniform(1.5, 8) for number in range(9)}
    services: dict[str, Service] = {}
    for depth, layer in enumerate(layers):
        below = [name for deeper in layers[depth + 1 : depth + 3] for name in deeper]
        for name in layer:
            services[name] = _service(rng, name, below, list(databases))
    for number in range(2):
        queue = f"queue-{number}"
        worker = f"worker-{number}"
        services[worker] = Service(
            worker, rng.uniform(8, 30), [Call(rng.choice(layers[2]), timeout_ms=1500)], consumes=queue
        )
        for producer in rng.sample(layers[0], 2):
            services[producer].calls.append(Call(queue, "queue", chance=0.8))
    for number in range(2):
        entry = f"edge-{number}"
        calls = [
            Call(
                name,
                chance=rng.uniform(0.3, 0.7),
                timeout_ms=rng.choice((1500, 3000)),
                breaker=rng.random() < 0.6,
            )
            for name in layers[0]
        ]
        services[entry] = Service(entry, 3, calls)
    return System(f"generated-{seed}", services, databases, ("edge-0", "edge-1"), 44)


def _service(rng: random.Random, name: str, below: list[str], databases: list[str]) -> Service:
    calls = [
        Call(
            callee, chance=rng.uniform(0.35, 0.9), timeout_ms=rng.choice((400, 800, 1500, 3000)), attempts=rng.choice((1, 1, 2, 3)),
            breaker=rng.random() < 0.5, optional=rng.random() < 0.2,
        )
        for callee in rng.sample(below, min(rng.randint(1, 2), len(below)))
    ]  # fmt: skip
    pool = False
    if rng.random() < 0.5 or not calls:
        calls.append(Call(rng.choice(databases), "db", chance=rng.uniform(0.7, 1.0)))
        pool = rng.random() < 0.8
    return Service(
        name, rng.lognormvariate(1.8, 0.6), calls, error=rng.choice((0, 0.001, 0.004, 0.01)), instances=rng.randint(1, 3),
        memory=rng.uniform(0.35, 0.85), cpu=rng.uniform(0.1, 0.6), pool=pool,
    )  # fmt: skip


_WORDS = ("account", "basket", "billing", "customer", "delivery", "discount", "email", "fraud", "invoice", "ledger", "loyalty", "media", "offer", "price", "profile",
          "quote", "rating", "region", "search", "session", "shipping", "stock", "tax", "ticket", "token", "voucher", "wallet", "wishlist")  # fmt: skip
