"""
The verdict on one service: pure, from facts to reasons.

Own open breakers mean trouble *behind* the service (degraded); breakers others hold open against it are evidence from
outside that it does not serve (unhealthy). Silence is judged only after speech: a service nobody heard of is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from collector.health.anomaly import Anomaly
from collector.health.objectives import Burn
from collector.read.new_errors import LEAST as NEW_ERRORS
from collector.read.new_errors import NewError

# Below this many calls in five minutes one failure is an anecdote.
MIN_CALLS = 10
# Retries and clients' mistakes make a few per cent of errors normal; one call in four failing is an outage.
DEGRADED_ERROR_RATIO, UNHEALTHY_ERROR_RATIO = 0.05, 0.25
# A burst, not a stray: at least this many severe records, and this share of all of them.
MIN_SEVERE, SEVERE_RATIO = 10, 0.2
# Services log or serve something every few seconds under load; agents ship within two seconds.
SILENT_AFTER_S = 120.0
# Of a service that says something once a minute two minutes of nothing are chance: so many records were to be expected meanwhile.
SILENT_EXPECTED = 12.0
# Silence counts after speech: at least this many records and spans in the quarter of an hour before.
MIN_HEARD, HEARD_WITHIN_S = 10, 900.0

# Of an error's text, in a sentence.
_TEXT_CHARS = 120
_RANK = {"healthy": 0, "degraded": 1, "unhealthy": 2}


@dataclass(frozen=True, slots=True)
class OpenBreaker:
    """A breaker that is open: who holds it, against whom, since when."""

    service: str
    breaker: str
    target: str
    since: str
    reason: str


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What is known of one service.

    Attributes:
        calls: Served in the last five minutes; *failed* of them with an error.
        severe: Log records of error and fatal in the last five minutes; *records* of all severities.
        heard: Records and spans in the last quarter of an hour.
        silent_s: Since the last of them; None: never heard of.
        signs: What else is abnormal of it now (recent.py).
        new_error: What its log repeats now and did not hold before.
        burn: How fast its error budget burns, where it has an objective and that is too fast.
        deploy: A version that began shortly before, and when.
        own_open: Its own open breakers.
        open_on_it: Open breakers of others against it.
    """

    service: str
    env: str
    calls: int = 0
    failed: int = 0
    severe: int = 0
    records: int = 0
    heard: int = 0
    silent_s: float | None = None
    signs: tuple[Anomaly, ...] = ()
    new_error: NewError | None = None
    burn: Burn | None = None
    deploy: tuple[str, str] | None = None
    own_open: tuple[OpenBreaker, ...] = ()
    open_on_it: tuple[OpenBreaker, ...] = ()


@dataclass(frozen=True, slots=True)
class Reason:
    """One piece of evidence: a sentence, the number, the threshold it crossed, the page that shows it."""

    health: str
    code: str
    message: str
    value: float
    threshold: float
    url: str

    def row(self) -> dict[str, Any]:
        """Give the API's shape."""
        names = ("code", "message", "value", "threshold", "url")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Verdict:
    """healthy | degraded | unhealthy | unknown, and the evidence, the worst first."""

    health: str
    reasons: tuple[Reason, ...] = field(default=())


def judge(facts: Facts) -> Verdict:
    """Weigh *facts*: the worst piece of evidence decides."""
    if facts.silent_s is None and not facts.open_on_it:
        message = f"{facts.service} has sent nothing in the last {HEARD_WITHIN_S / 60:.0f} minutes"
        return Verdict("unknown", (Reason("unknown", "no_data", message, 0, 1, _service_page(facts)),))
    found = [
        *_silence(facts),
        *_breakers_on_it(facts),
        *_errors(facts),
        *_own_breakers(facts),
        *_severe_logs(facts),
        *_new_error(facts),
        *_burn(facts),
        *_signs(facts),
    ]
    found += _deploy(facts) if found else []
    reasons = sorted(found, key=lambda reason: -_RANK[reason.health])
    return Verdict(reasons[0].health if reasons else "healthy", tuple(reasons))


def _silence(facts: Facts) -> list[Reason]:
    if facts.silent_s is None or facts.silent_s <= SILENT_AFTER_S or facts.heard < MIN_HEARD:
        return []
    spoke_s = max(HEARD_WITHIN_S - facts.silent_s, 1.0)
    if facts.heard / spoke_s * facts.silent_s < SILENT_EXPECTED:
        return []
    message = f"{facts.service} used to report and has been silent for {facts.silent_s:.0f} s"
    return [
        Reason("unhealthy", "silent", message, round(facts.silent_s, 1), SILENT_AFTER_S, _service_page(facts))
    ]


def _breakers_on_it(facts: Facts) -> list[Reason]:
    if not facts.open_on_it:
        return []
    holders = ", ".join(sorted({breaker.service for breaker in facts.open_on_it}))
    first = facts.open_on_it[0]
    message = f"{holders} opened a breaker on {facts.service}: {first.reason or 'its calls fail'}"
    url = _page(f"/breakers/{quote(first.service)}/{quote(first.breaker, safe='')}", facts.env)
    return [Reason("unhealthy", "breakers_on_it", message, len(facts.open_on_it), 1, url)]


def _errors(facts: Facts) -> list[Reason]:
    ratio = facts.failed / facts.calls if facts.calls else 0.0
    if facts.calls < MIN_CALLS or ratio < DEGRADED_ERROR_RATIO:
        return []
    unhealthy = ratio >= UNHEALTHY_ERROR_RATIO
    health, threshold = (
        ("unhealthy", UNHEALTHY_ERROR_RATIO) if unhealthy else ("degraded", DEGRADED_ERROR_RATIO)
    )
    message = f"{ratio:.1%} of {facts.calls} calls failed in the last 5 minutes"
    url = _page("/traces", facts.env, service=facts.service, error="true")
    return [Reason(health, "error_ratio", message, round(ratio, 4), threshold, url)]


def _own_breakers(facts: Facts) -> list[Reason]:
    return [
        Reason(
            "degraded",
            "breaker_open",
            f"its breaker {open_.breaker} on {open_.target} is open since {open_.since[11:19]} UTC: {open_.reason or 'calls failed'}",
            1,
            1,
            _page(f"/breakers/{quote(facts.service)}/{quote(open_.breaker, safe='')}", facts.env),
        )
        for open_ in facts.own_open
    ]


def _severe_logs(facts: Facts) -> list[Reason]:
    ratio = facts.severe / facts.records if facts.records else 0.0
    if facts.severe < MIN_SEVERE or ratio < SEVERE_RATIO:
        return []
    message = f"{facts.severe} of {facts.records} log records in the last 5 minutes are errors"
    url = _page("/logs", facts.env, query=f'service:"{facts.service}" severity:>=error')
    return [Reason("degraded", "log_errors", message, round(ratio, 4), SEVERE_RATIO, url)]


def _new_error(facts: Facts) -> list[Reason]:
    """Tell of an error that was not there before: few records of it may be the first word of what comes."""
    new = facts.new_error
    if new is None:
        return []
    text = new.text if len(new.text) <= _TEXT_CHARS else f"{new.text[:_TEXT_CHARS]}…"
    message = f"{new.records} log records in the last 5 minutes say {text!r}, since {new.since[11:19]} UTC; none did in the {new.hours} h before"
    url = _page("/logs", facts.env, query=f'service:"{facts.service}" severity:>=error')
    return [Reason("degraded", "new_errors", message, new.records, NEW_ERRORS, url)]


def _burn(facts: Facts) -> list[Reason]:
    """Tell of a budget that will not last: the promise is at risk long before most calls fail."""
    if facts.burn is None:
        return []
    burn = facts.burn
    message = f"calls have failed {burn.rate:.1f} times as often for {burn.hours} h as its objective of {burn.objective * 100:.6g} % allows in the long run"
    url = _page("/traces", facts.env, service=facts.service, error="true")
    return [Reason("degraded", "slo_burn", message, round(burn.rate, 2), burn.threshold, url)]


def _signs(facts: Facts) -> list[Reason]:
    """Tell what is abnormal of it: enough to look at, never an outage by itself."""
    sentences = {
        "latency": "a request takes {0.value:.4g} ms on average, usually {0.usual:.4g} ms",
        "throttling": "its CPU is throttled in {0.value:.0%} of the periods, usually {0.usual:.0%}",
        "memory": "its memory is at {0.value:.3g}, usually {0.usual:.3g} (of its limit, or bytes)",
        "oom": "it was killed for its memory within the last minutes",
        "restarts": "it restarted within the last minutes",
        "saturation": "its pool {0.about} is full, and requests wait for it",
        "queue": "{0.value:.0f} messages wait in {0.about}, usually {0.usual:.0f}",
    }
    page = _service_page(facts)
    return [
        Reason(
            "degraded",
            each.kind,
            sentences[each.kind].format(each),
            round(each.value, 4),
            round(each.usual, 4),
            page,
        )
        for each in facts.signs
        if each.kind in sentences
    ]


def _deploy(facts: Facts) -> list[Reason]:
    """Name the version that began shortly before: it says where to look, not that anything is wrong."""
    if facts.deploy is None:
        return []
    version, since = facts.deploy
    message = f"version {version} was first seen at {since[11:19]} UTC, shortly before"
    return [Reason("healthy", "deploy", message, 1, 1, _service_page(facts))]


def _service_page(facts: Facts) -> str:
    return _page(f"/services/{quote(facts.service, safe='')}", facts.env)


def _page(path: str, env: str, **parameters: str) -> str:
    asked = {**parameters, **({"env": env} if env else {})}
    return f"{path}?{urlencode(asked)}" if asked else path
