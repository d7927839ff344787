"""GET /courses/…: small pictures of many at once, on the real engine."""

from collector.api.answer import Page
from collector.api.v1.courses import BreakerCourse, ServiceCourse
from tests.collector.read.real_store import at, span


def asked(client, of, model, **params):
    """The documented rows."""
    answer = client.get(f"/api/v1/courses/{of}", params=params)
    assert answer.status_code == 200, answer.text
    return Page[model].model_validate(answer.json()).data


def opened(seconds, **fields):
    """One row of `breaker_transitions`: checkout's breaker on payment opens."""
    row = {"at": at(seconds), "service": "checkout", "env": "demo", "breaker": "payment", "target": "payment"}
    row |= {"instance": "c-1", "from_state": "closed", "to_state": "open", "retention_days": 3000}
    return row | fields


def test_each_service_has_its_course(fill, client):
    """Requests and errors stand in their minutes; a minute without any has no ratio, not a zero."""
    fill("spans", [
        span(-600, "checkout", "POST /pay", kind="server", status="error"),
        span(-600, "checkout", "POST /pay", kind="server"),
        span(-90, "checkout", "POST /pay", kind="server"),
        span(-90, "cart", "GET /cart", kind="server", env="other"),
    ])  # fmt: skip

    cart, checkout = asked(client, "services", ServiceCourse, start="-30m")

    assert (cart.service, cart.env, checkout.env) == ("cart", "other", "demo")
    assert sorted({each.error_ratio for each in checkout.series if each.error_ratio is not None}) == [
        0.0,
        0.5,
    ]
    assert sum(each.error_ratio is None for each in checkout.series) == len(checkout.series) - 2
    assert 30 <= len(checkout.series) <= 41
    assert [each.service for each in asked(client, "services", ServiceCourse, env="other")] == ["cart"]


def test_each_breaker_that_changed_has_its_course(fill, client):
    """The failure rate is that of the calls to its target; what it turned away stands where it was told."""
    fill("spans", [
        span(-600, "checkout", "POST", kind="client", status="error", attributes={"peer.service": "payment"}),
        span(-600, "checkout", "POST", kind="client", attributes={"peer.service": "payment"}),
    ])  # fmt: skip
    fill(
        "breaker_transitions",
        [opened(-590), opened(-300, from_state="open", to_state="half_open", not_permitted=57)],
    )

    (course,) = asked(client, "breakers", BreakerCourse, start="-30m")

    assert (course.service, course.breaker, course.target) == ("checkout", "payment", "payment")
    assert [each.failure_rate for each in course.series if each.failure_rate is not None] == [0.5]
    assert [each.not_permitted for each in course.series if each.not_permitted] == [57]


def test_nothing_heard_is_no_course(client):
    """An empty window answers empty lists, a bad one is refused."""
    assert asked(client, "services", ServiceCourse, start="-10d", end="-9d") == []
    assert asked(client, "breakers", BreakerCourse, start="-10d", end="-9d") == []
    assert client.get("/api/v1/courses/services", params={"start": "soon"}).status_code == 400
