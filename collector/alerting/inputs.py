"""
What alerting asks of the rest of the collector, as protocols.

Structural on purpose: ``read/`` lies below ``alerting/`` in the import order and satisfies these
without knowing them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol


class BreakerNow(Protocol):
    """One instance's view of one breaker. A frozen dataclass with these fields fits."""

    @property
    def service(self) -> str:
        """Who holds the breaker."""

    @property
    def env(self) -> str:
        """``deployment.environment.name``, "" if none."""

    @property
    def breaker(self) -> str:
        """Its name."""

    @property
    def target(self) -> str:
        """What it protects against, "" if unknown."""

    @property
    def instance(self) -> str:
        """``service.instance.id``, "" if unknown."""

    @property
    def state(self) -> str:
        """closed, open, half_open, forced_open, disabled, metrics_only or unknown (stale included)."""

    @property
    def since(self) -> datetime:
        """When it came into that state, aware."""

    @property
    def reason(self) -> str:
        """Why, in the breaker's words, "" if it gave none."""

    @property
    def trace_id(self) -> str:
        """The trace that tripped it, 32 hex digits or ""."""


class BreakerStates(Protocol):
    """Where the current states come from."""

    def current(self) -> Sequence[BreakerNow]:
        """
        Give the state of every known breaker and instance.

        Raises:
            StoreUnavailable: The engine is away; nothing is known, nothing changes.
        """
