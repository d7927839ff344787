"""Rates of sampled traces: weighted by the probability that each span tells, and said to be, on the real engine."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.api.answer import Page
from collector.api.v1.services import Service
from collector.api.v1.topology import Map
from tests.collector.read.real_store import span

OWN = {"http.route": "/v1/cart", "http.request.method": "GET"}


def weight(store, fill, trace_state="", **attributes):
    """The weight of one span."""
    named = {name.replace("__", "."): value for name, value in attributes.items()}
    fill("spans", [span(-60, "weighed", "GET", trace_state=trace_state, attributes=named)])
    return store.query("SELECT weight FROM spans WHERE service = 'weighed'").rows[0]["weight"]


@pytest.mark.parametrize(
    ("trace_state", "expected"),
    [
        ("", 1),
        ("ot=th:0", 1),
        ("ot=th:8", 2),
        ("ot=th:c", 4),
        ("ot=th:c;rv:9b8233f7e3a151", 4),
        ("vendor=1, ot=rv:9b8233f7e3a151;th:e668", 10),
        ("ot=p:3;r:9", 8),
        ("ot=p:63", 1),
        ("ot=th:ffffffffffffff", 1e6),
        ("ot=th:xyz", 1),
        ("other=th:c", 1),
        ("ot=oth:c", 1),
        ("ot=th:" + "f" * 15, 1),
    ],
)
def test_tracestate_tells_how_many_calls_a_span_stands_for(store, fill, trace_state, expected):
    """OpenTelemetry's threshold, and the p-value that came before it; what is not one of them is one call, and a million is the most."""
    found = weight(store, fill, trace_state)

    assert found == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"sampling__probability": "0.25"}, 4),
        ({"SampleRate": "20"}, 20),
        ({"sampleRate": "5"}, 5),
        ({"sampling__probability": "0"}, 1),
        ({"sampling__probability": "-1"}, 1),
        ({"sampling__probability": "nan"}, 1),
        ({"SampleRate": "inf"}, 1e6),
        ({"SampleRate": "many"}, 1),
    ],
)
def test_attributes_tell_it_too(store, fill, attributes, expected):
    """Those of SDKs and of Honeycomb's; nonsense is one call."""
    assert weight(store, fill, **attributes) == pytest.approx(expected)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.text("th:0123456789abcdefpr=;, ", max_size=24),
)
def test_no_tracestate_makes_a_span_unloadable(store, fill, noise, tail):
    """Whatever bytes come: a number from 1 to a million."""
    found = weight(store, fill, f"ot=th:{tail}{noise}", **{"SampleRate": noise, "sampling.probability": tail})
    store.command("TRUNCATE TABLE spans")

    assert 1 <= found <= 1e6


def call(seconds, trace_state="", failed=False):
    """A client's span from cart to stock, and the server's."""
    status = "error" if failed else "ok"
    shared = {"trace_state": trace_state, "status": status}
    return [
        span(seconds, "cart", "GET", kind="client", attributes={"peer.service": "stock"}, **shared),
        span(seconds, "stock", "GET", attributes=OWN, **shared),
    ]


def test_rates_are_of_the_calls_and_the_answer_says_so(fill, client):
    """One in four kept: four times the rate on edges, services and endpoints; an error that is always kept weighs what it tells."""
    kept = [each for _ in range(9) for each in call(-120, "ot=th:c")]
    fill("spans", [*kept, *call(-120, failed=True)])

    edge = Page[Map].model_validate(client.get("/api/v1/map").json()).data[0].edges[0]
    services = {
        row.service: row for row in Page[Service].model_validate(client.get("/api/v1/services").json()).data
    }
    endpoint = client.get("/api/v1/endpoints").json()["data"][0]

    assert (edge.requests, edge.sampled) == (37, True)
    assert edge.error_ratio == pytest.approx(1 / 37)
    assert edge.sampling is not None
    assert (edge.sampling.spans, edge.sampling.calls) == (10, 37)
    assert services["stock"].error_ratio == pytest.approx(1 / 37, abs=1e-6)
    assert services["stock"].sampled
    assert (endpoint["calls"], endpoint["sampled"]) == (37, True)


def test_what_is_not_sampled_stays_as_it_is(fill, client):
    """Exact counts, and nothing about sampling."""
    fill("spans", [*call(-120), *call(-60, failed=True)])

    (whole,) = client.get("/api/v1/map").json()["data"]

    assert (whole["edges"][0]["requests"], whole["edges"][0]["error_ratio"]) == (2, 0.5)
    assert {(each["sampled"], each["sampling"]) for each in [*whole["edges"], *whole["nodes"]]} == {
        (False, None)
    }
