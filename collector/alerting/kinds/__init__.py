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
No data is not over: docs/adr/0042.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from collector.alerting.kinds.asking import Asking
from collector.alerting.kinds.breakers import read_breaker
from collector.alerting.kinds.bulkheads import read_bulkhead
from collector.alerting.kinds.own import read_own
from collector.alerting.kinds.promql import read_promql
from collector.alerting.kinds.search import read_search
from collector.alerting.kinds.silent import read_silent
from collector.alerting.kinds.slo import read_slo
from collector.alerting.kinds.sql import read_sql
from collector.alerting.kinds.written import Written


def read_asking(key: str, fields: Written) -> tuple[Asking, float]:
    """
    Read what stands under *key*.

    Returns:
        The question, and how many seconds its condition must hold if its own text says so; 0 = it does not.

    Raises:
        ValueError: It cannot be asked; the sentence says why.
    """
    if key == "bulkhead":
        return read_bulkhead(str(fields.bulkhead))
    return _WITHOUT_FOR[key](fields), 0.0


_WITHOUT_FOR: Mapping[str, Callable[[Written], Asking]] = {
    "expr": lambda fields: read_promql(str(fields.expr)),
    "breaker": lambda fields: read_breaker(str(fields.breaker)),
    "search": read_search,
    "sql": lambda fields: read_sql(str(fields.sql), fields.value),
    "silent": lambda fields: read_silent(str(fields.silent)),
    "slo": lambda fields: read_slo(str(fields.slo)),
    "fuseboard": lambda fields: read_own(str(fields.fuseboard)),
}

__all__ = ["Asking", "read_asking"]
