"""Alerts of callers belong to the dependency that explains them, with the evidence; one of them is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from collector.alerting.topology import Call, Folding, Topology
from tests.collector.alerting.conftest import START, Breaker
from tests.collector.alerting.world import an_alert

PAGES = ("page",)


def opened(service, target, state="open"):
    """Give a breaker."""
    return replace(Breaker(), service=service, breaker=target, target=target, state=state)


def failing(caller, callee, ratio=0.5):
    """Give calls."""
    return Call(caller, callee, "demo", 100, ratio)


def folding(alerts, breakers=(), calls=(), scores: Mapping[str, float] | None = None, silenced=()):
    """Give the fold of *alerts*."""
    known = {(name, "demo"): score for name, score in (scores or {}).items()}
    return Folding(Topology(START, tuple(calls), known), breakers, alerts, PAGES, silenced)


def test_a_callers_alert_folds_into_the_alert_of_its_dependency():
    """Checkout fails because its breaker on payment is open, and payment fails."""
    payment = an_alert("Errors", service="payment")
    checkout = an_alert("Errors", service="checkout")
    found = folding([checkout, payment], [opened("checkout", "payment")])

    assert found.lead(checkout.id) == payment.id
    assert found.lead(payment.id) is None
    (evidence,) = found.fold(checkout).evidence
    assert evidence["message"] == "checkout's breaker 'payment' on payment is open"
    assert (evidence["caller"], evidence["callee"], evidence["since"][:10]) == (
        "checkout",
        "payment",
        "2026-11-22",
    )


def test_of_callers_alone_the_first_is_told():
    """Nothing speaks for a dead dependency: three breakers on it are one page, and the way is followed to its end."""
    alerts = [
        an_alert("BreakerOpen", fired_s=number, service=service, breaker=target, target=target)
        for number, (service, target) in enumerate((("shop", "cart"), ("cart", "bank"), ("desk", "bank")))
    ]
    breakers = [opened("shop", "cart"), opened("cart", "bank"), opened("desk", "bank")]
    found = folding(alerts, breakers)

    assert {found.fold(alert).root for alert in alerts} == {("bank", "demo")}
    assert [step["callee"] for step in found.fold(alerts[0]).evidence] == ["cart", "bank"]
    assert [found.lead(alert.id) for alert in alerts] == [None, alerts[0].id, alerts[0].id]


def test_health_explains_only_what_is_a_likely_cause():
    """A tenth of the calls fail towards a callee that is a cause itself; fewer, or another callee, explain nothing."""
    checkout = an_alert("Errors", service="checkout")
    bank = an_alert("Errors", service="bank")
    both = [checkout, bank]

    likely = folding(both, calls=[failing("checkout", "bank")], scores={"bank": 0.8})
    assert likely.lead(checkout.id) == bank.id
    assert likely.fold(checkout).evidence[0]["score"] == 0.8
    assert (
        folding(both, calls=[failing("checkout", "bank", 0.05)], scores={"bank": 0.8}).lead(checkout.id)
        is None
    )
    assert folding(both, calls=[failing("checkout", "bank")], scores={"bank": 0.1}).lead(checkout.id) is None
    assert folding(both).fold(checkout).evidence == ()


def test_a_page_never_folds_into_what_is_no_page():
    """The dependency has only a ticket: the caller's page is told, and the ticket too; its own alerts are never folded."""
    ticket = an_alert("Slow", severity="ticket", service="payment")
    page = an_alert("Errors", service="checkout")
    other = an_alert("Slow", severity="ticket", service="checkout")
    found = folding([ticket, page, other], [opened("checkout", "payment")])

    assert [found.lead(alert.id) for alert in (ticket, page, other)] == [None, None, page.id]


def test_a_silenced_caller_does_not_speak_for_the_others():
    """But a silenced dependency does: that is what its maintenance is for."""
    first = an_alert("BreakerOpen", service="shop", breaker="bank", target="bank")
    second = an_alert("BreakerOpen", fired_s=5, service="desk", breaker="bank", target="bank")
    bank = an_alert("Errors", fired_s=9, service="bank")
    breakers = [opened("shop", "bank"), opened("desk", "bank")]

    assert folding([first, second], breakers, silenced=[first.id]).lead(second.id) is None
    assert folding([first, second, bank], breakers, silenced=[bank.id]).lead(second.id) == bank.id


def test_another_environment_is_another_story():
    """A breaker in demo explains nothing in prod."""
    payment = an_alert("Errors", service="payment", env="prod")
    checkout = an_alert("Errors", service="checkout", env="prod")

    assert folding([payment, checkout], [opened("checkout", "payment")]).lead(checkout.id) is None


def test_a_target_with_a_port_is_the_service_that_is_known():
    """And a closed breaker explains nothing."""
    bank, cart = an_alert("Errors", service="bank"), an_alert("Errors", service="cart")
    calls = [failing("desk", "bank", 0.0)]

    assert folding([bank, cart], [opened("cart", "bank:8080")], calls).lead(cart.id) == bank.id
    assert folding([bank, cart], [opened("cart", "bank:8080", "closed")], calls).lead(cart.id) is None


def test_an_alert_about_no_service_belongs_nowhere():
    """It is told."""
    alert = an_alert("DiskFull", env="demo")

    assert folding([alert]).fold(alert) is None


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from("abcde")), max_size=12))
def test_the_way_ends_whatever_the_edges(edges):
    """Circles too; each story has at least one alert that is told, and leads are told themselves."""
    alerts = [an_alert("Errors", service=service) for service in "abcde"]
    found = folding(alerts, [opened(caller, callee) for caller, callee in edges])

    leads = {alert.id: found.lead(alert.id) for alert in alerts}
    assert any(lead is None for lead in leads.values())
    assert all(leads[lead] is None for lead in leads.values() if lead)
