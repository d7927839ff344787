"""The headline: what is wrong in one sentence, and never a calm word about what is unknown."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dashboards.api import Problem, Section
from dashboards.pages.overview import summarise
from dashboards.pages.service_row import service_rows
from dashboards.pages.tile import tiles
from dashboards.window import read_window
from tests.dashboards.document import read
from tests.dashboards.recorded_api import pages_over
from tests.dashboards.recorded_shop import BREAKERS, breaker, service

WINDOW = read_window({}, datetime(2026, 11, 22, 3, 15, tzinfo=UTC))
FAILED = Section(problem=Problem(503, "engine_unavailable", "down"))


def services(*healths: str) -> Section:
    """Give services with these verdicts."""
    return Section(tuple({"service": f"s{i}", "health": health} for i, health in enumerate(healths)))


@pytest.mark.parametrize(
    ("asked", "breakers", "expected"),
    [
        (services("healthy", "healthy"), Section(), ("healthy", "All 2 services healthy")),
        (services("healthy", "degraded"), Section(), ("degraded", "1 service degraded")),
        (
            services("healthy", "unknown"),
            Section(),
            ("unknown", "Nothing known to be wrong; 1 service unknown"),
        ),
        (services("healthy"), FAILED, ("unknown", "The state of the system cannot be told")),
        (FAILED, Section(), ("unknown", "The state of the system cannot be told")),
        (services(), Section(), ("unknown", "No service has reported in this time range")),
    ],
)
def test_the_headline_says_what_is_known(
    asked: Section, breakers: Section, expected: tuple[str, str]
) -> None:
    """Healthy only if everything was asked and everything said so."""
    assert summarise(asked, breakers, (), ()) == expected


def test_an_open_breaker_is_in_the_headline() -> None:
    """An open breaker makes the whole unhealthy even if every service feels fine."""
    troubled = tuple(each for each in tiles([breaker(*key) for key in BREAKERS], WINDOW) if each.troubled)

    assert summarise(services("healthy"), Section(), troubled, ()) == ("unhealthy", "1 breaker open")


def test_the_worst_service_comes_first() -> None:
    """Nobody scrolls for what is broken."""
    rows = service_rows([service(name) for name in ("cart", "checkout", "payment")], [], WINDOW)

    assert [row.service for row in rows] == ["payment", "checkout", "cart"]


def test_services_carry_their_verdict_for_machines_too() -> None:
    """Each service's row names its health where tests and scripts find it."""
    page = read(pages_over("shop"), "/").page

    (card,) = page.having(data_testid="service-card-payment")
    assert card.attributes["data-health"] == "unhealthy"
    assert (
        len(
            [
                each
                for each in page.all()
                if each.attributes.get("data-testid", "").startswith("service-card-")
            ]
        )
        == 7
    )


def test_one_page_answers_what_is_asked_at_three() -> None:
    """Because of what, who is affected, who owns it: beside the headline, each with its link."""
    page = read(pages_over("shop"), "/").page

    (answers,) = page.having(data_testid="answers")
    assert "62.0% of its calls fail" in answers.text
    assert "31 % of the requests to checkout" in answers.text
    assert "team-pay" in answers.text
    (part,) = page.having(data_testid="part-runbooks")
    runbooks = read(pages_over("shop"), part.attributes["hx-get"]).page
    assert "https://wiki.example/payment" in [each.attributes["href"] for each in runbooks.tags("a")]


def test_the_tour_leads_through_the_sample_shop() -> None:
    """Five steps, the commands to break and to heal, what happened already ticked; without the shop there is none."""
    with_shop = read(pages_over("shop", tour="python -m demo fault payment errors --on"), "/").page

    steps = with_shop.having(data_testid="tour-step")
    assert [each.attributes["data-done"] for each in steps] == ["yes", "yes", "no", "yes", "no"]
    assert "errors --on" in steps[0].text
    assert "errors --off" in steps[4].text
    assert not read(pages_over("shop"), "/").page.having(data_testid="tour")
