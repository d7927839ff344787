"""
A read-only disk for a process under test: every write below a directory fails with EROFS while a file beside it exists.

A file system with open files cannot be remounted read-only (EBUSY); a kernel does it only after an error, and not back. So this
stands in the process, which Python imports at its start when this folder is on PYTHONPATH. ``REFUSE_BELOW`` names the
directory; ``<directory>.read-only`` is the switch. What C code writes (SQLite, the engine) is not seen.
"""

import builtins
import errno
import io
import os

BELOW = os.environ.get("REFUSE_BELOW", "")
SWITCH = f"{BELOW}.read-only"
WRITING = os.O_WRONLY | os.O_RDWR


def _place(target):
    """Where a descriptor or a path leads."""
    if isinstance(target, int):
        return _readlink(f"/proc/self/fd/{target}")
    return os.path.abspath(os.fspath(target))  # noqa: PTH100 - below pathlib, which is being patched


def _refuse(target):
    if _exists(SWITCH) and str(_place(target)).startswith(f"{BELOW}/"):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(target))


def _around(real, writes):
    def call(target, *given, **more):
        if writes(target, *given, **more):
            _refuse(target)
        return real(target, *given, **more)

    return call


_readlink = os.readlink
_exists = os.path.exists
if BELOW:
    for name in ("write", "pwrite", "ftruncate", "truncate", "fsync", "fdatasync", "rename", "replace", "unlink", "mkdir",
                 "posix_fallocate"):  # fmt: skip
        setattr(os, name, _around(getattr(os, name), lambda *_, **__: True))
    os.open = _around(os.open, lambda _target, flags, *_, **__: bool(flags & WRITING))
    io.open = builtins.open = _around(
        builtins.open, lambda _target, mode="r", *_, **__: any(letter in mode for letter in "wax+")
    )
