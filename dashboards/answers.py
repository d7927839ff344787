"""
Pages as answers: what a visit asks for is loaded, its status chosen, and it goes out whole or frame first (``documents.py``).

A frame goes first only to whom the session is known, so that nobody who has to sign in is shown one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, get_type_hints

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboards import doors
from dashboards.api import Problem, Section
from dashboards.documents import PAGE_HEADERS, FrameFirst, Rest, given_up, takes_parts, whole
from dashboards.failures import Failures, is_fault
from dashboards.forms import Action, Post, read_form
from dashboards.pages.page import Page, Part, Visit
from dashboards.render import Frame, Help
from dashboards.visits import Site, frame_of, name_of

_CLOSED_DOORS = (401, 403)


@dataclass(frozen=True)
class Sheet:
    """What is answered as one document: a page, or a part of one that is opened by itself."""

    template: str
    nav: str
    load: Callable[[Visit], Awaitable[Any]]
    deciding: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Loaded:
    """A visit's answers: the page's context and the frame around it."""

    context: Any
    frame: Frame
    sections: tuple[Section, ...]


class Answers:
    """
    The endpoints of pages, of their parts and of their forms.

    Args:
        site: What every answer needs.
        failures: What is answered where a page cannot be.
        patience_s: How long content is waited for before its frame goes out; None: always.
    """

    def __init__(self, site: Site, failures: Failures, patience_s: float | None) -> None:
        self._site = site
        self._failures = failures
        self._patience_s = patience_s

    def page(self, page: Page) -> Callable[[Request], Any]:
        """Give the endpoint of one page."""
        sheet = Sheet(page.template, page.nav, page.load, deciding_fields(page.context))

        async def answer(request: Request) -> Response:
            part = page.parts.get(request.query_params.get("part", "").partition("-")[0])
            if part is None:
                return await self._document(sheet, request)
            if request.headers.get("hx-request") == "true":
                return await self._part(page, part, request)
            return await self._document(_by_itself(page, part), request)

        return answer

    def action(self, action: Action) -> Callable[[Request], Any]:
        """Give the endpoint of one form."""

        async def answer(request: Request) -> Response:
            form = await read_form(request)
            if form is None:
                text = "The form came from another site, or is too large."
                return await self._failures.said(request, 403, "Nothing was changed", text)
            outcome = await action.run(Post(form, self._site.visit(request, name_of(request))))
            if outcome.problem is not None:
                problem = outcome.problem
                return await self._failures.said(request, problem.status, outcome.what, problem.message)
            if outcome.template:
                return await self._shown(action, outcome.template, outcome.context, request)
            return RedirectResponse(doors.inside(outcome.to), 303, PAGE_HEADERS)

        return answer

    async def _part(self, page: Page, part: Part, request: Request) -> Response:
        """Answer one part of a page to the page that waits for it."""
        visit = self._site.visit(request, name_of(request))
        context = await part.load(visit)
        frame = frame_of(request, visit.window, visit.now, nav=page.nav)
        return whole(self._html(part.template, frame, context), page_status(_sections(context), []))

    async def _document(self, sheet: Sheet, request: Request) -> Response:
        name = name_of(request)
        visit = self._site.visit(request, name)
        session = asyncio.create_task(visit.api.get("session"))
        work = asyncio.create_task(self._load(sheet, visit, session, request))
        try:
            if await self._is_there(request, work, session):
                return await self._whole(sheet, await work, request)
        except BaseException:
            await given_up(work)
            raise
        frame = frame_of(
            request, visit.window, visit.now, nav=sheet.nav, who=session.result().first, asked=name
        )
        html = self._html(sheet.template, frame, None, sheet.values, sent="frame")
        return FrameFirst(html, partial(self._rest, sheet, frame, work))

    async def _is_there(
        self, request: Request, work: asyncio.Task[Loaded], session: asyncio.Task[Section]
    ) -> bool:
        """Wait for a page; False once its frame should go out without it."""
        patience_s = self._patience_s if takes_parts(request) else None
        await asyncio.wait({work}, timeout=patience_s)
        if not work.done():
            await asyncio.wait({work, session}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done() and _status_of(session.result()) in _CLOSED_DOORS:
            await asyncio.wait({work})
        return work.done()

    async def _load(
        self, sheet: Sheet, visit: Visit, session: asyncio.Task[Section], request: Request
    ) -> Loaded:
        context, pipeline, who = await asyncio.gather(sheet.load(visit), visit.api.get("pipeline"), session)
        sections = (pipeline, *_sections(context))
        frame = frame_of(
            request, visit.window, visit.now,
            nav=sheet.nav, pipeline=pipeline, who=who.first, refused=_refused(sections),
        )  # fmt: skip
        return Loaded(context, frame, sections)

    async def _whole(self, sheet: Sheet, loaded: Loaded, request: Request) -> Response:
        deciding = [getattr(loaded.context, name) for name in sheet.deciding]
        status = page_status(loaded.sections, deciding)
        if status == 401:
            site, said = self._site, _said_of(loaded.sections, request)
            return await doors.sign_in_page(site.api, site.renderer, request, 401, PAGE_HEADERS, said)
        return whole(self._html(sheet.template, loaded.frame, loaded.context, sheet.values), status)

    async def _rest(self, sheet: Sheet, frame: Frame, work: asyncio.Task[Loaded]) -> Rest:
        """Make what follows *frame*. In a thread: a large page takes a while, and the style sheet is asked for meanwhile."""
        try:
            loaded = await work
            html = partial(self._html, sheet.template, loaded.frame, loaded.context, sheet.values)
            return Rest(await asyncio.to_thread(html, sent="rest"))
        except Exception as error:  # noqa: BLE001 -- said in its place, and raised when that is sent
            return Rest(self._failures.after(frame, error), error if is_fault(error) else None)

    async def _shown(self, action: Action, template: str, context: Any, request: Request) -> Response:
        """Show what became of a form where an address could not say it."""
        visit = self._site.visit(request)
        pipeline, who = await asyncio.gather(visit.api.get("pipeline"), visit.api.get("session"))
        frame = frame_of(request, visit.window, visit.now, nav=action.nav, pipeline=pipeline, who=who.first)
        return whole(self._html(template, frame, context))

    def _html(
        self, template: str, frame: Frame, context: Any, values: Mapping[str, str] | None = None,
        sent: str = "whole",
    ) -> str:  # fmt: skip
        known = {} if context is None else {"page": context}
        return self._site.renderer.html(template, sent=sent, frame=frame, **known, **(values or {}))


def _by_itself(page: Page, part: Part) -> Sheet:
    return Sheet("part_page.html", page.nav, part.load, values={"part_template": part.template})


def page_status(sections: Sequence[Section], deciding: Sequence[Section]) -> int:
    """
    Choose a page's HTTP status.

    A missing or wrong key is 401/403 for the whole page; what the page is *about* may be 400 or
    404; any other failing section leaves the rest of the page standing: 200.
    """
    for section in sections:
        if _status_of(section) in _CLOSED_DOORS:
            return _status_of(section)
    for section in deciding:
        if _status_of(section) in (400, 404, 422):
            return _status_of(section)
    return 200


def _status_of(section: Section) -> int:
    return section.problem.status if section.problem is not None else 200


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
