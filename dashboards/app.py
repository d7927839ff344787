"""
The dashboards as one ASGI application.

``create_app(api)`` is all that another program needs: the collector mounts it behind its own
routes, ``python -m dashboards`` serves it alone. Pages only read; forms are POSTs (``forms.py``, ``saving.py``); ``doors.py`` signs in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Mount, Route

from dashboards import doors
from dashboards.answers import Answers
from dashboards.api import Api
from dashboards.assets import Assets
from dashboards.beside import Beside
from dashboards.failures import Failures
from dashboards.leaving import Leaving
from dashboards.pages import ACTIONS, PAGES
from dashboards.render import STATIC, Renderer
from dashboards.site import existing
from dashboards.visits import PATHS, Site
from dashboards.window import BadParameterError


def create_app(
    api: Api,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    allowed_hosts: Sequence[str] = ("*",),
    tour: str = "",
    patience_s: float | None = None,
) -> Starlette:
    """
    Build the application.

    Args:
        api: The collector, by URL or through ASGI in this process.
        clock: What "now" is; tests fix it.
        tour: The command that switches a fault of the sample shop on (``… --on``); the Overview then leads through it.
        allowed_hosts: ``Host`` headers answered; the stand-alone server narrows it on loopback.
        patience_s: A page that takes longer sends its frame first; who serves people passes `documents.PATIENCE_S`. None: every page goes out whole.
    """
    site = Site(api, Renderer(existing(PATHS)), clock, tour)
    failures = Failures(site)
    answers = Answers(site, failures, patience_s)
    return Starlette(
        routes=[
            *(Route(page.path, answers.page(page), methods=["GET"], name=page.nav) for page in PAGES),
            *Beside(site, failures).routes(),
            *(Route(action.path, answers.action(action), methods=["POST"]) for action in ACTIONS),
            Mount("/static", Assets(STATIC), name="static"),
        ],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=list(allowed_hosts)),
            Middleware(doors.Doors),
            Middleware(Leaving),
        ],
        exception_handlers={
            HTTPException: failures.raised,
            BadParameterError: failures.raised,
            Exception: failures.raised,
        },
    )
