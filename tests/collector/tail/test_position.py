from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.errors import QueryError
from collector.tail.position import mark, read, written

STORED = st.integers(1, 2**62)


@given(floor=STORED, seen=st.lists(STORED, max_size=30), told=st.integers(0, 10**9 - 1))
def test_a_position_is_read_as_it_was_written(floor, seen, told):
    """What is above the floor is kept by its mark, what is below is covered by it."""
    position = read(f"{written(floor, seen, seen[0] if seen else 0)}.{told}")

    assert (position.floor_ns, position.told) == (floor, told)
    assert all(position.has(stored) for stored in seen)
    assert position.current == (mark(seen[0]) if seen else 0)


@pytest.mark.parametrize(
    "text",
    ["", "x", "AAAA.1", "A" * 16, "é" * 20 + ".1", "A" * 17 + ".1", "A" * 16 + ".1e3", "A" * 99_999 + ".1"],
)
def test_what_is_no_position_is_refused_with_its_text(text):
    """Ids of others are a 400 that quotes them."""
    with pytest.raises(QueryError) as refused:
        read(text)

    assert refused.value.code == "bad_cursor"
    assert text[:20] in refused.value.message


@given(text=st.text(max_size=80))
def test_any_text_is_read_or_refused(text):
    """No text makes it fail otherwise."""
    with suppress(QueryError):
        read(text)
