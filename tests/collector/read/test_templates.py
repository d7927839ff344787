"""Shapes are grouped into templates."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.patterns import FAMILIES, accuracy, messages, ours
from collector.read.templates import MASK, Shape, group


def texts(*shapes):
    """The templates of (text, count) pairs, ``#`` standing for a masked word."""
    found = group([Shape(text.replace("#", MASK), count) for text, count in shapes])
    return sorted(template.text for template in found)


def test_words_that_vary_are_values():
    """A place with many different words is a value; what stays is constant."""
    users = ["root", "admin", "alice", "bob", "carol", "dave"]

    assert texts(*((f"session closed for user {user}", 10) for user in users)) == [
        "session closed for user <*>"
    ]


def test_a_few_different_words_are_constants():
    """Opened and closed are two messages, however alike the rest is."""
    users = ["root", "admin", "alice", "bob", "carol"]
    shapes = [(f"session {verb} for user {user}", 5) for verb in ("opened", "closed") for user in users]

    assert texts(*shapes) == ["session closed for user <*>", "session opened for user <*>"]


def test_a_place_that_is_sometimes_a_number_is_a_value():
    """Hosts with and without digits are one template."""
    assert texts(("connect from #[#]", 12), ("connect from mail[#]", 3)) == ["connect from <*>[<*>]"]


def test_lists_of_numbers_and_paths_of_any_depth_are_one_value():
    """Addresses with ports, ids with dashes and nested paths do not make a template each."""
    shapes = [("open /#/# failed", 3), ("open /#/#/# failed", 2), ("open /# failed", 1), ("to #:#.#", 1)]

    assert texts(*shapes) == ["open /<*> failed", "to <*>"]


def test_a_common_message_does_not_swallow_a_rare_one():
    """One record among a million keeps its template."""
    assert texts(("order # accepted", 10**6), ("order # refused", 1)) == [
        "order <*> accepted",
        "order <*> refused",
    ]


@given(st.lists(st.tuples(st.text(max_size=60), st.integers(1, 1000)), max_size=40))
def test_every_shape_belongs_to_exactly_one_template(shapes):
    """Whatever the texts are, nothing is lost and nothing is counted twice."""
    found = group([Shape(text, count) for text, count in shapes])

    assert sorted(number for template in found for number in template.shapes) == list(range(len(shapes)))
    assert max(Counter(template.text for template in found).values(), default=1) == 1


def test_messages_are_with_those_of_their_own_statement():
    """Grouping accuracy on labelled messages of ten programs; the benchmark tells it per family."""
    scores = []
    for family in FAMILIES:
        made, labels = messages(family, 1000, random.Random(1))
        scores.append(accuracy(labels, ours(made)))

    assert sum(scores) / len(scores) >= 0.95
