"""Every command against a real collector: JSON lines in a pipe, tables on a terminal, exit codes as grep's."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import time

import httpx
import pytest
from rich.console import Console

from collector.terminal import board, oncall
from tests.collector.terminal.conftest import TRACE
from tests.collector.terminal.shell import ROOT, Done, OnTerminal, command, environment, on_terminal, piped
from tests.conftest import eventually

SLOW = "SELECT count() AS n FROM numbers(9000000000) WHERE NOT ignore(sipHash64(number))"
# Colours, bold and their end, the cursor shown and hidden, a line erased: what rich itself writes.
_OURS = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[lh]|\x1b\[2?K|\x1b\[1?A")


def rows(done: Done) -> list[dict[str, object]]:
    """The JSON lines of a run that found something."""
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def plainly(url: str, *arguments: str) -> tuple[int, str]:
    """Run it on a terminal; its text without colours."""
    code, text = on_terminal(url, *arguments)
    return code, _OURS.sub("", text)


def test_query_in_a_pipe_gives_json_lines_oldest_first(asked) -> None:
    """Whole records as the API has them; the newest is the last line, as in a file."""
    every = rows(piped(asked.url, "query"))
    two = rows(piped(asked.url, "query", "--limit", "2"))

    assert [row["body"] for row in every][:2] == ["charge failed: connection refused", "order placed"]
    assert every[1]["attributes"] == {"user.id": "42"}
    assert [row["id"] for row in two] == [row["id"] for row in every[-2:]]


def test_query_takes_words_window_and_environment(asked) -> None:
    """Several words are one search; relative times begin with a minus."""
    found = rows(
        piped(asked.url, "query", "service:checkout", "severity:>=warn", "--start", "-15m", "--end", "now")
    )
    none = piped(asked.url, "query", "order", "--env", "elsewhere")
    before = piped(asked.url, "query", "--start", "-3h", "--end", "-2h")
    negated = rows(piped(asked.url, "query", "--", "-severity:info", "service:checkout"))

    assert [row["severity"] for row in found] == ["error", "warn"]
    assert [row["severity"] for row in negated] == ["error", "warn"]
    assert [(done.returncode, done.stdout, done.stderr) for done in (none, before)] == [(1, "", "")] * 2


def test_query_on_a_terminal_is_coloured_lines(asked) -> None:
    """Time, severity, service, body, attributes; colours unless NO_COLOR, JSON with --json."""
    code, text = on_terminal(asked.url, "query", "service:checkout")
    plain_code, coloured = on_terminal(asked.url, "query", "service:checkout", NO_COLOR="1")
    plain = _OURS.sub("", coloured)
    _, as_json = on_terminal(asked.url, "query", "order", "--json")
    nothing, _ = on_terminal(asked.url, "query", "service:nobody")

    assert (code, plain_code, nothing) == (0, 0, 1)
    assert "\x1b[31m ERROR" in text
    assert re.search(
        r"\d\d:\d\d:\d\d\.\d{3} ERROR checkout charge failed: connection refused  trace_id=4bf92f", plain
    )
    assert "order placed  user.id=42" in plain
    assert not re.search(r"\x1b\[[0-9;]*3\dm", coloured)
    assert json.loads(as_json)["body"] == "order placed"


def test_a_hostile_record_is_shown_and_obeyed_by_no_terminal(asked) -> None:
    """Escape sequences, C1 controls and direction marks are texts, on a terminal and in JSON, in every command that shows them."""
    shown = [
        on_terminal(asked.url, "query", "service:inventory")[1],
        on_terminal(asked.url, "query", "service:inventory", "--json")[1],
        on_terminal(asked.url, "sql", "SELECT body, attributes FROM logs WHERE service = 'inventory'")[1],
        on_terminal(asked.url, "sql", "SELECT body AS `a\\x1b[5mb` FROM logs WHERE service = 'inventory'")[1],
        on_terminal(asked.url, "patterns", "service:inventory")[1],
        on_terminal(asked.url, "query", "--env", "x\x1b[31m", "field:(")[1],
    ]

    for text in shown:
        left = _OURS.sub("", text).replace("\r\n", "\n")
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", left), ascii(left)
    assert "\\x1b]0;owned\\x07" in shown[0]
    assert "\\x9b1m \\u202eevil" in shown[0]
    assert "\\u001b]0;owned" in shown[1]


def test_a_pipe_is_harmless_too(asked) -> None:
    """Whoever reads it may print it; it is JSON that says the same."""
    done = piped(asked.url, "query", "service:inventory severity:info")

    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", done.stdout)
    assert "\x1b]0;owned\x07" in json.loads(done.stdout)["body"]


def test_a_shell_that_reads_no_unicode_is_no_error(asked) -> None:
    """JSON says the same in ASCII; a terminal shows what it has."""
    done = subprocess.run(command("query", "severity:fatal"), cwd=ROOT, env=environment(asked.url, PYTHONIOENCODING="ascii"), capture_output=True, check=True)  # fmt: skip
    code, text = on_terminal(asked.url, "trace", TRACE, PYTHONIOENCODING="latin-1", NO_COLOR="1")

    assert json.loads(done.stdout.decode("ascii"))["body"] == "disk full näme — 漢字"
    assert code == 0
    assert "POST /orders" in text


def test_trace_draws_a_tree_with_bars_and_what_happened_meanwhile(asked) -> None:
    """Children below parents, the failed ones marked, the orphan named, the log record and the breaker's opening in the order of time."""
    code, text = plainly(asked.url, "trace", TRACE)
    (found,) = rows(piped(asked.url, "trace", TRACE))
    missing = piped(asked.url, "trace", "0" * 32)

    lines = [line.rstrip() for line in text.splitlines()]
    tree = [line for line in lines if "█" in line]
    assert code == 0
    assert f"trace {TRACE}" in lines[0]
    assert "4 spans, 2 services, 2 failed" in lines[0]
    assert [
        re.match(r" *(?:└ )?(?:✗ )?\w+ [\w/ ]+?(?:  | \()", line + "  ") is not None for line in tree
    ] == [True] * 4
    assert tree[0].startswith("✗ checkout POST /orders connection refused")
    assert tree[1].startswith("└ ✗ checkout charge")
    assert tree[2].startswith("  └ payment POST /charge")
    assert "payment lost (its parent is missing)" in tree[3]
    assert tree[0].count("█") == 32
    assert any("charge failed: connection refused" in line for line in lines)
    assert len(found["spans"]) == 4
    assert missing.returncode in {1, 2}


def test_traces_lists_them(asked) -> None:
    """By what failed and how long it took."""
    code, text = plainly(asked.url, "traces", "--error")
    (found,) = rows(piped(asked.url, "traces", "--min-duration-ms", "100"))
    none = piped(asked.url, "traces", "--no-error")

    assert code == 0
    assert f"{TRACE}" in text
    assert "✗ error" in text
    assert "120 ms" in text
    assert found["trace_id"] == TRACE
    assert none.returncode == 1


@pytest.mark.usefixtures("still_open")
def test_breakers_is_the_board(asked) -> None:
    """State by word and mark, since when and why; --state chooses."""
    code, text = plainly(asked.url, "breakers")
    (found,) = rows(piped(asked.url, "breakers", "--state", "open,half_open"))
    closed = piped(asked.url, "breakers", "--state", "closed")

    assert code == 0
    assert re.search(r"✗ open +checkout +payment +payment", text)
    assert (found["service"], found["state"]) == ("checkout", "open")
    assert closed.returncode == 1


@pytest.mark.usefixtures("still_open")
def test_services_shows_health_and_evidence(asked) -> None:
    """One line each; --health chooses."""
    code, text = plainly(asked.url, "services")
    found = rows(piped(asked.url, "services"))
    healthy = piped(asked.url, "services", "--health", "nonsense")

    assert code == 0
    assert "checkout" in text
    assert "1 open" in text
    assert {"checkout", "payment"} <= {row["service"] for row in found}
    assert healthy.returncode == 1


@pytest.mark.parametrize("command", ["deploys", "queues", "hot"])
def test_what_changed_what_waits_and_what_to_scale(asked, command) -> None:
    """A table for people, rows for a pipe; nothing found is exit 1."""
    code, text = plainly(asked.url, command)
    done = piped(asked.url, command)
    found = rows(done) if done.returncode == 0 else []

    assert code == done.returncode == (0 if found else 1)
    assert all(str(row.get("service") or row.get("queue")) in text for row in found)


def test_causes_of_a_quiet_hour_are_none(asked) -> None:
    """Nothing wrong is exit 1, as nothing found is."""
    quiet = piped(asked.url, "causes", "--service", "checkout")

    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (1, "", "")


def test_causes_name_where_trouble_began() -> None:
    """One line each: score, since when, the way to it, the evidence; hostile names are shown, never obeyed."""
    console = Console(file=io.StringIO(), width=200)
    evidence = [{"message": "62.0% of its calls fail"}, {"message": "a breaker\x1b[2J"}]
    board.causes(
        console,
        [{"service": "payment", "env": "demo", "score": 0.86, "began": "2026-11-22T03:10:40.000000000Z",
          "path": ["gateway", "checkout", "payment"], "evidence": evidence}, {"service": "x"}],
    )  # fmt: skip

    text = console.file.getvalue()
    assert re.search(
        r"0.86 +payment \(demo\) .*gateway → checkout → payment +62.0% of its calls fail; a breaker\\x1b",
        text,
    )


def test_incidents_and_silences_are_none_in_a_quiet_hour(asked) -> None:
    """The commands reach the API; nothing found is exit 1."""
    for name in ("incidents", "silences"):
        quiet = piped(asked.url, name)
        assert (quiet.returncode, quiet.stdout, quiet.stderr) == (1, "", "")


def test_incidents_and_silences_are_tables_that_obey_nobody() -> None:
    """State by word and mark; escape sequences and markup of strangers are shown as they are."""
    console = Console(file=io.StringIO(), width=200)
    opened = "2026-11-22T03:10:40.000000000Z"
    oncall.incidents(
        console,
        [{"state": "open", "id": "1f3a", "title": "payment\x1b[2J is in trouble", "severity": "page", "opened_at": opened,
          "resolved_at": None, "alerts_firing": 1, "alerts_count": 2, "cause": {"service": "[bold]bank[/bold]"}}, {}],
    )  # fmt: skip
    oncall.silences(
        console,
        [{"state": "active", "id": "5f0c", "text": 'service="cart"', "until": opened, "created_by": "ana", "comment": "deploy"}, {}],
    )  # fmt: skip

    text = console.file.getvalue()
    assert re.search(r"✗ open +1f3a +payment\\x1b.*1 of 2 fire +\[bold\]bank\[/bold\]", text)
    assert re.search(r'● active +5f0c +service="cart" +2026-11-22 03:10:40.000', text)


def test_patterns_say_what_the_records_say(asked) -> None:
    """Templates with counts."""
    code, text = plainly(asked.url, "patterns", "service:checkout")
    found = rows(piped(asked.url, "patterns", "service:checkout"))

    assert code == 0
    assert "order placed" in text
    assert sum(row["count"] for row in found) == 3


def test_sql_is_a_table_or_objects(asked) -> None:
    """From the argument or standard input; NULL, numbers, arrays and texts of several lines."""
    statement = "SELECT service, count() AS n, NULL AS nothing, [1, 2] AS list FROM logs GROUP BY service ORDER BY service"
    code, text = plainly(asked.url, "sql", statement)
    found = rows(piped(asked.url, "sql", "-", stdin=statement))
    none = piped(asked.url, "sql", "SELECT 1 AS n WHERE 0")

    assert code == 0
    assert re.search(r"checkout +3 +∅ +\[1,2\]", text)
    assert found[0] == {"service": "checkout", "n": 3, "nothing": None, "list": [1, 2]}
    assert none.returncode == 1


def test_promql_at_an_instant_and_over_a_range(asked) -> None:
    """Series with their values as a table, their course over a range; one JSON object per series in a pipe."""
    expression = "sum by (kind) (orders_total)"
    code, text = plainly(asked.url, "promql", expression)
    ranged_code, ranged = plainly(asked.url, "promql", expression, "--start", "-10m", "--step", "30s")
    found = rows(piped(asked.url, "promql", expression))
    course = rows(piped(asked.url, "promql", expression, "--start", "now-10m", "--end", "now"))
    scalar = rows(piped(asked.url, "promql", "1 + 1"))
    none = piped(asked.url, "promql", "no_such_metric")
    wrong = piped(asked.url, "promql", "sum(rate(x[5m])) )")

    assert (code, ranged_code, none.returncode, wrong.returncode) == (0, 0, 1, 2)
    assert re.search(r'\{kind="app"\} +3', text)
    assert re.search(r'\{kind="web"\} +7 +7 +7 +▁', ranged)
    assert {row["metric"]["kind"]: row["value"][1] for row in found} == {"web": "7", "app": "3"}
    assert {row["values"][-1][1] for row in course} == {"7", "3"}
    assert scalar[0]["value"][1] == "2"
    assert wrong.stderr.splitlines()[-1].index("^") - 2 == 17


@pytest.mark.parametrize(
    ("arguments", "position"),
    [
        (("query", "service:checkout AND )"), 21),
        (("query", "漢字 ("), 6),
        (("sql", "SELECT 'ä'\n, 1 FROM x WHERE )"), 17),
    ],
    ids=["search", "wide", "sql"],
)
def test_a_syntax_error_has_a_caret_below_it(asked, arguments, position) -> None:
    """Exit code 2, the collector's words, the line, and where in it."""
    done = piped(asked.url, *arguments)

    *_, line, mark = done.stderr.rstrip("\n").splitlines()
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(
        "fuseboard: query_syntax" if arguments[0] == "query" else "fuseboard: sql_syntax"
    )
    assert mark.strip() == "^"
    assert line.strip() in arguments[1]
    assert mark.index("^") - 2 == position


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("query", "--start", "yesterdayish"), "bad_time"),
        (("query", "--limit", "0"), "--limit"),
        (("query", "--nonsense"), "--nonsense"),
        (("trace",), "ID"),
        (("sql", "DROP TABLE logs"), "sql_statement"),
        (("query", "--url", "ftp://nowhere"), "write http://host:4318"),
        (("query", "--url", "http://ex ample"), "write http://host:4318"),
        (("query", "--key", "näme"), "--key or FUSEBOARD_KEY"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value)[:20],
)
def test_what_is_wrong_is_two_and_a_sentence(asked, arguments, said) -> None:
    """Usage or the collector's refusal; never a stack trace, never half an answer."""
    done = piped(asked.url, *arguments)

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_collector_that_is_away_is_named() -> None:
    """The URL, the reason, and how to name another."""
    done = piped("http://127.0.0.1:9", "query", "x")

    assert done.returncode == 2
    assert "no collector answers at http://127.0.0.1:9" in done.stderr
    assert "--url or FUSEBOARD_URL" in done.stderr


def test_keys_are_asked_for_and_taken_from_option_environment_and_file(keyed, tmp_path) -> None:
    """The refusal says where to put one; a key never stands in an error."""
    (tmp_path / "fuseboard").mkdir()
    (tmp_path / "fuseboard" / "terminal.toml").write_text(f'url = "{keyed.url}"\nkey = "reader-1"\n')
    without = piped(keyed.url, "services")
    wrong = piped(keyed.url, "services", "--key", "secret-and-wrong")
    writer = piped(keyed.url, "services", "--key", "writer-1")
    taken = [
        piped(keyed.url, "services", "--key", "reader-1"),
        piped(keyed.url, "services", FUSEBOARD_KEY="reader-1"),
        piped("", "services", XDG_CONFIG_HOME=str(tmp_path)),
    ]

    assert [done.returncode for done in (without, wrong, writer)] == [2, 2, 2]
    assert "key_missing" in without.stderr
    assert "--key or FUSEBOARD_KEY" in without.stderr
    assert "secret-and-wrong" not in wrong.stderr
    assert "key_role" in writer.stderr
    assert [(done.returncode, done.stderr) for done in taken] == [(1, "")] * 3


@pytest.mark.parametrize("text", ["url = 3", "color = 'red'", "not toml ="])
def test_a_wrong_file_is_named(asked, tmp_path, text) -> None:
    """With its path and what it may have."""
    (tmp_path / "fuseboard").mkdir()
    (tmp_path / "fuseboard" / "terminal.toml").write_text(text)

    done = piped(asked.url, "services", XDG_CONFIG_HOME=str(tmp_path))

    assert done.returncode == 2
    assert "terminal.toml" in done.stderr


def test_something_else_that_answers_is_not_taken_for_a_collector(asked) -> None:
    """Pages are no API: HTML, or JSON of another kind."""
    done = piped(f"{asked.url}/static", "services")

    assert done.returncode == 2
    assert "is --url right?" in done.stderr


def test_ctrl_c_ends_with_130_and_ends_the_question(asked, poll) -> None:
    """The progress was shown; nothing of the statement is left in the engine."""
    running = OnTerminal(asked.url, "sql", SLOW, NO_COLOR="1")
    try:
        running.read(until="%")
        running.process.send_signal(signal.SIGINT)
        code = running.end()
    finally:
        running.kill()

    assert code == 130
    assert re.search(r"reading [\d.]+ [kMG]? ?of 9 G rows, \d+ %", running.text)
    assert "Traceback" not in running.text
    poll(
        lambda: "fuseboard_query_cancelled_statements_total 0.0" not in httpx.get(f"{asked.url}/metrics").text
    )


def test_a_reader_that_has_enough_is_no_error(asked) -> None:
    """``fuseboard query | head -1``: no stack trace, no complaint."""
    read, write = os.pipe()
    process = subprocess.Popen(command("sql", "SELECT repeat('x', 1000) AS x FROM numbers(10000)"), cwd=ROOT, env=environment(asked.url), stdout=write, stderr=subprocess.PIPE)  # fmt: skip
    os.close(write)
    os.read(read, 100)
    os.close(read)
    _, said = process.communicate(timeout=60)

    assert process.returncode == 141
    assert said == b""


def test_tail_shows_the_last_ones_and_follows(asked, poll) -> None:
    """JSON lines as they come, each once, in a pipe too; --limit ends it, a search chooses."""
    name = f"tailed-{time.time_ns()}"
    asked.client.post("/v1/lines", content=json.dumps({"service": name, "msg": "before"}))
    poll(lambda: asked.data("/logs", query=f"service:{name}"))
    process = subprocess.Popen(command("tail", "-f", f"service:{name}", "--limit", "3"), cwd=ROOT, env=environment(asked.url), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    for body in ("one", "two"):
        asked.client.post("/v1/lines", content=json.dumps({"service": name, "msg": body}))
    out, said = process.communicate(timeout=60)

    assert first["body"] == "before"
    assert sorted(json.loads(line)["body"] for line in out.splitlines()) == ["one", "two"]
    assert (process.returncode, said) == (0, "")


def test_tail_goes_on_over_a_restart_of_the_collector(serve) -> None:
    """It says that it tries again, and shows what comes afterwards, each record once."""
    served = serve("drain_s = 2\n")
    process = subprocess.Popen(command("tail", "service:kept", "-n", "0", "--limit", "2"), cwd=ROOT, env=environment(served.url), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    eventually(lambda: "fuseboard_tail_viewers 1.0" in served.client.get("/metrics").text)
    served.client.post("/v1/lines", content=json.dumps({"service": "kept", "msg": "first"}))
    first = json.loads(process.stdout.readline())
    assert served.stop() == 0
    said = process.stderr.readline()
    served.start()
    served.client.post("/v1/lines", content=json.dumps({"service": "kept", "msg": "second"}))
    out, _ = process.communicate(timeout=60)

    assert (first["body"], json.loads(out)["body"]) == ("first", "second")
    assert "again in 0.5 s" in said
    assert process.returncode == 0


def test_tail_without_following_and_with_a_wrong_search(asked) -> None:
    """``--no-follow`` ends like query; a syntax error ends it at once, with the caret."""
    last = piped(asked.url, "tail", "--no-follow", "-n", "1", "service:checkout", "order")
    wrong = piped(asked.url, "tail", "service:(")

    assert json.loads(last.stdout)["body"] == "order placed"
    assert last.returncode == 0
    assert wrong.returncode == 2
    assert wrong.stderr.rstrip().endswith("^")


def test_ctrl_c_ends_a_tail_with_130(asked) -> None:
    """On a terminal, where it shows lines meanwhile."""
    running = OnTerminal(asked.url, "tail", "service:checkout", NO_COLOR="1")
    try:
        running.read(until="order placed")
        running.process.send_signal(signal.SIGINT)
        code = running.end()
    finally:
        running.kill()

    assert code == 130
    assert "Traceback" not in running.text


def test_help_needs_nothing_of_the_server() -> None:
    """``fuseboard --help`` is there at once: the server's parts, httpx and ClickHouse's client are not imported for it."""
    script = (
        "import sys; sys.argv = ['fuseboard', '--help']\n"
        "from collector.__main__ import cli\n"
        "try:\n    cli()\nexcept SystemExit: pass\n"
        "print('IMPORTED', *sorted({'collector.app', 'httpx', 'fastapi', 'pydantic', 'clickhouse_connect', 'uvicorn'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [*command()[:1], "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout.splitlines()[-1] == "IMPORTED"
