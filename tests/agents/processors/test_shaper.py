"""The processors together: their order, what a real agent ships, and that its books balance."""

import json
import re
import urllib.request

import pytest

from agents.processors import Redactions, Tally
from agents.processors.shaper import shapers
from agents.settings import load
from tests.conftest import free_port

PREFIX = "FUSEBOARD_AGENT_"
TRACEBACK = b"Traceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 'bob@example.com'\n"


def shaped(body, format_="detect", multiline="auto", **given):
    """Shape one block; (what is left, what was taken out)."""
    environ = {PREFIX + name: value for name, value in given.items()}
    settings = load(None, environ | {PREFIX + "COLLECTOR": "http://127.0.0.1:1"})
    tally = Tally()
    left = shapers(settings, Redactions())(format_, multiline, None)(body, tally)
    return left, tally.shed


def test_redaction_comes_before_folding_and_filters_after_it():
    """A secret inside a traceback goes; the traceback is one record for a filter."""
    left, shed = shaped(
        TRACEBACK + b"INFO KeyError elsewhere\n",
        REDACT_PRESETS="emails",
        FILTER_INCLUDE="most recent.*KeyError",
    )

    assert json.loads(left)["message"].endswith("KeyError: '[email]'")
    assert shed == {"not_included": (1, 24)}


def test_a_traceback_is_never_sampled():
    """Whatever its frames name: it is an error."""
    body = TRACEBACK.replace(b"line 1", b"level=debug")

    left, shed = shaped(body + b"DEBUG x\n", SAMPLE_DEBUG="0", SAMPLE_INFO="0")

    assert (left.count(b"\n"), shed) == (1, {"sampled": (1, 8)})


@pytest.mark.parametrize("format_", ["text", "logfmt", "syslog", "access"])
def test_a_format_that_reads_no_json_is_not_folded(format_):
    """A JSON line would be read as something else."""
    assert shaped(TRACEBACK, format_) == (TRACEBACK, {})


def test_every_source_has_a_limit_of_its_own():
    """What one source has used up is no matter of another's."""
    settings = load(None, {PREFIX + "COLLECTOR": "http://127.0.0.1:1", PREFIX + "LIMIT_LINES_PER_S": "1"})
    make = shapers(settings, Redactions())
    first, second = make("detect", "off", None), make("detect", "off", None)
    tally = Tally()

    assert [len(shape(b"x\n" * 9, tally)) for shape in (first, second)] == [10, 10]
    assert tally.shed == {"rate_limited": (8, 16)}


def test_what_is_taken_out_is_counted_and_passes(tmp_path, collector, agent, wait_for, follow_toml):
    """Lines and bytes by reason in the report; a block of which nothing is left passes, also over a restart."""
    log = tmp_path / "app.log"
    log.write_bytes(b"DEBUG secret-1 x\n" * 100)
    more = '[redact]\npatterns = ["secret-[0-9]+"]\n[filter]\nexclude = ["^DEBUG"]\n'
    agent.start(follow_toml(collector.url, log, more))

    def dropped():
        counters = [c for report in collector.reports[-1:] for c in report["counters"]]
        return next((c["dropped"].get("excluded") for c in counters if c["signal"] == "logs"), None)

    wait_for(lambda: dropped() is not None, "the report")
    assert dropped() == {"blocks": 1, "bytes": 100 * 17 - 100 * (8 - 10), "lines": 100}
    assert collector.lines() == []
    agent.terminate()
    with log.open("ab") as file:
        file.write(b"DEBUG gone\nINFO secret-22 stays\n")
    agent.start()
    wait_for(lambda: collector.lines() == [b"INFO [redacted] stays"], "the line")
    wait_for(lambda: dropped()["lines"] == 101, "the report")

    counters = next(c for c in collector.reports[-1]["counters"] if c["signal"] == "logs")
    assert (
        counters["read_bytes"] == counters["shipped_bytes"] + dropped()["bytes"] + counters["spooled_bytes"]
    )


def test_redactions_are_counted_by_kind(tmp_path, collector, agent, wait_for, follow_toml):
    """On our own metrics, exactly."""
    port = free_port()
    log = tmp_path / "app.log"
    log.write_bytes(b"a@example.com b@example.com 4111111111111111\n" * 50)
    settings = follow_toml(collector.url, log, '[redact]\npresets = ["emails", "cards"]\n')
    agent.start(f'metrics_listen = "127.0.0.1:{port}"\n' + settings)
    wait_for(lambda: len(collector.lines()) == 50, "the lines")

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        text = answer.read().decode()

    found = dict(re.findall(r'fuseboard_agent_redacted_total\{kind="(\w+)"\} (\d+)', text))
    assert found == {"emails": "100", "cards": "50"}
