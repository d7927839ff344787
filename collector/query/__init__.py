"""
Languages people type, compiled to SQL; nothing here talks to ClickHouse.

``window.py``     ``-15m``, ``now``, RFC 3339, epoch -> `Window`: nanoseconds since the epoch
``grammar.py``    the search language's grammar (lark) and its nodes; syntax errors with their position
``severity.py``   any spelling of a severity -> OpenTelemetry's number range
``values.py``     one field's test (word, phrase, wildcard, regex, comparison, range) -> SQL
``promql/``       PromQL -> one SELECT, on a grid of points
``matchers.py``   selectors by themselves (``match[]``) -> a condition on the series
``search.py``     the compiler: text -> `Condition` (SQL with ``{name:Type}`` places, and their values)

In: text from a request. Out: SQL conditions whose every value is bound, or `QueryError`.
"""
