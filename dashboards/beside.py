"""What scripts and links of the pages ask for beside pages: marks on charts, names to choose from, how far a page is, files, saved views, the doors."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dashboards import doors, provider, saving
from dashboards.documents import PAGE_HEADERS
from dashboards.failures import Failures
from dashboards.marks import answer_marks
from dashboards.pages import board, incident
from dashboards.pages.metrics import complete
from dashboards.pages.sql import export
from dashboards.streams import STREAMS, relay
from dashboards.visits import Site
from dashboards.window import read_window


class Beside:
    """
    Their endpoints.

    Args:
        site: What every answer needs.
        failures: What is answered where a view cannot be saved or deleted.
    """

    def __init__(self, site: Site, failures: Failures) -> None:
        self._site = site
        self._failures = failures

    def routes(self) -> list[Route]:
        """Give their routes."""
        return [
            Route("/progress/{name}", self.progress, methods=["GET"]),
            Route("/marks", self.marks, methods=["GET"]),
            Route("/environments", self.environments, methods=["GET"]),
            *(Route(path, self.stream, methods=["GET"]) for path in STREAMS),
            Route("/views", self.save_view, methods=["POST"]),
            Route("/views/{view_id}/delete", self.forget_view, methods=["POST"]),
            Route("/graph/complete", self.complete, methods=["GET"]),
            Route("/sql/export", self.export_sql, methods=["GET"]),
            Route("/boards/{board_id}/export", self.export_board, methods=["GET"]),
            Route("/incidents/{incident_id}/export", self.export_incident, methods=["GET"]),
            Route("/sign-in", self.sign_in, methods=["GET", "POST"]),
            Route(provider.PATH, self.leave_for_provider, methods=["GET"]),
            Route(f"{provider.PATH}/callback", self.come_from_provider, methods=["GET"]),
            Route("/sign-out", self.sign_out, methods=["POST"]),
        ]

    async def progress(self, request: Request) -> Response:
        """Say how far a page is that is being opened: the API's words on its questions."""
        found = await self._site.caller(request).get("queries", request.path_params["name"])
        status = found.problem.status if found.problem is not None else 200
        return JSONResponse(found.first or {"state": "unknown"}, status, PAGE_HEADERS)

    async def marks(self, request: Request) -> Response:
        """Answer what stands on the charts of a time range."""
        return await answer_marks(request, self._site.caller(request), self._site.clock())

    async def environments(self, request: Request) -> Response:
        """Name the environments whose services were heard of in a time range, for the box that chooses one."""
        window = read_window({**request.query_params, "env": ""}, self._site.clock())
        services = await self._site.caller(request).get("services", params=window.question)
        names = sorted({str(row.get("env") or "") for row in services.rows} - {""})
        return JSONResponse({"environments": names}, headers={"Cache-Control": "no-store"})

    async def stream(self, request: Request) -> Response:
        """Pass on an answer of the API that comes in parts."""
        return await relay(self._site.api, request)

    async def save_view(self, request: Request) -> Response:
        """Save a view."""
        return await saving.save(self._site.api, request, self._failures.said)

    async def forget_view(self, request: Request) -> Response:
        """Delete a view."""
        return await saving.forget(self._site.api, request, self._failures.said)

    async def complete(self, request: Request) -> Response:
        """Answer what may be written at a place of a PromQL query."""
        return await complete(self._site.caller(request), request, self._site.clock())

    async def export_sql(self, request: Request) -> Response:
        """Give a statement's rows as a file."""
        return await export(self._site.caller(request), request)

    async def export_board(self, request: Request) -> Response:
        """Give a dashboard as a file."""
        return await board.export(self._site.caller(request), request)

    async def export_incident(self, request: Request) -> Response:
        """Give an incident as a Markdown file."""
        return await incident.export(self._site.caller(request), request)

    async def sign_in(self, request: Request) -> Response:
        """Show the sign-in, or take its form."""
        site = self._site
        if request.method == "POST":
            return await doors.sign_in(site.api, site.renderer, request, PAGE_HEADERS)
        return await doors.sign_in_page(site.api, site.renderer, request, 200, PAGE_HEADERS)

    async def leave_for_provider(self, request: Request) -> Response:
        """Begin a sign-in through the provider."""
        return await provider.leave(self._site.api, self._site.renderer, request, PAGE_HEADERS)

    async def come_from_provider(self, request: Request) -> Response:
        """End a sign-in through the provider."""
        return await provider.come_back(self._site.api, self._site.renderer, request, PAGE_HEADERS)

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        return await doors.sign_out(self._site.api, request, PAGE_HEADERS)
