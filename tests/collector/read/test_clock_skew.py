"""A call never seems to begin before it was made."""

from hypothesis import given
from hypothesis import strategies as st

from collector.read.clock_skew import skews_ns
from collector.read.span_tree import span_tree
from tests.collector.read.spans import MS, span


def skews_ms(*spans):
    """Give the skews of *spans* in milliseconds."""
    return [skew / MS for skew in skews_ns(spans, span_tree(spans))]


def test_a_span_of_another_clock_is_moved_into_the_middle_of_its_parent():
    """The way there is taken to last as long as the way back; what the same clock wrote below moves along."""
    moved = skews_ms(
        span("call", ms=100, service="web"),
        span("answer", "call", -500, 60, service="api"),
        span("inside", "answer", -490, 10, service="api"),
    )

    assert moved == [0, 520, 520]


def test_what_fits_is_left_alone():
    """A child of another service inside its parent, and anything of the same clock, keeps its time."""
    assert skews_ms(span("a", ms=100), span("b", "a", 10, 20, service="t")) == [0, 0]
    assert skews_ms(span("a", ms=100), span("b", "a", -10, 20)) == [0, 0]


def test_a_child_that_was_not_waited_for_only_may_not_begin_early():
    """One that lasted longer than its parent, and a message from a queue, end when they end."""
    assert skews_ms(span("a", ms=10), span("b", "a", 5, 90, service="t")) == [0, 0]
    assert skews_ms(span("a", ms=10), span("b", "a", -5, 90, service="t")) == [0, 5]
    queued = span("b", "a", 4000, 3, service="t", kind="consumer")
    assert skews_ms(span("a", ms=10, kind="producer"), queued) == [0, 0]


def test_one_host_has_one_clock():
    """Two services of one host are not corrected; two hosts of one service are."""
    here, there = {"resource": {"host.name": "h1"}}, {"resource": {"host.name": "h2"}}

    assert skews_ms(span("a", ms=100, **here), span("b", "a", -50, 20, service="t", **here)) == [0, 0]
    assert skews_ms(span("a", ms=100, **here), span("b", "a", -50, 20, **there)) == [0, 90]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(-9, 9), st.integers(0, 9)), min_size=1, max_size=10))
def test_no_span_of_another_clock_begins_before_its_parent(shape):
    """Whatever clocks say, after the correction causes come first."""
    spans = [
        span(str(i), str(parent % i) if i else "", start, ms, service=str(i))
        for i, (parent, start, ms) in enumerate(shape)
    ]
    tree = span_tree(spans)

    moved = [each["start_ns"] + skew for each, skew in zip(spans, skews_ns(spans, tree), strict=True)]

    assert all(moved[number] >= moved[parent] for number, parent in enumerate(tree.parents) if parent >= 0)
