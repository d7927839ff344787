"""
The seven services, one file each: ``build(runtime)`` returns the routes and loops of one.

Handlers are plain functions of a request; what surrounds every route (span, faults, metrics, log line, error
shape) is in ``demo/serving.py``, what surrounds every call to a neighbour in ``demo/dependency.py``.
"""
