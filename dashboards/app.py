"""
The dashboards as one ASGI application.

``create_app(api)`` is all that another program needs: the collector mounts it behind its own
routes, ``python -m dashboards`` serves it alone. Pages only read; forms are POSTs (``forms.py``, ``saving.py``); ``doors.py`` signs in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any, get_type_hints

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from dashboards import doors, provider, saving
from dashboards.api import Api, CallerApi, Problem, Section
from dashboards.forms import Action, Post, read_form
from dashboards.leaving import Leaving
from dashboards.marks import answer_marks
from dashboards.pages import ACTIONS, PAGES, board, incident
from dashboards.pages.metrics import complete
from dashboards.pages.page import Page, Part, Visit, path_segments
from dashboards.pages.sql import export
from dashboards.render import STATIC, Frame, Help, Renderer
from dashboards.site import existing
from dashboards.streams import STREAMS, relay
from dashboards.window import BadParameterError, Window, read_window

PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""No inline script or style runs, nothing is loaded from or sent to another host."""

QUERY_COOKIE = "fuseboard-query"
"""How ``static/waiting.js`` calls the page that is being opened."""
WINDOW_PARAMETERS = ("start", "end", "env")
PATHS = tuple(page.path for page in PAGES)


def create_app(
    api: Api,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    allowed_hosts: Sequence[str] = ("*",),
    tour: str = "",
) -> Starlette:
    """
    Build the application.

    Args:
        api: The collector, by URL or through ASGI in this process.
        clock: What "now" is; tests fix it.
        tour: The command that switches a fault of the sample shop on (``… --on``); the Overview then leads through it.
        allowed_hosts: ``Host`` headers answered; the stand-alone server narrows it on loopback.
    """
    site = _Site(api, Renderer(existing(PATHS)), clock, tour)
    routes = [Route(page.path, site.endpoint(page), methods=["GET"], name=page.nav) for page in PAGES]
    routes += [Route("/progress/{name}", site.progress, methods=["GET"])]
    routes += [Route("/marks", site.marks, methods=["GET"])]
    routes += [Route("/environments", site.environments, methods=["GET"])]
    routes += [Route(path, site.stream, methods=["GET"]) for path in STREAMS]
    routes += [
        Route("/views", site.save_view, methods=["POST"]),
        Route("/views/{view_id}/delete", site.forget_view, methods=["POST"]),
        Route("/graph/complete", site.complete, methods=["GET"]),
        Route("/sql/export", site.export_sql, methods=["GET"]),
        Route("/boards/{board_id}/export", site.export_board, methods=["GET"]),
        Route("/incidents/{incident_id}/export", site.export_incident, methods=["GET"]),
        Route("/sign-in", site.sign_in, methods=["GET", "POST"]),
        Route(provider.PATH, site.leave_for_provider, methods=["GET"]),
        Route(f"{provider.PATH}/callback", site.come_from_provider, methods=["GET"]),
        Route("/sign-out", site.sign_out, methods=["POST"]),
    ]
    routes += [Route(action.path, site.action(action), methods=["POST"]) for action in ACTIONS]
    return Starlette(
        routes=[*routes, Mount("/static", _Assets(directory=STATIC), name="static")],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=list(allowed_hosts)),
            Middleware(doors.Doors),
            Middleware(Leaving),
        ],
        exception_handlers={
            HTTPException: site.http_error,
            BadParameterError: site.bad_parameter,
            Exception: site.broken,
        },
    )


class _Site:
    """The pages with what they all need: the API, the templates and a clock."""

    def __init__(self, api: Api, renderer: Renderer, clock: Callable[[], datetime], tour: str) -> None:
        self._api = api
        self._renderer = renderer
        self._clock = clock
        self._tour = tour

    def endpoint(self, page: Page) -> Callable[[Request], Any]:
        """Give the Starlette endpoint of one page."""
        deciding = deciding_fields(page.context)

        async def answer(request: Request) -> Response:
            part = page.parts.get(request.query_params.get("part", "").partition("-")[0])
            return await (self._part(page, part, request) if part else self._answer(page, deciding, request))

        return answer

    def _visit(self, request: Request) -> Visit:
        now = self._clock()
        query = dict(request.query_params)
        api = self._caller(request).named(
            request.headers.get("x-query-id") or request.cookies.get(QUERY_COOKIE, "")
        )
        return Visit(
            path_segments(request.scope), query, read_window(query, now), now, api, PATHS, self._tour
        )

    def _caller(self, request: Request) -> CallerApi:
        return self._api.of_caller(request.headers.get("authorization", ""))

    async def _part(self, page: Page, part: Part, request: Request) -> Response:
        """Answer one part of a page: alone for the page that waits for it, framed for whoever opens its URL."""
        visit = self._visit(request)
        alone = request.headers.get("hx-request") == "true"
        if alone:
            context, pipeline = await part.load(visit), Section()
        else:
            context, pipeline = await asyncio.gather(part.load(visit), visit.api.get("pipeline"))
        frame = _frame(request, visit.window, visit.now, pipeline, page.nav)
        template = part.template if alone else "part_page.html"
        frame = replace(
            frame, parameters={name: value for name, value in frame.parameters.items() if name != "part"}
        )
        html = self._renderer.html(template, frame=frame, page=context, part_template=part.template)
        return HTMLResponse(html, page_status(_sections(context), []), PAGE_HEADERS)

    async def _answer(self, page: Page, deciding: Sequence[str], request: Request) -> Response:
        visit = self._visit(request)
        now, api = visit.now, visit.api
        context, pipeline, who = await asyncio.gather(
            page.load(visit), api.get("pipeline"), api.get("session")
        )
        sections = [pipeline, *_sections(context)]
        frame = _frame(request, visit.window, now, pipeline, page.nav, who)
        frame = replace(frame, refused=_refused(sections))
        status = page_status(sections, [getattr(context, name) for name in deciding])
        if status == 401:
            said = _said_of(sections, request)
            return await doors.sign_in_page(self._api, self._renderer, request, 401, PAGE_HEADERS, said)
        html = self._renderer.html(page.template, frame=frame, page=context)
        return HTMLResponse(html, status, PAGE_HEADERS)

    def action(self, action: Action) -> Callable[[Request], Any]:
        """Give the endpoint of one form."""

        async def answer(request: Request) -> Response:
            fields = await read_form(request)
            if fields is None:
                text = "The form came from another site, or is too large."
                return await self._failure(request, 403, "Nothing was changed", text)
            outcome = await action.run(Post(fields, self._visit(request)))
            if outcome.problem is not None:
                return await self._failure(
                    request, outcome.problem.status, outcome.what, outcome.problem.message
                )
            if outcome.template:
                return await self._shown(action, outcome.template, outcome.context, request)
            return RedirectResponse(doors.inside(outcome.to), 303, PAGE_HEADERS)

        return answer

    async def _shown(self, action: Action, template: str, context: Any, request: Request) -> Response:
        """Show what became of a form where an address could not say it."""
        visit = self._visit(request)
        pipeline, who = await asyncio.gather(visit.api.get("pipeline"), visit.api.get("session"))
        frame = _frame(request, visit.window, visit.now, pipeline, action.nav, who)
        return HTMLResponse(self._renderer.html(template, frame=frame, page=context), 200, PAGE_HEADERS)

    async def complete(self, request: Request) -> Response:
        """Answer what may be written at a place of a PromQL query."""
        return await complete(self._caller(request), request, self._clock())

    async def export_sql(self, request: Request) -> Response:
        """Give a statement's rows as a file."""
        return await export(self._caller(request), request)

    async def export_board(self, request: Request) -> Response:
        """Give a dashboard as a file."""
        return await board.export(self._caller(request), request)

    async def export_incident(self, request: Request) -> Response:
        """Give an incident as a Markdown file."""
        return await incident.export(self._caller(request), request)

    async def sign_in(self, request: Request) -> Response:
        """Show the sign-in, or take its form."""
        if request.method == "POST":
            return await doors.sign_in(self._api, self._renderer, request, PAGE_HEADERS)
        return await doors.sign_in_page(self._api, self._renderer, request, 200, PAGE_HEADERS)

    async def leave_for_provider(self, request: Request) -> Response:
        """Begin a sign-in through the provider."""
        return await provider.leave(self._api, self._renderer, request, PAGE_HEADERS)

    async def come_from_provider(self, request: Request) -> Response:
        """End a sign-in through the provider."""
        return await provider.come_back(self._api, self._renderer, request, PAGE_HEADERS)

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        return await doors.sign_out(self._api, request, PAGE_HEADERS)

    async def marks(self, request: Request) -> Response:
        """Answer what stands on the charts of a time range."""
        return await answer_marks(request, self._caller(request), self._clock())

    async def environments(self, request: Request) -> Response:
        """Name the environments whose services were heard of in a time range, for the box that chooses one."""
        window = read_window({**request.query_params, "env": ""}, self._clock())
        services = await self._caller(request).get("services", params=window.question)
        names = sorted({str(row.get("env") or "") for row in services.rows} - {""})
        return JSONResponse({"environments": names}, headers={"Cache-Control": "no-store"})

    async def progress(self, request: Request) -> Response:
        """Say how far a page is that is being opened: the API's words on its questions."""
        api = self._api.of_caller(request.headers.get("authorization", ""))
        found = await api.get("queries", request.path_params["name"])
        status = found.problem.status if found.problem is not None else 200
        return JSONResponse(found.first or {"state": "unknown"}, status, PAGE_HEADERS)

    async def stream(self, request: Request) -> Response:
        """Pass on an answer of the API that comes in parts."""
        return await relay(self._api, request)

    async def save_view(self, request: Request) -> Response:
        """Save a view."""
        return await saving.save(self._api, request, self._failure)

    async def forget_view(self, request: Request) -> Response:
        """Delete a view."""
        return await saving.forget(self._api, request, self._failure)

    async def bad_parameter(self, request: Request, error: Exception) -> Response:
        """Answer 400 with the parameter, its value and what to write instead."""
        assert isinstance(error, BadParameterError)
        return await self._failure(request, 400, f"This page cannot be shown: {error.param}", str(error))

    async def http_error(self, request: Request, error: Exception) -> Response:
        """Answer for a page that does not exist, or a method no page has."""
        assert isinstance(error, HTTPException)
        text = {
            404: "No page of Fuseboard has this address.",
            405: "Pages are read with GET.",
        }.get(error.status_code, error.detail)
        answer = await self._failure(request, error.status_code, f"{error.status_code}: {error.detail}", text)
        answer.headers.update(error.headers or {})
        return answer

    async def broken(self, request: Request, _: Exception) -> Response:
        """Answer for a page that broke; Starlette raises the error again, for the server's log."""
        text = "This is a fault of the page, not of your services. The other pages still work."
        return await self._failure(request, 500, "This page broke", text)

    async def _failure(self, request: Request, status: int, title: str, text: str) -> Response:
        """Render the problem page in the default time range, banner included."""
        now = self._clock()
        env = request.query_params.get("env", "")
        window = read_window({"env": env}, now)
        api = self._api.of_caller(request.headers.get("authorization", ""))
        frame = replace(_frame(request, window, now, await api.get("pipeline"), ""), parameters={})
        html = self._renderer.html("problem.html", frame=frame, title=title, text=text)
        return HTMLResponse(html, status, PAGE_HEADERS)


class _Assets(StaticFiles):
    """Static files; their URLs carry a hash of their bytes, so they may be kept for good."""

    async def get_response(self, path: str, scope: Any) -> Response:
        """Serve one file with the headers of `PAGE_HEADERS` that matter to it."""
        response = await super().get_response(path, scope)
        response.headers["X-Content-Type-Options"] = "nosniff"
        kept = (
            "public, max-age=31536000, immutable" if b"v=" in scope.get("query_string", b"") else "no-cache"
        )
        response.headers["Cache-Control"] = kept
        return response


def page_status(sections: Sequence[Section], deciding: Sequence[Section]) -> int:
    """
    Choose a page's HTTP status.

    A missing or wrong key is 401/403 for the whole page; what the page is *about* may be 400 or
    404; any other failing section leaves the rest of the page standing: 200.
    """
    for section in sections:
        if section.problem and section.problem.status in (401, 403):
            return section.problem.status
    for section in deciding:
        if section.problem and section.problem.status in (400, 404, 422):
            return section.problem.status
    return 200


def _sections(context: object) -> list[Section]:
    values = [getattr(context, each.name) for each in fields(context)]  # type: ignore[arg-type]
    return [value for value in values if isinstance(value, Section)]


def deciding_fields(context: type) -> tuple[str, ...]:
    """Name the sections of a context whose 400 or 404 is the page's."""
    hints = get_type_hints(context, include_extras=True)
    return tuple(
        name
        for name, hint in hints.items()
        if any(isinstance(note, Help) and note.decides_status for note in getattr(hint, "__metadata__", ()))
    )


def _refused(sections: Sequence[Section]) -> bool:
    return any(each.problem is not None and each.problem.code == "engine_unavailable" for each in sections)


def _said_of(sections: Sequence[Section], request: Request) -> Problem | None:
    """Give what is wrong with what was shown; nothing to those who showed nothing yet."""
    found = next((each.problem for each in sections if each.problem and each.problem.status == 401), None)
    return found if request.headers.get("authorization") else None


def _frame(
    request: Request, window: Window, now: datetime, pipeline: Section, nav: str, who: Section | None = None
) -> Frame:
    own = {name: value for name, value in request.query_params.items() if name not in WINDOW_PARAMETERS}
    path = request.scope.get("raw_path", request.url.path.encode()).decode("latin-1").partition("?")[0]
    return Frame(
        path, own, window, now, pipeline, refused=False, nav=nav, who=(who.first if who else None) or {}
    )
