"""
The collector's own service: its lines are telemetry like any other, and nobody's business unless asked for.

The canary writes as service ``fuseboard``. Lists of services leave that name out, and searches that do not name it do not find it;
a service page, a search for ``service:fuseboard`` or for ``canary``, and SQL do.
"""

from __future__ import annotations

from dataclasses import replace

from collector.query.search import Condition

OWN_SERVICE = "fuseboard"
_NAMES = (OWN_SERVICE, "canary")


def without_own(search: Condition, text: str) -> Condition:
    """Leave our own records out of *search*, unless its *text* names them."""
    if any(name in text.lower() for name in _NAMES):
        return search
    others = f"(service != '{OWN_SERVICE}')"
    return replace(search, sql=others if search.sql == "1" else f"{others} AND ({search.sql})")
