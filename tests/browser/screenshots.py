"""
Take the pictures of every page, in both themes: ``make screenshots`` writes ``docs/screenshots/<page>-<theme>.webp``.

The pages are those of ``tests/dashboards/test_pages.py`` over the recorded shop at its recorded time, so that a picture changes only
when a page does: whoever reviews a change looks at ``git diff --stat docs/screenshots``. WebP, because forty PNGs weigh five times as much.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import ARGUMENTS, served
from tests.dashboards.recorded_api import pages_over
from tests.dashboards.test_pages import URLS

OUT = Path(__file__).parents[2] / "docs" / "screenshots"
WIDTH, HEIGHT = 1280, 860
QUALITY = 60


def main() -> None:
    """Take all pictures and remove those of pages that are no more."""
    written = {path.name for path in _taken()}
    for path in OUT.iterdir():
        if path.name not in written:
            path.unlink()


def _taken() -> Iterator[Path]:
    with served(pages_over("shop")) as url, _chromium() as browser:
        for theme in ("light", "dark"):
            context = browser.new_context(
                base_url=url,
                viewport={"width": WIDTH, "height": HEIGHT},
                color_scheme=theme,  # type: ignore[arg-type]
            )
            page = context.new_page()
            for template, address in URLS.items():
                page.goto(address)
                page.wait_for_timeout(600)  # charts, marks and later parts; nobody waits for this program
                yield _write(page, OUT / f"{template.removesuffix('.html')}-{theme}.webp")
            context.close()


def _write(page: Page, path: Path) -> Path:
    session = page.context.new_cdp_session(page)
    taken = session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    session.detach()
    path.write_bytes(base64.b64decode(taken["data"]))
    return path


@contextmanager
def _chromium() -> Iterator[Browser]:
    path = next(path for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(path).exists())
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


if __name__ == "__main__":
    main()
