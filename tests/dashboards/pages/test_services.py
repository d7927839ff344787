"""The list of services: orders, filters, courses."""

from __future__ import annotations

import pytest

from tests.dashboards.document import Element, read
from tests.dashboards.recorded_api import pages_over


def names(page: Element) -> list[str]:
    """Give the services of the table, in order."""
    rows = [
        each for each in page.tags("tr") if each.attributes.get("data-testid", "").startswith("service-card-")
    ]
    return [each.attributes["data-testid"].removeprefix("service-card-") for each in rows]


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        ("", "payment"),
        ("sort=service", "cart"),
        ("sort=errors", "payment"),
        ("sort=p95", "payment"),
        ("sort=owner", "payment"),
    ],
)
def test_the_list_is_ordered_as_asked(asked: str, first: str) -> None:
    """Worst health first unless another order is asked for; the head of its column says so."""
    page = read(pages_over("shop"), f"/services?{asked}").page

    assert names(page)[0] == first
    assert len([each for each in page.tags("th") if "aria-sort" in each.attributes]) == 1


def test_the_list_is_narrowed() -> None:
    """By letters of name or owner, and by health; links keep both, and nothing found says how to go back."""
    assert names(read(pages_over("shop"), "/services?named=team").page) == ["payment"]
    assert names(read(pages_over("shop"), "/services?health=degraded&sort=service").page) == ["checkout"]
    page = read(pages_over("shop"), "/services?named=zzz").page
    assert "No service matches" in page.text


@pytest.mark.parametrize("asked", ["sort=colour", "health=fine"])
def test_unknown_orders_are_refused(asked: str) -> None:
    """The value is quoted and what may stand there is said."""
    answer = read(pages_over("shop"), f"/services?{asked}")

    assert answer.status == 400
    assert "write one of" in answer.page.text


def test_each_number_has_its_course_and_its_evidence() -> None:
    """Rate, errors and p95 show how they went, said in words too, and lead to the traces behind them."""
    page = read(pages_over("shop"), "/services").page

    (row,) = page.having(data_testid="service-card-payment")
    pictures = [
        each.attributes["aria-label"] for each in row.tags("svg") if each.attributes.get("role") == "img"
    ]
    assert pictures == ["requests per second, now 12.3", "share of errors, of all 62 %", "p95, of all 2.1 s"]
    links = [each.attributes["href"] for each in row.tags("a")]
    assert any("error=true" in link for link in links)
    assert any("order=slowest" in link for link in links)
