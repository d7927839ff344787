"""The Logs page in a real Chromium: live tail, held while somebody reads, over a restart; context, export, saved views."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(300)]

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
_HOSTILE = '<img src=x onerror="window.hacked=1">'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium with a fresh profile."""
    chromium = next(
        path for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(path).exists()
    )
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def collector(serve_module: Callable[..., Any]) -> Any:
    """One collector for the module."""
    return serve_module()


@pytest.fixture
def page(browser: Browser, collector: Any) -> Iterator[Page]:
    """A page; errors of scripts, and what the content security policy stops, fail the test."""
    context = browser.new_context(base_url=collector.url, viewport={"width": 1280, "height": 700})
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda said: errors.append(said.text) if "Content Security" in said.text else None)
    yield opened
    context.close()
    assert errors == []


def send(collector: Any, *bodies: str, service: str = "checkout") -> None:
    """Send one batch of lines of one file."""
    lines = "\n".join(json.dumps({"message": body, "level": "error", "user": {"id": 7}}) for body in bodies)
    headers = {"Fuseboard-Resource": f"service.name={service}", "Fuseboard-Source": "path=/app.log,offset=0"}
    assert collector.client.post("/v1/lines", content=lines, headers=headers).status_code == 200


def test_records_appear_as_they_are_stored(page: Page, collector: Any) -> None:
    """One click, then the search's new records come, markup in them as text, each with its steps; the address says it."""
    page.goto("/logs?query=needle")
    page.get_by_role("button", name="Live tail").click()
    expect(page.locator("[data-tail-status]")).to_have_text("live: nothing new yet")
    send(collector, "hay", f"needle {_HOSTILE}")

    row = page.get_by_test_id("tail-row")
    expect(row).to_have_count(1)
    expect(row.locator(".log-body")).to_have_text(f"needle {_HOSTILE}")
    assert "tail=1" in page.url
    assert page.evaluate("window.hacked") is None
    row.get_by_role("link", name="context").click()
    expect(page.locator("#marked")).to_contain_text("needle")
    assert page.get_by_test_id("log-row").count() >= 2


def test_nothing_moves_while_somebody_reads(page: Page, collector: Any) -> None:
    """With details open, or scrolled down, new records wait behind a button that counts them."""
    page.goto("/logs?query=read&tail=1")
    expect(page.locator("[data-tail-status]")).to_contain_text("live")
    send(collector, "read this")
    expect(page.get_by_test_id("tail-row")).to_have_count(1)
    page.get_by_test_id("tail-row").locator("summary").click()
    send(collector, "read later 1", "read later 2")

    resume = page.locator("[data-tail-resume]")
    expect(resume).to_have_text("2 new ↑")
    assert page.get_by_test_id("tail-row").count() == 1
    resume.click()
    expect(page.get_by_test_id("tail-row")).to_have_count(3)

    send(collector, *[f"read {number}" for number in range(60)])
    expect(page.get_by_test_id("tail-row")).to_have_count(63)
    page.mouse.move(600, 500)
    page.mouse.wheel(0, 800)
    page.wait_for_function("scrollY > 0")
    send(collector, "read at last")
    expect(resume).to_have_text("1 new ↑")
    resume.click()
    expect(page.get_by_test_id("tail-row").first).to_contain_text("read at last")


def test_the_tail_outlives_a_restart(page: Page, collector: Any) -> None:
    """The browser comes back behind the last record it saw: none is missing, none is twice."""
    page.goto("/logs?query=restart&tail=1")
    expect(page.locator("[data-tail-status]")).to_contain_text("live")
    send(collector, "restart 1")
    expect(page.get_by_test_id("tail-row")).to_have_count(1)
    assert collector.stop() == 0
    expect(page.locator("[data-tail-status]")).to_contain_text("reconnecting")
    collector.start()
    send(collector, "restart 2")

    expect(page.get_by_test_id("tail-row")).to_have_count(2, timeout=90_000)
    bodies = page.get_by_test_id("tail-row").locator(".log-body").all_inner_texts()
    assert bodies == ["restart 2", "restart 1"]


def test_a_tail_that_cannot_be_says_why(page: Page) -> None:
    """A search that the engine refuses stops it with the API's words."""
    page.goto("/logs?query=/(/&tail=1")

    expect(page.locator("[data-tail-status]")).to_contain_text("not valid RE2")


def test_export_and_saved_views(page: Page, collector: Any, poll: Callable[..., Any]) -> None:
    """A search is downloaded whole, saved under a name, opened again and deleted."""
    send(collector, *[f"exported {number}" for number in range(150)])
    poll(lambda: len(collector.data("/logs", query="exported", limit=1000)) == 150)
    page.goto("/logs?query=exported")
    with page.expect_download() as download:
        page.get_by_test_id("export-csv").click()
    assert len(Path(download.value.path()).read_text().splitlines()) == 151

    page.get_by_text("Saved views").click()
    page.get_by_placeholder("Save this search as").fill("Exports")
    page.get_by_role("button", name="Save", exact=True).click()
    poll(lambda: collector.data("/views"))
    page.goto("/logs")
    page.get_by_text("Saved views").click()
    page.get_by_role("link", name="Exports").click()
    expect(page.get_by_role("searchbox", name="Search logs")).to_have_value("exported")
    page.get_by_text("Saved views").click()
    page.get_by_role("button", name="Delete the view Exports").click()
    poll(lambda: collector.data("/views") == [])


def test_the_page_is_read_without_scripts(browser: Browser, collector: Any, poll: Callable[..., Any]) -> None:
    """Records, facets and links are there; what needs scripts is not offered."""
    send(collector, "plain")
    poll(lambda: collector.data("/logs", query="plain"))
    context = browser.new_context(base_url=collector.url, java_script_enabled=False)
    opened = context.new_page()
    opened.goto("/logs?query=plain")

    expect(opened.get_by_test_id("log-row").first).to_contain_text("plain")
    expect(opened.get_by_role("button", name="Live tail")).to_be_hidden()
    opened.get_by_role("link", name="Values to narrow by").click()
    expect(opened.get_by_test_id("facet").first).to_be_visible()
    context.close()
