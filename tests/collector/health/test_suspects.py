"""One fault of each kind in minutes of a small system: who is named, and by which sign. Pure: no engine."""

import pytest

from collector.health.causes import rank
from collector.health.suspects import Known, suspects
from collector.read.minutes import Minutes
from collector.read.resources import Told
from collector.read.transitions import Transition

START, FAULT, END = 0, 30 * 60, 36 * 60
EVERY = range(START, END, 60)
DURING = range(FAULT, END, 60)


def red(calls=60, ms=20.0, failed=0, **during):
    """Minutes of requests: *calls* a minute of *ms* each; *during* the fault other ones."""
    after = {"calls": calls, "ms": ms, "failed": failed, **during}
    minutes = Minutes()
    for at in EVERY:
        now = after if at >= FAULT else {"calls": calls, "ms": ms, "failed": failed}
        if not now["calls"]:
            continue
        # a little unrest, or nothing would ever be by chance
        wave = 1 + ((at // 60) % 5 - 2) / 50
        minutes.calls[at], minutes.failed[at] = now["calls"], now["failed"]
        minutes.spent_ms[at], minutes.p95_ms[at] = now["calls"] * now["ms"] * wave, now["ms"] * 1.5 * wave
    return minutes


def values(usual, during):
    """A metric's minutes."""
    return {at: during if at >= FAULT else usual for at in EVERY}


def system(services=None, edges=None, resources=None, transitions=()):
    """Connect gateway -> checkout -> payment -> (database) ledger; payment writes to the queue mails, that mailer reads."""
    known = {
        ("gateway", ""): red(ms=90), ("checkout", ""): red(ms=70), ("payment", ""): red(ms=40), ("mailer", ""): red(ms=30),
    }  # fmt: skip
    calls = {
        ("gateway", "checkout", ""): red(ms=72), ("checkout", "payment", ""): red(ms=42), ("payment", "ledger", ""): red(ms=20),
        ("payment", "mails", ""): red(ms=1), ("mails", "mailer", ""): red(ms=30),
    }  # fmt: skip
    calls |= edges or {}
    for queued in (("payment", "mails", ""), ("mails", "mailer", "")):
        calls[queued].queued = True
    told = {
        Told("", name, ""): {(role, ""): minutes for role, minutes in some.items()}
        for name, some in (resources or {}).items()
    }
    return Known({**known, **(services or {})}, calls, told, transitions)


def later(name, usual, during):
    """A service or an edge whose calls take longer during the fault."""
    minutes = red(ms=usual)
    slow = red(ms=during)
    for at in DURING:
        minutes.spent_ms[at], minutes.p95_ms[at] = slow.spent_ms[at], slow.p95_ms[at]
    return {name: minutes}


def failing(name, ms, failed):
    """A service or an edge with failures during the fault."""
    minutes = red(ms=ms)
    minutes.failed |= dict.fromkeys(DURING, failed)
    return {name: minutes}


def chain(make, gateway, checkout, payment):
    """Trouble in payment as everybody upstream sees it."""
    return {
        "services": {**make(("gateway", ""), 90, gateway), **make(("checkout", ""), 70, checkout), **make(("payment", ""), 40, payment)},
        "edges": {**make(("gateway", "checkout", ""), 72, gateway - 18), **make(("checkout", "payment", ""), 42, payment + 2)},
    }  # fmt: skip


def errors(more=None):
    """Half of payment's requests fail, so half of everybody's."""
    names = [("gateway", ""), ("checkout", ""), ("payment", "")]
    edges = [("gateway", "checkout", ""), ("checkout", "payment", "")]
    return {
        "services": {key: value for name in names for key, value in failing(name, 40, 30).items()},
        "edges": {
            **{key: value for name in edges for key, value in failing(name, 40, 30).items()},
            **(more or {}),
        },
    }


GONE = {
    "services": {**failing(("gateway", ""), 20, 60), **failing(("checkout", ""), 15, 60), ("payment", ""): red(ms=40)},
    "edges": {**failing(("gateway", "checkout", ""), 18, 60), **failing(("checkout", "payment", ""), 2, 60)},
}  # fmt: skip
for _at in DURING:
    for _part in ("calls", "failed", "spent_ms", "p95_ms"):
        getattr(GONE["services"]["payment", ""], _part).pop(_at)


def storm():
    """Checkout gives up its calls of payment early and repeats them four times; payment answers all of them."""
    edge = red(ms=42)
    for at in DURING:
        edge.calls[at], edge.failed[at], edge.spent_ms[at] = 240, 190, 240 * 38.0
    payment = red(ms=40)
    for at in DURING:
        payment.calls[at], payment.spent_ms[at] = 240, 240 * 48.0
    return {
        "services": {
            **failing(("gateway", ""), 90, 25),
            **failing(("checkout", ""), 70, 25),
            ("payment", ""): payment,
        },
        "edges": {**failing(("gateway", "checkout", ""), 72, 25), ("checkout", "payment", ""): edge},
    }


@pytest.mark.parametrize(
    ("fault", "cause", "sign"),
    [
        pytest.param(chain(later, 490, 470, 440), "payment", "latency", id="latency"),
        pytest.param(errors(), "payment", "errors", id="errors"),
        pytest.param(GONE, "payment", "gone", id="crash"),
        pytest.param(
            {**chain(later, 200, 180, 150), "resources": {"payment": {"cpu": values(12, 58), "cpu_limit": values(1, 1), "periods": values(600, 600), "throttled": values(3, 300)}}},
            "payment", "throttling", id="cpu",
        ),
        pytest.param(
            {**chain(later, 150, 130, 100), "resources": {"payment": {"memory": values(2e8, 4.9e8), "memory_limit": values(5e8, 5e8), "oom": values(0, 1), "restarts": values(0, 1)}}},
            "payment", "oom", id="memory",
        ),
        pytest.param(errors(failing(("payment", "ledger", ""), 20, 30)), "ledger", "calls_to_it", id="dependency down"),
        pytest.param(
            {**chain(later, 490, 470, 440), "resources": {}}, "payment", "latency", id="pool exhaustion without metrics",
        ),
        pytest.param(
            {"services": later(("mailer", ""), 30, 300), "edges": later(("mails", "mailer", ""), 30, 300), "queues": {"mails": values(0, 900)}},
            "mailer", "queue", id="message backlog",
        ),
        pytest.param(storm(), "checkout", "retries", id="retry storm"),
    ],
)  # fmt: skip
def test_the_cause_is_named_first_with_its_sign(fault, cause, sign):
    """Whoever waits for it, or fails because of it, comes behind it."""
    queues = fault.pop("queues", {}) if "queues" in fault else {}
    known = system(**fault)
    resources = {
        **known.resources,
        Told("", "broker", ""): {("queue", name): some for name, some in queues.items()},
    }
    graph = suspects(Known(known.services, known.edges, resources, known.transitions), (END - 3600, END), END)

    ranked = rank(graph)

    assert ranked[0][0][0] == cause, ranked
    it = graph[ranked[0][0]]
    assert sign in {each.kind for each in it.own} or (sign == "calls_to_it" and it.seen > 0.5)


def test_a_full_pool_is_its_services_trouble_and_not_the_databases():
    """The database answers as ever; requests wait for a connection."""
    pool = {
        ("pool_in_use", "main"): values(3, 10),
        ("pool_limit", "main"): values(10, 10),
        ("pool_queued", "main"): values(0, 9),
    }
    fault = system(**chain(later, 490, 470, 440))
    graph = suspects(
        Known(fault.services, fault.edges, {Told("", "payment", ""): pool}), (END - 3600, END), END
    )

    first = rank(graph)[0][0]

    assert first == ("payment", "")
    assert {"latency", "saturation"} <= {each.kind for each in graph[first].own}
    assert graph["ledger", ""].seen == 0


def test_what_fails_behind_an_open_breaker_is_not_its_holders_fault():
    """While checkout's breaker on payment is open its calls are not sent, and its own requests fail."""
    at_ns = FAULT * 10**9
    opened = Transition(
        at_ns,
        "checkout",
        "",
        "payment",
        "payment",
        "",
        "closed",
        "open",
        "",
        derived=False,
        trace_id="",
        span_id="",
    )
    fault = errors()
    edge = fault["edges"]["checkout", "payment", ""]
    for at in list(DURING)[1:]:
        for part in (edge.calls, edge.failed, edge.spent_ms):
            part.pop(at)
    payment = fault["services"]["payment", ""]
    for at in list(DURING)[1:]:
        for part in (payment.calls, payment.failed, payment.spent_ms, payment.p95_ms):
            part.pop(at)
    known = system(**fault, transitions=(opened,))

    graph = suspects(known, (END - 3600, END), END)

    assert not [each for each in graph["checkout", ""].own if each.kind == "errors"]
    assert rank(graph)[0][0] == ("payment", "")
    assert graph["payment", ""].opened == [opened]


@pytest.mark.parametrize(
    ("columns", "sign"),
    [
        ({"column_latency": values(0.05, 2.0)}, "latency"),
        ({"column_cpu": values(0.2, 0.98)}, "cpu"),
        ({"column_memory": values(2e8, 4e8)}, "memory"),
        ({"column_load": values(50, 50), "column_error": values(0, 20)}, "errors"),
        (
            {"column_cpu": values(0.2, 0.0), "column_memory": values(2e8, 0.0), "column_load": values(50, 0)},
            "gone",
        ),
    ],
)
def test_services_known_by_metrics_only_are_judged_by_them(columns, sign):
    """A metric per service and quantity, no spans, no logs, no breakers."""
    quiet = {
        "column_latency": values(0.1, 0.11),
        "column_cpu": values(0.3, 0.31),
        "column_memory": values(1e8, 1.01e8),
    }
    told = {
        Told("", name, ""): {(role, ""): some for role, some in found.items()}
        for name, found in {"cart": quiet, "payment": {**quiet, **columns}, "search": quiet}.items()
    }

    graph = suspects(Known({}, {}, told), (END - 3600, END), END)

    assert [node[0] for node, _ in rank(graph)] == ["payment"]
    assert sign in {each.kind for each in graph["payment", ""].own}


def test_metrics_of_a_central_exporter_are_of_the_container_that_they_name():
    """Kubernetes' exporters tell of others than themselves, by the names of pods."""
    told = {Told("payment-5f6585d649-fnmft", "kubelet", ""): {("restarts", ""): values(0, 1)}}

    graph = suspects(Known(system().services, {}, told), (END - 3600, END), END)

    assert [each.kind for each in graph["payment", ""].own] == ["restarts"]


def test_one_odd_minute_is_hardly_trouble():
    """Once it is over it counts for little."""
    minutes = red(ms=40)
    minutes.spent_ms[20 * 60] *= 6
    known = system(services={("payment", ""): minutes})

    graph = suspects(known, (END - 3600, END), END)

    assert all(score < 0.4 for _, score in rank(graph))


def test_a_quiet_system_has_no_suspect():
    """Nothing abnormal, nobody to blame."""
    assert rank(suspects(system(), (END - 3600, END), END)) == []


def young(minutes, first):
    """A system begun in *first*, whose first minute was cut."""
    for kept in (minutes.calls, minutes.failed, minutes.spent_ms, minutes.p95_ms):
        for at in [at for at in kept if at < first]:
            del kept[at]
    for kept in (minutes.calls, minutes.spent_ms):
        kept[first] //= 12
    return minutes


@pytest.mark.parametrize("minutes_before", [2, 3, 5])
def test_a_system_that_has_just_begun_is_judged_by_its_first_minutes(minutes_before) -> None:
    """The question's window is older than the system: the cut first minute is no absence, and the fault is not what is usual."""
    first = FAULT - minutes_before * 60
    known = system(**chain(failing, 30, 30, 30))
    for each in (*known.services.values(), *known.edges.values()):
        young(each, first)

    ranked = rank(suspects(known, (FAULT - 3600, FAULT + 120), FAULT + 120))

    assert ranked[0][0] == ("payment", "")
    kinds = {
        each.kind
        for it in suspects(known, (FAULT - 3600, FAULT + 120), FAULT + 120).values()
        for each in it.own
    }
    assert "gone" not in kinds


def test_the_minute_that_still_arrives_tells_nothing_of_calls_that_did_not() -> None:
    """A caller's agent sent its spans, the callee's has not yet."""
    known = system()
    for name in ("payment", "checkout", "mailer"):
        known.services[name, ""].calls[END - 60] = 20

    found = suspects(known, (START + 1200, END), END)

    assert not [each for it in found.values() for each in it.own if each.kind == "unanswered"]
