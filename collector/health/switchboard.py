"""The breakers' board: each breaker with its instances, its last hour, its cause, who feels it, and hints about its configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from collector.errors import NotFound
from collector.query.window import SECOND_NS, Window, rfc_3339
from collector.read import breakers as breaker_reads
from collector.read.blast import Opening, blast_radii
from collector.read.breakers import WORST_FIRST, BreakerState
from collector.read.causes import causes
from collector.read.hints import hints
from collector.read.sql import Reader, Row
from collector.read.transitions import Chosen, transitions

# Beyond this many open breakers something else is the matter, and the board shows states only.
EXPLAINED_MOST = 50
# The calls that opened it count too, and a minute is what the rollups can tell apart.
LEAD_NS = 60 * SECOND_NS
_ORDER = {state: place for place, state in enumerate(WORST_FIRST)}
_NOTHING: Row = {"cause": None, "blast_radius": None, "hints": []}

Key = tuple[str, str, str]  # env, service, breaker


def breakers(reader: Reader, window: Window, env: str, service: str = "") -> list[Row | msgspec.Raw]:
    """
    Return every breaker as it stands at the end of *window*, open ones first.

    Most are closed and have nothing to explain: their rows are written once for as long as they stay what they are (`BreakerState.written`), and given as JSON.
    """
    chosen = Chosen(env=env, services=(service,) if service else ())
    states = sorted(breaker_reads.states(reader, window, chosen), key=_urgency)
    # rows are written while ClickHouse works
    said, quiet = reader.together(
        lambda its: _said(its, states, window, env, service), lambda _: list(map(_quiet, states))
    )
    return [
        _row(state) | said[key] if (key := _key(state)) in said else written
        for state, written in zip(states, quiet, strict=True)
    ]


def breaker(reader: Reader, window: Window, env: str, service: str, name: str) -> list[Row]:
    """
    Return one breaker (per env that has it) with the ``timeline`` of its transitions in *window*, newest first.

    Raises:
        NotFound: Nobody ever told of it.
    """
    states = breaker_reads.states(reader, window, Chosen(env=env, services=(service,), breaker=name))
    if not states:
        raise NotFound("not_found", f"service {service!r} has no breaker {name!r}", "breaker")
    timeline = transitions(reader, window, Chosen(env=env, services=(service,), breaker=name))
    said = _said(reader, states, window, env, service)
    return [
        {
            **_row(state),
            **said.get(_key(state), _NOTHING),
            "timeline": [each.row() for each in timeline if each.env == state.env],
        }
        for state in states
    ]


def _said(
    reader: Reader, states: Sequence[BreakerState], window: Window, env: str, service: str
) -> Mapping[Key, Row]:
    """Give ``{cause, blast_radius, hints}`` of those breakers that there is something to say about."""
    opened = [state for state in states if state.opened is not None][:EXPLAINED_MOST]
    explained, advised = reader.together(
        lambda its: _explained(its, opened, window),
        lambda its: hints(its, states, min(window.end_ns, window.now_ns), env, service),
    )
    said = {key: {**_NOTHING, **told} for key, told in explained.items()}
    for key, advice in advised.items():
        said[key] = {**said.get(key, _NOTHING), "hints": advice}
    return said


def _explained(reader: Reader, states: Sequence[BreakerState], window: Window) -> Mapping[Key, Row]:
    openings = [state.opened for state in states if state.opened is not None]
    began = [Opening(each.env, each.service, each.at_ns - LEAD_NS) for each in openings]
    because, felt = reader.together(
        lambda its: causes(its, openings), lambda its: blast_radii(its, began, window)
    )
    told = zip(states, because, felt, strict=True)
    return {_key(state): {"cause": cause, "blast_radius": radius} for state, cause, radius in told}


def _key(state: BreakerState) -> Key:
    return state.env, state.service, state.breaker


def _urgency(state: BreakerState) -> int:
    """Order by what is the matter; states come by env, service and name."""
    return _ORDER[state.state]


def _quiet(state: BreakerState) -> msgspec.Raw:
    written = state.written.get("row")
    if written is None:
        written = state.written["row"] = msgspec.json.encode({**_row(state), **_NOTHING})
    return msgspec.Raw(written)


def _row(state: BreakerState) -> Row:
    last = state.shown.last
    return {
        "service": state.service,
        "env": state.env,
        "breaker": state.breaker,
        "target": state.target,
        "state": state.state,
        "since": rfc_3339(state.since_ns),
        "instances": [
            {"instance": it.last.instance, "state": it.state, "since": rfc_3339(it.last.at_ns)}
            for it in state.instances
        ],
        "agree": state.agree,
        "opens_1h": state.opens_1h,
        "flapping": state.flapping,
        "stuck": state.stuck,
        "stale": state.stale,
        "not_permitted_1h": state.not_permitted_1h,
        "reason": last.reason,
        "derived": last.derived,
        "trace_id": last.trace_id,
    }
