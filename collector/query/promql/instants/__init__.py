"""
PromQL at one point, evaluated here: many expressions from the values of their selectors, which a few statements bring for all of them.

``vectors.py``     what the parts hand each other: label sets with a value
``leaves.py``      what an expression asks of the store: a selector under a range function
``reading.py``     those values as one SELECT for many series, made of the compiler's own parts
``aggregates.py``  sum, avg, quantile, …
``operators.py``   + - and or unless …, between numbers, vectors, and both
``functions.py``   functions value by value, absent, scalar, label_join; ``histograms.py`` histogram_quantile
``plan.py``        tree -> `Plan`: the leaves, and a function of their values; None = the compiler's statement answers it

It answers what the compiler's statement would, or nothing: what is odd (an error, a tie, a value beyond a double) is `GivenUp` to the statement, whose
words are then the answer. Source: docs/adr/0045.
"""

from collector.query.promql.instants.leaves import Leaf, Selector
from collector.query.promql.instants.plan import Plan, plan
from collector.query.promql.instants.reading import Readings, reading
from collector.query.promql.instants.vectors import Element, GivenUp

__all__ = ["Element", "GivenUp", "Leaf", "Plan", "Readings", "Selector", "plan", "reading"]
