"""Who visits what: a request becomes a `Visit` with the API as that visitor, and the frame that stands around what they see."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request

from dashboards.api import Api, CallerApi, Row, Section
from dashboards.pages import PAGES
from dashboards.pages.page import Visit, path_segments
from dashboards.render import Frame, Renderer
from dashboards.window import Window, read_window

PATHS = tuple(page.path for page in PAGES)
_NOT_THE_PAGES_OWN = ("start", "end", "env", "part")


@dataclass(frozen=True)
class Site:
    """What every answer needs: the API, the templates, a clock, and the command of the sample shop's tour ("" without the shop)."""

    api: Api
    renderer: Renderer
    clock: Callable[[], datetime]
    tour: str = ""

    def caller(self, request: Request) -> CallerApi:
        """The API as whoever sent *request*."""
        return self.api.of_caller(request.headers.get("authorization", ""))

    def visit(self, request: Request, name: str = "") -> Visit:
        """
        Read a request's parameters; its questions are called *name*.

        Raises:
            BadParameterError: The time range makes no sense.
        """
        now, query = self.clock(), dict(request.query_params)
        api = self.caller(request).named(name)
        return Visit(path_segments(request.scope), query, read_window(query, now), now, api, PATHS, self.tour)


def name_of(request: Request) -> str:
    """Choose the name of a page's questions: the one its script chose, or a new one, which the frame tells its script."""
    return request.headers.get("x-query-id") or secrets.token_hex(12)


def frame_of(
    request: Request, window: Window, now: datetime, *, nav: str = "", asked: str = "",
    pipeline: Section | None = None, who: Row | None = None, refused: bool = False,
) -> Frame:  # fmt: skip
    """Fill the frame around what *request* asks for; what is not known (yet) is left out."""
    own = {name: value for name, value in request.query_params.items() if name not in _NOT_THE_PAGES_OWN}
    path = request.scope.get("raw_path", request.url.path.encode()).decode("latin-1").partition("?")[0]
    known = pipeline or Section()
    return Frame(path, own, window, now, known, refused=refused, nav=nav, who=who or {}, asked=asked)
