"""The promise to a client that posts transitions."""

from __future__ import annotations

import pytest

from collector.errors import Malformed
from collector.formats.breakers.receive import judge

ONE = b'{"service":"checkout","breaker":"payment","to":"open"}'


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (ONE, 1),
        (b"[" + ONE + b"," + ONE + b"]", 2),
        (ONE + b"\n" + ONE + b"\n\n", 2),
        (b"[]", 0),
        (b'{"service":"s","breaker":"b","to":"HALF-OPEN","from":"Forced_Open","extra":1}', 1),
        (b'{"service":"s","breaker":"b","to":"open","at":"2026-11-22T21:30:00Z"}', 1),
        (b'{"service":"s","breaker":"b","to":"open","at":1795383000.5}', 1),
        (b'{"service":"s","breaker":"b","to":"open","at":"1795383000"}', 1),
        (b'{"service":"s","breaker":"b","to":"open","from":null,"at":null}', 1),
    ],
)
def test_transitions_are_counted(body: bytes, count: int) -> None:
    """One object, an array, or one per line."""
    assert judge(body, {}).records == count


def test_the_service_may_be_declared() -> None:
    """In ``Fuseboard-Resource`` instead of in each."""
    headers = {b"fuseboard-resource": b"service.name=checkout"}

    assert judge(b'{"breaker":"b","to":"open"}', headers).records == 1


@pytest.mark.parametrize(("at", "timed"), [(b"", False), (b',"at":1795383000', True)])
def test_only_transitions_with_times_can_be_retries(at: bytes, timed: bool) -> None:
    """Without its own time the same transition twice is two."""
    assert judge(ONE[:-1] + at + b"}", {}).timed is timed


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"{", "not a transition"),
        (b"[1]", "not a transition"),
        (b"\xff", "not a transition"),
        (b'{"service":"s","to":"open"}', "breaker"),
        (b'{"breaker":"b","to":"open"}', "'service' is missing"),
        (b'{"service":"s","breaker":"","to":"open"}', "'breaker' is empty"),
        (b'{"service":"s","breaker":"b","to":""}', "'to' is empty"),
        (ONE + b"\n" + ONE.replace(b"open", b"ajar"), "transition 1: 'to' is 'ajar'"),
        (b'{"service":"s","breaker":"b","to":"open","from":"x"}', "'from' is 'x'"),
        (b'{"service":"s","breaker":"b","to":"open","at":"soon"}', "'soon' is not an RFC 3339 time"),
    ],
)
def test_a_wrong_transition_is_quoted(body: bytes, sentence: str) -> None:
    """Which one, and what of it."""
    with pytest.raises(Malformed, match=sentence):
        judge(body, {})


@pytest.mark.parametrize(
    ("to", "hurries"), [("open", True), ("Forced-Open", True), ("half_open", False), ("closed", False)]
)
def test_only_an_opening_hurries(to: str, hurries: bool) -> None:
    """Somebody may have to be woken for it; the rest may wait two seconds while nobody looks."""
    one = b'{"service":"checkout","breaker":"payment","to":"closed"}'
    other = f'{{"service":"checkout","breaker":"stock","to":"{to}"}}'.encode()

    assert judge(b"[" + one + b"," + other + b"]", {}).hurries is hurries
