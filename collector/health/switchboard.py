"""The breakers' board: each breaker with its instances, its last hour, its cause and who feels it."""

from __future__ import annotations

from collector.errors import NotFound
from collector.query.window import SECOND_NS, Window, rfc_3339
from collector.read import breakers as breaker_reads
from collector.read.breakers import BreakerState
from collector.read.causes import cause
from collector.read.edges import blast_radius
from collector.read.sql import Reader, Row
from collector.read.transitions import Chosen, transitions

# Causes and blast radii cost three statements per open breaker; beyond this many the board shows states only.
EXPLAINED_MOST = 30
# The calls that opened it count too, and a minute is what the rollups can tell apart.
LEAD_NS = 60 * SECOND_NS


def breakers(reader: Reader, window: Window, env: str, service: str = "") -> list[Row]:
    """Return every breaker as it stands at the end of *window*, open ones first."""
    chosen = Chosen(env=env, services=(service,) if service else ())
    states = sorted(breaker_reads.states(reader, window, chosen), key=_urgency)
    return [_row(reader, state, window, explain=place < EXPLAINED_MOST) for place, state in enumerate(states)]


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
    return [
        {
            **_row(reader, state, window, explain=True),
            "timeline": [each.row() for each in timeline if each.env == state.env],
        }
        for state in states
    ]


def _urgency(state: BreakerState) -> tuple[int, str, str, str]:
    order = ("open", "forced_open", "half_open", "unknown", "disabled", "metrics_only", "closed")
    return order.index(state.state), state.env, state.service, state.breaker


def _row(reader: Reader, state: BreakerState, window: Window, *, explain: bool) -> Row:
    last, opened = state.shown.last, state.opened
    explained: Row = {"cause": None, "blast_radius": None}
    if opened is not None and explain:
        during = Window(opened.at_ns - LEAD_NS, max(window.end_ns, opened.at_ns + 1), window.now_ns)
        explained = {
            "cause": cause(reader, opened),
            "blast_radius": blast_radius(reader, state.service, state.env, during),
        }
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
        **explained,
    }
