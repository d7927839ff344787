"""
One file per page: ``load(visit)`` asks the API and fills the page's frozen ``Context``.

``page.py`` says what a page is, ``tile.py`` what a breaker looks like wherever it is shown.
`PAGES` is the whole site; the routes are made from it and tests walk it.
"""

from dashboards.pages import (
    alerts,
    breaker,
    breakers,
    find,
    log_context,
    logs,
    map_page,
    overview,
    patterns,
    pipeline,
    service,
    services,
    trace,
    traces,
)

PAGES = (
    overview.PAGE,
    services.PAGE,
    service.PAGE,
    breakers.PAGE,
    breaker.PAGE,
    logs.PAGE,
    log_context.PAGE,
    patterns.PAGE,
    traces.PAGE,
    trace.PAGE,
    map_page.PAGE,
    alerts.PAGE,
    pipeline.PAGE,
    find.PAGE,
)
