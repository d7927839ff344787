"""
How a file is recognised, by what it is (device, inode, the inode's version) and by what it holds (docs/adr/0013).

*head*     a signature of the first bytes, from the first byte on, growing with the file to 1024
*joint*    a signature of the (up to 256) bytes in front of the place that was read to
*version*  the number that ext4, xfs, btrfs and f2fs give an inode anew when it is reused; 0 where it is not told

A file is the same when all of them agree and it is not shorter than it was read. What no content can tell: a file whose
inode is reused, or which is truncated and refilled between two looks, with the very bytes at head and joint that were
read. It is taken for the old one; where nothing tells versions, that takes no more than the same short beginning.

A copy (``cp app.log app.log.1``, then truncate) is another inode with the same content; see ``copies``.
"""

import fcntl
import hashlib
import os
import struct

from agents.checkpoint import FilePlace

HEAD_BYTES = 1024
JOINT_BYTES = (
    256  # more than the time, level and logger at a line's beginning, so that two lines differ in it
)
_GET_VERSION = 2 << 30 | struct.calcsize("l") << 16 | ord("v") << 8 | 1  # FS_IOC_GETVERSION, linux/fs.h
_PACKED = (
    b"\x1f\x8b",  # gzip
    b"\x28\xb5\x2f\xfd",  # zstd
    b"BZh91AY&SY",
    b"\xfd7zXZ\x00",
    b"\x04\x22\x4d\x18",  # lz4
    b"PK\x03\x04",  # zip
)

Inode = tuple[int, int]
"""(device, inode)."""


def digest(data: bytes) -> str:
    """Give 16 hex digits that two different texts do not share."""
    return hashlib.sha256(data).hexdigest()[:16]


def inode_version(descriptor: int) -> int:
    """Ask the file system for the inode's version; 0 when it tells none."""
    try:
        answer = fcntl.ioctl(descriptor, _GET_VERSION, bytes(struct.calcsize("l")))
    except OSError:
        return 0
    return int(struct.unpack("l", answer)[0]) & 0xFFFFFFFF


def is_same(descriptor: int, state: os.stat_result, place: FilePlace) -> bool:
    """Say whether an open file is the one that *place* speaks of, still at least as long as it was read."""
    mark = place.mark
    if (state.st_dev, state.st_ino) != (mark.device, mark.inode) or not mark.signature_bytes:
        return False
    version = inode_version(descriptor)
    return not (version and mark.version and version != mark.version) and holds(
        descriptor, state.st_size, place
    )


def holds(descriptor: int, size: int, place: FilePlace) -> bool:
    """Say whether an open file of *size* bytes begins with what was read up to *place*."""
    mark = place.mark
    if size < place.offset or digest(os.pread(descriptor, mark.signature_bytes, 0)) != mark.signature:
        return False
    if not mark.joint:
        return True
    length = min(JOINT_BYTES, place.offset)
    return digest(os.pread(descriptor, length, place.offset - length)) == mark.joint


def is_packed(head: bytes) -> bool:
    """Say whether a file that begins with *head* is compressed: a rotated file, whose lines have been read already."""
    return head.startswith(_PACKED)
