"""
Chromium for a module's tests, and the recorded API's pages behind real sockets, served once for all.

Not one Chromium for the whole process: as long as Playwright's driver is open, its event loop runs in this thread, and
other tests could not ``asyncio.run``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from starlette.types import ASGIApp

from tests.conftest import eventually
from tests.dashboards.recorded_api import pages_over

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

# Playwright's own five seconds are fewer than a busy machine may stand still, and no promise of ours.
expect.set_options(timeout=30_000)

Opener = Callable[..., Page]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium with a fresh profile."""
    path = next(path for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(path).exists())
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield started
        started.close()


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """Serve *app* on a free port of loopback; gives its URL."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def recorded() -> Iterator[Callable[..., str]]:
    """Give the URL of the pages over one variant of the recorded API (``recorded("shop")``); each is served once."""
    urls: dict[Any, str] = {}
    with ExitStack() as stack:

        def url_of(variant: str, **how: Any) -> str:
            key = (variant, *sorted(how.items()))
            if key not in urls:
                urls[key] = stack.enter_context(served(pages_over(variant, **how)))
            return urls[key]

        yield url_of


@pytest.fixture
def opened(chromium: Browser) -> Iterator[Opener]:
    """Open pages: ``opened(base_url, path, width=1280, …)``; errors of scripts and of the CSP fail the test."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def heard(said: Any) -> None:
        if "htmx:error: Failed to fetch" in said.text:
            return  # a test that cuts the line; the page says it in its place
        if "Content Security" in said.text or (
            said.type == "error" and "Failed to load resource" not in said.text
        ):
            errors.append(said.text)

    def open_page(base_url: str, path: str, width: int = 1280, height: int = 900, **how: Any) -> Page:
        context = chromium.new_context(base_url=base_url, viewport={"width": width, "height": height}, **how)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", heard)
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []
