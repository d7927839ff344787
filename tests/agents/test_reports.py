"""Reports: they survive outages and restarts, in order, each once."""

import json

import pytest

from agents.unreported import MAX_BYTES, MAX_REPORTS, Unreported, key_of


def report(number, size=0):
    """A report's line."""
    return json.dumps({"agent": "a", "sequence": number, "pad": "x" * size}).encode()


def numbers(unreported):
    """Empty it, giving the numbers in the order of delivery."""
    found = []
    while (line := unreported.first()) is not None:
        found.append(json.loads(line)["sequence"])
        unreported.done()
    return found


def test_reports_wait_on_disk_in_order(tmp_path):
    """Another process finds what this one could not deliver; when all are delivered there is no file."""
    path = tmp_path / "reports.pending"
    for number in range(3):
        Unreported(path).keep(report(number))

    assert numbers(Unreported(path)) == [0, 1, 2]
    assert not path.exists()


@pytest.mark.parametrize(("count", "size"), [(200, 0), (30, MAX_BYTES // 10)])
def test_a_long_outage_is_thinned(tmp_path, count, size):
    """Bounded in number and bytes; the first and the newest are kept, in order, the older ones in coarser steps."""
    path = tmp_path / "reports.pending"
    unreported = Unreported(path)
    for number in range(count):
        unreported.keep(report(number, size))

    found = numbers(Unreported(path))
    assert len(found) <= MAX_REPORTS
    assert path.exists() is False
    assert found == sorted(found)
    assert (found[0], found[-2:]) == (0, [count - 2, count - 1])


def test_a_torn_line_is_passed_over(tmp_path):
    """A power cut in the middle of a line costs that line alone."""
    path = tmp_path / "reports.pending"
    Unreported(path).keep(report(1))
    with path.open("ab") as file:
        file.write(report(2)[:10])
    Unreported(path).keep(report(3))

    assert numbers(Unreported(path)) == [1, 3]


def test_an_outage_is_reported_afterwards(tmp_path, collector, agent, wait_for, follow_toml):
    """Over an outage with a kill in it, every number arrives, oldest first, with its own time and key."""
    (tmp_path / "app.log").write_bytes(b"x\n")
    collector.script = lambda _path, _number: (503, {"Retry-After": "0"})
    agent.start(follow_toml(collector.url, tmp_path / "app.log"))
    pending = agent.data / "reports.pending"
    wait_for(lambda: pending.exists() and pending.read_bytes().count(b'"sequence"') >= 3, "three to wait")
    agent.kill()
    agent.start()
    wait_for(lambda: pending.read_bytes().count(b'"sequence"') >= 5, "two more to wait")
    collector.script = lambda _path, _number: None
    wait_for(lambda: len(collector.reports) >= 6, "the reports")
    assert agent.terminate() == 0

    told = [it["sequence"] for it in collector.reports]
    assert told[0] == 1
    assert told == sorted(set(told))
    assert (
        len(set(range(1, told[-1] + 1)) - set(told)) <= 1
    )  # the one that the kill may have caught unwritten
    times = [it["at"] for it in collector.reports]
    assert times == sorted(set(times))
    assert {key for path, key in collector.attempts if path == "/v1/reports"} >= {
        key_of(json.dumps(it).encode()) for it in collector.reports
    }
    assert not pending.exists()


def test_a_report_whose_answer_was_lost_comes_again_under_its_key(
    tmp_path, collector, agent, wait_for, follow_toml
):
    """The collector can tell that it has it."""
    (tmp_path / "app.log").write_bytes(b"x\n")
    cut = []

    def script(path, _number):
        if path == "/v1/reports" and not cut:
            cut.append(path)
            return "cut"
        return None

    collector.script = script
    agent.start(follow_toml(collector.url, tmp_path / "app.log"))
    wait_for(lambda: len(collector.reports) >= 3, "the reports")

    keys = [key for path, key in collector.attempts if path == "/v1/reports"]
    assert keys[0] == keys[1] != keys[2]
    assert collector.reports[0] == collector.reports[1]


def test_a_refused_report_is_not_tried_for_ever(tmp_path, collector, agent, wait_for, follow_toml):
    """400: the next one is another report."""
    (tmp_path / "app.log").write_bytes(b"x\n")
    collector.script = lambda path, _number: (400, {}) if path == "/v1/reports" else None
    agent.start(follow_toml(collector.url, tmp_path / "app.log"))
    wait_for(lambda: sum(path == "/v1/reports" for path, _ in collector.attempts) >= 4, "four reports")

    keys = [key for path, key in collector.attempts if path == "/v1/reports"]
    assert len(set(keys)) == len(keys)
    assert len(agent.happened("report_refused")) == 1


def test_reports_go_on_while_blocks_are_refused(tmp_path, collector, agent, wait_for, follow_toml):
    """The counters do not depend on the pipeline that they describe: no breaker holds them back."""
    (tmp_path / "app.log").write_bytes(b"x\n")
    collector.script = lambda path, _number: None if path == "/v1/reports" else (503, {})
    agent.start(follow_toml(collector.url, tmp_path / "app.log", "[breaker]\nfailures = 1\nopen_s = 60\n"))

    wait_for(lambda: any(it["exporter"]["breaker"] == "open" for it in collector.reports), "a report of it")
    assert collector.reports[-1]["spool"]["blocks"] == 1
