"""Each moment of a trace belongs to the one span that the trace then waited for."""

from hypothesis import given
from hypothesis import strategies as st

from collector.read.critical_path import critical_path, self_ns
from collector.read.span_tree import span_tree
from tests.collector.read.spans import span


def intervals(spans):
    """Give start and end of each span."""
    return [(each["start_ns"], each["start_ns"] + each["duration_ns"]) for each in spans]


def path(*spans):
    """Give the critical path as (span id, from, to) in milliseconds since the first span began."""
    zero = spans[0]["start_ns"]
    found = critical_path(intervals(spans), span_tree(spans))
    return [
        (spans[each.number]["span_id"], (each.start_ns - zero) // 10**6, (each.end_ns - zero) // 10**6)
        for each in found
    ]


def test_the_last_child_to_end_is_what_was_waited_for():
    """Of two calls side by side the longer one counts; between calls the time is the caller's own."""
    root = span("root", ms=100)
    short, long, then = (
        span("short", "root", 10, 20),
        span("long", "root", 10, 50),
        span("then", "root", 70, 20),
    )

    assert path(root, short, long, then) == [
        ("root", 0, 10), ("long", 10, 60), ("root", 60, 70), ("then", 70, 90), ("root", 90, 100),
    ]  # fmt: skip


def test_what_outlives_its_parent_is_cut_to_it():
    """A task in the background is on the path only while its parent runs, a message taken later never."""
    root = span("root", ms=50)
    later = span("later", "root", 60, 30)
    background = span("background", "root", 40, 100)

    assert path(root, background, later) == [("root", 0, 40), ("background", 40, 50)]


def test_without_a_root_the_tops_are_its_children():
    """The time of the span that was not received belongs to nobody."""
    assert path(span("a", "gone", 0, 10), span("b", "gone", 20, 10)) == [("a", 0, 10), ("b", 20, 30)]


def test_a_ring_is_no_root_where_one_was_received():
    """Spans that name each other as parents begin and end before the root does, and are waited for by nobody."""
    assert path(span("root", ms=10), span("a", "b", 0, 1), span("b", "a", 0, 1)) == [("root", 0, 10)]
    assert path(span("a", "b", 0, 3), span("b", "a", 1, 1)) == [("a", 0, 1), ("b", 1, 2), ("a", 2, 3)]


def test_own_time_is_what_no_child_covers():
    """Children side by side count once, what lies outside the parent not at all."""
    spans = [
        span("root", ms=100),
        span("a", "root", 10, 40),
        span("b", "root", 30, 40),
        span("c", "root", 90, 500),
    ]

    own = self_ns(intervals(spans), span_tree(spans))

    assert [each // 10**6 for each in own] == [30, 40, 40, 500]


@given(
    st.lists(st.tuples(st.integers(-1, 9), st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=12),
    st.integers(1, 40),
)
def test_the_path_is_the_root_without_gaps_or_overlaps(shape, length):
    """Whatever the spans, the segments lie end to end from the root's beginning to its end."""
    spans = [span("0", ms=length)]
    spans += [span(str(i), str(parent), start, ms) for i, (parent, start, ms) in enumerate(shape, 1)]

    found = critical_path(intervals(spans), span_tree(spans))

    ends = [intervals(spans)[0][0], *(each.end_ns for each in found)]
    assert [each.start_ns for each in found] == ends[:-1]
    assert ends[-1] == intervals(spans)[0][1]
