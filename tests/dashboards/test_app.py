"""The application around the pages: headers, wrong parameters, keys, unknown addresses, assets."""

from __future__ import annotations

import base64

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dashboards.api import Api
from dashboards.app import create_app
from tests.dashboards.document import get, read
from tests.dashboards.recorded_api import KEY, create_recorded_api, pages_over
from tests.dashboards.recorded_shop import answer as answer_of_shop


def test_pages_forbid_inline_code_and_other_hosts() -> None:
    """The policy lets nothing inline run and nothing be loaded from or sent elsewhere."""
    headers = get(pages_over("shop"), "/").headers

    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("url", "quoted", "advice"),
    [
        ("/?start=-1h&end=-2h", "end='-2h'", "later than the start (-1h)"),
        ("/logs?start=yesterday", "start='yesterday'", "write now, -15m"),
        ("/breakers?end=2026-13-01T00:00:00Z", "end='2026-13-01T00:00:00Z'", "write now, -15m"),
        ("/logs?start=-999999w", "start='-999999w'", "write now, -15m"),
        ("/logs?limit=0", "limit='0'", "a whole number from 1 to 500"),
        ("/logs?limit=ten", "limit='ten'", "a whole number from 1 to 500"),
        ("/traces?min_duration_ms=fast", "min_duration_ms='fast'", "write milliseconds"),
        ("/traces?min_duration_ms=nan", "min_duration_ms='nan'", "write milliseconds"),
    ],
)
def test_a_wrong_parameter_is_quoted_with_advice(url: str, quoted: str, advice: str) -> None:
    """400: the parameter, the value and what to write instead, inside a working page."""
    answer = read(pages_over("shop"), url)

    assert answer.status == 400
    (problem,) = answer.page.having(data_testid="problem")
    assert quoted in problem.text
    assert advice in problem.text
    assert answer.page.tags("nav")


def test_an_unreadable_search_is_a_400_beside_its_box() -> None:
    """The API's words about a search stand under the box, which keeps what was typed."""
    answer = read(pages_over("shop"), "/logs?query=service:(a")

    assert answer.status == 400
    (problem,) = answer.page.having(data_testid="problem")
    assert "position 9: expected ')'" in problem.text
    (box,) = answer.page.having(type="search")
    assert box.attributes["value"] == "service:(a"
    assert box.attributes["aria-invalid"] == "true"


def test_unknown_addresses_and_methods_are_pages_too() -> None:
    """404 and 405 say what happened in a page with navigation."""
    app = pages_over("shop")

    for url in ("/nothing", "/breakers/only-service", "/services/", "/traces/a/b"):
        answer = read(app, url)
        assert answer.status == 404, url
        assert "No page of Fuseboard has this address" in answer.page.text


def test_a_missing_service_is_a_404_that_names_it() -> None:
    """A service nobody knows is not shown as an empty one."""
    answer = read(pages_over("shop"), "/services/nobody")

    assert answer.status == 404
    assert "Nothing is called services/nobody" in answer.page.text


def test_names_with_slashes_stay_one_part_of_the_address() -> None:
    """A service called a/b is asked for as a%2Fb, not as two parts."""
    answer = read(pages_over("shop"), "/services/a%2Fb")

    assert answer.status == 404
    assert answer.page.tags("h1")[0].text == "a/b"


def test_without_a_key_the_visitor_is_asked_to_sign_in() -> None:
    """401 with the form in the page's place, which leads back to it; nothing of the data is shown."""
    answer = read(pages_over("locked"), "/breakers?start=-6h")

    assert answer.status == 401
    assert answer.page.having(name="to")[0].attributes["value"] == "/breakers?start=-6h"
    assert not answer.page.having(data_testid="sign-in-problem")
    assert "checkout" not in answer.page.text


@pytest.mark.parametrize(
    "authorization",
    [f"Bearer {KEY}", "Basic " + base64.b64encode(f"anyone:{KEY}".encode()).decode()],
)
def test_the_visitors_own_key_is_passed_on(authorization: str) -> None:
    """Bearer as it is; Basic, the browser's prompt, with the key as password."""
    assert read(pages_over("locked"), "/", authorization=authorization).status == 200


def test_the_configured_key_speaks_for_a_visitor_without_one() -> None:
    """A stand-alone installation with its own read key needs none from the visitor; a wrong one is not hidden by it."""
    transport = httpx.ASGITransport(app=create_recorded_api("locked"))
    app = create_app(Api(httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1"), key=KEY))

    assert read(app, "/").status == 200
    assert read(app, "/", authorization="Bearer wrong").status == 401


def test_an_unreachable_collector_is_said_to_be_unreachable() -> None:
    """Nothing listens there: banner and sections say it, the page stands."""
    app = create_app(Api(httpx.AsyncClient(base_url="http://127.0.0.1:9"), timeout_s=2))

    answer = read(app, "/")

    assert answer.status == 200
    (banner,) = answer.page.having(data_testid="engine-banner")
    assert "The collector does not answer" in banner.text


def test_other_host_names_are_refused_where_they_are_narrowed() -> None:
    """DNS rebinding: a page of another site cannot read ours through a name that points at loopback."""
    transport = httpx.ASGITransport(app=create_recorded_api())
    api = Api(httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1"))
    app = create_app(api, allowed_hosts=["127.0.0.1", "localhost"])

    assert get(app, "/").status_code == 200
    assert get(app, "/", host="evil.example").status_code == 400


def test_assets_are_versioned_and_kept() -> None:
    """Every script and style sheet of a page exists, and its address changes with its bytes."""
    app = pages_over("shop")
    page = read(app, "/services/checkout").page
    urls = [
        each.attributes.get("src") or each.attributes["href"]
        for each in [*page.tags("script"), *page.tags("link")]
        if each.attributes.get("type") != "application/json"
    ]

    assert len(urls) >= 6
    for url in urls:
        response = get(app, url)
        assert response.status_code == 200, f"{url}: run python hatch_build.py"
        assert "immutable" in response.headers["cache-control"]
        assert response.headers["x-content-type-options"] == "nosniff"


def test_an_asset_without_its_version_is_asked_for_again() -> None:
    """By its ETag: 304 without a body while it is the same; only reading is possible."""
    app = pages_over("shop")
    first = get(app, "/static/fuseboard.css")

    again = get(app, "/static/fuseboard.css", **{"if-none-match": first.headers["etag"]})

    assert first.headers["content-type"] == "text/css; charset=utf-8"
    assert first.headers["cache-control"] == again.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")
    assert get(app, "/static/theme.js").headers["content-type"].startswith("text/javascript")
    assert get(app, "/static/nothing.js").status_code == 404


def test_live_pages_refresh_only_while_their_range_ends_now() -> None:
    """A fixed range does not change: it is not asked for again and again."""
    live = read(pages_over("shop"), "/breakers").page
    fixed = read(pages_over("shop"), "/breakers?start=2026-11-22T02:00:00Z&end=2026-11-22T03:00:00Z").page

    assert live.having(id="live")[0].attributes["hx-trigger"] == "fuseboard:refresh from:body"
    assert "hx-get" not in fixed.having(id="live")[0].attributes


def test_static_files_outside_are_not_served() -> None:
    """A path that climbs out of the static folder is a 404."""
    assert get(pages_over("shop"), "/static/..%2fapp.py").status_code == 404


def pages_of(api: Starlette) -> Starlette:
    """Build the dashboards over another program than the recording."""
    transport = httpx.ASGITransport(app=api)
    return create_app(Api(httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")))


def test_a_crash_of_the_api_in_this_process_keeps_the_page() -> None:
    """Served together, even an exception of the API only costs the section that asked."""

    async def crash(request: Request) -> Response:
        raise RuntimeError(request.url.path)

    answer = read(pages_of(Starlette(routes=[Route("/api/v1/{path:path}", crash)])), "/")

    assert answer.status == 200
    assert {each.attributes["data-code"] for each in answer.page.having(data_testid="problem")} == {
        "api_broke"
    }


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ({"state": "starting", "restarts": 0}, "The engine is starting"),
        ({"state": "starting", "restarts": 3}, "The engine is down"),
        ({"state": "down", "restarts": 1}, "The engine is down"),
        ({"state": "up", "restarts": 1}, ""),
    ],
)
def test_the_banner_tells_a_first_start_from_a_death(engine: dict[str, object], said: str) -> None:
    """A collector just started is not reported as broken; one whose engine died is, until it is up again."""

    async def pipeline(request: Request) -> Response:
        return JSONResponse({"data": [{"engine": engine}] if request.url.path.endswith("pipeline") else []})

    page = read(pages_of(Starlette(routes=[Route("/api/v1/{path:path}", pipeline)])), "/").page

    banners = [banner.text for banner in page.having(data_testid="engine-banner")]
    assert [text.startswith(said) for text in banners] == ([True] if said else [])


def test_the_same_names_in_two_environments_stay_apart() -> None:
    """Without an env chosen, tiles and services of each are shown with theirs, and lead to theirs."""

    async def twice(request: Request) -> Response:
        rows = answer_of_shop(request.path_params["path"], {}) or []
        return JSONResponse({"data": [*rows, *({**row, "env": "prod"} for row in rows)]})

    app = pages_of(Starlette(routes=[Route("/api/v1/{path:path}", twice)]))

    for url in ("/", "/breakers"):
        page = read(app, url).page
        tiles = page.having(data_testid="breaker-tile-checkout-payment")
        assert [tile.attributes["id"] for tile in tiles] == [
            "tile-demo-checkout-payment",
            "tile-prod-checkout-payment",
        ]
        assert "env=prod" in tiles[1].tags("a")[1].attributes["href"]
    (environments,) = read(app, "/services/checkout").page.having(data_testid="environments")
    assert [a.text for a in environments.tags("a")] == ["demo", "prod"]


def test_databases_and_queues_on_the_map_have_no_page_to_lead_to() -> None:
    """Only services are links; nobody clicks into a 404 at night."""
    page = read(pages_over("shop"), "/map").page

    hrefs = [a.attributes["href"].partition("?")[0] for a in page.tags("a")]
    assert "/services/checkout" in hrefs
    assert not {"/services/orders", "/services/order-placed"} & set(hrefs)
    assert "database" in page.having(data_testid="map-node-orders")[0].text


@pytest.mark.parametrize(("waiting_s", "said"), [(0.4, []), (210, ["Storing is behind."])])
def test_data_that_is_late_is_said_to_be_late(waiting_s: float, said: list[str]) -> None:
    """A board that looks calm because nothing was stored for minutes must not look calm."""

    async def behind(request: Request) -> Response:
        pipeline = {
            "engine": {"state": "up"},
            "journal": {"oldest_waiting_s": waiting_s, "segments_waiting": 9},
        }
        return JSONResponse({"data": [pipeline] if request.url.path.endswith("pipeline") else []})

    page = read(pages_of(Starlette(routes=[Route("/api/v1/{path:path}", behind)])), "/breakers").page

    assert [banner.tags("strong")[0].text for banner in page.having(data_testid="lag-banner")] == said


def test_a_section_that_meets_a_dead_engine_first_raises_the_banner() -> None:
    """In the instant before the supervisor notices, the page already says what it met."""

    async def dying(request: Request) -> Response:
        if request.url.path.endswith("pipeline"):
            return JSONResponse({"data": [{"engine": {"state": "up"}, "journal": {}}]})
        return JSONResponse({"error": {"code": "engine_unavailable", "message": "no answer"}}, 503)

    page = read(pages_of(Starlette(routes=[Route("/api/v1/{path:path}", dying)])), "/logs").page

    (banner,) = page.having(data_testid="engine-banner")
    assert banner.text.startswith("The engine is down (not answering)")
