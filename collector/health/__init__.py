"""
Health verdicts with evidence.

``verdict.py``   `Facts` of one service -> `Verdict`: pure, every threshold a named constant with its reason
``facts.py``     gathers the facts of all services from ``read/``: a fixed number of statements, whatever their number
``objectives.py``  how fast error budgets burn
``recent.py``    what else is abnormal now: latency, containers, pools, queues
``topology.py``  the map: nodes with verdicts, edges with breakers
``anomaly.py``   minutes that differ from what is usual; ``signs.py`` and ``resource_signs.py`` what that says of a service, of calls, of metrics
``suspects.py``  the graph of everything that is abnormal, of `Suspect` (``suspect.py``): by calls and their ``arrivals.py``, ``by_metrics.py``, ``changes.py``
                 (breakers, versions), with ``blame.py`` for whose part is how large; ``causes.py`` where trouble began, ranked, with the way to it; ``evidence.py`` in words
``switchboard.py``  breakers with their causes and blast radii

In: rollups of the last minutes and the breakers' states. Out: healthy | degraded | unhealthy | unknown, and why.
"""

from collector.health.facts import board
from collector.health.verdict import Facts, Reason, Verdict, judge

__all__ = ["Facts", "Reason", "Verdict", "board", "judge"]
