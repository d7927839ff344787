"""Whatever spans say of their parents, each has one place."""

from hypothesis import given
from hypothesis import strategies as st

from collector.read.span_tree import NOBODY, span_tree
from tests.collector.read.spans import span


def test_children_stand_under_their_parents():
    """Parents come before children; a parent that is not there makes an orphan, no parent a root."""
    tree = span_tree([span("root"), span("a", "root"), span("b", "a"), span("lost", "gone")])

    assert tree.parents == (NOBODY, 0, 1, NOBODY)
    assert tree.tops == (0, 3)
    assert tree.orphans == {3}
    assert tree.order == (0, 1, 2, 3)


def test_a_ring_is_cut_at_its_earliest_span():
    """Spans that are each other's parents, or their own, stand under nobody once; what hangs on them stays there."""
    tree = span_tree(
        [span("a", "c"), span("b", "a"), span("c", "b"), span("self", "self"), span("leaf", "c")]
    )

    assert tree.parents == (NOBODY, 0, 1, NOBODY, 2)
    assert tree.loops == {0}
    assert tree.orphans == {3}


def test_a_span_sent_twice_is_kept_and_marked():
    """The second of two equal ids is a duplicate beside the first; children stand under the first."""
    tree = span_tree([span("root"), span("a", "root"), span("a", "root"), span("b", "a")])

    assert tree.duplicates == {2}
    assert tree.parents == (NOBODY, 0, 0, 1)


def test_both_sides_of_a_call_may_share_an_id():
    """Zipkin's server span has its client's id: it stands under it, and what its service does stands under it."""
    spans = [
        span("root", service="web"),
        span("rpc", "root", service="web", kind="client"),
        span("rpc", "root", service="api", kind="server"),
        span("db", "rpc", service="api", kind="client"),
    ]

    tree = span_tree(spans)

    assert tree.parents == (NOBODY, 0, 1, 2)
    assert tree.duplicates == frozenset()


def test_a_chain_of_twenty_thousand_is_walked():
    """Depth does not exhaust the stack."""
    tree = span_tree([span(str(i), str(i - 1) if i else "") for i in range(20_000)])

    assert tree.order == tuple(range(20_000))


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(-1, 7)), max_size=14))
def test_every_span_has_exactly_one_place(shape):
    """Rings, twins and missing parents in any mixture: the order holds every span once, parents first."""
    tree = span_tree([span(str(own), str(parent) if parent >= 0 else "") for own, parent in shape])

    assert sorted(tree.order) == list(range(len(shape)))
    places = {number: place for place, number in enumerate(tree.order)}
    assert all(
        parent == NOBODY or places[parent] < places[number] for number, parent in enumerate(tree.parents)
    )
