"""Pages that say what went wrong: a wrong parameter, an address without a page, a page that broke, a form that changed nothing."""

from __future__ import annotations

from dataclasses import replace

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from dashboards.documents import whole
from dashboards.render import Frame
from dashboards.visits import Site, frame_of
from dashboards.window import BadParameterError, read_window

_HTTP_WORDS = {
    404: "No page of Fuseboard has this address.",
    405: "Pages are read with GET.",
}
_BROKEN = "This is a fault of the page, not of your services. The other pages still work."


class Failures:
    """
    The problem page, and what leads to it.

    Args:
        site: What every answer needs.
    """

    def __init__(self, site: Site) -> None:
        self._site = site

    async def raised(self, request: Request, error: Exception) -> Response:
        """Answer for what a page raised; what is a fault of ours, Starlette raises again, for the server's log."""
        status, title, text = words_of(error)
        answer = await self.said(request, status, title, text)
        if isinstance(error, HTTPException):
            answer.headers.update(error.headers or {})
        return answer

    async def said(self, request: Request, status: int, title: str, text: str) -> Response:
        """Render the problem page in the default time range, banner included."""
        now = self._site.clock()
        window = read_window({"env": request.query_params.get("env", "")}, now)
        pipeline = await self._site.caller(request).get("pipeline")
        frame = replace(frame_of(request, window, now, pipeline=pipeline), parameters={})
        return whole(self._site.renderer.html("problem.html", frame=frame, title=title, text=text), status)

    def after(self, frame: Frame, error: Exception) -> str:
        """Say what a page raised in the place of its content: its frame is sent already."""
        _, title, text = words_of(error)
        return self._site.renderer.html("problem.html", sent="rest", frame=frame, title=title, text=text)


def is_fault(error: Exception) -> bool:
    """Say whether what a page raised is a fault of ours, for the server's log, or something a visitor asked for."""
    return not isinstance(error, BadParameterError | HTTPException)


def words_of(error: Exception) -> tuple[int, str, str]:
    """Give status, title and text of what a page raised."""
    if isinstance(error, BadParameterError):
        return 400, f"This page cannot be shown: {error.param}", str(error)
    if isinstance(error, HTTPException):
        text = _HTTP_WORDS.get(error.status_code, error.detail)
        return error.status_code, f"{error.status_code}: {error.detail}", text
    return 500, "This page broke", _BROKEN
