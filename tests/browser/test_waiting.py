"""A slow page in a real Chromium: how far it is, Stop, and nothing left in the engine; the engine is real, the question takes a minute."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from playwright.sync_api import Page, expect, sync_playwright
from starlette.applications import Starlette
from starlette.routing import Mount

from collector.api import build_api
from dashboards.api import Api
from dashboards.app import create_app
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
    app = Starlette(routes=[*api.routes, Mount("/", create_app(Api(client)))])
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


# Playwright asks a page nothing while it is being left: what the line says is told to the console, and Stop is pressed from within.
_TELL = """(stop) => new MutationObserver(() => {
  const line = document.querySelector("[data-waiting]");
  if (line.hidden) return;
  console.log("LINE " + line.querySelector("[data-waiting-text]").textContent + " VALUE " + line.querySelector("progress").value);
  if (stop && line.textContent.includes("%")) setTimeout(() => line.querySelector("[data-waiting-stop]").click(), 300);
}).observe(document.querySelector("[data-waiting]"), { attributes: true, childList: true, subtree: true })"""
_SAID = re.compile(r"LINE Reading: [\d.]+[MB] of \d+B rows, \d+ %, \d+ s VALUE [\d.]+")


def test_a_slow_page_says_how_far_it_is_and_is_stopped(
    page: Page, store: Any, poll: Callable[..., Any]
) -> None:
    """The page that stands shows rows and share; Stop ends the question in the engine and leaves the page as it was."""
    progress = page.get_by_test_id("waiting")
    expect(progress).to_be_hidden()
    page.evaluate(_TELL, True)  # noqa: FBT003 - the script's argument

    with page.expect_console_message(lambda said: bool(_SAID.match(said.text)), timeout=20_000):
        page.get_by_role("link", name="Traces").click(no_wait_after=True)

    poll(lambda: running(store) == 0)
    expect(progress).to_be_hidden(timeout=10_000)
    assert page.url.endswith("/nothing-here")
    assert page.context.cookies() == []


def test_a_search_that_is_left_ends(page: Page, store: Any, poll: Callable[..., Any]) -> None:
    """Sent with the keyboard; the page is closed while it runs: nothing of it is left."""
    page.evaluate(_TELL, False)  # noqa: FBT003 - the script's argument
    page.get_by_label("Find a service, breaker, trace or page").fill("needle")
    with page.expect_console_message(lambda said: bool(_SAID.match(said.text)), timeout=20_000):
        page.get_by_label("Find a service, breaker, trace or page").press("Enter", no_wait_after=True)
    assert running(store) > 0

    page.close()

    poll(lambda: running(store) == 0)
