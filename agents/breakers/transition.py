"""One transition as the object that the collector understands, and ways to write it into a service's log."""

import json
import logging
import socket
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

EVENT = "circuit_breaker.transition"
Transition = dict[str, Any]
Emit = Callable[[Transition], None]


def transition(
    *,
    service: str,
    breaker: str,
    before: str,
    after: str,
    target: str | None = None,
    instance: str | None = None,
    reason: str | None = None,
    failure_rate: float | None = None,
    calls: int | None = None,
    not_permitted: int | None = None,
) -> Transition:
    """
    Describe a transition that happens now, in the trace that is current.

    Args:
        service: ``service.name`` of the process that holds the breaker.
        breaker: Its name; ``target`` (what it guards) is the same unless given.
        before: State before: closed, open, half_open.
        after: State after.
        target: The dependency.
        instance: Which process of the service; default the host's name.
        reason: One sentence.
        failure_rate: 0 to 1, over ``calls``.
        calls: Number of calls that the decision rests on.
        not_permitted: Calls refused since the transition before.
    """
    at = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    trace_id, span_id = current_span()
    return {
        "event": EVENT,
        "timestamp": at,
        "level": "warning",
        "service": service,
        "breaker": breaker,
        "target": target or breaker,
        "instance": instance or socket.gethostname(),
        "from": before,
        "to": after,
        "at": at,
        "reason": reason,
        "failure_rate": failure_rate,
        "calls": calls,
        "not_permitted": not_permitted,
        "trace_id": trace_id,
        "span_id": span_id,
    }


def current_span() -> tuple[str | None, str | None]:
    """Give trace and span id in hex when the service uses OpenTelemetry and a span is active."""
    if "opentelemetry" not in sys.modules:
        return None, None
    try:
        from opentelemetry import trace
    except ImportError:
        return None, None
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return None, None
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def to_stdout(happened: Transition) -> None:
    """Write one JSON line to standard output."""
    sys.stdout.write(json.dumps(happened, default=str) + "\n")
    sys.stdout.flush()


def to_logger(logger: logging.Logger) -> Emit:
    """Write through *logger*: the message is the JSON line itself."""

    def emit(happened: Transition) -> None:
        logger.warning("%s", json.dumps(happened, default=str))

    return emit


def safely(emit: Emit, happened: Transition) -> None:
    """Emit without ever failing the call that is being guarded; trouble goes to the standard logging."""
    try:
        emit(happened)
    except Exception:
        logging.getLogger(__name__).exception("breaker transition could not be written")
