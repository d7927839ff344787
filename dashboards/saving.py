"""Saving and deleting views: the forms of the pages, passed to the API as the visitor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboards.api import Api
from dashboards.forms import read_form

_FIELDS = ("page", "name", "query", "env", "start", "end")

Failure = Callable[[Request, int, str, str], Awaitable[Response]]


async def save(api: Api, request: Request, failure: Failure) -> Response:
    """Save the view that the form says and go back to its page."""
    form = await read_form(request)
    if form is None:
        return await failure(
            request, 403, "Nothing was saved", "The form came from another site, or is too large."
        )
    fields = {name: form[name] for name in _FIELDS if form.get(name)}
    caller = api.of_caller(request.headers.get("authorization", ""))
    answer = await caller.change("POST", "views", content=fields)
    if answer.problem:
        return await failure(request, answer.problem.status, "The view was not saved", answer.problem.message)
    return _back(form)


async def forget(api: Api, request: Request, failure: Failure) -> Response:
    """Delete a view and go back to the page the form was on."""
    form = await read_form(request)
    if form is None:
        return await failure(
            request, 403, "Nothing was deleted", "The form came from another site, or is too large."
        )
    caller = api.of_caller(request.headers.get("authorization", ""))
    answer = await caller.change("DELETE", "views", request.path_params["view_id"])
    if answer.problem:
        return await failure(
            request, answer.problem.status, "The view was not deleted", answer.problem.message
        )
    return _back(form)


def _back(form: Mapping[str, str]) -> RedirectResponse:
    asked = {name: form[name] for name in ("query", "env", "start", "end") if form.get(name)}
    page = quote(form.get("page", "logs").lstrip("/"), safe="/")
    return RedirectResponse(f"/{page}?{urlencode(asked)}", 303)
