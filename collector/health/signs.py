"""
Signs of trouble of one service, of the calls to something, of what metrics say: each from its minutes to anomalies. Pure.

What a service does itself is told from what it waits for: its own time is the time of its requests less the time of its calls, its own failures are those that no
failed call explains. So a service that is slow because another is has no sign of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

from collector.health.anomaly import (
    MADS,
    MINUTE_S,
    POOLED_MINUTES,
    Anomaly,
    Bounds,
    Values,
    pooled,
    usual,
    usual_share,
    worst_run,
)
from collector.read.minutes import Minutes

# Ratios differ by chance: four standard deviations of a coin, and at least three in a hundred.
ERROR_SIGMAS, ERROR_RATIO = 4.0, 0.03
# A service that never failed is given so much: two failures of fifteen calls are an anecdote, three are none.
ERROR_LEAST, ERROR_CALLS = 0.004, 3
# One call in four failing is an outage, whatever is usual.
ERROR_FULL = 0.25
# Less than a limit by what rounding may make of it.
_ALMOST = 0.999
# Half as slow again, and beyond what minutes usually differ by.
SLOW_FACTOR, SLOW_MS = 1.5, 5.0
# Eight times slower is as bad as slow can be.
SLOW_FULL = 8.0
SEVERE_RATIO, SEVERE_RECORDS, SEVERE_LEAST = 0.1, 5, 0.02
# Traffic below a tenth of the usual, where there was some.
GONE_RATIO, GONE_CALLS = 0.1, 3.0
# Calls that nobody received: the callee was not there.
UNANSWERED_RATIO, UNANSWERED_FULL = 0.15, 0.6
# Twice as many calls for a request: somebody retries.
RETRIES_FACTOR = 1.6
# Given up no later than it usually takes.
GIVEN_UP = 1.3


def served(
    minutes: Minutes, waited: Minutes, window: Bounds, until_s: int, held: Iterable[int] = ()
) -> list[Anomaly]:
    """
    Give the signs of a service's own trouble.

    Args:
        minutes: Of its requests.
        waited: Of all calls that it makes and waits for.
        window: Where signs are looked for.
        until_s: Data are complete up to here.
        held: Minutes in which a breaker of its own was open: what failed then was not sent, and no fault of its own.
    """
    open_minutes = set(held)
    own_failed = {
        at: 0.0 if at in open_minutes else max(failed - waited.failed.get(at, 0), 0.0)
        for at, failed in minutes.failed.items()
    }
    own_ms = {at: ms - waited.spent_ms.get(at, 0.0) for at, ms in minutes.spent_ms.items()}
    found = (
        errors(minutes.calls, own_failed, window),
        _slow(minutes, own_ms, window),
        severe(minutes, window),
        gone(minutes, window, until_s),
    )
    return [each for each in found if each is not None]


def errors(
    calls: Mapping[int, float],
    failed: Mapping[int, float],
    window: Bounds,
    kind: str = "errors",
    about: str = "",
) -> Anomaly | None:
    """Find minutes with a higher share of failures than usual."""
    if not _fails(calls, failed, window, ERROR_RATIO, ERROR_CALLS):
        return None
    known = pooled(calls, failed)
    ratios = {at: bad / every for at, (every, bad) in known.items()}
    middle = max(usual(ratios, window)[0], usual_share(calls, failed, window))

    def abnormal(at: int, ratio: float) -> bool:
        every, bad = known[at]
        chance = math.sqrt(every * max(middle, ERROR_LEAST))
        return (
            bad >= ERROR_CALLS
            and ratio - middle >= ERROR_RATIO
            and bad - every * middle >= ERROR_SIGMAS * chance
        )

    return worst_run(
        kind, ratios, window, abnormal, middle, lambda ratio: (ratio - middle) / ERROR_FULL, about
    )


def _fails(
    calls: Mapping[int, float], failed: Mapping[int, float], window: Bounds, ratio: float, least: int
) -> bool:
    """Tell whether minutes of *window* can be a sign at all, whatever is usual: most services need no look at an hour before."""
    first = window[0] - (POOLED_MINUTES - 1) * MINUTE_S
    near = range(-(POOLED_MINUTES - 1) * MINUTE_S, POOLED_MINUTES * MINUTE_S, MINUTE_S)
    return any(
        sum(failed.get(at + aside, 0.0) for aside in near) >= least
        for at, bad in failed.items()
        if bad and first <= at < window[1] and bad >= _ALMOST * ratio * calls.get(at, 0)
    )


def slow(
    calls: Mapping[int, float],
    spent_ms: Mapping[int, float],
    window: Bounds,
    kind: str = "latency",
    about: str = "",
) -> Anomaly | None:
    """Find minutes whose mean duration is higher than usual; none where no durations are known."""
    if not spent_ms:
        return None
    means = {at: ms / every for at, (every, ms) in pooled(calls, spent_ms).items()}
    middle, spread = usual(means, window)
    limit = max(SLOW_FACTOR * middle, middle + MADS * spread, middle + SLOW_MS)
    return worst_run(
        kind,
        means,
        window,
        lambda _, ms: ms >= limit,
        middle,
        lambda ms: _times(ms / max(middle, 0.1), SLOW_FULL),
        about,
    )


def _slow(minutes: Minutes, own_ms: Mapping[int, float], window: Bounds) -> Anomaly | None:
    """Find minutes whose own time is longer by what matters of the whole."""
    whole = {at: ms / every for at, (every, ms) in pooled(minutes.calls, minutes.spent_ms).items()}
    own = {at: ms / every for at, (every, ms) in pooled(minutes.calls, own_ms).items()}
    middle, spread = usual(own, window)
    typical, _ = usual(whole, window)
    # what it waits for at once is counted twice: its own time may be below zero
    basis = max(middle, 0.0) + 0.25 * max(typical - max(middle, 0.0), 0.0)
    limit = middle + max((SLOW_FACTOR - 1) * basis, MADS * spread, SLOW_MS)
    return worst_run(
        "latency",
        own,
        window,
        lambda _, ms: ms >= limit,
        middle,
        lambda ms: _times(1 + (ms - middle) / max(basis, 1.0), SLOW_FULL),
    )


def as_seen(found: Anomaly, p95_ms: Mapping[int, float], window: Bounds) -> Anomaly:
    """Tell own time in what people see: the p95 of the requests, where that rose too."""
    during = [ms for at, ms in p95_ms.items() if found.began_s <= at < window[1]]
    before, _ = usual(p95_ms, window)
    reached = max(during, default=0.0)
    if reached <= before:
        return found
    middle = sorted(during)[len(during) // 2]
    return replace(found, value=max(middle, before), usual=before)


def _times(ratio: float, full: float) -> float:
    return math.log2(max(ratio, 1.0)) / math.log2(full)


def severe(minutes: Minutes, window: Bounds) -> Anomaly | None:
    """Find minutes with a higher share of errors among the log records; logs are words: half as strong as what calls show."""
    if not _fails(minutes.records, minutes.severe, window, SEVERE_RATIO, SEVERE_RECORDS):
        return None
    known = pooled(minutes.records, minutes.severe)
    ratios = {at: bad / every for at, (every, bad) in known.items()}
    middle = max(usual(ratios, window)[0], usual_share(minutes.records, minutes.severe, window))

    def abnormal(at: int, ratio: float) -> bool:
        every, bad = known[at]
        enough = bad >= SEVERE_RECORDS and bad - every * middle >= ERROR_SIGMAS * math.sqrt(
            every * max(middle, SEVERE_LEAST)
        )
        return enough and ratio - middle >= SEVERE_RATIO

    return worst_run(
        "log_errors", ratios, window, abnormal, middle, lambda ratio: 0.5 * (ratio - middle) / ERROR_FULL
    )


def gone(minutes: Minutes, window: Bounds, until_s: int) -> Anomaly | None:
    """Find traffic that stopped: minutes that are missing count as zero."""
    if not minutes.calls:
        return None
    first = min(minutes.calls)
    counted = {at: float(minutes.calls.get(at, 0)) for at in range(first, until_s - MINUTE_S + 1, MINUTE_S)}
    return _stopped(counted, window)


def _stopped(counted: Values, window: Bounds) -> Anomaly | None:
    middle, _ = usual(counted, window)
    if middle < GONE_CALLS:
        return None

    # what has not begun yet is not gone
    begun = min(at for at, calls in counted.items() if calls > GONE_RATIO * middle)

    # a minute without any of a few calls happens; two in a row do not, of eight or more one is enough
    def abnormal(at: int, calls: float) -> bool:
        quiet = calls <= GONE_RATIO * middle
        return (
            at > begun
            and quiet
            and (middle >= 8 or counted.get(at - MINUTE_S, middle) <= GONE_RATIO * middle)
        )

    return worst_run("gone", counted, window, abnormal, middle, lambda _: 1.0)


def unanswered(received: Mapping[int, float], tried: Mapping[int, float], window: Bounds) -> Anomaly | None:
    """Find minutes in which calls to a service did not arrive there: it refused them, or was not there."""
    first = window[0] - (POOLED_MINUTES - 1) * MINUTE_S
    if not any(
        sent - received.get(at, 0) >= _ALMOST * UNANSWERED_RATIO * sent
        for at, sent in tried.items()
        if first <= at < window[1]
    ):
        return None  # nor in minutes that are looked at together
    known = pooled(tried, received)
    ratios = {at: max(sent - got, 0.0) / sent for at, (sent, got) in known.items()}
    middle, spread = usual(ratios, window)
    limit = middle + max(UNANSWERED_RATIO, MADS * spread)
    return worst_run(
        "unanswered",
        ratios,
        window,
        lambda _, ratio: ratio >= limit,
        middle,
        lambda ratio: (ratio - middle) / UNANSWERED_FULL,
    )


def retries(
    edge: Minutes, requests: Mapping[int, float], callee_failed: Anomaly | None, window: Bounds, about: str
) -> Anomaly | None:
    """
    Find calls that their caller gives up: they fail, though the callee does not, no later than they usually take; and are sent again.

    Args:
        edge: The calls.
        requests: The caller's.
        callee_failed: What the callee's own requests show of failing, or not being there.
        window: Where it is looked for.
        about: The callee.
    """
    if callee_failed is not None:
        return None
    failing = errors(edge.calls, edge.failed, window, "retries", about)
    if failing is None:
        return None
    slower = slow(edge.calls, edge.spent_ms, window)
    per_request = {at: sent / got for at, (got, sent) in pooled(requests, edge.calls).items()}
    middle, spread = usual(per_request, window)
    limit = max(RETRIES_FACTOR * middle, middle + MADS * spread)
    more = worst_run(
        "retries",
        per_request,
        window,
        lambda _, ratio: ratio >= limit,
        middle,
        lambda ratio: _times(ratio / max(middle, 0.05), 4),
        about,
    )
    if more is None or (slower is not None and slower.value > GIVEN_UP * slower.usual):
        return None
    return more
