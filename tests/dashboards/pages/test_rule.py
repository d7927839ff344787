"""A rule's page: its alerts of now and before, how noisy it is, how to silence it, and the course of what it watches."""

from __future__ import annotations

import json

import pytest

from dashboards.pages.rule import watched
from tests.dashboards.document import read
from tests.dashboards.recorded_api import pages_over


def test_a_rule_shows_its_alerts_of_now_and_before() -> None:
    """The living one by its state, the ended one with its end, only those of this rule."""
    page = read(pages_over("shop"), "/rules/r1").page

    assert [row.attributes["data-state"] for row in page.having(data_testid="rule-alert")] == [
        "firing",
        "resolved",
    ]
    assert "was open for 10 min" in page.text
    assert "keeps firing for 1 min" in page.text


def test_a_rule_says_how_noisy_it_is() -> None:
    """Of the report, the row of this rule, with what could be done."""
    (noise,) = read(pages_over("shop"), "/rules/r1").page.having(data_testid="rule-noise")

    assert "fired 14 times, nobody took 11" in noise.text
    assert "give it a longer `for`" in noise.text


def test_a_rule_is_silenced_with_one_click() -> None:
    """The form opens with the rule's name as its matcher."""
    (link,) = read(pages_over("shop"), "/rules/r1").page.having(data_testid="silence-rule")

    assert "matchers=alertname%3D%22BreakerOpen%22" in link.attributes["href"]


def test_what_fails_in_a_rule_is_said_in_full() -> None:
    """The page of a rule that is not evaluated any more opens with why."""
    (error,) = read(pages_over("shop"), "/rules/r2").page.having(data_testid="rule-error")

    assert error.text == "it yields 31 alerts, more than its group's limit of 20"


def test_alerts_and_rules_of_the_alerts_page_lead_to_their_rule() -> None:
    """From what fires to why, in one click."""
    page = read(pages_over("shop"), "/alerts").page

    links = [a.attributes["href"].split("?")[0] for a in page.tags("a")]
    assert links.count("/rules/r1") == 2


@pytest.mark.parametrize(
    ("expr", "split"),
    [
        ("rate(errors_total[5m]) > 5", ("rate(errors_total[5m])", "> 5")),
        ('up{job="a<b"} == 0', ('up{job="a<b"}', "== 0")),
        ("a / b >= -0.5", ("a / b", ">= -0.5")),
        ("sum by (x) (y) > bool 1", ("sum by (x) (y) > bool 1", "")),
        ("a > 1 and b > 2", ("a > 1 and b > 2", "")),
        ("(a > 1) < 5", ("(a > 1) < 5", "")),
        ("count(a > 1)", ("count(a > 1)", "")),
        ("1 < a", ("a", "> 1")),
        ("0.5 >= sum(rate(a[5m]))", ("sum(rate(a[5m]))", "<= 0.5")),
        ("1 == a", ("a", "== 1")),
        ("1 < a < 5", ("1 < a < 5", "")),
        ("1 < bool a", ("1 < bool a", "")),
        ("a > 2.5e+3", ("a", "> 2.5e+3")),
        ("a > b", ("a > b", "")),
        ("a\n  > 1e-3", ("a", "> 1e-3")),
        ("", ("", "")),
    ],
)
def test_a_condition_on_the_whole_is_left_out_of_the_chart(expr: str, split: tuple[str, str]) -> None:
    """A comparison of everything with a number; anything else is drawn as it stands."""
    assert watched(expr) == split


def test_the_condition_is_a_line_across_the_chart() -> None:
    """One more series, dashed, of its number; the table behind has the rule's own series alone."""
    page = read(pages_over("shop"), "/rules/r2").page

    (data,) = page.having(id="data-rule")
    line = json.loads(data.text)["series"][-1]
    assert (line["label"], line["dashed"]) == ("limit: > 0.05", True)
    assert set(line["values"]) == {0.05}
    (figure,) = page.having(data_testid="chart-rule")
    assert "limit:" not in "".join(cell.text for cell in figure.tags("th"))


def test_the_address_of_a_rule_that_is_gone_says_why() -> None:
    """404, in words; also for an address with more parts than one."""
    assert read(pages_over("shop"), "/rules/gone").status == 404
    assert read(pages_over("shop"), "/rules/r1/more").status == 404
