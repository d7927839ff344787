"""Find and the palette know rules and receivers by name."""

from __future__ import annotations

from tests.dashboards.document import read
from tests.dashboards.recorded_api import pages_over


def test_a_rule_is_found_by_its_name_and_group() -> None:
    """Two words are enough, and the link opens the rule."""
    (found,) = read(pages_over("shop"), "/find?query=carterrors+cart").page.having(data_testid="found")

    (link,) = found.tags("a")
    assert link.attributes["href"].startswith("/rules/r2?")
    assert "inactive" in found.text


def test_the_palette_offers_rules_and_receivers() -> None:
    """As pages, and each rule by itself."""
    page = read(pages_over("shop"), "/find?part=candidates").page

    links = [a.attributes["href"].split("?")[0] for a in page.tags("a")]
    assert {"/rules", "/receivers", "/rules/r1", "/rules/r2", "/rules/r3"} <= set(links)
