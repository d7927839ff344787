"""
The customers: a plan of journeys made from a seed, and the player that walks it against the gateway.

The plan is a pure function of (seed, rate): users, clients, products, cards, think times and the second each journey
begins. What the shop answers never changes it, so two runs under one seed send the same requests in the same order.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import structlog
import uvloop

from demo import telemetry
from demo.database import PRODUCTS
from demo.services.payment import DECLINED_CARDS

USERS = 200
_BUYERS = 0.8  # so that a quarter of all requests are orders: a broken payment shows within two seconds
_DECLINED = 0.03
_OLD_CLIENT = 0.03
_THINK_S = (0.05, 0.3)
_REQUESTS_PER_JOURNEY = _BUYERS * 4 + (1 - _BUYERS) * 2
_MAX_JOURNEYS_IN_FLIGHT = 100  # beyond it customers go elsewhere (counted), the shop is not buried
_PROGRESS_S = 10
_TIMEOUT_S = 10  # a customer's patience; no call inside the shop takes longer
_OLD, _CURRENT = "shop-app/1.9.2", "shop-app/2.3.0"


@dataclass(frozen=True)
class Step:
    """One request, *think_s* seconds after the answer to the one before."""

    think_s: float
    method: str
    path: str
    body: dict[str, Any] | None = None


@dataclass(frozen=True)
class Journey:
    """One customer's visit; *begins_s* counts from the start of the load."""

    begins_s: float
    client: str
    steps: tuple[Step, ...]


def plan(seed: int, rate: float) -> Iterator[Journey]:
    """
    Yield journeys for ever.

    Args:
        seed: Same seed, same journeys.
        rate: Requests per second on average.
    """
    choose = random.Random(seed)
    users = [f"user-{number:03d}" for number in range(USERS)]
    choose.shuffle(users)  # in turn, so that one user's journeys do not overlap
    begins_s = 0.0
    for user in itertools.cycle(users):
        begins_s += choose.uniform(0.5, 1.5) * _REQUESTS_PER_JOURNEY / rate
        old = choose.random() < _OLD_CLIENT
        steps = _buy(choose, user, old) if choose.random() < _BUYERS else _browse(choose)
        yield Journey(begins_s, _OLD if old else _CURRENT, steps)


def _browse(choose: random.Random) -> tuple[Step, ...]:
    return (
        Step(_think(choose), "GET", "/products"),
        Step(_think(choose), "GET", f"/products/{choose.choice(PRODUCTS)}"),
    )


def _buy(choose: random.Random, user: str, old: bool) -> tuple[Step, ...]:
    item = {"product": choose.choice(PRODUCTS), "quantity": choose.randint(1, 3)}
    card = f"{DECLINED_CARDS if choose.random() < _DECLINED else 'card-'}{choose.randrange(10_000):04d}"
    return (
        Step(_think(choose), "GET", "/products"),
        Step(_think(choose), "POST", f"/v2/cart/{user}/items", item),
        Step(_think(choose), "GET", f"/{'v1' if old else 'v2'}/cart/{user}"),
        Step(_think(choose), "POST", "/v2/orders", {"user": user, "card": card}),
    )


def _think(choose: random.Random) -> float:
    return round(choose.uniform(*_THINK_S), 3)


class Player:
    """Walks a plan against *gateway*; one JSON line of progress every ten seconds."""

    def __init__(self, gateway: str, client: httpx.AsyncClient, log: structlog.stdlib.BoundLogger) -> None:
        self._gateway = gateway.rstrip("/")
        self._client = client
        self._log = log
        self._journeys: set[asyncio.Task[None]] = set()
        self.answers: Counter[str] = Counter()

    async def play(self, journeys: Iterator[Journey]) -> None:
        """Start each journey at its second, until cancelled or *journeys* ends; then wait for those in flight."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            reporter = group.create_task(self._report())
            for journey in journeys:
                await asyncio.sleep(began + journey.begins_s - time.monotonic())
                self._begin(group, journey)
            while self._journeys:
                await asyncio.wait(self._journeys)
            reporter.cancel()

    def _begin(self, group: asyncio.TaskGroup, journey: Journey) -> None:
        if len(self._journeys) >= _MAX_JOURNEYS_IN_FLIGHT:
            self.answers["not_begun"] += 1
            return
        task = group.create_task(self._walk(journey))
        self._journeys.add(task)
        task.add_done_callback(self._journeys.discard)

    async def _walk(self, journey: Journey) -> None:
        for step in journey.steps:
            await asyncio.sleep(step.think_s)
            self.answers[await self._take(step, journey.client)] += 1

    async def _take(self, step: Step, client: str) -> str:
        try:
            response = await self._client.request(
                step.method, f"{self._gateway}{step.path}", json=step.body, headers={"user-agent": client}
            )
        except httpx.HTTPError as error:
            return type(error).__name__
        return str(response.status_code)

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(_PROGRESS_S)
            self._log.info("load_progress", answers=dict(self.answers), in_flight=len(self._journeys))


def run(gateway: str, seed: int, rate: float, duration_s: float | None) -> None:
    """Play the plan until SIGTERM, or for *duration_s* seconds of it."""
    log = telemetry.logger("load", None)
    journeys: Iterator[Journey] = plan(seed, rate)
    if duration_s is not None:
        journeys = itertools.takewhile(lambda journey: journey.begins_s <= duration_s, journeys)
    uvloop.run(_run(gateway, journeys, log))


async def _run(gateway: str, journeys: Iterator[Journey], log: structlog.stdlib.BoundLogger) -> None:
    async with httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=False) as client:
        player = Player(gateway, client, log)
        playing = asyncio.ensure_future(player.play(journeys))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, playing.cancel)
        await asyncio.wait([playing])
        log.info("load_ended", answers=dict(player.answers))
        if not playing.cancelled():
            playing.result()
