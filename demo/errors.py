"""
Every error of the shop, as one tree.

::

    DemoError
      UsageError             a command or setting that cannot work: exit 2 and a sentence
      ShopError              what a caller is answered: status, code, message
        Declined             4xx, a business answer: no error of the service
        FaultInjected        500, a fault is on
        DependencyFailed     502, the callee answered 5xx, not in time, or not at all
        NotPermitted         503, our breaker is open: the callee was not asked
        BulkheadFull         503, too many calls in flight: the callee was not asked
"""

from __future__ import annotations


class DemoError(Exception):
    """The root."""


class UsageError(DemoError):
    """A command or setting that cannot work; its text quotes the value and says what to do."""


class ShopError(DemoError):
    """An answer other than success: HTTP status, bounded slug, sentence."""

    status = 500
    code = "internal"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def log_fields(self) -> dict[str, str]:
        """Return what a log line says about it; ``message`` would compete with the line's event for the body."""
        return {"error.type": self.code, "error.message": self.message}


class Declined(ShopError):
    """A business answer (402, 404, 409, 400): the service did its work."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class FaultInjected(ShopError):
    """The fault *errors* is on and this request was chosen."""

    code = "fault_injected"


class DependencyFailed(ShopError):
    """The callee was asked and did not deliver; breakers count these."""

    status = 502
    code = "dependency_failed"

    def __init__(self, target: str, error_type: str, message: str) -> None:
        super().__init__(message)
        self.target = target
        self.error_type = error_type

    def log_fields(self) -> dict[str, str]:
        """Return the callee and how it failed as well."""
        return {"target": self.target, "error.type": self.error_type, "error.message": self.message}


class NotPermitted(ShopError):
    """The breaker named after *target* is open."""

    status = 503
    code = "breaker_open"

    def __init__(self, target: str) -> None:
        super().__init__(f"{target} is not called: its circuit breaker is open")
        self.target = target


class BulkheadFull(ShopError):
    """No slot became free in time."""

    status = 503
    code = "bulkhead_full"

    def __init__(self, target: str, limit: int) -> None:
        super().__init__(f"{target} is not called: {limit} calls are in flight and none ended in time")
        self.target = target
