import asyncio
import json

from collector.tail.frames import Frames
from collector.tail.viewer import Viewer


def test_a_slow_viewer_is_told_how_many_records_it_missed():
    """Beyond its bound frames are left out, what waits is kept, and the count comes with the next read."""
    viewer = Viewer(queue_bytes=100)
    kept = [viewer.offer(Frames(b"x" * 40, 4)) for _ in range(5)]

    sent = asyncio.run(viewer.next(1))

    assert kept == [0, 0, 4, 4, 4]
    assert sent is not None
    assert sent.startswith(b"x" * 80)
    assert json.loads(sent.partition(b"data: ")[2]) == {"records": 12}
    assert asyncio.run(viewer.next(0.01)) == b""


def test_one_frame_is_never_too_large():
    """A tick larger than the bound still reaches a viewer that keeps up."""
    viewer = Viewer(queue_bytes=10)

    assert viewer.offer(Frames(b"x" * 40, 4)) == 0
    assert asyncio.run(viewer.next(1)) == b"x" * 40


def test_a_closed_viewer_gets_what_waits_and_then_its_end():
    """Closing loses nothing."""
    viewer = Viewer()
    viewer.offer(Frames(b"last", 1))
    viewer.close()

    assert asyncio.run(viewer.next(1)) == b"last"
    assert asyncio.run(viewer.next(1)) is None
