"""
Simulated systems with faults: the experiment of `benchmarks/causes.py`.

``topology.py``   systems: the demo shop's, and generated ones
``faults.py``     which faults there are, and where they may happen
``simulator.py``  a system under load, request by request; ``wire.py`` its spans as OTLP
``scenarios.py``  the list of systems and faults of a run, and their way into a collector
``baselines.py``  other ways to name a cause, on the same data
``report.py``     what came out, as tables; ``progress.py`` what is done so far
"""
