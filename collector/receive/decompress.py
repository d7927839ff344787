"""
One request body, undone under limits.

What comes out is the plain body and one zstd frame that holds exactly it, for the journal. A client's own frame is kept untouched only
if it is exactly one frame: no dictionary, nothing behind it, window ≤ 8 MiB, content size declared and equal to what decompression gives.
Anything else is compressed again by us. Otherwise a forged tail becomes a forged envelope (design.md §4).

Cost: whole-body C calls; 0.9 CPU-s per million lines of 400 bytes for the check of a zstd body.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import cramjam
from backports import zstd

from collector.errors import Malformed, TooLarge, Unsupported

_WINDOW_LOG_MAX = 23  # 8 MiB: what ClickHouse's reader and any client at a sane level need
_LEVEL = 1  # the journal is short-lived: speed before size
_PARAMETERS = {int(zstd.DecompressionParameter.window_log_max): _WINDOW_LOG_MAX}
# One line a million times over is an agent's block as good as any: what a block of 1 MiB becomes when marks, redaction or
# another encoding make it longer may compress as well as it likes.
_RATIO_FREE_BYTES = 4 << 20
_SNAPPY_PREAMBLE = 5  # bytes of the longest varint that a 32-bit length needs


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What a body may be.

    Attributes:
        body_bytes: As sent.
        decoded_bytes: Undone.
        ratio: Undone over sent, for bodies over 4 MiB.
    """

    body_bytes: int = 32 << 20
    decoded_bytes: int = 128 << 20
    ratio: int = 200


@dataclass(frozen=True, slots=True)
class Decoded:
    """A body and its one frame."""

    body: bytes
    frame: bytes


def decode(raw: bytes, encoding: str, limits: Limits) -> Decoded:
    """
    Undo *encoding* (identity, gzip, deflate, zstd, snappy in its block format) and return the body with a frame for the journal.

    Raises:
        Malformed: ``bad_gzip``, ``bad_deflate``, ``bad_zstd`` or ``bad_snappy``: truncated, corrupt, or with a tail.
        TooLarge: Over a limit; named in the message.
        Unsupported: An encoding nobody here reads.
    """
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        _within(len(raw), len(raw), limits)
        return Decoded(raw, compress(raw))
    if name == "zstd":
        return _zstd(raw, limits)
    if name == "snappy":
        body = _snappy(raw, limits)
    elif name in {"gzip", "x-gzip"}:
        body = _zlib(raw, zlib.MAX_WBITS | 16, "gzip", limits)
    elif name == "deflate":
        body = _zlib(
            raw, zlib.MAX_WBITS if raw[:1] and raw[0] & 0x0F == 8 else -zlib.MAX_WBITS, "deflate", limits
        )
    else:
        raise Unsupported(
            "unsupported_encoding",
            f"Content-Encoding {encoding[:40]!r} is not read here; send identity, gzip, deflate, zstd or snappy",
            "Content-Encoding",
        )
    return Decoded(body, compress(body))


def compress(body: bytes) -> bytes:
    """Return one frame with its content size."""
    return zstd.compress(body, _LEVEL)


def _zstd(raw: bytes, limits: Limits) -> Decoded:
    try:
        info = zstd.get_frame_info(raw)
        body, rest, kept = _one_frame(raw, limits)
    except zstd.ZstdError as error:
        raise Malformed("bad_zstd", f"the body is not valid zstd: {error}", "Content-Encoding") from error
    if rest or info.decompressed_size != len(body) or info.dictionary_id:
        body = _all_frames(body, rest, len(raw), limits)
        kept = False
    return Decoded(body, raw if kept else compress(body))


def _one_frame(raw: bytes, limits: Limits) -> tuple[bytes, bytes, bool]:
    """Undo the first frame; say what follows it and whether its window is small enough to keep."""
    try:
        first = zstd.ZstdDecompressor(options=_PARAMETERS)
        body = first.decompress(raw, limits.decoded_bytes + 1)
        kept = True
    except zstd.ZstdError:
        first = zstd.ZstdDecompressor()
        body = first.decompress(raw, limits.decoded_bytes + 1)
        kept = False
    _within(len(raw), len(body), limits)
    if not first.eof:
        raise zstd.ZstdError("the frame is cut off")
    return body, first.unused_data, kept


def _all_frames(body: bytes, rest: bytes, sent: int, limits: Limits) -> bytes:
    parts = [body]
    while rest:
        try:
            following = zstd.ZstdDecompressor()
            parts.append(following.decompress(rest, limits.decoded_bytes + 1))
        except zstd.ZstdError as error:
            raise Malformed(
                "bad_zstd", f"the body has bytes behind its zstd frame: {error}", "Content-Encoding"
            ) from error
        if not following.eof:
            raise Malformed("bad_zstd", "the body's last zstd frame is cut off", "Content-Encoding")
        rest = following.unused_data
        _within(sent, sum(map(len, parts)), limits)
    return b"".join(parts)


def _zlib(raw: bytes, window: int, name: str, limits: Limits) -> bytes:
    parts: list[bytes] = []
    rest, size = raw, 0
    try:
        while rest:
            stream = zlib.decompressobj(window)
            parts.append(stream.decompress(rest, limits.decoded_bytes + 1 - size))
            size += len(parts[-1])
            _within(len(raw), size, limits)
            if not stream.eof:
                raise Malformed(f"bad_{name}", f"the body's {name} stream is cut off", "Content-Encoding")
            rest = stream.unused_data
            if rest and name == "deflate":
                raise Malformed(
                    "bad_deflate", "the body has bytes behind its deflate stream", "Content-Encoding"
                )
    except zlib.error as error:
        raise Malformed(
            f"bad_{name}", f"the body is not valid {name}: {error}", "Content-Encoding"
        ) from error
    return b"".join(parts)


def _snappy(raw: bytes, limits: Limits) -> bytes:
    """Undo one block. Its length stands before it, so that a lie about it costs nothing: more than it never comes out."""
    size = 0
    for place, byte in enumerate(raw[:_SNAPPY_PREAMBLE]):
        size |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            break
    _within(len(raw), size, limits)
    try:
        return bytes(cramjam.snappy.decompress_raw(raw))
    except cramjam.DecompressionError as error:
        raise Malformed(
            "bad_snappy", f"the body is not a valid snappy block: {error}", "Content-Encoding"
        ) from error


def _within(sent: int, undone: int, limits: Limits) -> None:
    if undone > limits.decoded_bytes:
        raise TooLarge(
            "body_too_large",
            f"the decompressed body is over {limits.decoded_bytes} bytes (decoded_bytes); send smaller batches",
        )
    if undone > _RATIO_FREE_BYTES and undone > sent * limits.ratio:
        raise TooLarge(
            "ratio_too_large", f"the body decompresses to more than {limits.ratio} times its size (ratio)"
        )
