"""Every page over every variant of the API: data, nothing, a dead engine, a slow one, hostile content."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import get_type_hints
from urllib.parse import quote

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from dashboards.api import Api
from dashboards.app import create_app
from dashboards.pages import PAGES
from dashboards.render import Frame, Help
from tests.dashboards.document import read
from tests.dashboards.recorded_api import HOSTILE, pages_over
from tests.dashboards.recorded_shop import TRACE

URLS = {
    "overview.html": "/",
    "services.html": "/services",
    "service.html": "/services/checkout",
    "breakers.html": "/breakers",
    "breaker.html": "/breakers/checkout/payment",
    "logs.html": "/logs?query=charge",
    "log_context.html": "/logs/context?id=b1-3",
    "patterns.html": "/patterns",
    "traces.html": "/traces",
    "trace.html": f"/traces/{TRACE}",
    "map.html": "/map",
    "alerts.html": "/alerts",
    "rules.html": "/rules",
    "rule.html": "/rules/r2",
    "receivers.html": "/receivers?delivery=2",
    "pipeline.html": "/pipeline",
    "find.html": "/find?query=checkout",
    "metrics.html": "/graph?q1=http_requests_total",
    "boards.html": "/boards?panel=metric&q1=up",
    "board.html": "/boards/b0a2d1",
    "sql.html": "/sql?query=SELECT%201",
    "endpoints.html": "/endpoints",
    "databases.html": "/databases",
    "catalogue.html": "/catalogue?edit=payment",
    "deploys.html": "/deploys",
    "queues.html": "/queues",
    "gateway.html": "/gateway",
    "keys.html": "/keys",
    "users.html": "/users",
    "settings.html": "/settings",
    "silences.html": "/silences?matchers=service%3Dcheckout",
    "incidents.html": "/incidents",
    "incident.html": "/incidents/1f3a",
}
EXPECTED = {
    "/": (
        "1 service unhealthy, 1 service degraded, 1 breaker open",
        "since 03:10:40, 4 min 20 s ago",
        "62 % of requests fail",
        "gateway → checkout → payment",
    ),
    "/services": ("1 unhealthy", "62 % of requests fail", "team-pay"),
    "/services/checkout": ("its breaker payment is open", "Latest errors and failing traces"),
    "/breakers": (
        "1 open",
        "1 hint on its settings",
        "tripped by",
        "instances disagree",
        "card processor: connection refused",
    ),
    "/breakers/checkout/payment": (
        "Who loses it",
        "31 % of the requests to checkout failed",
        "POST /checkout",
        "62 % of 1,240 calls failed as it opened, usually 0.1 %",
        "18 % of all that users asked for is hit",
        "gateway 18 % 1 call away",
        "POST /shop/checkout 412 1,330",
        "wait longer in the open state: about 120 s",
        "recovery 4 min",
    ),
    "/logs?query=charge": ("charge failed: card processor", "older", "Payment errors", "order.id"),
    "/logs/context?id=b1-3": ("In context", "charge failed: card processor"),
    "/patterns": ("charge failed: card processor: ‹*›", "9,100", "1 example"),
    "/traces": ("gateway", "POST /checkout", "91.4 ms"),
    f"/traces/{TRACE}": ("first failing span: payment POST /v1/charge", "parent not received"),
    "/map": ("unprotected", "kafka"),
    "/alerts": ("BreakerOpen", "410 Gone: disabled", "open for 15s", "flapping", "silenced", "incident"),
    "/rules": (
        "1 failing",
        "1 firing",
        "every 15 s",
        "more than its group's limit of 20",
        "14 11 nobody took",
        "records",
    ),
    "/rules/r2": (
        "CartErrors",
        "it holds where this is > 0.05",
        "rules/cart.yml:6",
        "it took 4.2 ms",
        "service_name=cart",
        "It did not fire",
        "None ended",
    ),
    "/receivers?delivery=2": (
        "1 disabled",
        "it answered 410 Gone",
        "1 for 4 min",
        "beats every 1 min",
        "no such hook",
        "41.5 ms",
        "give it a longer `for`",
    ),
    "/pipeline": (
        "1 gap that nobody explains",
        "/var/log/checkout/app.log",
        "spool_full 7 blocks",
        "holds",
        "clock 1 min 30 s ahead",
    ),
    "/find?query=checkout": ("checkout › payment", "search the logs for it"),
    "/graph?q1=http_requests_total": ("service_name=cart", "1 exemplar", "Table of http_requests_total"),
    "/boards?panel=metric&q1=up": ("Cart at a glance", "Put this on a dashboard", "1 h ago by ana"),
    "/boards/b0a2d1": ("For the shift.", "Requests", "Whom to call: team-pay"),
    "/sql?query=SELECT%201": ("2 rows", "charge failed", "NULL", "30 s, 1.86 GiB of memory", "occurred_at"),
    "/endpoints": ("1 safe to delete", "GET /v1/cart", "0 calls in this range", "gateway"),
    "/databases": ("1 of 2 shared", "several of them write orders", "one service's own"),
    "/catalogue?edit=payment": ("team-pay", "25 % of what an on-call engineer needs", "Edit payment"),
    "/deploys": (
        "1 regression",
        "62% of its calls fail, 0.1% before",
        "checkout › payment",
        "charge failed: <*>",
        "by pipeline 7",
    ),
    "/queues": ("1 stuck or growing", "it grows by 8 messages a second", "notifications"),
    "/gateway": ("1 client feels an outage", "mobile-app", "POST /checkout"),
    "/keys": ("cart in prod", "settings", "1 revoked key", "Make a key"),
    "/users": ("ana", "disabled", "Add a person"),
    "/settings": ("admin_key", "********", "not set"),
    "/silences?matchers=service%3Dcheckout": (
        "replacing the card terminal",
        "sat, sun 22:00–04:00",
        "This is about 1 living alert",
        "1 silence ended",
    ),
    "/incidents": ("2 living ones", "payment is in trouble in demo", "2 of 2 fire", "Before"),
    "/incidents/1f3a": (
        "gateway → checkout → payment",
        "62 % of the requests to payment failed",
        "restarting the card terminal",
        "checkout's breaker 'payment' on payment is open",
        "charge failed: card processor refused",
    ),
}
EMPTY = {
    "/": ("No agent has reported", "fuseboard up --demo"),
    "/services": ("No agent has reported",),
    "/services/checkout": ("could not be shown",),
    "/breakers": ("No breaker has reported", "/v1/breakers"),
    "/breakers/checkout/payment": ("could not be shown",),
    "/logs?query=charge": ("No record matches", "the range without the search"),
    "/logs/context?id=b1-3": ("could not be shown",),
    "/patterns": ("There is nothing to group",),
    "/traces": ("No trace matches",),
    f"/traces/{TRACE}": ("Look for its logs",),
    "/map": ("No calls were traced",),
    "/alerts": ("No alert is pending", "No rule is loaded"),
    "/rules": ("nobody will be woken",),
    "/rules/r2": ("could not be shown", "No rule in force has this address"),
    "/receivers?delivery=2": (
        "Nobody is told",
        "Nothing had to be delivered",
        "This delivery could not be shown",
    ),
    "/pipeline": ("Nothing was emitted", "No agent reported", "Nothing is lost"),
    "/find?query=checkout": ("Nothing of this name", "longer range"),
    "/graph?q1=http_requests_total": ("No series", "matches nothing between"),
    "/boards?panel=metric&q1=up": ("No dashboard was kept",),
    "/boards/b0a2d1": ("could not be shown",),
    "/sql?query=SELECT%201": ("The statement answers no row",),
    "/endpoints": ("No endpoint was called",),
    "/databases": ("No database call was traced",),
    "/catalogue?edit=payment": ("No service is known",),
    "/deploys": ("No version was deployed",),
    "/queues": ("No queue is known",),
    "/gateway": ("Nobody called from outside",),
    "/keys": ("No key was made",),
    "/users": ("Nobody was added",),
    "/settings": ("tells no settings",),
    "/silences?matchers=service%3Dcheckout": ("Nothing is silenced", "No living alert has these labels"),
    "/incidents": ("No incident is open",),
    "/incidents/1f3a": ("could not be shown",),
}
MISSING = (
    "/rules/r2",
    "/incidents/1f3a",
    "/boards/b0a2d1",
    "/logs/context?id=b1-3",
    "/services/checkout",
    "/breakers/checkout/payment",
    f"/traces/{TRACE}",
)


def hostile_url(url: str) -> str:
    """Give the address at which the hostile API has what *url* shows of the shop."""
    changed = url.replace("/find?query=checkout", "/find?query=hacked")
    return changed.replace("/rules/r2", f"/rules/{quote(HOSTILE, safe='')}")


ALL_URLS = pytest.mark.parametrize("url", URLS.values())


def test_every_page_of_the_site_is_walked_here() -> None:
    """A page added to the site is added to these tests."""
    assert {page.template for page in PAGES} == set(URLS)


@ALL_URLS
def test_a_page_shows_what_the_api_knows(url: str) -> None:
    """With data, each page answers 200 and shows its facts."""
    answer = read(pages_over("shop"), url)

    assert answer.status == 200
    for text in EXPECTED[url]:
        assert text in answer.page.text
    assert not answer.page.having(data_testid="engine-banner")
    assert not answer.page.having(data_testid="problem")


@pytest.mark.parametrize(
    ("page", "part", "texts"),
    [
        (
            "/services/checkout",
            "errors",
            ("Latest errors", "charge failed", "Failing traces", "POST /checkout"),
        ),
        ("/logs?query=charge", "facets", ("severity", "payment", "More fields", "order.id")),
    ],
)
def test_what_comes_later_shows_what_the_api_knows(page: str, part: str, texts: tuple[str, ...]) -> None:
    """The page keeps a place for it; its own address shows it, with the page's search and range."""
    (place,) = read(pages_over("shop"), page).page.having(data_testid=f"part-{part}")
    answer = read(pages_over("shop"), place.attributes["hx-get"])

    for text in texts:
        assert text in answer.page.text
    assert not answer.page.having(data_testid="problem")


@ALL_URLS
def test_an_empty_page_says_what_to_do(url: str) -> None:
    """Without data, each page says so in words and what would change it."""
    answer = read(pages_over("empty"), url)

    assert answer.status == (404 if url in MISSING else 200)
    for text in EMPTY[url]:
        assert text in answer.page.text


@ALL_URLS
def test_a_dead_engine_keeps_the_page_and_is_named(url: str) -> None:
    """With the engine down, the banner and each section say so; the page stands."""
    answer = read(pages_over("down"), url)

    assert answer.status == 200
    (banner,) = answer.page.having(data_testid="engine-banner")
    assert "The engine is down" in banner.text
    assert "7 segments" in banner.text
    problems = answer.page.having(data_testid="problem")
    assert problems
    assert all(problem.attributes["data-code"] == "engine_unavailable" for problem in problems)
    assert len(answer.page.tags("nav")) == 1


@ALL_URLS
def test_a_slow_api_is_said_to_be_slow(url: str) -> None:
    """A section whose answer does not come in time says that, and after how long."""
    answer = read(pages_over("slow", timeout_s=0.02), url)

    assert answer.status == 200
    assert {each.attributes["data-code"] for each in answer.page.having(data_testid="problem")} == {"timeout"}
    assert "did not answer within 0.02 s" in answer.page.text


@ALL_URLS
def test_hostile_content_is_shown_and_inert(url: str) -> None:
    """Markup in log bodies, names and labels is text: no element, handler, style or foreign link comes of it."""
    answer = read(pages_over("hostile"), hostile_url(url))

    assert answer.status == 200
    assert HOSTILE in answer.page.text
    for element in answer.page.all():
        assert element.tag not in ("img", "iframe", "object", "style")
        if element.tag == "script":
            data = element.attributes.get("type") == "application/json"
            assert data or element.attributes.get("src", "").startswith("/static/")
            assert "<" not in "".join(element.texts)
        assert not [name for name in element.attributes if name.startswith("on") or name == "style"]
        for name in ("href", "action", "src", "hx-get"):
            link = element.attributes.get(name, "/")
            assert link.startswith(("/", "#")), link
            assert not link.startswith("//"), link


@ALL_URLS
def test_every_link_carries_time_range_and_environment(url: str) -> None:
    """A link to a page can be pasted into chat: start, end and env are in it."""
    joined = url + ("&" if "?" in url else "?") + "start=-6h&end=now&env=demo"

    answer = read(pages_over("shop"), joined)

    links = [a.attributes["href"] for a in answer.page.tags("a")]
    pages = [link for link in links if link.startswith("/") and not link.startswith("/static/")]
    from_api = [
        link for link in pages if link in ("/traces?service=payment&error=true", "/breakers/checkout/payment")
    ]
    for link in set(pages) - set(from_api):
        assert "start=" in link, link
        assert "end=" in link, link
        assert "env=demo" in link, link


@ALL_URLS
def test_ids_are_unique(url: str) -> None:
    """Links to parts of a page, labels and refreshes find exactly one element."""
    ids = [
        each.attributes["id"] for each in read(pages_over("shop"), url).page.all() if "id" in each.attributes
    ]

    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    "context", [*(page.context for page in PAGES), Frame], ids=lambda each: each.__name__
)
def test_every_context_field_has_help(context: type) -> None:
    """What a template may use is documented, field by field."""
    assert is_dataclass(context)
    for name, hint in get_type_hints(context, include_extras=True).items():
        notes = [note for note in getattr(hint, "__metadata__", ()) if isinstance(note, Help)]
        assert len(notes) == 1, f"{context.__name__}.{name} has no Help"
        assert notes[0].text.endswith("."), f"{context.__name__}.{name}: write a sentence"


def test_texts_with_line_breaks_are_shown_verbatim() -> None:
    """A stack trace in a body or an attribute keeps every space and line, and templates add none."""
    stack = 'Traceback:\n  File "a.py"\n    raise'
    record = {"id": "1", "service": "s", "body": stack, "attributes": {"exception.stacktrace": stack}}
    span = {
        "span_id": "1",
        "start": "2026-11-22T03:00:00Z",
        "status_message": stack,
        "attributes": {"stack": stack},
    }

    async def api(request: Request) -> JSONResponse:
        traced = "traces" in request.url.path
        return JSONResponse({"data": [{"spans": [span], "logs": []} if traced else record]})

    transport = httpx.ASGITransport(app=Starlette(routes=[Route("/api/v1/{path:path}", api)]))
    app = create_app(Api(httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")))

    logs, trace = read(app, "/logs").page, read(app, "/traces/1").page

    (body,) = [each for each in logs.all() if each.attributes.get("class") == "log-body"]
    assert "".join(body.texts) == stack
    for page in (logs, trace):
        assert stack in [
            "".join(each.texts) for each in page.all() if each.attributes.get("class") == "verbatim"
        ]
