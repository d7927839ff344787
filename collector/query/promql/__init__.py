"""
PromQL -> one SELECT over `metric_series` and `metric_samples`; nothing here talks to ClickHouse.

``grid.py``        the points an answer has
``syntax.py``      text -> tree (promql-parser), complaints with their position
``scope.py``       what the parts hand each other: relations of two columns (labels, values on the grid), bound values
``selectors.py``   matchers -> series; samples -> values on the grid; lookback, staleness, ``@``, offset
``windows.py``     range functions: rate, increase, *_over_time
``functions.py``   functions value by value; ``labels.py`` of labels; ``histograms.py`` of classic buckets
``calls.py``       finds which of these a call is
``aggregates.py``  sum, topk, quantile, count_values, …
``operators.py``   + - and or unless …, between numbers, vectors, and both
``enrich.py``      info(): labels of an info metric
``remarks.py``     warnings and infos that stand beside an answer
``compiler.py``    walks the tree: `compile_promql`

In: text and a `Grid`. Out: `Compiled`, or `QueryError`. Which functions there are and what differs from Prometheus: docs/promql.md.
"""

from collector.query.promql.compiler import POINTS_LIMIT, Compiled, compile_promql
from collector.query.promql.grid import Grid, instant

__all__ = ["POINTS_LIMIT", "Compiled", "Grid", "compile_promql", "instant"]
