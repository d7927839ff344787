"""
The on-call pages: a client of the collector's HTTP API and of nothing else.

In: a browser's GET (and the forms of saved views) and the answers of ``/api/v1``. Out: one HTML document per URL, complete without
JavaScript; every URL carries its time range and environment and can be pasted into chat.

::

    app.py        routes: create_app(api) is all another program needs
    answers.py    a visit -> its page loaded, its status, its document; failures.py: pages that say what went wrong
    documents.py  a document goes out whole, or its frame first and its content when that is known
    visits.py     who visits what; beside.py: what scripts and links ask for beside pages; assets.py: static files, from memory
    __main__.py   python -m dashboards --collector URL (stand-alone)
    api.py        the only code that talks to the collector; rows or a Problem, never an exception
    streams.py    the live tail and exports, passed on part by part; saving.py: forms that save and delete views
    doors.py      signing in and out: a cookie for browsers, provider.py: through a provider; forms.py: forms that pages send, never one of another site
    leaving.py    a visitor who leaves: the page's questions are given up, in ClickHouse too
    inprocess.py  the collector in this process as an HTTP client sees it, in parts
    window.py     start, end, env: what the three parameters of every page mean
    timestamps.py RFC 3339 with nanoseconds, relative times, durations
    filters.py    numbers, times and states as people read them
    charts.py     series -> aligned times, gaps, the table behind; units.py writes their numbers; marks.py: deploys,
                  incidents, opened breakers on every chart; static/charts.js draws (uPlot)
    promql.py     PromQL's answers as charts, exemplars included; panels.py: what the panels of a dashboard ask
    site.py       the navigation and the palette: which places there are
    render.py     templates, the frame around every page, addresses of assets
    histogram.py  log counts per bucket -> bars of an SVG
    waterfall.py  spans, logs and breaker marks of a trace -> rows on one time axis; walk.py orders them,
                  folding.py chooses among thousands
    volume.py     the part of Pipeline that says who fills the disk
    flame.py      the same trace as a flame; span_list.py: as a list, sorted
    heatmap.py    traces per time and duration -> cells that select
    layered.py    the service graph -> layers of boxes and curves
    pages/        one file per page: parameters -> API calls -> frozen Context
    templates/    one template per page; base.html; partials start with _
    static/       our stylesheet and small scripts; vendor/ is filled by hatch_build.py

Nothing here imports ``collector``: if two programs share a database, neither can change it alone
(design.md §3). Served together, the API is reached through ASGI, without a socket.
"""
