import pytest

from collector.health.objectives import Burn
from collector.health.verdict import Facts, OpenBreaker, judge
from collector.read.new_errors import NewError

BREAKER = OpenBreaker("checkout", "payment", "payment", "2026-11-22T20:51:49Z", "5 of 8 calls failed")


def facts(**known):
    """A service in good health, but for what is *known*."""
    return Facts(
        **{"service": "payment", "env": "demo", "heard": 1000, "silent_s": 1.0, "calls": 100, **known}
    )


@pytest.mark.parametrize(
    ("known", "health", "codes"),
    [
        ({}, "healthy", []),
        ({"failed": 4}, "healthy", []),
        ({"failed": 5}, "degraded", ["error_ratio"]),
        ({"failed": 25}, "unhealthy", ["error_ratio"]),
        ({"calls": 9, "failed": 9}, "healthy", []),
        ({"own_open": (BREAKER,)}, "degraded", ["breaker_open"]),
        ({"open_on_it": (BREAKER,)}, "unhealthy", ["breakers_on_it"]),
        ({"silent_s": 121.0}, "unhealthy", ["silent"]),
        ({"silent_s": 121.0, "heard": 3}, "healthy", []),
        ({"silent_s": 300.0, "heard": 20}, "healthy", []),
        ({"silent_s": 600.0, "heard": 20}, "unhealthy", ["silent"]),
        ({"silent_s": None}, "unknown", ["no_data"]),
        ({"silent_s": None, "open_on_it": (BREAKER,)}, "unhealthy", ["breakers_on_it"]),
        ({"severe": 20, "records": 100}, "degraded", ["log_errors"]),
        ({"severe": 9, "records": 9}, "healthy", []),
        (
            {"new_error": NewError("pool <*> is gone", 12, "2026-11-22T20:51:49Z", 24)},
            "degraded",
            ["new_errors"],
        ),
        ({"burn": Burn(0.999, 20.0, 14.4, 1)}, "degraded", ["slo_burn"]),
        ({"failed": 25, "burn": Burn(0.999, 250.0, 14.4, 1)}, "unhealthy", ["error_ratio", "slo_burn"]),
        ({"failed": 50, "own_open": (BREAKER,)}, "unhealthy", ["error_ratio", "breaker_open"]),
    ],
)
def test_the_worst_evidence_decides(known, health, codes):
    """Each kind of evidence has its verdict, and all of it is listed, the worst first."""
    verdict = judge(facts(**known))

    assert verdict.health == health
    assert [reason.code for reason in verdict.reasons] == codes


def test_evidence_links_to_the_page_that_shows_it():
    """A reason has a sentence, its number, the threshold, and a link that keeps the env."""
    reason = judge(facts(open_on_it=(BREAKER,))).reasons[0]

    assert reason.row() == {
        "code": "breakers_on_it",
        "message": "checkout opened a breaker on payment: 5 of 8 calls failed",
        "value": 1,
        "threshold": 1,
        "url": "/breakers/checkout/payment?env=demo",
    }
