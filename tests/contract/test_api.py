"""Every route of the API says what it is, in the OpenAPI document and in docs/api.md."""

from __future__ import annotations

from typing import Any

import pytest

from collector.api import ApiParts, build_api
from collector.router import PROBES
from tests.contract import sources
from tests.contract.sources import ROOT


class Nobody:
    """A part that no test here asks."""


@pytest.fixture(scope="module")
def paths() -> dict[str, dict[str, Any]]:
    """The OpenAPI document's paths."""
    nobody: Any = Nobody()
    found: dict[str, dict[str, Any]] = build_api(ApiParts(nobody, nobody, nobody, nobody)).openapi()["paths"]
    return found


def test_every_route_has_a_summary_and_a_description(paths: dict[str, dict[str, Any]]) -> None:
    """The document is read by people who have never seen the source."""
    for path, operations in paths.items():
        for method, operation in operations.items():
            assert operation.get("summary"), f"{method} {path}"
            assert operation.get("description"), f"{method} {path}"


def test_every_query_parameter_has_a_description(paths: dict[str, dict[str, Any]]) -> None:
    """What stands in the path says itself; what stands behind the question mark does not."""
    for path, operations in paths.items():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                said = parameter.get("description") or parameter["schema"].get("description")
                assert said or parameter["in"] == "path", f"{path}: {parameter['name']}"


def test_the_page_lists_every_route(paths: dict[str, dict[str, Any]]) -> None:
    """docs/api.md has one row per route, with the route's own words, and no other row."""
    page = {sources.codes(path)[0]: answers for path, answers in sources.table("api.md")}

    assert page == {
        f"/api{path}": next(iter(operations.values()))["description"].strip()
        for path, operations in paths.items()
    }


def test_the_page_says_what_is_not_a_get(paths: dict[str, dict[str, Any]]) -> None:
    """The day another one comes, the page changes with it."""
    changing = {path for path, operations in paths.items() if set(operations) != {"get"}}

    assert changing == {
        "/v1/receivers/{name}/test",
        "/v1/receivers/{name}/enable",
        "/v1/deliveries/{delivery_id}/retry",
        "/v1/catalogue/{service}",
        "/v1/dashboards",
        "/v1/dashboards/{dashboard_id}",
        "/v1/deploys",
        "/v1/keys",
        "/v1/keys/{key_id}",
        "/v1/keys/{key_id}/rotate",
        "/v1/session",
        "/v1/session/oidc",
        "/v1/session/oidc/begin",
        "/v1/session/password",
        "/v1/incidents/{incident_id}/ack",
        "/v1/incidents/{incident_id}/note",
        "/v1/incidents/{incident_id}/resolve",
        "/v1/incidents/{incident_id}/merge",
        "/v1/silences",
        "/v1/silences/preview",
        "/v1/silences/{silence_id}",
        "/v1/sql",
        "/v1/users",
        "/v1/users/{name}",
        "/v1/views",
        "/v1/views/{view_id}",
    }


def test_the_probes_are_on_the_page() -> None:
    """The three paths beside the API are documented there."""
    text = (ROOT / "docs" / "api.md").read_text()
    assert all(f"`{path}`" in text for path in PROBES)
