"""Thousands of files: bounded descriptors, fair turns, and what idle ones cost."""

import resource
from collections import Counter
from pathlib import Path


def open_under(home):
    """How many descriptors of this process lead to log files under *home*."""
    count = 0
    for entry in Path("/proc/self/fd").iterdir():
        try:
            target = str(entry.readlink())
        except OSError:
            continue
        count += target.startswith(str(home)) and ".log" in target
    return count


def test_a_busy_file_does_not_starve_a_thousand_quiet_ones(tmp_path, by_hand):
    """One step gives each file its turn: every quiet file's line, and at most 8 MiB of the busy one."""
    (tmp_path / "busy.log").write_bytes((b"b" * 1023 + b"\n") * 20_480)
    for number in range(1000):
        (tmp_path / f"quiet{number}.log").write_bytes(b"quiet %d\n" % number)
    agent = by_hand(tmp_path / "*.log", multiline="off")

    more = agent.source.step(0.0)

    counts = Counter(line[:1] for line in agent.lines())
    assert more
    assert counts[b"q"] == 1000
    assert 0 < counts[b"b"] * 1024 <= 8 << 20


def test_descriptors_are_bounded(tmp_path, by_hand):
    """With ten descriptors for 300 files all lines come, also those written to files that were closed."""
    for number in range(300):
        (tmp_path / f"{number}.log").write_bytes(b"first %d\n" % number)
    agent = by_hand(tmp_path / "*.log", max_open_files=10).poll()
    most = open_under(tmp_path)
    for number in range(0, 300, 7):
        with (tmp_path / f"{number}.log").open("ab") as file:
            file.write(b"second %d\n" % number)

    agent.poll()

    expected = [b"first %d" % number for number in range(300)] + [
        b"second %d" % number for number in range(0, 300, 7)
    ]
    assert sorted(agent.lines()) == sorted(expected)
    assert most <= 10
    assert open_under(tmp_path) <= 10


def test_a_closed_file_that_is_renamed_is_still_found(tmp_path, by_hand):
    """Within the pattern, out of it in the same directory, and beside a new file of its old name."""
    for name in ("a.log", "b.log", "c.log", "d.log"):
        (tmp_path / name).write_bytes(b"%s 1\n" % name.encode())
    agent = by_hand(tmp_path / "*.log", max_open_files=2).poll()
    for name, renamed in (("a.log", "a.1.log"), ("b.log", "kept")):
        (tmp_path / name).rename(tmp_path / renamed)
        with (tmp_path / renamed).open("ab") as file:
            file.write(b"%s 2\n" % name.encode())
        (tmp_path / name).write_bytes(b"%s 3\n" % name.encode())

    agent.poll().poll()

    expected = [b"%s %d" % (name, number) for name in (b"a.log", b"b.log") for number in (1, 2, 3)]
    assert sorted(agent.lines()) == sorted([*expected, b"c.log 1", b"d.log 1"])


def test_what_5000_idle_files_cost(tmp_path, by_hand):
    """A second of idle polls over 5,000 files takes less than a tenth of a core (measured: 0.02), with the scan for new ones."""
    for number in range(5000):
        (tmp_path / f"{number}.log").write_bytes(b"x\n")
    agent = by_hand(tmp_path / "*.log", max_open_files=64, start_at="end")
    for _ in range(60):
        agent.poll(0.25)
    before = cpu_s()
    for _ in range(80):
        agent.poll(0.25)
    spent = (cpu_s() - before) / 20
    with (tmp_path / "4999.log").open("ab") as file:
        file.write(b"news\n")
    for _ in range(6):
        agent.poll(0.25)

    assert spent < 0.1
    assert agent.lines() == [b"news"]


def cpu_s():
    """User and system seconds of this thread: an engine may run in others."""
    usage = resource.getrusage(resource.RUSAGE_THREAD)
    return usage.ru_utime + usage.ru_stime
