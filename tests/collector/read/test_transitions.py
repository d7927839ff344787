from collector.read.transitions import Transition, reconcile

S = 10**9


def told(at_s, change, **more):
    """A transition of one breaker in one instance at *at_s* seconds."""
    from_state, to_state = change.split(">")
    fields = {
        "service": "checkout",
        "env": "",
        "breaker": "payment",
        "target": "",
        "instance": "1",
        "source": "log",
    }
    return Transition(at_ns=round(at_s * S), from_state=from_state, to_state=to_state, **{**fields, **more})


def test_one_change_told_two_ways_counts_once():
    """A logged and a posted transition within a second are one, filled up with what each knows."""
    (only,) = reconcile(
        [told(100, "closed>open", reason="slow"), told(100.4, ">open", source="post", calls=8)]
    )

    assert (only.from_state, only.reason, only.calls) == ("closed", "slow", 8)


def test_two_changes_told_one_way_count_twice():
    """The same change again by the same way, at another time, happened twice; at the same time, once."""
    assert len(reconcile([told(100, "closed>open"), told(100.5, "closed>open")])) == 2
    assert len(reconcile([told(100, "closed>open"), told(100, "closed>open")])) == 1
    assert (
        len(reconcile([told(100, "closed>open"), told(100.1, "closed>open", instance="2", source="post")]))
        == 2
    )


def test_an_explicit_transition_beats_a_derived_one():
    """What was concluded from samples goes when the breaker itself told of it; alone it stays."""
    derived = told(115, "closed>open", derived=True, source="metrics")

    assert [each.derived for each in reconcile([told(100, "closed>open"), derived])] == [False]
    assert [each.derived for each in reconcile([told(10, "closed>open"), derived])] == [True, False]


def test_a_missing_origin_is_the_state_before():
    """Without `from`, the state the instance was in is meant: a failed probe is no new opening."""
    newest_first = reconcile(
        [told(1, ">open"), told(2, ">half_open"), told(3, ">open"), told(4, ">closed"), told(5, ">open")]
    )

    assert [each.from_state for each in newest_first] == ["closed", "open", "half_open", "open", ""]
    assert sum(each.opens for each in newest_first) == 2
