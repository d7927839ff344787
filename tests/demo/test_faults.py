"""Which requests a fault hits."""

from __future__ import annotations

import asyncio

import structlog

from demo.errors import FaultInjected
from demo.faults import Faults


async def _nothing(_listening: bool) -> None:
    """Stand where the port would be opened and closed; no fault here asks for it."""


def _victims(seed: int, service: str = "payment") -> list[bool]:
    """Return for 50 requests whether a 40 % error fault hit them."""

    async def story() -> list[bool]:
        faults = Faults(seed, service, structlog.get_logger(), _nothing)
        faults.switch("errors", on=True, value=40)
        return [await _is_hit(faults) for _ in range(50)]

    return asyncio.run(story())


async def _is_hit(faults: Faults) -> bool:
    try:
        await faults.meet()
    except FaultInjected:
        return True
    return False


def test_the_same_seed_hits_the_same_requests() -> None:
    """Error sequences repeat under a seed, and are a mix."""
    victims = _victims(5)

    assert victims == _victims(5)
    assert 5 < sum(victims) < 45


def test_seed_and_service_decide_who_is_hit() -> None:
    """Another seed or another service has another sequence."""
    assert _victims(5) != _victims(6)
    assert _victims(5) != _victims(5, "cart")
