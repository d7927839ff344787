"""
Listeners that a Python service imports so that its breakers' transitions become log lines.

They need nothing but the standard library and nothing else of this package. Each transition is one JSON object (contract.md,
"Transition object", with ``"event": "circuit_breaker.transition"``), handed to *emit*: a callable of the service's choice,
by default one line on standard output, where the sidecar reads it.

``transition``  the object and the ways to write it
``pybreaker``   a listener for pybreaker
``circuitbreaker``  makes a breaker of circuitbreaker tell
``purgatory``   a listener for purgatory's factories
``tenacity``    callbacks for tenacity: retries as a breaker that only watches
``decorator``   a small breaker as a decorator, for services that have no library
"""
