"""Every metric stands in docs/metrics.md with its type and its help, and nothing else does."""

from __future__ import annotations

import ast
import re

from prometheus_client import CollectorRegistry

from agents.metrics import HELP
from collector import metrics as collector_metrics
from collector.alerting import metrics as alerting_metrics
from tests.contract import sources


def documented(heading: str) -> dict[str, tuple[str, str]]:
    """Name -> (type, help) of one table of the page."""
    rows = sources.table("metrics.md", heading)
    return {sources.codes(name)[0]: (kind, text) for name, kind, text in rows}


def test_the_collectors_metrics_are_documented() -> None:
    """Each class of the two metrics modules is built once into a registry; what it declares is the page's table."""
    registry = CollectorRegistry()
    for module in (collector_metrics, alerting_metrics):
        for made in list(vars(module).values()):
            if isinstance(made, type) and made.__module__ == module.__name__:
                made(registry)
    declared = {
        family.name + ("_total" if family.type == "counter" else ""): (family.type, family.documentation)
        for family in registry.collect()
    }

    assert documented("Collector") == declared


def test_metrics_are_declared_where_they_are_looked_for() -> None:
    """No module of the collector declares a metric but the two metrics modules."""
    declared = sources.calls("collector", {"Counter", "Gauge", "Histogram", "Summary"})
    files = {
        path for path, _, call in declared if any(keyword.arg == "registry" for keyword in call.keywords)
    }

    assert files == {sources.ROOT / "collector/metrics.py", sources.ROOT / "collector/alerting/metrics.py"}


def test_the_agents_metrics_are_documented() -> None:
    """The help texts of the agent are the page's table."""
    declared = {
        name: ("counter" if name.endswith("_total") else "gauge", text) for name, text in HELP.items()
    }

    assert documented("Agent") == declared


def test_what_agents_ship_for_their_service_is_documented() -> None:
    """Every name that a source makes a sample of is on the page, with the type it is shipped under."""
    made = {
        tuple(ast.literal_eval(part) for part in call.args[:2])
        for _, _, call in sources.calls("agents", {"Sample"})
    }
    scrape = (sources.ROOT / "agents" / "sources" / "scrape.py").read_text()
    appended = set(re.findall(r"# TYPE (\w+) (\w+)", scrape))

    page = documented("What the agent ships for its service")
    assert {(name, kind) for name, (kind, _) in page.items()} == made | appended
