import pytest

from collector.errors import QueryError
from collector.query.window import parse_time, parse_window, rfc_3339

NOW_NS = 1_795_007_200_123_456_789


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-22T20:51:49.694709483Z", "2026-11-22T20:51:49.694709483Z"),
        ("2026-11-22T21:51:49+01:00", "2026-11-22T20:51:49.000000000Z"),
        ("2026-11-22 20:51:49,5", None),
        ("2026-11-22T20:51", "2026-11-22T20:51:00.000000000Z"),
        ("2026-11-22", "2026-11-22T00:00:00.000000000Z"),
        ("1795007200", "2026-11-18T13:06:40.000000000Z"),
        ("1795007200.5", "2026-11-18T13:06:40.500000000Z"),
        ("1795007200123", "2026-11-18T13:06:40.123000000Z"),
        ("1795007200123456789", "2026-11-18T13:06:40.123456789Z"),
        ("now", "2026-11-18T13:06:40.123456789Z"),
        ("-15m", "2026-11-18T12:51:40.123456789Z"),
        ("now-1h", "2026-11-18T12:06:40.123456789Z"),
        ("now+10s", "2026-11-18T13:06:50.123456789Z"),
        ("yesterday", None),
        ("2026-13-01", None),
        ("-15", None),
        ("", None),
        ("99999999999999999999999", None),
    ],
)
def test_times_as_people_write_them(text, meant):
    """Every notation of the contract is read to the nanosecond; anything else is refused with the value quoted."""
    if meant is None:
        with pytest.raises(QueryError) as refused:
            parse_time(text, "start", NOW_NS)
        assert repr(text) in refused.value.message
        assert refused.value.param == "start"
    else:
        assert rfc_3339(parse_time(text, "start", NOW_NS)) == meant


def test_the_default_window_is_the_last_hour():
    """Without start the window is the hour before end; end must lie later than start."""
    window = parse_window(None, "-1h", NOW_NS)

    assert rfc_3339(window.start_ns) == "2026-11-18T11:06:40.123456789Z"
    with pytest.raises(QueryError, match="later than start"):
        parse_window("now", "now", NOW_NS)
