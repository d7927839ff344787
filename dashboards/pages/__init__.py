"""
One file per page: ``load(visit)`` asks the API and fills the page's frozen ``Context``.

``page.py`` says what a page is, ``tile.py`` what a breaker looks like wherever it is shown.
`ACTIONS` are the forms that pages send. `PAGES` is the whole site; the routes are made from it and tests walk it.
"""

from dashboards.pages import (
    alerts,
    board,
    boards,
    breaker,
    breakers,
    catalogue,
    databases,
    deploys,
    endpoints,
    find,
    gateway,
    keys,
    log_context,
    logs,
    map_page,
    metrics,
    overview,
    patterns,
    pipeline,
    queues,
    service,
    services,
    settings,
    sql,
    trace,
    traces,
    users,
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
    metrics.PAGE,
    boards.PAGE,
    board.PAGE,
    sql.PAGE,
    endpoints.PAGE,
    databases.PAGE,
    deploys.PAGE,
    queues.PAGE,
    gateway.PAGE,
    catalogue.PAGE,
    keys.PAGE,
    users.PAGE,
    settings.PAGE,
)
ACTIONS = (*boards.ACTIONS, *board.ACTIONS, *catalogue.ACTIONS, *keys.ACTIONS, *users.ACTIONS)
