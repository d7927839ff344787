"""
A system under load, request by request, with one fault or none: what its agents and exporters would have sent.

A request does its service's own work, calls what its service calls (timeouts, retries with a pause, breakers that open on half of the last ten calls), and fails when
its own work fails or a call it needs does. Work is log-normal and grows with load: a service at a high share of its capacity queues. Traffic swells and ebbs, some
requests fail on good days, versions change without harm, collections and cold caches make single slow half-minutes. Requests stand for a sampled
share of the traffic; metrics are of all of it.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict, deque
from dataclasses import dataclass, field

from benchmarks.simulated import wire
from benchmarks.simulated.faults import Fault, chances
from benchmarks.simulated.topology import Call, Service, System

SECOND_NS = 1_000_000_000
# One simulated request stands for so many.
SAMPLED = 20
STEP_S = 10
SCRAPE_S = 60
_OPEN_S, _WINDOW = 30, 10
# Metrics count every request: where there is nothing else more of them are simulated.
_COLUMNS_RATE = 4


@dataclass(frozen=True, slots=True)
class Sources:
    """What this system sends besides spans: log lines, container metrics, breakers' transitions; or *columns*: nothing but a metric per service and quantity."""

    logs: bool = True
    metrics: bool = True
    breakers: bool = True
    columns: bool = False


@dataclass(slots=True)
class Breaker:
    """A breaker of a caller on a callee."""

    last: deque[bool] = field(default_factory=lambda: deque(maxlen=_WINDOW))
    open_until: float = 0.0
    state: str = "closed"


@dataclass(slots=True)
class State:
    """What changes of a service: counters since the beginning, gauges of now."""

    calls: int = 0
    failed: int = 0
    took_ms: list[float] = field(default_factory=list)
    step_calls: int = 0
    usual_calls: float = 0.0
    load: float = 1.0
    cpu: list[float] = field(default_factory=list)
    throttled: list[float] = field(default_factory=list)
    memory: float = 0.0
    restarts: int = 0
    ooms: int = 0
    down_until: float = 0.0
    pool_in_use: float = 2.0
    pool_waiting: float = 0.0
    timeouts: int = 0
    waiting: deque[tuple[float, bytes, bytes]] = field(default_factory=deque)
    hiccup_until: float = 0.0
    version: str = "1.4.0"


@dataclass(slots=True)
class Told:
    """What was sent: OTLP bodies of spans, JSON lines, expositions by service, transitions."""

    spans: list[bytes] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    samples: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    transitions: list[dict[str, object]] = field(default_factory=list)
    count: int = 0


class Simulation:
    """
    One system for some minutes.

    Args:
        system: What runs.
        fault: What happens to it; None = nothing.
        fault_s: When, seconds from the beginning.
        begins_s: Epoch seconds of the beginning.
        env: The environment it reports.
        sources: What it sends.
        seed: Of everything random.
    """

    def __init__(
        self,
        system: System,
        fault: Fault | None,
        fault_s: float,
        begins_s: int,
        env: str,
        sources: Sources,
        seed: str,
    ) -> None:
        self._system = system
        self._fault = fault
        self._fault_s = fault_s
        self._begins_s = begins_s
        self._env = env
        self._sources = sources
        self._rng = random.Random(seed)
        self._state = {
            name: State(memory=it.memory, cpu=[0.0] * it.instances, throttled=[0.0] * it.instances)
            for name, it in system.services.items()
        }
        self._rate = system.rate * (_COLUMNS_RATE if sources.columns else 1)
        for name, chance in chances(system).items():
            if name in self._state:
                self._state[name].usual_calls = chance * self._rate * STEP_S / 60
        self._db_took: dict[str, list[float]] = defaultdict(list)
        self._db_failed: dict[str, int] = defaultdict(int)
        self._breakers: dict[tuple[str, str], Breaker] = defaultdict(Breaker)
        self._queues: dict[str, float] = defaultdict(float)
        self._now_s = 0.0
        self._grown = 0.0
        self._short_ms = 0.0
        self._spans: dict[tuple[tuple[str, str], ...], list[bytes]] = defaultdict(list)
        self._told = Told()
        self._resources: dict[tuple[str, str, int], tuple[tuple[str, str], ...]] = {}
        self._periods = dict.fromkeys(system.services, 0.0)

    def run(self, minutes: int) -> Told:
        """Let *minutes* pass; everything that was sent."""
        phase = self._rng.uniform(0, 2 * math.pi)
        harmless = {
            name: self._rng.uniform(0, minutes * 60)
            for name in self._system.services
            if self._rng.random() < 0.08
        }
        for step in range(minutes * 60 // STEP_S):
            self._now_s = step * STEP_S
            self._grown = self._fault.grown(self._now_s - self._fault_s) if self._fault else 0.0
            self._turn(harmless)
            swell = 1 + 0.3 * math.sin(phase + self._now_s / 900) + self._rng.gauss(0, 0.08)
            mean = self._rate * STEP_S / 60 * max(swell, 0.2)
            for _ in range(self._poisson(mean)):
                self._request(self._now_s + self._rng.random() * STEP_S)
            self._consume()
            if (step + 1) % (SCRAPE_S // STEP_S) == 0:
                self._scrape()
            if (step + 1) % 6 == 0:
                self._flush()
        self._flush()
        return self._told

    def _turn(self, harmless: dict[str, float]) -> None:
        for name, state in self._state.items():
            # of a few calls a step the ratio is chance: the traffic that they stand for is steadier
            state.load += ((state.step_calls + 2) / (state.usual_calls + 2) - state.load) * 0.2
            state.step_calls = 0
            if self._rng.random() < 0.0006:
                state.hiccup_until = self._now_s + 25
            if harmless.get(name, 1e9) <= self._now_s:
                state.version = "1.4.1"
            self._use(name, state)
        self._break()

    def _use(self, name: str, state: State) -> None:
        """Burn CPU, hold memory."""
        service, fault = self._system.services[name], self._at(name)
        busy = service.cpu * (0.5 + 0.5 * min(state.load, 3.0)) * self._rng.lognormvariate(0, 0.08)
        for number in range(service.instances):
            wanted = busy + (fault.strength * 2.5 * self._grown if fault and fault.kind == "cpu" else 0.0)
            state.cpu[number] += min(wanted, 1.0) * STEP_S
            state.throttled[number] += max(min(wanted - 0.9, 0.8), 0.0) * STEP_S * 10
        self._periods[name] += STEP_S * 10
        leak = fault is not None and fault.kind == "memory" and self._grown > 0
        if leak and fault is not None:
            state.memory += (0.25 + 0.35 * fault.strength) * STEP_S / 60
            if state.memory >= 1.0:
                state.memory, state.restarts, state.ooms = service.memory, state.restarts + 1, state.ooms + 1
                state.down_until = self._now_s + 25
        else:
            state.memory += (service.memory - state.memory) * 0.1 + self._rng.gauss(0, 0.006)

    def _break(self) -> None:
        fault = self._fault
        if fault is None or not self._grown or fault.at not in self._state:
            return
        state = self._state[fault.at]
        if fault.kind == "crash":
            state.down_until = self._now_s + STEP_S + 1
            state.restarts += self._rng.random() < 0.2
        if fault.kind == "bad deploy":
            state.version = "2.0.0"
        if fault.kind == "pool exhaustion":
            state.pool_in_use, state.pool_waiting = 10.0, 3 + 12 * fault.strength + self._rng.gauss(0, 1)
        elif self._system.services[fault.at].pool:
            state.pool_in_use = min(2 + self._rng.random() * 3 * state.load, 10)

    def _at(self, name: str) -> Fault | None:
        return self._fault if self._fault is not None and self._fault.at == name and self._grown > 0 else None

    def _request(self, at_s: float) -> None:
        trace = self._rng.randbytes(16)
        entry = self._rng.choice(self._system.entries)
        self._serve(self._system.services[entry], at_s, trace, b"")

    def _serve(
        self, service: Service, at_s: float, trace: bytes, parent: bytes, kind: int = wire.SERVER
    ) -> tuple[float, str]:
        """Serve one request; what it took in milliseconds and why it failed ("" = it did not)."""
        state, rng = self._state[service.name], self._rng
        if state.down_until > at_s:
            return 1.0 + rng.random(), "connection refused"
        state.calls += 1
        state.step_calls += 1
        instance = rng.randrange(service.instances)
        fault = self._at(service.name)
        if fault is not None and fault.share < 1 and rng.random() >= fault.share:
            fault = None
        took = self._own_ms(service, state, fault)
        own = rng.randbytes(8)
        failed = self._own_failure(service, state, fault)
        begun = took * 0.4
        if not failed:
            for call in service.calls:
                if rng.random() >= call.chance:
                    continue
                lasted, why = self._call(service, call, at_s + begun / 1000, trace, own, instance, fault)
                begun += lasted
                if why and not call.optional:
                    failed = f"{call.to}: {why}"
                    break
        total = begun + took * 0.6
        state.failed += bool(failed)
        state.took_ms.append(total)
        self._span(
            service,
            instance,
            trace,
            own,
            parent,
            ("POST /" + service.name, kind, self._served(service, kind)),
            at_s,
            total,
            failed,
        )
        self._log(service, state, at_s + total / 1000, failed, trace)
        return total, failed

    def _served(self, service: Service, kind: int) -> tuple[tuple[str, str], ...]:
        if kind == wire.CONSUMER:
            return (("messaging.system", "rabbitmq"), ("messaging.destination.name", service.consumes))
        return (("http.request.method", "POST"), ("http.route", f"/{service.name}"))

    def _own_ms(self, service: Service, state: State, fault: Fault | None) -> float:
        took = service.base_ms * self._rng.lognormvariate(0, 0.3)
        busy = min(service.cpu * max(state.load, 0.3), 0.93)
        took *= (1 - service.cpu) / (1 - busy)
        if state.hiccup_until > self._now_s:
            took *= 3
        if state.memory > 0.92:
            took *= 2.5
        if fault is None:
            return took
        grown = self._grown * fault.strength
        if fault.kind == "latency" or (fault.kind == "bad deploy" and fault.strength < 0.7):
            took += grown * self._rng.uniform(250, 900)
        elif fault.kind == "cpu":
            took = took * (1 + 9 * grown) + 40 * grown
        elif fault.kind == "message backlog":
            took = took * (1 + 12 * grown) + 250 * grown
        return took

    def _own_failure(self, service: Service, state: State, fault: Fault | None) -> str:
        chance = service.error
        if fault is not None and (
            fault.kind == "errors" or (fault.kind == "bad deploy" and fault.strength >= 0.7)
        ):
            chance += self._grown * (0.25 + 0.6 * fault.strength)
        if fault is not None and fault.kind == "cpu":
            chance += 0.04 * self._grown
        if state.memory > 0.96:
            chance += 0.1
        return "internal error" if self._rng.random() < chance else ""

    def _call(
        self,
        service: Service,
        call: Call,
        at_s: float,
        trace: bytes,
        parent: bytes,
        instance: int,
        fault: Fault | None,
    ) -> tuple[float, str]:
        rng = self._rng
        if call.protocol == "queue":
            own = rng.randbytes(8)
            self._state_of_queue(call.to).append((at_s, trace, own))
            shape = (
                f"send {call.to}",
                wire.PRODUCER,
                (("messaging.system", "rabbitmq"), ("messaging.destination.name", call.to)),
            )
            self._span(service, instance, trace, own, parent, shape, at_s, 1.5, "")
            return 1.5, ""
        if call.protocol == "db":
            return self._query(service, call, at_s, trace, parent, instance, fault)
        breaker = self._breakers[service.name, call.to] if call.breaker and self._sources.breakers else None
        if breaker is not None and not self._permitted(service.name, call.to, breaker, at_s):
            return 0.1, "circuit open"
        storm = fault is not None and fault.kind == "retry storm" and fault.callee == call.to
        timeout_ms = self._given_up_ms(call.to) if storm else call.timeout_ms
        attempts = 5 if storm else call.attempts
        spent, why = 0.0, ""
        for attempt in range(attempts):
            own = rng.randbytes(8)
            took, why = self._serve(self._system.services[call.to], at_s + spent / 1000, trace, own)
            if took > timeout_ms:
                took, why = timeout_ms, "timed out"
            took += rng.uniform(0.3, 1.2)
            shape = (
                f"POST /{call.to}",
                wire.CLIENT,
                (("http.request.method", "POST"), ("peer.service", call.to)),
            )
            self._span(service, instance, trace, own, parent, shape, at_s + spent / 1000, took, why)
            spent += took
            if breaker is not None:
                self._count(service.name, call.to, breaker, bool(why), at_s + spent / 1000)
            if not why:
                break
            if attempt + 1 < attempts:
                spent += rng.uniform(5, 20)
        return spent, why

    def _given_up_ms(self, name: str) -> float:
        """Give the timeout of a caller that was set too short: a little below what the callee typically took when it was set."""
        if not self._short_ms:
            took = self._state[name].took_ms[-40:]
            self._short_ms = 0.85 * sorted(took)[len(took) // 2] if took else 20.0
        return self._short_ms

    def _query(
        self,
        service: Service,
        call: Call,
        at_s: float,
        trace: bytes,
        parent: bytes,
        instance: int,
        fault: Fault | None,
    ) -> tuple[float, str]:
        rng, waited = self._rng, 0.0
        if fault is not None and fault.kind == "pool exhaustion":
            waited = rng.uniform(100, 900) * fault.strength
            if rng.random() < 0.35 * fault.strength:
                self._state[service.name].timeouts += SAMPLED
                return 1000.0, "no connection from the pool within 1000 ms"
        took = self._system.databases[call.to] * rng.lognormvariate(0, 0.35)
        why = ""
        broken = self._at(call.to)
        if broken is not None:
            if broken.strength >= 0.7:
                why = "connection refused" if rng.random() < 0.9 * self._grown else ""
                took = 1.2 if why else took
            else:
                took += rng.uniform(200, 900) * self._grown
        if took > call.timeout_ms:
            took, why = call.timeout_ms, "timed out"
        self._db_took[call.to].append(took)
        self._db_failed[call.to] += bool(why)
        shape = (f"SELECT {call.to}", wire.CLIENT, (("db.system", "postgresql"), ("db.namespace", call.to)))
        self._span(service, instance, trace, rng.randbytes(8), parent, shape, at_s + waited / 1000, took, why)
        return waited + took, why

    def _state_of_queue(self, queue: str) -> deque[tuple[float, bytes, bytes]]:
        worker = next(name for name, it in self._system.services.items() if it.consumes == queue)
        return self._state[worker].waiting

    def _consume(self) -> None:
        for service in self._system.services.values():
            if not service.consumes:
                continue
            state = self._state[service.name]
            fault = self._at(service.name)
            slower = (
                1 + 12 * fault.strength * self._grown
                if fault is not None and fault.kind == "message backlog"
                else 1.0
            )
            room = max(round(6 * self._rate / 40 * STEP_S / 10 / slower * 2), 0) or int(
                self._rng.random() < 0.4
            )
            if state.down_until > self._now_s:
                room = 0
            for _ in range(min(room, len(state.waiting))):
                sent_s, trace, parent = state.waiting.popleft()
                at_s = max(sent_s, self._now_s) + self._rng.random() * 2
                self._serve(service, at_s, trace, parent, wire.CONSUMER)

    def _permitted(self, caller: str, callee: str, breaker: Breaker, at_s: float) -> bool:
        if breaker.state == "open" and at_s >= breaker.open_until:
            self._change(caller, callee, breaker, "half_open", at_s)
        return breaker.state != "open"

    def _count(self, caller: str, callee: str, breaker: Breaker, failed: bool, at_s: float) -> None:
        if breaker.state == "half_open":
            self._change(caller, callee, breaker, "open" if failed else "closed", at_s)
            return
        breaker.last.append(failed)
        if breaker.state == "closed" and len(breaker.last) == _WINDOW and sum(breaker.last) * 2 >= _WINDOW:
            self._change(caller, callee, breaker, "open", at_s)

    def _change(self, caller: str, callee: str, breaker: Breaker, to: str, at_s: float) -> None:
        self._told.transitions.append({
            "service": caller, "breaker": callee, "target": callee, "from": breaker.state, "to": to, "env": self._env,
            "at": self._begins_s + round(at_s, 3), "reason": f"{sum(breaker.last)} of {len(breaker.last)} calls failed",
        })  # fmt: skip
        breaker.state = to
        breaker.last.clear()
        if to == "open":
            breaker.open_until = at_s + _OPEN_S

    def _span(
        self, service: Service, instance: int, trace: bytes, own: bytes, parent: bytes, shape: tuple[str, int, tuple[tuple[str, str], ...]],
        at_s: float, took_ms: float, failed: str,
    ) -> None:  # fmt: skip
        if self._sources.columns:
            return
        key = (service.name, self._state[service.name].version, instance)
        resource = self._resources.get(key)
        if resource is None:
            resource = (
                ("service.name", key[0]),
                ("service.version", key[1]),
                ("service.instance.id", f"{key[0]}-{instance}"),
                ("deployment.environment.name", self._env),
            )
            self._resources[key] = resource
        start_ns = int((self._begins_s + at_s) * SECOND_NS)
        self._spans[resource].append(
            wire.span(trace, own, parent, wire.shape(*shape), start_ns, start_ns + int(took_ms * 1e6), failed)
        )
        self._told.count += 1

    def _flush(self) -> None:
        if self._spans:
            self._told.spans.append(wire.request(self._spans))
            self._spans = defaultdict(list)

    def _log(self, service: Service, state: State, at_s: float, failed: str, trace: bytes) -> None:
        if not self._sources.logs or self._sources.columns:
            return
        if failed:
            level, text = "error", f"request failed: {failed}"
        elif self._rng.random() < 0.12:
            level, text = (
                ("warn", "slow request") if self._rng.random() < 0.05 else ("info", "request served")
            )
        else:
            return
        self._told.lines.append(
            b'{"time":%.3f,"service":"%s","env":"%s","level":"%s","msg":"%s","trace_id":"%s","service.version":"%s"}'
            % (
                self._begins_s + at_s,
                service.name.encode(),
                self._env.encode(),
                level.encode(),
                text.encode(),
                trace.hex().encode(),
                state.version.encode(),
            )
        )

    def _scrape(self) -> None:
        at = f"{self._begins_s + self._now_s + STEP_S:.3f}"
        if self._sources.columns:
            self._columns(at)
        elif self._sources.metrics:
            for name, service in self._system.services.items():
                self._containers(name, service, at)
        for state in self._state.values():
            state.took_ms = state.took_ms[-60:]

    def _containers(self, name: str, service: Service, at: str) -> None:
        state, out = self._state[name], self._told.samples[name]
        for number in range(service.instances):
            pod = f'{{pod="{name}-{number}",container="{name}"}}'
            out += [
                f"container_cpu_usage_seconds_total{pod} {state.cpu[number]:.3f} {at}",
                f"container_cpu_cfs_periods_total{pod} {self._periods[name]:.0f} {at}",
                f"container_cpu_cfs_throttled_periods_total{pod} {state.throttled[number]:.0f} {at}",
                f"container_memory_working_set_bytes{pod} {state.memory * 5e8:.0f} {at}",
                f"container_spec_memory_limit_bytes{pod} 500000000 {at}",
            ]
        pod = f'{{pod="{name}-0",container="{name}"}}'
        out += [
            f"kube_pod_container_status_restarts_total{pod} {state.restarts} {at}",
            f"container_oom_events_total{pod} {state.ooms} {at}",
        ]
        if service.pool:
            pool = '{pool="main"}'
            out += [
                f"hikaricp_connections_active{pool} {state.pool_in_use:.0f} {at}",
                f"hikaricp_connections_max{pool} 10 {at}",
                f"hikaricp_connections_pending{pool} {max(state.pool_waiting if state.pool_in_use >= 10 else 0, 0):.0f} {at}",
                f"hikaricp_connections_timeout_total{pool} {state.timeouts} {at}",
            ]
        if service.consumes:
            out.append(
                f'rabbitmq_queue_messages_ready{{queue="{service.consumes}"}} {len(state.waiting) * SAMPLED} {at}'
            )

    def _columns(self, at: str) -> None:
        """Write what RCAEval's tables have: cpu, mem, load, latency, error per service; of databases too."""
        minute = SCRAPE_S
        for name, service in self._system.services.items():
            state = self._state[name]
            gone = state.down_until > self._now_s and state.restarts > 0
            recent = state.took_ms
            cpu = 0.0 if gone else sum(state.cpu) / service.instances / minute
            rows = {
                "cpu": cpu,
                "mem": 0.0 if gone else state.memory * 5e8,
                "load": state.calls * (SAMPLED / _COLUMNS_RATE) / minute,
                "error": state.failed * (SAMPLED / _COLUMNS_RATE) / minute,
            }
            if recent:
                ordered = sorted(recent)
                rows["latency_90"] = ordered[int(len(ordered) * 0.9)] / 1000
            self._told.samples[name] += [f"{metric} {value:.6f} {at}" for metric, value in rows.items()]
            state.cpu, state.calls, state.failed, state.took_ms = [0.0] * service.instances, 0, 0, []
        for name, took in self._db_took.items():
            rows = {
                "load": len(took) * (SAMPLED / _COLUMNS_RATE) / minute,
                "latency_90": sorted(took)[int(len(took) * 0.9)] / 1000 if took else 0,
                "error": self._db_failed[name] * (SAMPLED / _COLUMNS_RATE) / minute,
            }
            self._told.samples[name] += [f"{metric} {value:.6f} {at}" for metric, value in rows.items()]
        self._db_took.clear()
        self._db_failed.clear()

    def _poisson(self, mean: float) -> int:
        limit, count, product = math.exp(-mean), 0, self._rng.random()
        while product > limit:
            count += 1
            product *= self._rng.random()
        return count
