"""What is cut from a file: encodings, last lines, long lines, lines of containers, blank lines."""

import json

import pytest

PYTHON = b"""Traceback (most recent call last):
  File "a.py", line 1, in <module>
    charge()
    ~~~~~~^^
ConnectionError: payment is down
"""
JAVA = b"""Exception in thread "main" shop.PayException: no stock
\tat shop.Stock.take(Stock.java:7) ~[app.jar:1.0]
\tat shop.Main.main(Main.java:3)
"""
LINES = ["plain", "Grüße, 世界", "smile 😀 end", "ੂ\u0a0a gurmukhi"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_encodings_are_shipped_as_utf_8(encoding, tmp_path, by_hand):
    """Lines come out as UTF-8, without a byte order mark, and positions are those of the file's own bytes."""
    log = tmp_path / "app.log"
    text = "".join(f"{line}\n" for line in LINES).encode(encoding)
    log.write_bytes(text)

    agent = by_hand(log, encoding=encoding).poll()

    assert agent.lines() == [line.encode() for line in LINES]
    assert agent.blocks()[0][0].position.end == len(text)


def test_utf_16_that_grows_by_pieces(tmp_path, by_hand):
    """A line's end is found where a character begins, also when the file was written by odd numbers of bytes."""
    log = tmp_path / "app.log"
    text = "".join(f"{line}\n" for line in LINES * 3).encode("utf-16")
    agent = by_hand(log, encoding="utf-16")
    for end in range(0, len(text) + 7, 7):
        with log.open("ab") as file:
            file.write(text[max(0, end - 7) : end])
        agent.poll()

    assert agent.lines() == [line.encode() for line in LINES * 3]


def test_latin_1_and_a_large_file(tmp_path, by_hand):
    """Each byte is a character; blocks stay at most about 1 MiB of UTF-8."""
    log = tmp_path / "app.log"
    line = "é" * 999 + "\n"
    log.write_bytes((line * 2000).encode("latin-1"))

    agent = by_hand(log, encoding="latin-1").poll()

    assert agent.lines() == [line.strip().encode()] * 2000
    assert max(len(body) for _, body in agent.blocks()) <= 1 << 20


def test_bytes_that_are_no_utf_8_are_kept(tmp_path, by_hand):
    """They are shipped byte for byte, NULs too."""
    log = tmp_path / "app.log"
    body = bytes(range(1, 10)) + b"\xff\xfe\x00\x80abc\n"
    log.write_bytes(body)

    assert by_hand(log).poll().blocks()[0][1] == body


def test_a_partial_last_line_ships_after_a_while(tmp_path, by_hand):
    """It waits partial_age_s from the last byte written; what follows is a line of its own."""
    log = tmp_path / "app.log"
    log.write_bytes(b"whole\nhal")
    agent = by_hand(log, partial_age_s=5.0).poll().poll(4.0)
    with log.open("ab") as file:
        file.write(b"f")
    early = agent.poll(2.0).lines()
    late = agent.poll(5.0).lines()
    with log.open("ab") as file:
        file.write(b" and the rest\n")

    assert early == [b"whole"]
    assert late == [b"whole", b"half"]
    assert agent.poll().lines() == [b"whole", b"half", b" and the rest"]


def test_a_long_line_in_many_blocks_survives_a_restart(tmp_path, by_hand):
    """Its rest is left out also by the process that comes after a kill, and counted once."""
    log = tmp_path / "app.log"
    log.write_bytes(b"a\n" + b"z" * 5000)
    agent = by_hand(log, max_line_bytes=1024).poll()
    with log.open("ab") as file:
        file.write(b"z" * 5000 + b"\nb\n")

    agent.again().poll()

    assert agent.lines() == [b"a", b"z" * 1024 + b" [cut: line_too_long]", b"b"]
    assert agent.dropped()["line_too_long"][1:] == [10_000 - 1024, 1]


def test_a_long_line_is_not_cut_inside_a_character(tmp_path, by_hand):
    """The last character that fits whole is the last one."""
    log = tmp_path / "app.log"
    log.write_bytes("€".encode() * 500 + b"\n")

    [line] = by_hand(log, max_line_bytes=1024).poll().lines()

    assert line == "€".encode() * 341 + b" [cut: line_too_long]"


def test_blank_lines_alone_are_counted_and_not_sent(tmp_path, by_hand):
    """No collector takes a body without a line."""
    log = tmp_path / "app.log"
    log.write_bytes(b"\n\r\n\n")

    agent = by_hand(log).poll()

    assert agent.lines() == []
    assert agent.dropped() == {"blank": [1, 4, 3]}


def test_a_growing_traceback_is_shipped_as_one_record(tmp_path, by_hand):
    """Written in two parts a moment apart, it is one line; one that never ends is shipped all the same."""
    log = tmp_path / "app.log"
    head = PYTHON[: PYTHON.index(b"    charge")]
    log.write_bytes(b"one\n" + head)
    agent = by_hand(log).poll(0.25)
    waiting = agent.lines()
    with log.open("ab") as file:
        file.write(PYTHON.removeprefix(head) + b"two\n" + JAVA)
    whole = agent.poll(0.25).lines()
    with_the_last = agent.poll(1.25).lines()

    def one(text):
        """The record a traceback becomes."""
        return json.dumps({"level": "error", "message": text.decode().rstrip("\n")}).encode()

    assert waiting == [b"one"]
    assert whole == [b"one", one(PYTHON), b"two"]
    assert with_the_last == [b"one", one(PYTHON), b"two", one(JAVA)]


def test_a_containers_record_is_not_cut_between_its_pieces(tmp_path, by_hand):
    """A CRI record whose last piece comes later is shipped as one line, its neighbours at once."""
    log = tmp_path / "0.log"
    time = b"2026-11-27T10:00:00.1Z stdout "
    log.write_bytes(time + b"F one\n" + time + b"P two ")
    agent = by_hand(log, format="cri").poll(0.25)
    with log.open("ab") as file:
        file.write(b"begins \n")
    waiting = agent.poll(0.25).lines()
    with log.open("ab") as file:
        file.write(time + b"F and ends\n")

    assert waiting == [time + b"F one"]
    assert agent.poll(0.25).lines() == [time + b"F one", time + b"F two begins and ends"]


def test_dockers_pieces_over_the_edge_of_a_block(tmp_path, by_hand):
    """Records of 16 KiB pieces all come out whole, wherever a block of 1 MiB ends."""
    log = tmp_path / "c-json.log"
    texts = [f"{number:04d}" + "x" * 40_000 + "\n" for number in range(60)]
    with log.open("w") as file:
        for text in texts:
            for start in range(0, len(text), 16_384):
                piece = {
                    "log": text[start : start + 16_384],
                    "stream": "stdout",
                    "time": "2026-11-27T10:00:00Z",
                }
                file.write(json.dumps(piece, separators=(",", ":")) + "\n")

    agent = by_hand(log, format="docker").poll()

    assert [json.loads(line)["log"] for line in agent.lines()] == texts
    assert len(agent.blocks()) >= 3
