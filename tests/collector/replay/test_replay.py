"""``fuseboard replay`` into a collector: every kind of file, broken ones among them, killed and started again."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.collector.replay import recorded
from tests.collector.terminal.shell import ROOT, environment, piped

OLD = "fuseboard: times older than the collector's retention_days (30 by default) are stored at their arrival; --shift now moves them\n"


@pytest.fixture(scope="module")
def collector(serve_module):
    """One for all of them: each test writes services of its own."""
    return serve_module("retention_days = 3650\n")


@pytest.fixture
def play(collector, tmp_path):
    """Run the command with its state in a place of its own."""

    def run(*arguments):
        return piped(collector.url, "replay", *map(str, arguments), XDG_STATE_HOME=str(tmp_path / "state"))

    return run


@pytest.fixture
def rows(collector, poll):
    """Ask SQL until the answer has *count* rows."""

    def ask(statement, count):
        def answer():
            found = collector.client.post("/api/v1/sql", json={"query": statement}).json()["data"]
            return found if len(found) == count else None

        return poll(answer, 60)

    return ask


def test_otlp_files_are_stored_with_their_times_moved(play, rows, tmp_path):
    """Protobuf and JSON, requests alone, one a line, or framed; an hour later, in the environment that was asked for."""
    recorded.otlp(tmp_path / "rec")

    done = play(tmp_path / "rec", "--shift", "1h", "--env", "otlp")

    assert (done.returncode, done.stderr) == (0, OLD)
    spans = rows(
        "SELECT service, toUnixTimestamp(start) AS at, duration_ns FROM spans WHERE env = 'otlp' ORDER BY at",
        3,
    )
    assert [(row["service"], row["at"], row["duration_ns"]) for row in spans] == [
        ("pb-spans", recorded.AT_S + 3600 + number, 5_000_000) for number in range(3)
    ]
    logs = rows(
        "SELECT service, body, toUnixTimestamp(occurred_at) AS at FROM logs WHERE env = 'otlp' ORDER BY service, at",
        7,
    )
    assert [row["service"] for row in logs] == ["exporter"] * 5 + ["json-logs", "pb-logs"]
    assert logs[4]["at"] == recorded.AT_S + 3604
    series = rows(
        "SELECT name, service, toUnixTimestamp(first_seen) AS at FROM metric_series WHERE env = 'otlp'", 1
    )
    assert [(row["name"], row["service"], row["at"]) for row in series] == [
        ("depth", "pb-metrics", recorded.AT_S + 3600)
    ]


def test_log_files_are_of_the_service_that_their_place_says(play, rows, tmp_path):
    """A side file, else the folder, else the file's name; a line without a time is stored and said."""
    recorded.lines(tmp_path / "rec")

    done = play(tmp_path / "rec", "--shift", "none", "--env", "lines")

    assert done.returncode == 0
    assert "1 lines have no time of their own" in done.stderr
    logs = rows(
        "SELECT service, body, severity, toUnixTimestamp(occurred_at) AS at, resource['service.version'] AS version FROM logs WHERE env = 'lines' ORDER BY service, at",
        4,
    )
    told = {row["body"][-12:]: row for row in logs}
    assert {row["service"] for row in logs} == {"checkout", "told", "payment"}
    assert (told["by side file"[-12:]]["version"], told["by side file"[-12:]]["at"]) == (
        "7",
        recorded.AT_S + 1,
    )
    assert told["by its name"]["severity"] == "error"


def test_expositions_are_sent_in_the_order_of_time(play, rows, tmp_path):
    """Milliseconds, OpenMetrics' seconds, and a scrape whose time is in its name; types are kept."""
    recorded.expositions(tmp_path / "rec")

    done = play(tmp_path / "rec", "--shift", "-1h", "--env", "prom")

    assert (done.returncode, done.stderr) == (0, OLD)
    found = rows(
        "SELECT name, type, toUnixTimestamp64Milli(at) AS ms, value FROM metric_samples INNER JOIN metric_series USING series_id WHERE env = 'prom' ORDER BY name, ms",
        5,
    )
    start = (recorded.AT_S - 3600) * 1000
    assert [(row["name"], row["type"], row["ms"] - start, row["value"]) for row in found] == [
        ("calls_total", "counter", 0, 1), ("calls_total", "counter", 15_500, 9),
        ("jobs", "gauge", 0, 3), ("jobs", "gauge", 15_000, 4), ("up", found[4]["type"], 0, 1),
    ]  # fmt: skip


def test_a_case_of_rcaeval_becomes_metrics_logs_and_spans(play, rows, tmp_path):
    """Columns become series of their services; spans know who called whom; when the fault began is said as of the moved time."""
    recorded.rcaeval(tmp_path / "rec")

    done = play(tmp_path / "rec", "--shift", "now", "--env", "rca")

    assert done.returncode == 0, done.stderr
    assert "inject_time.txt: 2023-11-14T22:13:50Z becomes 20" in done.stdout
    assert "left out: logts.csv" in done.stderr
    series = rows("SELECT service, name FROM metric_series WHERE env = 'rca' ORDER BY service, name", 3)
    assert [(row["service"], row["name"]) for row in series] == [
        ("cart-service", "cpu"),
        ("cart-service", "mem"),
        ("frontend", "latency_90"),
    ]
    logs = rows(
        "SELECT service, body, severity, attributes['error'] AS error FROM logs WHERE env = 'rca' ORDER BY occurred_at",
        2,
    )
    assert [(row["service"], row["body"], row["severity"], row["error"]) for row in logs] == [
        ("cart-service", "said, with a comma", "info", ""), ("cart-service", "failed", "error", "deadline"),
    ]  # fmt: skip
    spans = rows(
        "SELECT service, kind, status, duration_ns, attributes['peer.service'] AS peer FROM spans WHERE env = 'rca' ORDER BY start",
        3,
    )
    assert [(row["service"], row["kind"], row["status"], row["peer"]) for row in spans] == [
        ("frontend", "server", "unset", ""), ("frontend", "client", "error", "cart-service"), ("cart-service", "server", "error", ""),
    ]  # fmt: skip
    assert spans[0]["duration_ns"] == 9_000_000


def test_tables_of_other_data_sets_are_known_by_their_columns(play, rows, tmp_path):
    """Pods are of their service; a tall table and a file per series are metrics too."""
    recorded.others(tmp_path / "rec")

    done = play(tmp_path / "rec", "--shift", "none", "--env", "others")

    assert (done.returncode, done.stderr) == (0, OLD)
    series = rows("SELECT service, name FROM metric_series WHERE env = 'others' ORDER BY service, name", 4)
    assert [(row["service"], row["name"]) for row in series] == [
        ("adservice", "CpuUsage"), ("adservice", "MemoryUsage"), ("mesh", "container_memory_usage"), ("redis", "cpu_pct"),
    ]  # fmt: skip
    assert rows("SELECT service, body FROM logs WHERE env = 'others'", 1)[0]["body"] == "received ad request"
    assert (
        rows("SELECT duration_ns FROM spans WHERE env = 'others' AND service = 'adservice'", 1)[0][
            "duration_ns"
        ]
        == 4_000_000
    )


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.prom", b"this is no sample at all\n", "line 1 is no sample"),
        ("a.json", b"{", "is no JSON"),
        ("a.ndjson", b'{"resourceLogs":[]}\n{"resource', "line 2 is no JSON"),
        ("a.log.gz", b"not compressed", "cannot be read"),
        ("a.otlp.pb", b"\x00\x01\x02", "is no OTLP request"),
        ("a.csv", b"time\n1\n", "fewer than two columns"),
        ("metrics.csv", b"time,a_cpu\n1700000000,1\nyesterday,2\n", "line 3: 'yesterday' is not a time"),
        (
            "metrics.csv",
            b"time,a_cpu,a_mem\n1700000000,1,2\n1700000001\n",
            "line 3 has 1 fields, the header 3",
        ),
        ("empty.log", b"", "is empty"),
    ],
)
def test_a_broken_file_is_said_and_the_rest_is_sent(play, rows, tmp_path, name, content, says):
    """Nothing of it is stored; the exit code is 1."""
    env = f"broken-{abs(hash((name, content)))}"
    (tmp_path / "rec").mkdir()
    (tmp_path / "rec" / name).write_bytes(content)
    (tmp_path / "rec" / "sound.log").write_text("2023-11-14 22:13:20 sound\n")

    done = play(tmp_path / "rec", "--shift", "none", "--env", env)

    assert done.returncode == 1
    assert f"broken: {name}" in done.stderr
    assert says in done.stderr
    assert rows(f"SELECT service FROM logs WHERE env = '{env}'", 1) == [{"service": "sound"}]


def test_a_dry_run_sends_nothing(play, tmp_path):
    """It says what would be sent."""
    recorded.lines(tmp_path / "rec")

    done = play(tmp_path / "rec", "--dry-run", "--env", "dry", "--url", "http://127.0.0.1:9")

    assert done.returncode == 0
    assert "4 records of 2023-11-14T22:13:20Z to 2023-11-14T22:13:22Z" in done.stdout


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--speed", "fast"), "--speed 'fast': write a number"),
        (("--shift", "yesterday"), "--shift 'yesterday': write now, none, or a duration"),
        (("--url", "nowhere"), "--url 'nowhere'"),
    ],
)
def test_a_wrong_option_is_named(play, tmp_path, options, says):
    """With what to write instead."""
    recorded.lines(tmp_path / "rec")

    done = play(tmp_path / "rec", *options)

    assert done.returncode == 2
    assert says in done.stderr


def test_a_folder_that_is_not_there_is_named(play, tmp_path):
    """And one without recordings."""
    (tmp_path / "empty").mkdir()

    assert "there is no such folder" in play(tmp_path / "nowhere").stderr
    assert play(tmp_path / "empty").returncode == 1


def test_without_a_collector_it_says_so(play, tmp_path):
    """After its patience is over, and how to go on."""
    recorded.lines(tmp_path / "rec")

    done = play(tmp_path / "rec", "--url", "http://127.0.0.1:9", "--patience-s", "1")

    assert done.returncode == 2
    assert "no collector answers at http://127.0.0.1:9" in done.stderr
    assert "goes on where it ended" in done.stderr


def test_a_replay_that_was_killed_is_stored_once(collector, play, rows, tmp_path):
    """Killed in the middle and started again: the same times, every record once, though it is moved to now."""
    folder = tmp_path / "rec" / "killed"
    folder.mkdir(parents=True)
    total = 400
    text = "".join(
        json.dumps({"time": recorded.AT_S + number, "msg": f"line {number}"}) + "\n"
        for number in range(total)
    )
    (folder / "app.ndjson").write_text(text)
    arguments = (str(tmp_path / "rec"), "--speed", "20", "--shift", "now", "--env", "killed")
    state = tmp_path / "state"
    process = subprocess.Popen(
        [sys.executable, "-m", "collector", "replay", *arguments],
        cwd=ROOT, env=environment(collector.url, XDG_STATE_HOME=str(state)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    counted = "SELECT count() AS n FROM logs WHERE env = 'killed' HAVING n > 0"
    rows(counted, 1)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    stored = rows(counted, 1)[0]["n"]

    other = play(*arguments[:-1], "another")
    done = play(*arguments, "--speed", "max")

    assert "was not finished, and its options were others" in other.stderr
    assert stored < total
    assert done.returncode == 0, done.stderr
    assert "going on with a replay" in done.stderr
    deadline = time.monotonic() + 60
    while rows(counted, 1)[0]["n"] < total and time.monotonic() < deadline:
        time.sleep(0.1)
    found = rows(
        "SELECT count() AS n, uniqExact(body) AS bodies, max(occurred_at) - min(occurred_at) AS lasts FROM logs WHERE env = 'killed'",
        1,
    )[0]
    assert (found["n"], found["bodies"], round(float(found["lasts"]))) == (total, total, total - 1)
    assert list(state.rglob("*.json")) == []
