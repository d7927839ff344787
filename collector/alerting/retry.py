"""
When to try a delivery again; pure.

=====================  ==========================================================================
answer                 what follows
=====================  ==========================================================================
2xx                    delivered
410                    failed, and the receiver is disabled with a notice
429, 5xx, no answer    again soon: 2 s, doubling, at most every 5 min (a page must arrive minutes,
                       not hours, after the receiver is back)
3xx, other 4xx,        again slowly: 1 min, doubling, at most every 30 min. These are wrong settings
refused by the guard,  on one side; someone may put them right within the three days, and a page
a template that fails  thrown away cannot be had back. A redirect is never followed
mail: 4xx, 5xx         the other way round: 4xx is passing, 5xx is not
=====================  ==========================================================================

Each delay is multiplied by a random 0.5…1 (receivers must not be met by all retries at once).
Retry-After is a lower bound. Three days after the event a last attempt is made, then it is failed.
Source: Standard Webhooks specification, "Deliverability and reliability"; design.md §10.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from collector.alerting.webhooks import Outcome

GIVE_UP_AFTER = timedelta(days=3)
# What no waiting heals: our own settings refuse.
OURS = ("egress_refused", "bad_template", "bad_url")
QUICK_FIRST_S, QUICK_MAX_S = 2.0, 300.0
SLOW_FIRST_S, SLOW_MAX_S = 60.0, 1800.0


@dataclass(frozen=True)
class Verdict:
    """What becomes of a delivery: *again_at* is set for ``again`` only."""

    kind: Literal["delivered", "gone", "failed", "again"]
    again_at: datetime | None = None


def judge(outcome: Outcome, attempts: int, created_at: datetime, now: datetime, jitter: float) -> Verdict:
    """
    Decide over a finished attempt.

    Args:
        outcome: What it brought.
        attempts: How many were made, this one included (≥ 1).
        created_at: When the event was written.
        now: When the attempt ended.
        jitter: Random, 0.5…1.
    """
    if outcome.delivered:
        return Verdict("delivered")
    if outcome.status == 410 and not outcome.smtp:
        return Verdict("gone")
    deadline = created_at + GIVE_UP_AFTER
    if now >= deadline:
        return Verdict("failed")
    wait_s = max(_backoff_s(outcome, attempts) * jitter, outcome.retry_after_s or 0.0)
    # A Retry-After of years must not overflow a datetime: bounded by the deadline first.
    return Verdict("again", now + min(timedelta(seconds=min(wait_s, 1e6)), deadline - now))


def _backoff_s(outcome: Outcome, attempts: int) -> float:
    first_s, max_s = (QUICK_FIRST_S, QUICK_MAX_S) if passing(outcome) else (SLOW_FIRST_S, SLOW_MAX_S)
    return float(min(first_s * 2 ** min(attempts - 1, 30), max_s))


def passing(outcome: Outcome) -> bool:
    """Whether a failed attempt tells of trouble that ends by itself: no answer, too many, a fault of theirs."""
    if outcome.status is None:
        return not (outcome.error or "").startswith(OURS)
    if outcome.smtp:
        return outcome.status < 500
    return outcome.status == 429 or outcome.status >= 500
