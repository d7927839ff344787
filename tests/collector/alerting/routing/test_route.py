"""An alert takes the routes that a slow reading of the rules gives it, and settings that make no sense are named."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.alerting.routing.route import CATALOGUE, Timers, Tree
from collector.alerting.routing.tree import build_inhibitions, build_tree
from collector.errors import Malformed

RECEIVERS = ("pager", "mail", "chat")
VALUES = ("a", "b", "")


def conditions():
    """Matchers as (name, operator, value)."""
    one = st.tuples(
        st.sampled_from(("x", "y")),
        st.sampled_from(("=", "!=", "=~", "!~")),
        st.sampled_from(("a", "b", "a|b", "")),
    )
    return st.lists(one, max_size=2)


def routes():
    """Trees, as settings: each node knows its name by its receivers' place in the walk."""
    leaf = st.fixed_dictionaries({"when": conditions(), "continue": st.booleans(), "routes": st.just([])})
    return st.recursive(
        st.lists(leaf, max_size=3),
        lambda below: st.lists(
            st.fixed_dictionaries({"when": conditions(), "continue": st.booleans(), "routes": below}),
            max_size=3,
        ),
        max_leaves=12,
    )


def slowly_meets(condition, labels):
    """Read one matcher without a library for it."""
    name, operator, value = condition
    actual = labels.get(name, "")
    found = actual in value.split("|") if "~" in operator else actual == value
    return found != operator.startswith("!")


def slowly_taken(nodes, labels, path=()):
    """Give the paths of the routes an alert takes: every node on the way holds, no sibling before took it for good."""
    taken = []
    for number, node in enumerate(nodes):
        if not all(slowly_meets(each, labels) for each in node["when"]):
            continue
        here = (*path, number)
        taken += slowly_taken(node["routes"], labels, here) or [here]
        if not node["continue"]:
            break
    return taken


def configured(nodes):
    """Give the nodes as they stand in the settings."""
    return [
        {
            "match": ", ".join(f'{name}{operator}"{value}"' for name, operator, value in node["when"]),
            "continue": node["continue"],
            "routes": configured(node["routes"]),
        }
        for node in nodes
    ]


def paths(built, path=()):
    """Give id -> path of every node of the built tree."""
    found = {}
    for number, route in enumerate(built):
        found[route.id] = (*path, number)
        found |= paths(route.routes, (*path, number))
    return found


@settings(max_examples=300, deadline=None)
@given(routes(), st.sampled_from(VALUES), st.sampled_from(VALUES))
def test_an_alert_takes_the_routes_that_a_slow_reading_gives(nodes, x, y):
    """First that fits unless it says continue, deepest first, itself when nothing below fits; ids are all different."""
    labels = {name: value for name, value in (("x", x), ("y", y)) if value}
    tree = build_tree(configured(nodes), RECEIVERS)
    places = paths(tree.routes)
    count = sum(1 for top in tree.routes for _ in top.every())
    taken = [places.get(route.id) for route in tree.take(labels)]

    assert len(places) == count
    assert taken == (slowly_taken(nodes, labels) or [None])


def test_what_a_route_does_not_say_it_has_from_its_parent():
    """Receivers, grouping, timers and windows."""
    night = {"start": "22:00", "end": "06:00"}
    tree = build_tree(
        [
            {
                "receiver": "pager",
                "group_by": ["service"],
                "group_wait": "10s",
                "repeat_interval": 3600,
                "mute": [night],
                "routes": [
                    {"match": "team=a"},
                    {"match": "team=b", "receiver": CATALOGUE, "group_by": ["..."]},
                ],
            }
        ],
        RECEIVERS,
    )
    first, second = tree.routes[0].routes

    assert (first.receivers, first.group_by) == (("pager",), ("service",))
    assert first.timers == Timers(10, 300, 3600)
    assert first.mute == tree.routes[0].mute != ()
    assert (second.receivers, second.fallback) == ((CATALOGUE,), ("pager",))
    assert second.group_labels({"a": "1", "b": "2"}) == {"a": "1", "b": "2"}
    assert first.group_labels({"a": "1"}) == {"service": ""}


def test_a_routes_identity_survives_other_timers_and_new_neighbours():
    """Groups keep their clocks over such changes; the tree's signature says when they have to be made anew."""
    before = build_tree([{"match": "a=b", "receiver": "pager"}], RECEIVERS)
    timers = build_tree([{"match": "a=b", "receiver": "pager", "group_wait": 1}], RECEIVERS)
    more = build_tree(
        [{"match": "x=y", "receiver": "mail"}, {"match": "a=b", "receiver": "pager"}], RECEIVERS
    )

    assert before.routes[0].id == timers.routes[0].id == more.routes[1].id
    assert before.signature == timers.signature != more.signature
    assert Tree().signature == ""


@pytest.mark.parametrize(
    ("route", "said"),
    [
        (
            {"receiver": "fax"},
            "route[0].receiver: 'fax' is no receiver; there are: chat, mail, pager, and 'catalogue'",
        ),
        ({"match": 'a=~"("'}, "route[0].match: '(' is not a regular expression"),
        ({"group_by": ["9"]}, "route[0].group_by: '9' is not a label name"),
        ({"group_wait": "soon"}, "route[0].group_wait: 'soon' is not a duration"),
        ({"group_wait": -1}, "route[0].group_wait: -1: 0 to 31 days"),
        ({"repeat_interval": "5s"}, "route[0].repeat_interval: 5 s: at least 60 s"),
        ({"mute": [{"start": "x"}]}, "route[0].mute: start 'x'"),
        ({"routes": [{"receiver": "fax"}]}, "route[0].routes[0].receiver: 'fax'"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(route, said):
    """With the value."""
    with pytest.raises(Malformed, match=re.escape(said)):
        build_tree([route], RECEIVERS)


def test_trees_have_bounds():
    """Depth and number."""
    deep: dict[str, object] = {}
    for _ in range(12):
        deep = {"routes": [deep]}
    with pytest.raises(Malformed, match="nested deeper than 10"):
        build_tree([deep], RECEIVERS)
    with pytest.raises(Malformed, match="1001 routes, at most 1000"):
        build_tree([{}] * 1001, RECEIVERS)


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"source": "a=b"},
        {"source": "a=b", "target": "x"},
        {"source": "a=b", "target": "c=d", "equal": ["9"]},
    ],
)
def test_an_inhibition_without_sense_is_named(rule):
    """By its place."""
    with pytest.raises(Malformed, match=r"inhibit\[0\]"):
        build_inhibitions([rule])
