"""A slow page in a real Chromium: how far it is, Stop, and nothing left in the engine; the engine is real, the question takes a minute."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn
from playwright.sync_api import Page, expect, sync_playwright
from starlette.applications import Starlette
from starlette.routing import Mount

from collector.api import build_api
from dashboards.api import Api
from dashboards.app import create_app
from dashboards.documents import PATIENCE_S
from dashboards.inprocess import InProcess
from tests.collector.api.test_watch import SlowStore, parts, running
from tests.collector.read.real_store import store
from tests.conftest import eventually

__all__ = ["store"]

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(300)]

_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"]  # fmt: skip


@pytest.fixture(scope="module")
def url(store: Any) -> Iterator[str]:
    """Pages and API on one port, over an engine that needs a minute for each question of a reader."""
    api = Starlette(routes=[Mount("/api", build_api(parts(store, SlowStore(store._target))))])
    client = httpx.AsyncClient(transport=InProcess(api), base_url="http://127.0.0.1")
    app = Starlette(routes=[*api.routes, Mount("/", create_app(Api(client), patience_s=PATIENCE_S))])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    eventually(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def page(url: str) -> Iterator[Page]:
    """A page that asks nothing of the engine; errors of scripts, and what the content security policy stops, fail the test."""
    chromium = next(path for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(path).exists())  # fmt: skip
    errors: list[str] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        opened = browser.new_context(base_url=url, viewport={"width": 1280, "height": 800}).new_page()
        opened.on("pageerror", lambda error: errors.append(str(error)))
        opened.on("console", lambda said: errors.append(said.text) if "Content Security" in said.text else None)  # fmt: skip
        opened.goto("/nothing-here")
        yield opened
        browser.close()
    assert errors == []


_SAID = re.compile(r"Reading….*[\d.]+[MB] of \d+B rows, \d+ %, \d+ s", re.DOTALL)


def test_a_slow_page_says_how_far_it_is_and_is_stopped(
    page: Page, store: Any, poll: Callable[..., Any]
) -> None:
    """Its frame stands at once and shows rows and share; Stop ends the question in the engine, and the frame offers to ask again."""
    coming = page.get_by_test_id("coming")
    page.get_by_role("link", name="Traces").click(no_wait_after=True)
    expect(coming).to_contain_text(_SAID, timeout=60_000)
    expect(coming.get_by_role("progressbar")).to_have_attribute("value", re.compile(r"^[\d.]+$"))
    expect(page.get_by_role("navigation", name="Pages").get_by_role("link", name="Traces")).to_be_visible()

    coming.get_by_role("button", name="Stop").click()

    poll(lambda: running(store) == 0)
    expect(coming.get_by_role("status")).to_have_text("Stopped.")
    expect(coming.get_by_role("link", name="Load it again")).to_be_visible()
    expect(coming.get_by_role("progressbar")).to_be_hidden()
    assert urlsplit(page.url).path == "/traces"
    assert page.context.cookies() == []


def test_a_search_that_is_left_ends(page: Page, store: Any, poll: Callable[..., Any]) -> None:
    """Sent with the keyboard; the page is closed while it runs: nothing of it is left."""
    page.get_by_label("Find a service, breaker, trace or page").fill("needle")
    page.get_by_label("Find a service, breaker, trace or page").press("Enter", no_wait_after=True)
    expect(page.get_by_test_id("coming")).to_contain_text(_SAID, timeout=60_000)
    assert running(store) > 0

    page.close()

    poll(lambda: running(store) == 0)
