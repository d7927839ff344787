"""What is kept of one instance says how it stood some minutes ago, whatever was looked at and let go meanwhile."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.query.window import SECOND_NS
from collector.read.held import BACK_NS, HOUR_NS, KEPT_NS, Held
from collector.read.last_states import LOOK_BACK_NS
from collector.read.transitions import Transition

S = SECOND_NS
NOW_NS = 1_795_000_000 * S
# Around what changes by time alone: now, the hour, the hour and its surroundings, what is let go, the month.
_EDGES = [0, HOUR_NS, KEPT_NS, KEPT_NS + BACK_NS, LOOK_BACK_NS, LOOK_BACK_NS + BACK_NS]
_ROWS = st.builds(
    lambda edge, aside_s, change, derived, late_s: Transition(
        at_ns=NOW_NS - edge + aside_s * S, service="checkout", env="demo", breaker="payment", target="payment", instance="i",
        from_state=change[0], to_state=change[1], derived=derived, interval_ms=15_000 if derived else 0, source="metric" if derived else "log",
        observed_ns=NOW_NS - edge + (aside_s + late_s) * S,
    ),
    st.sampled_from(_EDGES), st.integers(-500, 120), st.sampled_from([("closed", "open"), ("open", "half_open"), ("", "closed")]), st.booleans(), st.integers(0, 600),
)  # fmt: skip


@settings(max_examples=500)
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 400), st.lists(_ROWS, max_size=2, unique_by=lambda row: row.at_ns)),
        min_size=1,
        max_size=5,
    ),
    ago_s=st.integers(0, BACK_NS // S),
)
def test_how_it_stood_is_what_all_its_rows_say(steps, ago_s):
    """And where nothing is said to have changed since, nothing has."""
    held, every, now_ns = Held(), {}, NOW_NS
    for aside_s, rows in steps:
        now_ns += aside_s * S
        for row in rows:
            if every.setdefault(row.at_ns, row) is row:
                held.take(row)
        held.look(now_ns)
    then_ns = now_ns - ago_s * S
    whole = Held(rows=sorted(every.values(), key=lambda row: row.at_ns))

    then = held.as_of(then_ns, then_ns)

    assert then == whole.as_of(then_ns, then_ns)
    if held.stood(then_ns, now_ns):
        assert (then.shown, then.hour) == (held.seen.shown, held.seen.hour)
