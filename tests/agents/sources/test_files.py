"""Following files: rotation, truncation, partial lines, where to begin."""

import os
import shutil

import pytest


def test_lines_arrive_soon_after_they_are_written(tmp_path, collector, agent, wait_for, follow_toml):
    """A line leaves within half a second or so of being written, with its resource and its place."""
    log = tmp_path / "app.log"
    log.touch()
    agent.start(follow_toml(collector.url, log))
    wait_for(lambda: bool(agent.happened("file_followed")), "the file")
    with log.open("ab") as file:
        file.write(b'{"message":"hello"}\n')

    wait_for(lambda: collector.lines() == [b'{"message":"hello"}'], "the line", 20)

    headers = collector.of("/v1/lines")[0].headers
    assert "service.name=checkout" in headers["fuseboard-resource"]
    assert "kind=file" in headers["fuseboard-source"]
    assert "offset=0,end=20" in headers["fuseboard-source"]
    assert "fuseboard-format" not in headers


def test_a_partial_last_line_waits(tmp_path, collector, agent, wait_for, follow_toml):
    """Half a line is not shipped; it comes whole when its end is written."""
    log = tmp_path / "app.log"
    log.write_bytes(b"whole\nhal")
    agent.start(follow_toml(collector.url, log))
    wait_for(lambda: collector.lines() == [b"whole"], "the first line")
    with log.open("ab") as file:
        file.write(b"f\n")

    wait_for(lambda: len(collector.lines()) == 2, "the second line")

    assert sorted(collector.lines()) == [b"half", b"whole"]


def test_rotation_by_rename_loses_and_repeats_nothing(tmp_path, collector, agent, wait_for, follow_toml):
    """The renamed file is read to its end, also when the pattern names the new file only."""
    log = tmp_path / "app.log"
    log.write_bytes(b"a\n")
    agent.start(follow_toml(collector.url, log))
    wait_for(lambda: collector.lines() == [b"a"], "the first line")
    with log.open("ab") as old:
        log.rename(tmp_path / "app.log.1")
        log.write_bytes(b"c\n")
        old.write(b"b\n")

    wait_for(lambda: len(collector.lines()) == 3, "three lines")

    assert sorted(collector.lines()) == [b"a", b"b", b"c"]


def test_rotation_while_the_agent_is_away(tmp_path, collector, agent, wait_for, follow_toml):
    """The rest of a file that was renamed while no agent ran is found in its directory and shipped."""
    log = tmp_path / "app.log"
    log.write_bytes(b"a\n")
    agent.start(follow_toml(collector.url, log))
    wait_for(lambda: collector.lines() == [b"a"], "the first line")
    agent.kill()
    with log.open("ab") as old:
        old.write(b"b\n")
    log.rename(tmp_path / "app.log.1")
    log.write_bytes(b"c\n")

    agent.start()
    wait_for(lambda: len(collector.lines()) == 3, "three lines")

    assert sorted(collector.lines()) == [b"a", b"b", b"c"]


def test_copytruncate_begins_a_new_generation(tmp_path, collector, agent, wait_for, follow_toml):
    """After a truncation reading begins at 0, under another generation, also when the file has grown longer again."""
    log = tmp_path / "app.log"
    log.write_bytes(b"first\n")
    agent.start(follow_toml(collector.url, log))
    wait_for(lambda: collector.lines() == [b"first"], "the first line")
    log.write_bytes(b"a much longer line than before\n")

    wait_for(lambda: len(collector.lines()) == 2, "the second line")

    assert sorted(collector.lines()) == [b"a much longer line than before", b"first"]
    sources = [request.headers["fuseboard-source"] for request in collector.of("/v1/lines")]
    assert len({source.partition("generation=")[2].partition(",")[0] for source in sources}) == 2


def test_start_at_end_skips_what_was_there(tmp_path, collector, agent, wait_for, follow_toml):
    """With start_at = "end" old lines are skipped, whole; files that appear later are read from their beginning."""
    log = tmp_path / "app.log"
    log.write_bytes(b"old\nhalf")
    settings = follow_toml(collector.url, tmp_path / "*.log").replace('"beginning"', '"end"')
    agent.start(settings)
    wait_for(lambda: bool(agent.happened("agent_started")), "the start")
    with log.open("ab") as file:
        file.write(b" new\n")
    (tmp_path / "later.log").write_bytes(b"later\n")

    wait_for(lambda: len(collector.lines()) == 2, "two lines")

    assert sorted(collector.lines()) == [b"half new", b"later"]


def test_excluded_and_compressed_files_are_not_followed(tmp_path, collector, agent, wait_for, follow_toml):
    """``exclude`` and packed rotations are left alone."""
    (tmp_path / "a.log").write_bytes(b"a\n")
    (tmp_path / "debug.log").write_bytes(b"secret\n")
    (tmp_path / "a.log.2.gz").write_bytes(b"\x1f\x8b packed\n")
    agent.start(
        follow_toml(collector.url, tmp_path / "*.log*", f'exclude = ["{tmp_path}/debug*"]\nformat = "text"\n')
    )
    wait_for(lambda: bool(collector.lines()), "a line")

    assert agent.terminate() == 0

    assert collector.lines() == [b"a"]
    assert collector.of("/v1/lines")[0].headers["fuseboard-format"] == "text"


def test_blocks_hold_whole_lines_up_to_1_mib(tmp_path, collector, agent, wait_for, follow_toml):
    """A large file becomes blocks of at most 1 MiB that end at line ends; a line of 1 MiB comes whole."""
    line = b"y" * 999 + b"\n"
    (tmp_path / "app.log").write_bytes(line * 3000 + b"z" * (1 << 20) + b"\ntail\n")
    agent.start(follow_toml(collector.url, tmp_path / "app.log"))

    wait_for(
        lambda: len(collector.lines()) >= 3002, "all lines"
    )  # there are two senders: the last may come first

    bodies = [request.body for request in collector.of("/v1/lines")]
    assert max(len(body) for body in bodies) <= (1 << 20) + 1
    assert all(body.endswith(b"\n") for body in bodies)
    assert b"".join(sorted(bodies)).count(b"\n") == 3002
    assert b"z" * (1 << 20) in collector.lines()


def test_lines_beyond_the_limit_are_cut_marked_and_counted(tmp_path, collector, agent, wait_for, follow_toml):
    """The beginning of a 10 MB line is shipped with a mark, its neighbours as they are; the ledger says how much was left out."""
    (tmp_path / "app.log").write_bytes(
        b"before\n" + b"z" * 10_000_000 + b"\nafter\n" + b"y" * 3000 + b"\nlast\n"
    )
    agent.start(follow_toml(collector.url, tmp_path / "app.log", "max_line_bytes = 2048\n"))
    wait_for(lambda: b"last" in collector.lines(), "the last line")

    assert agent.terminate() == 0

    cut = b" [cut: line_too_long]"
    assert sorted(collector.lines()) == sorted(
        [b"before", b"z" * 2048 + cut, b"after", b"y" * 2048 + cut, b"last"]
    )
    counters = max(collector.reports, key=lambda report: report["sequence"])["counters"][0]
    assert counters["dropped"]["line_too_long"]["lines"] == 2
    assert counters["dropped"]["line_too_long"]["bytes"] == 10_000_000 - 2048 + 3000 - 2048
    assert counters["read_bytes"] == counters["shipped_bytes"] + counters["dropped"]["line_too_long"]["bytes"]


def test_redacted_lines_never_reach_the_disk(tmp_path, collector, agent, wait_for, follow_toml):
    """What a preset finds is gone before the spool is written."""
    (tmp_path / "app.log").write_bytes(b'{"password":"hunter2hunter2","mail":"bob@example.com"}\n')
    agent.start(
        follow_toml(collector.url, tmp_path / "app.log", '[redact]\npresets = ["tokens", "emails"]\n')
    )

    wait_for(lambda: bool(collector.lines()), "the line")

    assert collector.lines() == [b'{"password":"[token]","mail":"[email]"}']


def test_files_with_their_own_resource(tmp_path, collector, agent, wait_for, follow_toml):
    """Attributes of one ``[[files]]`` lie over the agent's, on the blocks of its files alone."""
    (tmp_path / "app.log").write_bytes(b"ours\n")
    (tmp_path / "proxy.log").write_bytes(b"theirs\n")
    other = f'[[files]]\npaths = ["{tmp_path}/proxy.log"]\nstart_at = "beginning"\nresource = {{ "service.name" = "proxy" }}\n'
    agent.start(follow_toml(collector.url, tmp_path / "app.log", other))
    wait_for(lambda: len(collector.lines()) == 2, "two lines")

    resources = {request.body: request.headers["fuseboard-resource"] for request in collector.of("/v1/lines")}

    assert "service.name=checkout" in resources[b"ours\n"]
    assert "service.name=proxy" in resources[b"theirs\n"]
    assert "deployment.environment.name=test" in resources[b"theirs\n"]


@pytest.mark.system
def test_killed_agents_and_copytruncate_under_load(tmp_path, collector, agent, wait_for, follow_toml):
    """A log copied and truncated again and again, its copies in the pattern, the agent killed: what was readable comes once."""
    log = tmp_path / "app.log"
    log.touch()
    agent.start(follow_toml(collector.url, f"{log}*", 'multiline = "off"\n'))
    written: list[bytes] = []
    for round_ in range(6):
        lines = [b"line %d of round %d %s\n" % (number, round_, b"x" * 80) for number in range(3000)]
        written += [line.strip() for line in lines]
        with log.open("ab") as file:
            file.writelines(lines)
        if round_ % 2:
            agent.kill()
        for number in range(round_, 0, -1):
            (tmp_path / f"app.log.{number}").rename(tmp_path / f"app.log.{number + 1}")
        shutil.copyfile(log, tmp_path / "app.log.1")
        os.truncate(log, 0)
        if round_ % 2:
            agent.start()

    wait_for(lambda: len(collector.lines()) >= len(written), "all lines")
    assert agent.terminate() == 0

    assert sorted(collector.lines()) == sorted(written)
    assert collector.conflicts == []


def test_a_file_begun_just_before_the_end_is_shipped(tmp_path, by_hand):
    """What the last look for files did not see yet, the end looks for: a rotation just before SIGTERM waits for no restart."""
    log = tmp_path / "app.log"
    log.write_bytes(b"one\n")
    agent = by_hand(f"{log}*").poll()
    log.rename(tmp_path / "app.log.1")
    log.write_bytes(b"two\n")

    agent.source.end(agent.now)

    assert agent.lines() == [b"one", b"two"]
