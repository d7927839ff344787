"""A format's .sql and .proto as statements."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from collector.errors import FuseboardError
from collector.formats import registry
from collector.journal.envelope import STRUCTURE
from collector.load.archive import MappingArchive
from collector.load.mapping import Mapping, read_mappings
from collector.store.migrate import SCHEMA

MADE = {
    name
    for file in SCHEMA.glob("*.sql")
    for name in re.findall(r"^CREATE TABLE IF NOT EXISTS (\w+)", file.read_text(), re.MULTILINE)
}
MAPPING = Mapping(
    "t", "-- SELECT in a comment\nINSERT INTO t (b)\nSELECT b FROM segment('body Tuple(x String)')", "schema"
)


def test_the_embedded_statement_reads_the_file() -> None:
    """``segment(…)`` becomes ``file(…)`` with the head's columns before the body's."""
    assert MAPPING.insert_from_file("/data/e-1.seg") == (
        "-- SELECT in a comment\nINSERT INTO t (b)\n"
        f"SELECT b FROM file('/data/e-1.seg', 'Protobuf', '{STRUCTURE}, body Tuple(x String)', 'zstd')"
    )


def test_a_quote_in_the_data_directory_stays_inside_its_string() -> None:
    """A path is data, not SQL."""
    assert r"file('/it\'s \\ here/e-1.seg', " in MAPPING.insert_from_file("/it's \\ here/e-1.seg")


def test_the_server_statement_reads_the_body() -> None:
    """``segment(…)`` becomes ``input(…)``."""
    assert MAPPING.insert_from_input().endswith(f"SELECT b FROM input('{STRUCTURE}, body Tuple(x String)')")


def test_the_select_alone_is_what_would_be_inserted() -> None:
    """From the first SELECT that begins a line, comments and INSERT left out."""
    assert MAPPING.select_from_file("/f").startswith("SELECT b FROM file('/f'")


@pytest.mark.parametrize("name", sorted(registry.groups()))
def test_every_format_has_its_mappings(name: str) -> None:
    """Each table of a registered protocol has a .sql with one INSERT into that table, a SELECT and one segment()."""
    for mapping in registry.groups()[name].mappings:
        table = mapping.table.replace(
            "histogram_", "metric_"
        )  # two statements of remote_write fill one table
        assert f"INSERT INTO {table}\n" in mapping.sql or f"INSERT INTO {table} " in mapping.sql
        assert mapping.sql.count("segment('") >= 1
        assert "now(" not in mapping.sql
        assert "now64(" not in mapping.sql
        assert mapping.select_from_file("/f")


def test_a_folder_without_proto_has_a_raw_body(tmp_path: Path) -> None:
    """Text formats declare nothing; Protobuf ones bring their message."""
    (tmp_path / "logs.sql").write_text("x")
    (raw,) = read_mappings(tmp_path, ("logs",))
    (tmp_path / "request.proto").write_text("message Request {}")
    (typed,) = read_mappings(tmp_path, ("logs",))

    assert "bytes body = 15;" in raw.schema
    assert "Request body = 15;" in typed.schema


def test_the_archive_keeps_texts_by_version(tmp_path: Path) -> None:
    """The same text has the same version, another text another; both are found after a restart."""
    changed = Mapping("t", MAPPING.sql + "\n", "schema")
    archive = MappingArchive(tmp_path)
    versions = [archive.keep(MAPPING), archive.keep(changed), archive.keep(MAPPING)]

    again = MappingArchive(tmp_path)
    assert versions[0] == versions[2] != versions[1]
    assert again.get(versions[0]) == MAPPING
    assert again.get(versions[1]) == changed
    assert again.keep(MAPPING) == versions[0]


@pytest.mark.parametrize(
    "damage", [None, b"{", b'{"table":"t"}'], ids=["absent", "not JSON", "not a mapping"]
)
def test_a_version_that_is_gone_is_named(tmp_path: Path, damage: bytes | None) -> None:
    """An error with the version and the place, whatever happened to the file."""
    if damage is not None:
        (tmp_path / "abc.json").write_bytes(damage)

    with pytest.raises(FuseboardError, match=f"mapping version abc is not in {tmp_path}"):
        MappingArchive(tmp_path).get("abc")


def test_statements_share_a_file_by_including_it(tmp_path: Path) -> None:
    """What several statements of a folder have in common stands once, and each is whole when it is read."""
    (tmp_path / "_rows.sql").write_text("-- shared\nWITH rows AS (SELECT * FROM segment('body String'))\n")
    (tmp_path / "t.sql").write_text("INSERT INTO t\n-- include _rows.sql\nSELECT body FROM rows\n")

    mapping = read_mappings(tmp_path, ("t",))[0]

    assert mapping.sql == (
        "INSERT INTO t\n-- shared\nWITH rows AS (SELECT * FROM segment('body String'))\nSELECT body FROM rows\n"
    )
