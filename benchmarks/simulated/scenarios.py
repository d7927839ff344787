"""Which systems and faults there are in a run, and their way into a collector: the paths that agents and exporters use."""

from __future__ import annotations

import hashlib
import random
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass

import httpx

from benchmarks.simulated.faults import KINDS, METRICS_ONLY, Fault, drawn
from benchmarks.simulated.simulator import Simulation, Sources, Told
from benchmarks.simulated.topology import System, generated, shop

MINUTES, FAULT_MINUTE = 42, 33
_BODY_BYTES = 3_000_000
_TRIES = 60
# So many systems are simulated before what they told is sent: they are some megabytes each.
_AHEAD = 4
_FULL, _TRACES, _NO_LOGS, _COLUMNS = (
    Sources(),
    Sources(metrics=False, breakers=False),
    Sources(logs=False, breakers=False),
    Sources(columns=True),
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    One system for `MINUTES`, its fault in minute `FAULT_MINUTE`.

    Attributes:
        env: Its environment: all scenarios are of the same time, each in its own.
        system: What runs.
        fault: None = a quiet one.
        sources: What it sends.
        seed: Of its chance.
        held_out: Whether nothing was tuned on it.
    """

    env: str
    system: System
    fault: Fault | None
    sources: Sources
    seed: str
    held_out: bool


def scenarios(per_kind: int, quiet: int, kinds: Sequence[str]) -> Iterator[Scenario]:
    """Give *per_kind* faults of each kind in each of the two sets, half in the shop, half in generated systems, and *quiet* systems without one."""
    for held_out in (False, True):
        name = "held" if held_out else "tuned"
        for kind in kinds:
            for number in range(per_kind):
                seed = f"{name} {kind} {number}"
                rng = random.Random(seed)
                system = (
                    shop() if number % 2 == 0 else generated(100 * held_out + KINDS.index(kind) * 10 + number)
                )
                yield Scenario(
                    f"{name}-{kind.replace(' ', '_')}-{number}",
                    system,
                    drawn(kind, system, rng),
                    _sources(kind, number, rng),
                    seed,
                    held_out,
                )
        for number in range(quiet):
            seed = f"{name} quiet {number}"
            system = shop() if number % 2 == 0 else generated(900 + 10 * held_out + number)
            yield Scenario(
                f"{name}-quiet-{number}",
                system,
                None,
                (_FULL, _TRACES, _FULL, _COLUMNS)[number % 4],
                seed,
                held_out,
            )


def _sources(kind: str, number: int, rng: random.Random) -> Sources:
    """Half send everything; others no metrics and no breakers, or no logs; of the kinds that can be told by them, some nothing but metrics."""
    if kind in METRICS_ONLY and number % 4 == 3:
        return _COLUMNS
    return rng.choice((_FULL, _FULL, _TRACES, _NO_LOGS))


def told(scenario: Scenario, begins_s: int) -> Told:
    """Let it run."""
    return Simulation(
        scenario.system,
        scenario.fault,
        FAULT_MINUTE * 60,
        begins_s,
        scenario.env,
        scenario.sources,
        scenario.seed,
    ).run(MINUTES)


def simulated(pool: Executor, chosen: Sequence[Scenario], begins_s: int) -> Iterator[tuple[Scenario, Told]]:
    """Give what each system told, some ahead of whoever takes it."""
    waiting = deque((each, pool.submit(told, each, begins_s)) for each in chosen[:_AHEAD])
    for following in (*chosen[_AHEAD:], *[None] * len(chosen[:_AHEAD])):
        scenario, ready = waiting.popleft()
        what = ready.result()
        if following is not None:
            waiting.append((following, pool.submit(told, following, begins_s)))
        yield scenario, what


def send(client: httpx.Client, scenario: Scenario, what: Told) -> None:
    """
    Send everything that a system told.

    Raises:
        httpx.HTTPStatusError: The collector did not take it.
    """
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(_post, client, *request) for request in _requests(scenario, what)]:
            done.result()


def _requests(scenario: Scenario, what: Told) -> Iterator[tuple[str, bytes, dict[str, str]]]:
    body: list[bytes] = []
    for part in [*what.spans, b""]:
        # requests of one signal one after the other are one request: that is how protobuf merges messages
        if body and (not part or sum(map(len, body)) > _BODY_BYTES):
            yield "/v1/traces", b"".join(body), {"content-type": "application/x-protobuf"}
            body = []
        body.append(part)
    if what.lines:
        yield "/v1/lines", b"\n".join(what.lines) + b"\n", {"fuseboard-format": "json"}
    for service, lines in what.samples.items():
        resource = f"service.name={service},deployment.environment.name={scenario.env}"
        yield (
            "/v1/exposition",
            ("\n".join(sorted(lines)) + "\n# EOF\n").encode(),
            {"fuseboard-resource": resource},
        )
    if what.transitions:
        import json

        yield (
            "/v1/breakers",
            json.dumps(what.transitions).encode(),
            {"fuseboard-resource": f"deployment.environment.name={scenario.env},service.name=x"},
        )


def _post(client: httpx.Client, path: str, body: bytes, headers: dict[str, str]) -> None:
    """Send one body; again where the connection broke off: with the same key it is stored once."""
    key = {"idempotency-key": hashlib.sha256(body).hexdigest()[:40]}
    for _ in range(_TRIES):
        try:
            answer = client.post(path, content=body, headers={**headers, **key})
        except httpx.TransportError:
            time.sleep(0.5)
            continue
        if answer.status_code not in {429, 503}:
            answer.raise_for_status()
            return
        time.sleep(0.5)
    raise TimeoutError(f"{path} was not taken")
