"""
Templates in labels and annotations: the part of Go's ``text/template`` that Prometheus' rule files use.

``reading.py``    text -> nodes; what is wrong is said when the rule file is read
``nodes.py``      what a template is made of
``filling.py``    nodes and `Given` -> text
``functions.py``  ``humanize``, ``printf``, ``query``, …: Prometheus' and Go's
``numbers.py``    how Go writes numbers

Source: https://pkg.go.dev/text/template; https://prometheus.io/docs/prometheus/latest/configuration/template_reference/.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache

from collector.alerting.templates.checking import check
from collector.alerting.templates.filling import Given, fill
from collector.alerting.templates.nodes import Node
from collector.alerting.templates.numbers import number
from collector.alerting.templates.reading import read


def check_template(text: str, labels: Collection[str] | None = None, *, value: bool = True) -> None:
    """
    Check every action of *text*.

    Args:
        text: The template.
        labels: Names that will exist; ``None`` = any may.
        value: Whether ``$value`` may be used.

    Raises:
        ValueError: It cannot be read, names what is not known, or a label that will not exist.
    """
    check(_nodes(text), labels, value=value)


def render(text: str, labels: Mapping[str, str], value: float) -> str:
    """Fill a checked template with labels and value alone; a breaker's seconds have at most one decimal."""
    return fill_in(text, Given(labels, float(f"{value:.1f}")))


def fill_in(text: str, given: Given) -> str:
    """Fill a checked template; what goes wrong stands in its place, as in Prometheus."""
    if "{{" not in text:
        return text
    try:
        return fill(_nodes(text), given)
    except (ValueError, ArithmeticError, RecursionError) as error:
        return f"<error expanding template: {error}>"


@lru_cache(maxsize=20_000)
def _nodes(text: str) -> tuple[Node, ...]:
    return read(text)


__all__ = ["Given", "check_template", "fill_in", "number", "render"]
