"""Times in recorded lines: found wherever loggers put them, moved without another byte changing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.replay.times import move_line, move_otlp_json, moved, of_line, read_ns

AT_NS = 1_700_000_000 * 10**9
HOUR_NS = 3600 * 10**9

LINES = [
    (b'{"timestamp":"2023-11-14T22:13:20Z","msg":"a"}', b'{"timestamp":"2023-11-14T23:13:20Z","msg":"a"}'),
    (b'{"time": 1700000000, "level":"info"}', b'{"time": 1700003600, "level":"info"}'),
    (b'{"ts":1700000000.25,"m":1}', b'{"ts":1700003600.25,"m":1}'),
    (b'{"@t":"2023-11-14T22:13:20.1234567+00:00"}', b'{"@t":"2023-11-14T23:13:20.1234567+00:00"}'),
    (b'{"asctime":"2023-11-14 22:13:20,123"}', b'{"asctime":"2023-11-14 23:13:20,123"}'),
    (b"2023-11-14 22:13:20,123 INFO started", b"2023-11-14 23:13:20,123 INFO started"),
    (b"[2023-11-14T22:13:20.5+02:00] started", b"[2023-11-14T23:13:20.5+02:00] started"),
    (b"INFO 2023-11-14 22:13:20 started", b"INFO 2023-11-14 23:13:20 started"),
    (b'ts=2023-11-14T22:13:20Z msg="x 2020-01-01"', b'ts=2023-11-14T23:13:20Z msg="x 2020-01-01"'),
    (b'1.2.3.4 - - [14/Nov/2023:22:13:20 +0000] "GET / HTTP/1.1" 200 1', b'1.2.3.4 - - [14/Nov/2023:23:13:20 +0000] "GET / HTTP/1.1" 200 1'),
]  # fmt: skip


@pytest.mark.parametrize(("line", "later"), LINES)
def test_a_lines_time_is_moved_the_way_it_is_written(line, later):
    """Digits, marks and zones stay; only the time is another."""
    assert move_line(line, HOUR_NS) == later
    assert of_line(later) - of_line(line) == HOUR_NS


@pytest.mark.parametrize(
    "line",
    [
        b"no time at all",
        b"",
        b'{"timestamp":"soon"}',
        b'{"text":"\\"timestamp\\":\\"2023-11-14T22:13:20Z\\""}',
        b"2023-99-99 22:13:20 x",
        b"\xff\xfe{",
    ],
)
def test_a_line_without_a_time_stays_as_it_is(line):
    """Whatever is no time is not touched, what stands inside of a text neither."""
    assert (of_line(line), move_line(line, HOUR_NS)) == (0, line)


@given(st.integers(10**9, 4 * 10**9), st.sampled_from([1, 10**3, 10**6, 10**9]), st.integers(-(10**6), 10**6))
def test_an_epoch_keeps_its_unit(seconds, unit, shift_s):
    """Seconds stay seconds, nanoseconds nanoseconds."""
    text = str(seconds * unit)

    assert moved(text, shift_s * 10**9) == str((seconds + shift_s) * unit)
    assert read_ns(text) == seconds * 10**9


@given(st.binary(max_size=200))
def test_any_bytes_are_a_line(line):
    """Nothing that a file may hold ends a replay."""
    assert move_line(line, 0) == line
    move_line(line, HOUR_NS)
    assert of_line(line) >= 0


def test_times_of_otlp_json_are_moved_wherever_they_stand():
    """Texts or numbers; zero is unset and stays so, a name inside of a text is no time."""
    text = b'{"startTimeUnixNano":"1700000000000000000","timeUnixNano":1700000000000000001,"endTimeUnixNano":"0","body":{"stringValue":"\\"timeUnixNano\\":\\"5\\""}}'

    changed, first_ns, last_ns = move_otlp_json(text, 1000)

    assert changed == text.replace(b'000000000"', b'000001000"').replace(b"000001,", b"001001,")
    assert (first_ns, last_ns) == (AT_NS, AT_NS + 1)
