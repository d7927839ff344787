"""A page as a test reads it: fetched through ASGI, parsed into elements with their texts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx
from starlette.applications import Starlette

VOID = ("area", "base", "br", "hr", "img", "input", "link", "meta", "source")


@dataclass
class Element:
    """One element with everything inside it."""

    tag: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text inside, in order of elements, white space folded."""
        return " ".join(" ".join(self.texts).split())

    def all(self) -> Iterator[Element]:
        """Walk this element and everything inside; what a template holds is not on the page."""
        yield self
        for child in self.children if self.tag != "template" else ():
            yield from child.all()

    def having(self, **attributes: str) -> list[Element]:
        """Find the elements with these attributes (``data_testid`` means ``data-testid``)."""
        wanted = {name.replace("_", "-"): value for name, value in attributes.items()}
        return [each for each in self.all() if all(each.attributes.get(n) == v for n, v in wanted.items())]

    def tags(self, tag: str) -> list[Element]:
        """Find the elements of one kind."""
        return [each for each in self.all() if each.tag == tag]


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("#document", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        names = [element.tag for element in self._open]
        assert names[-1] == tag, f"</{tag}> closes <{names[-1]}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.texts.append(data)


@dataclass(frozen=True)
class Answer:
    """A response and its document."""

    response: httpx.Response
    page: Element

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.response.status_code


def parse(html: str) -> Element:
    """Parse a document; wrong nesting is a failure."""
    builder = _Builder()
    builder.feed(html)
    builder.close()
    return builder.root


def get(app: Starlette, url: str, **headers: str) -> httpx.Response:
    """Ask *app* for *url* without a socket."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.get(url, headers=headers)

    return asyncio.run(ask())


def read(app: Starlette, url: str, **headers: str) -> Answer:
    """Ask *app* for the page at *url* and parse it."""
    response = get(app, url, **headers)
    return Answer(response, parse(response.text))
