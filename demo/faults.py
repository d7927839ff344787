"""
Faults of one service: slow, errors, crash, down, leak; switched by ``POST /_fault`` from loopback.

``{"fault": "slow", "on": true, "value": 800}`` answers the faults that are on. Which requests fail and how slow each
is comes from random generators seeded with (seed, service, fault): the same switch under the same seed picks the same.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import random
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse

from demo.errors import FaultInjected, UsageError

FAULTS = {"slow": 800, "errors": 100, "crash": 0, "down": 0, "leak": 200}
"""Every fault and its value when none is given: ms, percent, -, -, MiB."""

CRASH_EXIT_CODE = 70  # EX_SOFTWARE
_MIB = 1024 * 1024
_LEAK_STEP_BYTES = 4 * _MIB
_LEAK_STEP_S = 0.25  # 16 MiB/s: the default bound is reached in 13 s
_MOST = {"slow": 60_000, "errors": 100, "leak": 2_000}


class Faults:
    """
    The faults of this process.

    Args:
        seed: Makes the choice of victims repeatable.
        service: So that two services under one seed differ.
        set_listening: Opens or closes the port the neighbours use (the fault *down*).
    """

    def __init__(
        self,
        seed: int,
        service: str,
        log: structlog.stdlib.BoundLogger,
        set_listening: Callable[[bool], Awaitable[None]],
    ) -> None:
        self._on: dict[str, int] = {}
        self._seed = f"{seed}/{service}"
        self._service = service
        self._log = log
        self._set_listening = set_listening
        self._random = {fault: random.Random() for fault in FAULTS}
        self._leaked: list[bytes] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def state(self) -> dict[str, Any]:
        """Return the faults that are on with their values."""
        return {
            "service": self._service,
            "faults": dict(self._on),
            "leaked_bytes": self._leaked_bytes(),
        }

    def switch(self, fault: str, *, on: bool, value: int | None = None) -> None:
        """
        Switch *fault*; a repeat starts its random sequence again.

        Raises:
            UsageError: An unknown fault or a value out of range.
        """
        if fault not in FAULTS:
            raise UsageError(f"unknown fault {fault!r}: one of {', '.join(FAULTS)}")
        chosen = FAULTS[fault] if value is None else value
        most = _MOST.get(fault, 0)
        if not 0 <= chosen <= most:
            raise UsageError(f"value {chosen} is out of range for {fault}: give 0 to {most}")
        self._log.warning("fault_switched", fault=fault, on=on, value=chosen)
        self._random[fault].seed(f"{self._seed}/{fault}")
        if on:
            self._on[fault] = chosen
        else:
            self._on.pop(fault, None)
        self._apply(fault, on=on)

    def _apply(self, fault: str, *, on: bool) -> None:
        if fault == "down":
            self._start(self._listen(not on))
        elif fault == "leak" and on:
            self._start(self._leak())
        elif fault == "leak":
            self._leaked.clear()
        elif fault == "crash" and on:
            asyncio.get_running_loop().call_later(0.05, os._exit, CRASH_EXIT_CODE)  # the answer leaves first

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _listen(self, listening: bool) -> None:
        await asyncio.sleep(0.05)  # the answer to the switch leaves first
        await self._set_listening(listening)

    async def _leak(self) -> None:
        while (room := self._on.get("leak", 0) * _MIB - self._leaked_bytes()) > 0:
            self._leaked.append(b"\x01" * min(_LEAK_STEP_BYTES, room))  # not zeros: the pages must be touched
            await asyncio.sleep(_LEAK_STEP_S)

    def _leaked_bytes(self) -> int:
        return sum(map(len, self._leaked))

    async def meet(self) -> None:
        """
        Let a request or message meet the faults that are on.

        Raises:
            FaultInjected: *errors* is on and this one was chosen.
        """
        if "slow" in self._on:
            await asyncio.sleep(self._on["slow"] / 1000 * self._random["slow"].uniform(0.75, 1.25))
        if "errors" in self._on and self._random["errors"].random() * 100 < self._on["errors"]:
            raise FaultInjected(f"{self._service} fails on purpose: the fault 'errors' is on")

    async def endpoint(self, request: Request) -> JSONResponse:
        """Answer GET and POST /_fault, from programs on this machine only."""
        if not _is_local_program(request):
            return _refusal(
                403, "not_loopback", "faults are switched from this machine only, and not by web pages"
            )
        if request.method == "GET":
            return JSONResponse(self.state())
        try:
            body = await request.json()
            self.switch(str(body["fault"]), on=_boolean(body["on"]), value=_integer(body.get("value")))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            example = '{"fault":"errors","on":true}'
            return _refusal(400, "bad_request", f"send a JSON object such as {example}: {error!r}")
        except UsageError as error:
            return _refusal(400, "bad_fault", str(error))
        return JSONResponse(self.state())


def _is_local_program(request: Request) -> bool:
    if request.client is None or "origin" in request.headers:  # only browsers send Origin
        return False
    return ipaddress.ip_address(request.client.host).is_loopback


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"'on' is {value!r}, not true or false")
    return value


def _integer(value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise TypeError(f"'value' is {value!r}, not a whole number")
    return value


def _refusal(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message}}, status)
