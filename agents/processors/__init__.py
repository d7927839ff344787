"""
Bytes to bytes, between a source and the spool.

A processor takes the bytes of one block (whole lines) and gives the bytes to ship; it makes passes in C over the whole
block and never loops over lines. ``redact`` takes secrets out, ``multiline``
folds tracebacks.
"""

from collections.abc import Callable, Sequence

Processor = Callable[[bytes], bytes]


def chain(processors: Sequence[Processor]) -> Processor:
    """Apply *processors* one after the other."""

    def run(body: bytes) -> bytes:
        for process in processors:
            body = process(body)
        return body

    return run
