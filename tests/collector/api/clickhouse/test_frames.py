"""ClickHouse's compressed framing, against the files that the engine itself writes in it."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import lz4.block
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from collector.api.clickhouse.frames import framed, plain_frame, unframed
from collector.errors import Malformed, TooLarge

LIMIT = 1 << 24


@pytest.mark.parametrize("codec", ["LZ4", "ZSTD", "NONE"])
def test_what_the_engine_writes_is_read(engine, codec) -> None:
    """A column's file of a part is such frames, checksums and all: the engine is the oracle."""
    query = engine.connection.query
    query(f"CREATE TABLE framed_{codec} (a UInt64 CODEC({codec})) ENGINE = MergeTree ORDER BY () SETTINGS min_bytes_for_wide_part = 0")  # fmt: skip
    query(f"INSERT INTO framed_{codec} SELECT number FROM numbers(300000)")
    [part] = str(query(f"SELECT path FROM system.parts WHERE table = 'framed_{codec}' AND active", "TabSeparatedRaw")).split()  # fmt: skip

    plain = unframed((Path(part) / "a.bin").read_bytes(), LIMIT)

    assert struct.unpack("<300000Q", plain) == tuple(range(300_000))


@given(st.binary(max_size=5000), st.integers(1, 300))
def test_what_is_framed_is_read_back(data, times) -> None:
    """Any bytes, also more than one frame of them, LZ4 and plain."""
    body = data * times

    assert unframed(b"".join(framed(body)), LIMIT) == body
    assert unframed(plain_frame(body), LIMIT) == body


def test_a_frame_is_made_of_a_block_that_other_lz4s_read() -> None:
    """No size before the block: the frame says it."""
    [frame] = framed(b"abc" * 100)

    assert lz4.block.decompress(frame[25:], uncompressed_size=300) == b"abc" * 100
    assert frame[16] == 0x82


BROKEN = {
    "cut in its head": lambda frame: frame[:20],
    "cut in its data": lambda frame: frame[:-1],
    "another checksum": lambda frame: b"\0" + frame[1:],
    "bits of its data": lambda frame: frame[:-1] + bytes([frame[-1] ^ 1]),
    "a tail": lambda frame: frame + b"x",
    "not frames": lambda _: b"SELECT 1" * 10,
    "a size of nothing": lambda frame: frame[:17] + b"\0\0\0\0" + frame[21:],
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_frame_is_refused(how) -> None:
    """With a sentence, whatever is broken."""
    [frame] = framed(b"SELECT 1")

    with pytest.raises(Malformed, match="compressed framing") as raised:
        unframed(BROKEN[how](frame), LIMIT)

    assert raised.value.code == "bad_lz4"


@pytest.mark.parametrize("method", [0x82, 0x90, 0x02, 0x91])
def test_a_frame_that_does_not_hold_what_it_says_is_refused(method) -> None:
    """Its checksum is right and its sizes, or its method, are not."""
    whole = {0x82: lz4.block.compress(b"a" * 50, store_size=False), 0x90: zstd.compress(b"a" * 50)}
    data = whole.get(method, b"a" * 50)
    [model] = framed(b"x")
    for told in (49, 51):
        frame = _sealed(struct.pack("<BII", method, len(data) + 9, told) + data)

        with pytest.raises(Malformed, match=re.compile("holds|known|deco|LZ4|corrupt", re.IGNORECASE)):
            unframed(frame, LIMIT)
    assert model[16] == 0x82


def test_more_than_the_limit_is_refused_before_it_is_undone() -> None:
    """By what the heads say, all frames together."""
    [frame] = framed(b"a" * 1000)

    with pytest.raises(TooLarge, match="1999 bytes"):
        unframed(frame * 2, 1999)


def _sealed(rest: bytes) -> bytes:
    from clickhouse_cityhash import cityhash

    value = cityhash.CityHash128(rest).to_bytes(16, "little")
    return value[8:] + value[:8] + rest
