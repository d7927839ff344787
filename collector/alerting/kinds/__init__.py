"""
Kinds of rules: each reads what stands under its key in a rule file, and asks it.

``asking.py``  what they share: a `Sample`, where they ask (`Sources`), what they promise (`Asking`)
``promql.py``  ``expr:``
``search.py``  ``search:``, ``above:``, ``within:``, ``by:``
``sql.py``     ``sql:``, ``value:``
``breakers.py``  ``breaker: flapping``, ``breaker: stuck`` (``open for`` is older, and seen at each tick: ``evaluate.py``)
``bulkheads.py``  ``bulkhead:``
``silent.py``  ``silent:``
``slo.py``     ``slo:``
``own.py``     ``fuseboard:``, the collector's own trouble, asked without the engine

In: text, `Sources`, a time. Out: the label sets whose condition holds; and, of alerts that are no longer among them, which are over.
No data is not over: docs/adr/0034.
"""

from __future__ import annotations

from collector.alerting.kinds.asking import Asking
from collector.alerting.kinds.promql import read_promql
from collector.alerting.kinds.written import Written


def read_asking(key: str, fields: Written) -> tuple[Asking, float]:
    """
    Read what stands under *key*.

    Returns:
        The question, and how many seconds its condition must hold if its own text says so; 0 = it does not.

    Raises:
        ValueError: It cannot be asked; the sentence says why.
    """
    if key == "expr":
        return read_promql(str(fields.expr)), 0.0
    raise ValueError(f"{key!r} rules are not known")


__all__ = ["Asking", "read_asking"]
