"""A bulk request, item by item."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.errors import Malformed
from collector.formats.elasticsearch import items

GOOD = b'{"create":{"_index":"a"}}\n{"m":1}\n'


def test_a_request_that_is_well_keeps_its_bytes():
    """And is told in runs: an answer is as long as it is, what is kept for it is not."""
    body = GOOD * 3 + b'{"index":{"_index":"b","_id":"7","pipeline":"x"}}\n{"m":{"x":[]}}\n'

    bulk = items.read(body)

    assert (bulk.body, bulk.taken, bulk.refused) == (body, 4, {})
    assert bulk.runs == [("create", "a", 3), ("index", "b", 1)]


def test_a_bad_item_is_refused_and_its_neighbours_are_taken():
    """Broken documents, updates and deletes: each is answered in its place."""
    body = (
        GOOD
        + b'{"create":{}}\n{"m":\n'
        + b'{"delete":{"_id":"1"}}\n{"update":{"_id":"1"}}\n{"doc":{}}\n'
        + b'{"create":{}}\n{"m":"\xff"}\n'
        + GOOD
    )

    bulk = items.read(body)

    assert (bulk.body, bulk.taken) == ((GOOD + GOOD).rstrip(b"\n"), 2)
    assert {place: kind for place, (kind, _) in bulk.refused.items()} == {
        1: "document_parsing_exception", 2: "illegal_argument_exception", 3: "illegal_argument_exception", 4: "document_parsing_exception",
    }  # fmt: skip
    answers = list(
        items.answers("b", "path", bulk.runs, {str(place): said for place, said in bulk.refused.items()})
    )
    assert [next(iter(answer.values()))["status"] for answer in answers] == [201, 400, 400, 400, 400, 201]
    assert [next(iter(answer)) for answer in answers] == [
        "create",
        "create",
        "delete",
        "update",
        "create",
        "create",
    ]
    assert answers[1]["create"]["_index"] == "path"


@pytest.mark.parametrize(
    "body",
    [
        b"nonsense\n{}\n",
        b'{"create":{}}\n',
        b'{"create":{}}',
        b"{}\n{}\n",
        b'{"drop":{}}\n{}\n',
        b"[]\n{}\n",
        b'{"create":5}\n{}\n',
    ],
)
def test_an_action_that_cannot_be_read_is_malformed(body):
    """What follows it has no meaning; the line is named."""
    with pytest.raises(Malformed, match="line 1") as refused:
        items.read(body)

    assert refused.value.code == "bad_bulk"


def test_nothing_is_nothing():
    """An empty body holds no item."""
    assert items.read(b"\n").taken == items.read(b"").taken == 0


@given(st.lists(st.sampled_from([b'{"m":1}', b'{"m":', b"[]", b'"x"', b'{"create":{}}']), max_size=12))
def test_both_ways_agree(documents):
    """Whatever the documents: what is taken is what is an object, in order."""
    bulk = items.read(b"".join(b'{"create":{}}\n' + document + b"\n" for document in documents))

    taken = [document for document in documents if document.startswith(b"{") and document.endswith(b"}")]
    assert bulk.body.rstrip(b"\n").split(b"\n")[1::2] == taken
    assert len(bulk.refused) == len(documents) - len(taken)
