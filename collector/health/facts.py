"""The board: every service with its numbers, its breakers and its verdict, in a fixed number of statements."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from collector.health.anomaly import Anomaly
from collector.health.changes import DEPLOY_S
from collector.health.objectives import Burn, burns
from collector.health.recent import Recent, recent
from collector.health.verdict import HEARD_WITHIN_S, Facts, OpenBreaker, judge
from collector.query.window import SECOND_NS, Window, parse_time, rfc_3339
from collector.read import breakers as breaker_reads
from collector.read import heard as heard_reads
from collector.read import services as service_reads
from collector.read.breakers import BreakerState
from collector.read.heard import Heard, Spans
from collector.read.new_errors import LEAST, NewError, new_errors
from collector.read.sampling import NOT_SAMPLED
from collector.read.services import Key
from collector.read.sql import Reader, Row
from collector.read.transitions import Chosen

# The verdict looks at the last five minutes: long enough for a ratio, short enough to see a recovery.
RECENT_S = 300.0
# What minutes and metrics say is looked at so often (design.md §8); errors, breakers and silence at every question.
PASS_NS = 15 * SECOND_NS
# A day of errors is read for it, of services that log some now.
NEW_ERRORS_NS = 60 * SECOND_NS
# What a service is heard of by: as long as some of it waits to be loaded nobody knows who has been silent since.
_WORDS = ("logs", "traces")
NO_SLOS: Mapping[str, str] = {}
_NO_SPANS: Row = {
    "rate": None,
    "error_ratio": None,
    "p50_ms": None,
    "p95_ms": None,
    "p99_ms": None,
    **NOT_SAMPLED,
}
_COUNTED = {"open": "open", "forced_open": "open", "half_open": "half_open", "unknown": "unknown"}


def board(
    reader: Reader, window: Window, env: str, service: str = "", slos: Mapping[str, str] = NO_SLOS
) -> list[Row]:
    """
    Return every service that was heard of in *window*, or within a quarter of an hour of its end.

    Args:
        reader: The store.
        window: Of rates and quantiles; the verdict is about its end.
        env: "" = every one.
        service: Only this one; "" = all.
        slos: What the catalogue says of each service's objective; else what the service says of itself counts.

    Returns:
        The API's rows: ``{service, env, health, reasons, rate, error_ratio, …, breakers, owner, last_seen}``.
    """
    near = window.last(max(window.seconds, HEARD_WITHIN_S))
    until_ns = min(window.end_ns, reader.unloaded_ns(_WORDS) or window.end_ns)
    states, known, lasting, versions, (described, burning) = reader.together(
        lambda its: breaker_reads.states(its, window, Chosen(env=env)),
        lambda its: _heard(its, window, env, service),
        lambda its: _recent(its, window, env),
        lambda its: service_reads.versions(its, near, env, service),
        lambda its: _promised(its, window, env, slos),
    )
    lately = _lately(known)
    signs = lasting.signs(lambda: _lately(_heard(reader, window, env)) if service else lately)
    new = _new_errors(reader, window, lately)
    facts = _facts(window, until_ns, lately, states, versions, signs, new, burning)
    counts = _counts(states)
    return [
        {
            "service": key[0],
            "env": key[1],
            **_verdict(facts.get(key, Facts(*key))),
            **{name: (each.red or _NO_SPANS)[name] for name in _NO_SPANS},
            "versions": [row["version"] for row in versions.get(key, ())],
            "breakers": counts[key],
            "owner": described.get(key, {}).get("owner"),
            "last_seen": each.last_seen,
        }
        for key, each in known.items()
    ]


def _verdict(facts: Facts) -> Row:
    verdict = judge(facts)
    return {"health": verdict.health, "reasons": [reason.row() for reason in verdict.reasons]}


def _recent(reader: Reader, window: Window, env: str) -> Recent:
    """Read what else is abnormal, once per pass: it is told by whole minutes, and half of what the board costs. All services' at once: those of one cost the same."""
    asked = ("signs", min(window.end_ns, window.now_ns) // PASS_NS, env)
    found: Recent = reader.once(asked, lambda: recent(reader, window, env), lasting=True)
    return found


def _heard(reader: Reader, window: Window, env: str, service: str = "") -> Mapping[Key, Heard]:
    return heard_reads.heard(reader, window, Spans(HEARD_WITHIN_S, RECENT_S), env, service)


def _lately(known: Mapping[Key, Heard]) -> Mapping[Key, Heard]:
    return {key: each for key, each in known.items() if each.heard}


def _new_errors(reader: Reader, window: Window, lately: Mapping[Key, Heard]) -> Mapping[Key, NewError]:
    erring = tuple(key for key, each in lately.items() if each.severe >= LEAST)
    asked = ("new errors", min(window.end_ns, window.now_ns) // NEW_ERRORS_NS, erring)
    found: Mapping[Key, NewError] = reader.once(
        asked, lambda: new_errors(reader, window, RECENT_S, erring), lasting=bool(erring)
    )
    return found


def _promised(
    reader: Reader, window: Window, env: str, slos: Mapping[str, str]
) -> tuple[Mapping[Key, Mapping[str, str]], Mapping[Key, Burn]]:
    """Give what services say of themselves, and whose budget burns by that and by the catalogue's *slos*."""
    described = service_reads.described(reader)
    told = {name: fields["slo"] for (name, _), fields in described.items() if "slo" in fields}
    return described, _burning(reader, window, env, {**told, **slos})


def _burning(reader: Reader, window: Window, env: str, slos: Mapping[str, str]) -> Mapping[Key, Burn]:
    asked = ("burns", min(window.end_ns, window.now_ns) // PASS_NS, env, tuple(sorted(slos.items())))
    found: Mapping[Key, Burn] = reader.once(
        asked, lambda: burns(reader, window, env, slos), lasting=bool(slos)
    )
    return found


def _facts(
    window: Window,
    until_ns: int,
    lately: Mapping[Key, Heard],
    states: Iterable[BreakerState],
    versions: Mapping[Key, list[Row]],
    signs: Mapping[Key, list[Anomaly]],
    new: Mapping[Key, NewError],
    burning: Mapping[Key, Burn],
) -> dict[Key, Facts]:
    own, on_it = _open(states)
    return {
        key: Facts(
            service=key[0],
            env=key[1],
            calls=each.calls,
            failed=each.failed,
            severe=each.severe,
            records=each.records,
            heard=each.heard,
            silent_s=max(until_ns - parse_time(each.last_seen, "end", 0), 0) / SECOND_NS,
            signs=tuple(signs.get(key, ())),
            new_error=new.get(key),
            burn=burning.get(key),
            deploy=_deploy(versions.get(key, []), window),
            own_open=tuple(own[key]),
            open_on_it=tuple(on_it[key]),
        )
        for key, each in lately.items()
    }


def _deploy(versions: list[Row], window: Window) -> tuple[str, str] | None:
    """Give the newest version, where it began shortly before the end and another was there before."""
    if len(versions) < 2:
        return None
    newest = versions[0]
    age_s = (window.end_ns - parse_time(newest["began"], "began", 0)) / SECOND_NS
    return (newest["version"], newest["began"]) if 0 <= age_s <= DEPLOY_S else None


def _open(
    states: Iterable[BreakerState],
) -> tuple[dict[Key, list[OpenBreaker]], dict[Key, list[OpenBreaker]]]:
    own: dict[Key, list[OpenBreaker]] = defaultdict(list)
    on_it: dict[Key, list[OpenBreaker]] = defaultdict(list)
    for state in states:
        if not state.is_open:
            continue
        last = state.shown.last
        open_ = OpenBreaker(state.service, state.breaker, state.target, rfc_3339(state.since_ns), last.reason)
        own[state.service, state.env].append(open_)
        for target in {state.target, state.breaker} - {state.service}:
            on_it[target, state.env].append(open_)
    return own, on_it


def _counts(states: Iterable[BreakerState]) -> dict[Key, dict[str, int]]:
    counts: dict[Key, Counter[str]] = defaultdict(Counter)
    for state in states:
        counts[state.service, state.env][_COUNTED.get(state.state, "closed")] += 1
    named = ("open", "half_open", "closed", "unknown")
    return defaultdict(
        lambda: dict.fromkeys(named, 0),
        {key: {name: count[name] for name in named} for key, count in counts.items()},
    )
