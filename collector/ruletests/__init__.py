"""
``fuseboard rules check`` and ``fuseboard rules test``: rule files tried without a collector.

``notation.py``  ``1+2x5 _ stale``: values of a series as promtool writes them
``file.py``      a test file, as written
``trial.py``     one test: its series in an engine of its own, its rules at every step, what came of it beside what was expected
``command.py``   the two commands

In: promtool's unit-test files. Out: promtool's report, and an exit code. Only ``expr:`` rules are tried; an alert whose series vanish stays, as it does in a
collector (docs/rules.md).
Source: https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/.
"""
