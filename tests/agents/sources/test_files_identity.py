"""Which file is which: reuse of inodes, equal beginnings, copies, rewriting, and restarts in between."""

import os
import shutil

HEADER = b"=== service started ===\n"


def test_files_with_equal_beginnings_are_told_apart(tmp_path, by_hand):
    """A thousand equal bytes at the beginning of two files do not make one of them."""
    same = b"x" * 1500 + b"\n"
    (tmp_path / "a.log").write_bytes(same + b"a\n")
    (tmp_path / "b.log").write_bytes(same + b"b\n")

    lines = by_hand(tmp_path / "*.log").poll().lines()

    assert sorted(lines) == sorted([b"x" * 1500] * 2 + [b"a", b"b"])


def test_a_file_in_a_reused_inode_is_another_file(tmp_path, by_hand):
    """Deleted and made anew while no agent ran: the new file is read from its beginning, however much longer it is."""
    log = tmp_path / "app.log"
    log.write_bytes(HEADER + b"old\n")
    agent = by_hand(log).poll()
    inode = log.stat().st_ino
    log.unlink()
    log.write_bytes(HEADER + b"new, and longer than the old one\n")

    agent.again().poll()

    assert agent.lines() == [HEADER.strip(), b"old", HEADER.strip(), b"new, and longer than the old one"]
    assert inode  # reused or not, which the file system decides


def test_a_rewritten_file_of_equal_head_and_size_is_read_again(tmp_path, by_hand):
    """Truncated and refilled to the very same length, with the same first line, between two looks: the rest is new."""
    log = tmp_path / "app.log"
    log.write_bytes(HEADER + b"one one one\n")
    agent = by_hand(log).poll()
    log.write_bytes(HEADER + b"two two two\n")

    assert agent.poll().lines()[-1] == b"two two two"


def test_a_file_refilled_beyond_the_old_offset_is_read_from_its_beginning(tmp_path, by_hand):
    """What stands in front of the old offset tells, though the first kilobyte is the same."""
    log = tmp_path / "app.log"
    head = b"".join(b"header %4d\n" % number for number in range(100))
    log.write_bytes(head + b"first\n")
    agent = by_hand(log).poll()
    log.write_bytes(head + b"a new life that is longer than the old\nmore\n")

    assert agent.poll().lines()[-2:] == [b"a new life that is longer than the old", b"more"]
    assert len(agent.lines()) == 100 + 1 + 100 + 2


def test_the_same_across_a_restart(tmp_path, by_hand):
    """A file truncated and refilled beyond the old offset while no agent ran is read from its beginning."""
    log = tmp_path / "app.log"
    head = b"".join(b"header %4d\n" % number for number in range(100))
    log.write_bytes(head + b"first\n")
    agent = by_hand(log).poll()
    log.write_bytes(head + b"a new life that is longer than the old\nmore\n")

    agent.again().poll()

    assert agent.lines()[-2:] == [b"a new life that is longer than the old", b"more"]


def test_the_signature_is_usable_from_the_first_byte_and_grows(tmp_path, by_hand):
    """A file of three bytes is recognised after a restart, and so is it when it has grown a thousandfold."""
    log = tmp_path / "app.log"
    log.write_bytes(b"ab\n")
    agent = by_hand(log).poll()
    marks = [mark_of(agent)]
    with log.open("ab") as file:
        file.write(b"c" * 70 + b"\n")
    agent.again().poll()
    marks.append(mark_of(agent))
    with log.open("ab") as file:
        file.write(b"d" * 3000 + b"\n")
    agent.again().poll()
    marks.append(mark_of(agent))

    assert agent.lines() == [b"ab", b"c" * 70, b"d" * 3000]
    assert [mark.signature_bytes for mark in marks] == [3, 74, 1024]


def mark_of(agent):
    """The mark of the only file."""
    [place] = agent.ledger.files().values()
    return place.mark


def test_a_copy_made_by_copytruncate_is_not_read_again(tmp_path, by_hand):
    """app.log.1 holds what app.log held: only what nobody had read yet is taken from it."""
    log = tmp_path / "app.log"
    log.write_bytes(b"one\ntwo\n")
    agent = by_hand(tmp_path / "app.log*").poll()
    with log.open("ab") as file:
        file.write(b"written just before the truncation\n")
    shutil.copyfile(log, tmp_path / "app.log.1")
    log.write_bytes(b"after\n")

    agent.poll().poll()

    assert sorted(agent.lines()) == sorted([b"one", b"two", b"written just before the truncation", b"after"])


def test_a_copy_is_recognised_after_a_kill(tmp_path, by_hand):
    """Copied and truncated while no agent ran: neither twice nor lost."""
    log = tmp_path / "app.log"
    log.write_bytes(b"one\ntwo\n")
    agent = by_hand(tmp_path / "app.log*").poll()
    with log.open("ab") as file:
        file.write(b"unread\n")
    shutil.copyfile(log, tmp_path / "app.log.1")
    log.write_bytes(b"after\n")

    agent.again().poll().poll()
    agent.again().poll()

    assert sorted(agent.lines()) == sorted([b"one", b"two", b"unread", b"after"])


def test_a_copy_of_a_living_file_waits_and_is_read_once_it_differs(tmp_path, by_hand):
    """A backup says nothing new; a file of its own that only began alike is shipped whole."""
    log = tmp_path / "app.log"
    log.write_bytes(HEADER + b"ours\n")
    agent = by_hand(tmp_path / "app.log*").poll()
    shutil.copyfile(log, tmp_path / "app.log.bak")
    (tmp_path / "app.log.2").write_bytes(HEADER)
    agent.poll().poll()
    before = agent.lines()
    with (tmp_path / "app.log.2").open("ab") as file:
        file.write(b"theirs\n")

    agent.poll()

    assert before == [HEADER.strip(), b"ours"]
    assert agent.lines() == [HEADER.strip(), b"ours", HEADER.strip(), b"theirs"]


def test_a_short_backup_is_not_read_when_its_source_is_truncated_later(tmp_path, by_hand):
    """It was seen to be equal while the source lived, which has grown since."""
    log = tmp_path / "app.log"
    log.write_bytes(b"one\n")
    agent = by_hand(tmp_path / "app.log*").poll()
    shutil.copyfile(log, tmp_path / "app.log.bak")
    agent.poll()
    with log.open("ab") as file:
        file.write(b"two\n")
    agent.poll()
    log.write_bytes(b"")

    assert agent.poll().poll().poll().lines() == [b"one", b"two"]


def test_a_file_of_another_name_is_no_copy(tmp_path, by_hand):
    """Two services that begin with the same line are two services, at once."""
    (tmp_path / "app.log").write_bytes(HEADER)
    agent = by_hand(tmp_path / "*.log").poll()
    (tmp_path / "app-errors.log").write_bytes(HEADER)

    assert agent.poll().lines() == [HEADER.strip(), HEADER.strip()]


def test_a_writer_that_does_not_append_leaves_a_hole_that_is_skipped(tmp_path, by_hand):
    """Truncated under a writer that goes on at its old place: no line of a million NULs, and what it writes comes whole."""
    log = tmp_path / "app.log"
    with log.open("wb", buffering=0) as file:
        file.write(b"x" * 1_000_000 + b"\nfirst\n")
        agent = by_hand(log).poll()
        os.truncate(log, 0)
        agent.poll()
        file.write(b"second\n")
        agent.poll()
        file.write(b"third\n")
        agent.again().poll()

    assert agent.lines()[1:] == [b"first", b"second", b"third"]


def test_bytes_seen_and_truncated_away_are_counted(tmp_path, by_hand):
    """A partial line that was seen is shipped after all; what is known to have been behind it is counted as dropped."""
    log = tmp_path / "app.log"
    log.write_bytes(b"whole\n" + b"p" * 20_000)
    agent = by_hand(log).poll()
    log.write_bytes(b"")

    agent.poll()
    for _ in range(4):
        agent.poll()

    assert agent.lines() == [b"whole", b"p" * (1 << 14)]
    assert agent.dropped() == {"truncated": [1, 20_000 - (1 << 14), 0]}


def test_a_finished_file_is_forgotten_in_the_checkpoint(tmp_path, by_hand):
    """A file that left the pattern is shipped to its end, its partial last line too, and then takes no room in the books."""
    log = tmp_path / "app.log"
    log.write_bytes(b"one\n")
    agent = by_hand(log).poll()
    log.rename(tmp_path / "kept")
    agent.poll()
    with (tmp_path / "kept").open("ab") as file:
        file.write(b"two\npartial")
    for _ in range(8):
        agent.poll()
    finished = agent.lines()
    agent.poll(61.0)

    assert finished == [b"one", b"two", b"partial"]
    assert agent.ledger.files() == {}
    assert agent.source.open_files() == 0


def test_a_link_that_is_swapped_leads_to_the_new_file(tmp_path, by_hand):
    """The old target is read to its end, the new one from its beginning."""
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"%s 1\n" % name.encode())
    link = tmp_path / "current.log"
    link.symlink_to(tmp_path / "a")
    agent = by_hand(link).poll()
    with (tmp_path / "a").open("ab") as file:
        file.write(b"a 2\n")
    other = tmp_path / "other"
    other.symlink_to(tmp_path / "b")
    other.replace(link)

    agent.poll()

    assert sorted(agent.lines()) == [b"a 1", b"a 2", b"b 1"]


def test_rotation_through_several_names_and_directories(tmp_path, by_hand):
    """app.log -> .1 -> .2 -> old/app.log.3, written to at every station, under a pattern that covers them all."""
    (tmp_path / "old").mkdir()
    agent = by_hand(tmp_path / "**" / "app.log*")
    names = [
        tmp_path / "app.log",
        tmp_path / "app.log.1",
        tmp_path / "app.log.2",
        tmp_path / "old" / "app.log.3",
    ]
    written = []
    for number, name in enumerate(names):
        with name.open("ab") as file:
            file.write(b"at %d\n" % number)
        written.append(b"at %d" % number)
        agent.poll()
        if number < 3:
            name.rename(names[number + 1])

    assert agent.lines() == written
    sources = {head.stream.source for head, _ in agent.blocks()}
    assert sources == {f"file:{tmp_path}/app.log"}


def test_packed_files_are_not_read_whatever_they_are_called(tmp_path, by_hand):
    """gzip, zstd, bzip2 and xz are known by their first bytes."""
    import bz2
    import gzip
    import lzma

    from backports import zstd

    for number, pack in enumerate((gzip.compress, bz2.compress, lzma.compress, zstd.compress)):
        (tmp_path / f"app.log.{number}").write_bytes(pack(b"read already\n" * 99))
    (tmp_path / "app.log").write_bytes(b"plain\n")

    assert by_hand(tmp_path / "app.log*").poll(6.0).poll(6.0).lines() == [b"plain"]
