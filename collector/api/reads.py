"""
Which signals an answer is made of: what a question about it waits for, of the records that gather for a reader (journal/attendance.py).

What is kept in `state/` or in memory (alerts, silences, sessions, settings, …) is made of none, and answered at once. Samples of metrics are waited for by those
who show them: a verdict that takes a sign from them does so once in a pass, and they gather for eight seconds even while somebody looks. Transitions wait for
nobody, wherever they came from: they hurry (journal/patience.py).

The pipeline's own answer waits for nothing, but who asks for it looks whether what was sent has arrived: nothing gathers any longer (`watches`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

PREFIX = "/api/v1/"
_PIPELINE = f"{PREFIX}pipeline"

_CALLS = ("traces",)
_HEARD = ("logs", "traces", "breakers")
# By the first part of a path, for one resource by the first two.
_SIGNALS: Mapping[str, Collection[str]] = {
    "logs": ("logs",),
    "traces": ("traces", "logs", "breakers"),
    "services": _HEARD,
    "map": _HEARD,
    "courses/services": _CALLS,
    "courses/breakers": ("traces", "breakers"),
    "breakers": _HEARD,
    "breakers/transitions": ("breakers",),
    "bulkheads": ("metrics",),
    "causes": _HEARD,
    "catalogue": _HEARD,
    "databases": _CALLS,
    "deploys": ("logs", "traces"),
    "endpoints": ("traces", "reports"),
    "gateway": ("logs", "traces"),
    "hot": ("traces", "metrics"),
    "queues": ("traces", "metrics"),
    "metrics": ("metrics",),
    **dict.fromkeys(
        ("alerts", "rules", "receivers", "deliveries", "silences", "incidents", "pipeline", "session", "keys", "users", "settings", "views", "dashboards",
         "queries"),
        (),
    ),
}  # fmt: skip


def signals_of(path: str) -> Collection[str] | None:
    """Return the signals that the answer of *path* is made of; ``None`` = any may be (a statement of SQL, the ledger, what is not known here)."""
    if not path.startswith(PREFIX):
        return () if path.startswith("/api/") else None
    first, _, rest = path.removeprefix(PREFIX).partition("/")
    return _SIGNALS.get(f"{first}/{rest.partition('/')[0]}", _SIGNALS.get(first))


def watches(path: str) -> bool:
    """Say whether *path* tells how far storing is: who watches it until the journal is empty must not wait for a reader to come."""
    return path == _PIPELINE
