"""Hostile bodies: what the journal keeps is always exactly one well-formed frame of exactly the body."""

from __future__ import annotations

import gzip
import os
import zlib

import cramjam
import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.errors import Malformed, TooLarge, Unsupported
from collector.receive.decompress import Limits, decode

BODY = b'{"msg":"paid"}\n' * 400
LIMITS = Limits()
SKIPPABLE = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"evil\n"
_P = zstd.CompressionParameter


def _one_frame_of(frame: bytes, body: bytes) -> bool:
    reader = zstd.ZstdDecompressor()
    same = reader.decompress(frame) == body
    return (
        same
        and reader.eof
        and not reader.unused_data
        and zstd.get_frame_info(frame).decompressed_size == len(body)
    )


@pytest.mark.parametrize(
    ("encoding", "raw"),
    [
        ("", BODY),
        ("identity", BODY),
        ("gzip", gzip.compress(BODY, mtime=0)),
        ("X-GZIP ", gzip.compress(BODY, mtime=0)),
        ("gzip", gzip.compress(BODY[:100], mtime=0) + gzip.compress(BODY[100:], mtime=0)),
        ("deflate", zlib.compress(BODY)),
        ("deflate", zlib.compress(BODY, wbits=-15)),
        ("zstd", zstd.compress(BODY)),
        ("snappy", bytes(cramjam.snappy.compress_raw(BODY))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_encoding_is_undone(encoding: str, raw: bytes) -> None:
    """The plain body comes out, and one frame that holds exactly it."""
    decoded = decode(raw, encoding, LIMITS)

    assert decoded.body == BODY
    assert _one_frame_of(decoded.frame, BODY)


def test_a_clients_sane_frame_is_kept_untouched() -> None:
    """One frame, its size declared, a small window: the journal keeps the client's own bytes."""
    raw = zstd.compress(BODY, 7)

    assert decode(raw, "zstd", LIMITS).frame is raw


@pytest.mark.parametrize(
    "raw",
    [
        zstd.compress(BODY[:15]) + zstd.compress(BODY[15:]),
        SKIPPABLE + zstd.compress(BODY),
        zstd.compress(BODY) + SKIPPABLE,
        zstd.compress(BODY[:15]) + SKIPPABLE + zstd.compress(BODY[15:]),
        zstd.compress(BODY, options={_P.content_size_flag: 0}),
    ],
    ids=["second frame", "skippable first", "skippable last", "skippable between", "no content size"],
)
def test_an_unusual_but_valid_body_is_framed_again(raw: bytes) -> None:
    """What could forge an envelope behind the body never reaches the journal as it came."""
    decoded = decode(raw, "zstd", LIMITS)

    assert decoded.body == BODY
    assert decoded.frame != raw
    assert _one_frame_of(decoded.frame, BODY)


def test_a_huge_window_is_framed_again() -> None:
    """A window over 8 MiB would cost every later reader that much memory."""
    body = os.urandom(1 << 20) * 17
    options = {_P.window_log: 24, _P.enable_long_distance_matching: 1, _P.content_size_flag: 1}
    compressor = zstd.ZstdCompressor(options=options)
    compressor.set_pledged_input_size(len(body))
    raw = compressor.compress(body) + compressor.flush()

    decoded = decode(raw, "zstd", LIMITS)

    assert decoded.body == body
    assert decoded.frame != raw
    assert _one_frame_of(decoded.frame, body)


def _with_dictionary() -> bytes:
    dictionary = zstd.ZstdDict(BODY, is_raw=True)
    return zstd.compress(BODY, zstd_dict=dictionary)


def _with_wrong_size() -> bytes:
    raw = bytearray(zstd.compress(BODY))
    assert raw[4] >> 6 == 1, "the size field has two bytes"
    position = 5 if raw[4] & 0x20 else 6
    raw[position] ^= 0x01
    return bytes(raw)


@pytest.mark.parametrize(
    ("encoding", "raw", "code"),
    [
        ("gzip", gzip.compress(BODY, mtime=0)[:-9], "bad_gzip"),
        ("gzip", gzip.compress(BODY, mtime=0)[:30], "bad_gzip"),
        ("gzip", BODY, "bad_gzip"),
        ("gzip", gzip.compress(BODY, mtime=0) + b"tail", "bad_gzip"),
        ("gzip", gzip.compress(BODY, mtime=0)[:-5] + b"\0\0\0\0\0", "bad_gzip"),
        ("deflate", zlib.compress(BODY)[:-3], "bad_deflate"),
        ("deflate", b"not deflate", "bad_deflate"),
        ("deflate", zlib.compress(BODY) + b"tail", "bad_deflate"),
        ("zstd", b"", "bad_zstd"),
        ("zstd", BODY, "bad_zstd"),
        ("zstd", zstd.compress(BODY)[:-4], "bad_zstd"),
        ("zstd", zstd.compress(BODY) + b"tail", "bad_zstd"),
        ("zstd", zstd.compress(BODY) + zstd.compress(BODY)[:-2], "bad_zstd"),
        ("zstd", _with_dictionary(), "bad_zstd"),
        ("zstd", _with_wrong_size(), "bad_zstd"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_body_is_malformed(encoding: str, raw: bytes, code: str) -> None:
    """Cut off, corrupt, with a tail, or not undoable without the sender's dictionary: 400 with its own code."""
    with pytest.raises(Malformed) as refused:
        decode(raw, encoding, LIMITS)

    assert refused.value.code == code
    assert refused.value.param == "Content-Encoding"


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstd.compress)]
)
def test_a_bomb_is_refused_by_its_ratio(encoding: str, compress) -> None:
    """More than 4 MiB, and more than 200 times what was sent; an agent's block of one line repeated is none."""
    with pytest.raises(TooLarge) as refused:
        decode(compress(bytes((4 << 20) + 1)), encoding, LIMITS)
    block = decode(compress(bytes(4 << 20)), encoding, LIMITS)

    assert refused.value.code == "ratio_too_large"
    assert len(block.body) == 4 << 20


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstd.compress)]
)
def test_a_bomb_is_refused_by_its_size(encoding: str, compress) -> None:
    """A byte over ``decoded_bytes`` is too much, exactly that many is not."""
    limits = Limits(decoded_bytes=len(BODY))

    with pytest.raises(TooLarge, match=rf"over {len(BODY)} bytes \(decoded_bytes\)") as refused:
        decode(compress(BODY + b"\n"), encoding, limits)
    fits = decode(compress(BODY), encoding, limits)

    assert refused.value.code == "body_too_large"
    assert fits.body == BODY


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_many_small_parts_are_added_up(encoding: str, compress) -> None:
    """A body of many members or frames is measured as a whole."""
    with pytest.raises(TooLarge) as refused:
        decode(compress(BODY) * 4, encoding, Limits(decoded_bytes=3 * len(BODY)))

    assert refused.value.code == "body_too_large"


def test_an_unknown_encoding_is_unsupported() -> None:
    """415, quoting it and naming what is read."""
    with pytest.raises(
        Unsupported, match="'br' is not read here; send identity, gzip, deflate, zstd or snappy"
    ):
        decode(BODY, "br", LIMITS)


@settings(max_examples=200, deadline=None)
@given(
    encoding=st.sampled_from(["gzip", "deflate", "zstd"]),
    at=st.integers(0, 10_000),
    value=st.integers(0, 255),
    cut=st.integers(0, 60),
    tail=st.binary(max_size=20),
)
def test_any_damage_is_an_error_or_an_honest_body(
    encoding: str, at: int, value: int, cut: int, tail: bytes
) -> None:
    """Whatever is done to a body, the answer is a `Rejected` or one frame of exactly the body that was judged."""
    compress = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstd.compress}[encoding]
    raw = bytearray(compress(BODY))
    raw[at % len(raw)] = value
    damaged = bytes(raw[: len(raw) - cut]) + tail

    try:
        decoded = decode(damaged, encoding, LIMITS)
    except (Malformed, TooLarge):
        return

    assert _one_frame_of(decoded.frame, decoded.body)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff" * 9,
        BODY,
        bytes(cramjam.snappy.compress_raw(BODY))[:-1],
        bytes(cramjam.snappy.compress_raw(BODY)) + b"x",
    ],
    ids=["empty", "endless length", "plain", "cut off", "a tail"],
)
def test_a_broken_snappy_block_is_malformed(raw: bytes) -> None:
    """And so is the framed format, which is another one."""
    with pytest.raises((Malformed, TooLarge)) as refused:
        decode(raw, "snappy", LIMITS)

    assert refused.value.code in {"bad_snappy", "body_too_large"}


def test_the_length_before_a_snappy_block_is_believed_before_it_is_undone() -> None:
    """A block that says it is too large is refused by its first bytes; one that compresses too well by the ratio."""
    says_4_gib = b"\xff\xff\xff\xff\x0f" + b"x"
    with pytest.raises(TooLarge) as large:
        decode(says_4_gib, "snappy", LIMITS)
    with pytest.raises(TooLarge) as ratio:
        decode(bytes(cramjam.snappy.compress_raw(bytes(5 << 20))), "snappy", Limits(ratio=2))

    assert (large.value.code, ratio.value.code) == ("body_too_large", "ratio_too_large")
