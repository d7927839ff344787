"""The promise to remote_write 2.0 senders."""

from __future__ import annotations

import pytest

from collector.errors import Malformed
from collector.formats.remote_write_v2.receive import PROTOCOL
from tests.collector.formats.write_requests import Request, Table, add_series, fill_histogram

# io.prometheus.write.v2.Request by hand, field by field: symbols (4) "", "__name__", "up"; a series (5) with labels_refs (1, packed) 1 2,
# a sample (2) of value (1) 1.0 at (2) 5 ms, metadata (5) of type (1) 2.
RECORDED = bytes.fromhex(
    "2200"
    "2208"
    + b"__name__".hex()
    + "2202"
    + b"up".hex()
    + "2a15"
    + "0a020102"
    + "120b"
    + "09000000000000f03f"
    + "1005"
    + "2a020802"
)


def test_bytes_to_the_letter_of_the_specification_are_read() -> None:
    """No sender of version 2.0 is installable here: these bytes were written by hand from its .proto."""
    judged = PROTOCOL.judge(RECORDED, {})

    assert (judged.records, judged.timed, judged.told) == (
        1,
        True,
        {"samples": 1, "histograms": 0, "exemplars": 0},
    )


def test_the_answer_says_what_was_written() -> None:
    """In the three headers; nothing written is 0, not silence."""
    table = Table()
    series = table.series("a")
    series.samples.add(value=1, timestamp=5)
    series.samples.add(value=2, timestamp=6)
    series.exemplars.add(value=1)
    fill_histogram(table.series("b").histograms.add(), 5)
    judged = PROTOCOL.judge(table.body(), {})
    answers = [
        PROTOCOL.respond({"batch": "b", **told}, duplicate=False).headers for told in (judged.told, {})
    ]

    written = [
        [
            headers[f"x-prometheus-remote-write-{kind}-written"]
            for kind in ("samples", "histograms", "exemplars")
        ]
        for headers in answers
    ]
    assert written == [["2", "1", "1"], ["0", "0", "0"]]
    assert judged.records == 2


def _wrong() -> dict[str, bytes]:
    """Requests that parse and cannot be meant."""
    made = {name: Table() for name in ("beyond", "half", "none", "exemplar", "help", "no empty string")}
    for table in made.values():
        table.series("up").samples.add(value=1, timestamp=5)
    series = {name: table.request.timeseries[0] for name, table in made.items()}
    series["beyond"].labels_refs.extend([99, 0])
    series["half"].labels_refs.append(1)
    del series["none"].labels_refs[:]
    series["exemplar"].exemplars.add().labels_refs.extend([1, 99])
    series["help"].metadata.help_ref = 99
    bodies = {name: table.body() for name, table in made.items()}
    bodies["no empty string"] = bodies["no empty string"].replace(b"\x22\x00", b"\x22\x01x", 1)
    return bodies


@pytest.mark.parametrize(("name", "body"), _wrong().items())
def test_what_refers_to_nothing_is_malformed(name: str, body: bytes) -> None:
    """A number beyond the symbols, half a pair, no labels: nothing of the request is stored."""
    del name
    with pytest.raises(Malformed) as refused:
        PROTOCOL.judge(body, {})

    assert refused.value.code == "bad_symbols"


def test_a_request_of_version_1_is_told_apart() -> None:
    """Its fields are reserved in 2.0: sent under the wrong content type it is malformed, not empty."""
    request = Request()
    add_series(request, "up").samples.add(value=1, timestamp=5)
    with pytest.raises(Malformed):
        PROTOCOL.judge(request.SerializeToString(), {})
    assert PROTOCOL.judge(b"", {}).records == 0
