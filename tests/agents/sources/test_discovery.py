"""Which files are found."""

import os
import time

import pytest

from agents.sources.discovery import Finder, matches


def found(finder, pattern, exclude=()):
    """The paths of one look."""
    return [path for path, _ in finder.find(str(pattern), [str(one) for one in exclude])]


@pytest.fixture
def tree(tmp_path):
    """Some files in some directories, old enough for their directories to be trusted."""
    for name in (
        "a.log",
        "b.log",
        "b.log.1",
        "c.txt",
        ".hidden.log",
        "x/a.log",
        "x/y/a.log",
        "x/.z/a.log",
        "b.log.2.gz",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x\n")
    for directory in (tmp_path, tmp_path / "x", tmp_path / "x" / "y"):
        os.utime(directory, (1e9, 1e9))
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.log", ["a.log", "b.log"]),
        ("b.log*", ["b.log", "b.log.1"]),
        ("?.log", ["a.log", "b.log"]),
        ("[bc].*", ["b.log", "b.log.1", "c.txt"]),
        ("*/a.log", ["x/a.log"]),
        ("**/a.log", ["a.log", "x/a.log", "x/y/a.log"]),
        ("x/**", ["x/a.log", "x/y/a.log"]),
        (".*.log", [".hidden.log"]),
        ("a.log", ["a.log"]),
        ("none/*.log", []),
    ],
)
def test_patterns_are_as_glob_has_them(tree, pattern, names):
    """Wildcards, any depth, hidden names only when asked for; compressed files never."""
    assert found(Finder(), tree / pattern) == [str(tree / name) for name in names]


def test_exclusions(tree):
    """A pattern in ``exclude`` takes files out."""
    assert found(Finder(), tree / "**/*.log", [tree / "x/*"]) == [str(tree / "a.log"), str(tree / "b.log")]


def test_new_removed_and_swapped_files_are_seen_at_the_next_look(tree):
    """Also where the directory is remembered from before."""
    finder = Finder()
    before = dict(finder.find(f"{tree}/*.log", []))
    (tree / "new.log").write_bytes(b"")
    (tree / "b.log").unlink()
    (tree / "other").write_bytes(b"")
    (tree / "other").rename(tree / "a.log")

    after = dict(finder.find(f"{tree}/*.log", []))

    assert sorted(after) == [str(tree / "a.log"), str(tree / "new.log")]
    assert after[str(tree / "a.log")] != before[str(tree / "a.log")]


def test_links_are_looked_through_each_time(tree):
    """A link whose target is replaced leads to the new one, though its own directory has not changed."""
    (tree / "x" / "target").write_bytes(b"")
    (tree / "link.log").symlink_to(tree / "x" / "target")
    os.utime(tree, (1e9, 1e9))
    finder = Finder()
    before = dict(finder.find(f"{tree}/link*", []))
    (tree / "x" / "new").write_bytes(b"")
    (tree / "x" / "new").rename(tree / "x" / "target")

    after = dict(finder.find(f"{tree}/link*", []))

    assert list(before) == list(after) == [str(tree / "link.log")]
    assert before != after


def test_an_unchanged_directory_is_not_listed_again(tree, monkeypatch):
    """Looking again costs one stat per directory."""
    finder = Finder()
    found(finder, tree / "*.log")
    listed = []
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or real(path))

    for _ in range(3):
        assert len(found(finder, tree / "*.log")) == 2

    assert listed == []


def test_a_directory_that_has_just_changed_is_listed_again(tmp_path):
    """Two files made within one tick of the clock are both found."""
    finder = Finder()
    for number in range(20):
        (tmp_path / f"{number}.log").write_bytes(b"")
        assert len(found(finder, tmp_path / "*.log")) == number + 1


@pytest.mark.parametrize(
    ("pattern", "path", "is_match"),
    [
        ("/var/log/*.log", "/var/log/a.log", True),
        ("/var/log/*.log", "/var/log/x/a.log", False),
        ("/var/**/a.log", "/var/log/x/a.log", True),
        ("/var/**/a.log", "/var/a.log", True),
        ("/var/log/app.log", "/var/log/app.log", True),
        ("/var/log/*", "/var/log/.hidden", False),
    ],
)
def test_a_pattern_names_a_path(pattern, path, is_match):
    """Said without looking at the disk."""
    assert matches(pattern, path) is is_match


def test_5000_files_are_looked_for_in_milliseconds(tmp_path):
    """A look at a directory that has not changed, with 5,000 matching files."""
    for number in range(5000):
        (tmp_path / f"{number}.log").write_bytes(b"")
    os.utime(tmp_path, (1e9, 1e9))
    finder = Finder()
    assert len(found(finder, tmp_path / "*.log")) == 5000

    began = time.thread_time()
    for _ in range(10):
        found(finder, tmp_path / "*.log")

    assert (time.thread_time() - began) / 10 < 0.05
