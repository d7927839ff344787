"""Who is in the shop: names, versions, owners, and which service calls which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Call:
    """
    One service's way to another.

    Args:
        target: The callee; breaker and bulkhead carry its name.
        breaker: False leaves the edge unprotected.
        limit: Calls in flight at most (the bulkhead).
        timeout_s: Longer towards the user, so that the caller nearest to the trouble is the one that names it.
    """

    target: str
    breaker: bool = True
    limit: int = 16
    timeout_s: float = 2.0


@dataclass(frozen=True)
class ServiceSpec:
    """What the catalogue knows about a service before it runs."""

    name: str
    version: str
    owner: str
    calls: tuple[Call, ...] = ()

    @property
    def runbook(self) -> str:
        """Where its runbook would be."""
        return f"https://runbooks.example/shop/{self.name}"


# The edge gateway -> checkout has no breaker on purpose: it is the one the map marks as unprotected.
_SPECS = (
    ServiceSpec(
        "gateway",
        "2.4.1",
        "storefront",
        (
            Call("catalog"),
            Call("cart", timeout_s=4.0),
            Call("checkout", breaker=False, limit=32, timeout_s=8.0),
        ),
    ),
    ServiceSpec("catalog", "1.12.0", "storefront"),
    ServiceSpec("cart", "2.0.3", "storefront", (Call("catalog"),)),
    ServiceSpec(
        "checkout",
        "3.1.0",
        "orders",
        (Call("cart", timeout_s=4.0), Call("inventory"), Call("payment", limit=8)),
    ),
    ServiceSpec("payment", "5.0.2", "payments"),
    ServiceSpec("inventory", "1.7.4", "orders"),
    ServiceSpec("notifications", "0.9.8", "messaging"),
)

SERVICES: Mapping[str, ServiceSpec] = MappingProxyType({spec.name: spec for spec in _SPECS})
"""Every service by name, in the order they are listed and started."""
