"""
Typed questions -> SQL -> typed answers: the only place that selects from ClickHouse for the API.

``sql.py``          the `Store` every reader is given, statements within their limits, costs added up
``logs.py``         records newest or oldest first; ``log_context.py`` one record's neighbours
``log_counts.py``   histogram, facets, fields; ``minute_counts.py`` the same from the rollup by minutes; ``log_export.py`` every record of a search
``cursors.py``      opaque cursors; ``kept.py`` what may serve several questions
``traces.py``       which traces fit a question; ``trace_heatmap.py`` how many, ``trace_compare.py`` what sets some apart
``trace.py``        one trace with its spans, logs and transitions, explained by ``span_tree.py``, ``clock_skew.py``
                    and ``critical_path.py``
``services.py``     RED, versions, last seen; series of one service
``edges.py``        who calls whom; who feels it when a service fails
``heard.py``        who was heard of, and the numbers of every service that a verdict rests on
``breakers.py``     current states per breaker and instance; ``transitions.py`` what they are made from,
                    ``causes.py`` why they opened; ``present.py`` the states as they are now, kept in memory: ``held.py`` of each instance,
                    ``ago.py`` as they stood some minutes ago
``minutes.py``      requests minute by minute, ``call_minutes.py`` calls; ``resources.py`` what metrics say of services, likewise
``metrics.py``      PromQL at one point or over a range; ``series.py`` which series there are, their families and exemplars
``ledger.py``       emitted = stored + rejected + dropped + in flight, from ``reports.py`` and `batches`;
                    ``offsets.py`` gaps and overlaps; ``agents.py`` who ships, ``quarantine.py`` what was set aside
``catalogue.py``    endpoints, deploys
``own.py``          the collector's own service, left out unless asked for

Each SQL statement is a constant right above the function that runs it. In: a `Window`, values, a compiled
search. Out: rows as dicts in the shapes of the API, and what they cost; or `StoreUnavailable`.
"""
