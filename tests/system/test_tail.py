"""The live tail of a real collector: from a 2xx to the viewer, over a restart, and at its end."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.timeout(180)

# The journal seals after 1 s; loading and the tick follow.
_LATENCY_S = 2.5
_LINES, _MOST_LINES = 6, 40


class Viewer:
    """A client that keeps what it is told, with the time it was told."""

    def __init__(self, url: str, query: str, last: str = "") -> None:
        self.told: list[tuple[float, str, str]] = []
        self.status = 0
        self.ended = threading.Event()
        self._ask = (f"{url}/api/v1/logs/tail", query, {"Last-Event-ID": last} if last else {})
        self._opened = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()
        assert self._opened.wait(60)

    def _read(self) -> None:
        url, query, headers = self._ask
        try:
            with httpx.stream("GET", url, params={"query": query}, headers=headers, timeout=60) as answer:
                self.status = answer.status_code
                identifier = ""
                for line in answer.iter_lines():
                    self._opened.set()
                    if line.startswith("id: "):
                        identifier = line[4:]
                    elif line.startswith('data: {"id"'):
                        self.told.append((time.time(), identifier, json.loads(line[6:])["body"]))
        except httpx.HTTPError:
            pass
        finally:
            self._opened.set()
            self.ended.set()

    @property
    def bodies(self) -> list[str]:
        """What was told."""
        return [body for _, _, body in self.told]


@pytest.fixture(scope="module")
def collector(serve_module: Callable[..., Any]) -> Any:
    """One collector for the module."""
    return serve_module()


def send(collector: Any, body: str) -> float:
    """Send one line; when it was acknowledged."""
    answer = collector.client.post(
        "/v1/lines", content=body, headers={"Fuseboard-Resource": "service.name=tailed"}
    )
    assert answer.status_code == 200, answer.text
    return time.time()


def test_from_the_2xx_to_the_viewer(collector: Any, poll: Callable[..., Any]) -> None:
    """
    Lines reach a viewer in order, within what is promised.

    Each is the first of its segment, so that it waits the whole second until the journal seals; the quickest counts, because what else this
    machine does is not the tail's. Where none of the first was, more are sent.
    """
    viewer = Viewer(collector.url, "service:tailed needle")
    acknowledged: dict[str, float] = {}

    def quickest() -> float:
        return min(at - acknowledged[body] for at, _, body in viewer.told)

    while len(acknowledged) < _LINES or (quickest() > _LATENCY_S and len(acknowledged) < _MOST_LINES):
        number = len(acknowledged)
        acknowledged[f"needle {number}"] = send(collector, f"needle {number}")
        send(collector, f"hay {number}")
        poll(lambda: len(viewer.told) == len(acknowledged))

    assert viewer.bodies == list(acknowledged)
    assert quickest() <= _LATENCY_S


def test_over_a_restart_and_at_the_end(serve: Callable[..., Any], poll: Callable[..., Any]) -> None:
    """SIGTERM ends the stream at once with exit code 0; the id of the last event resumes at the next process."""
    collector = serve()
    viewer = Viewer(collector.url, "needle")
    send(collector, "needle 1\nneedle 2")
    poll(lambda: len(viewer.told) == 2)
    began = time.monotonic()
    assert collector.stop() == 0
    assert viewer.ended.wait(30)
    assert time.monotonic() - began < 30

    collector.start()
    send(collector, "needle 3")
    poll(lambda: collector.data("/logs", query='"needle 3"'))
    resumed = Viewer(collector.url, "needle", viewer.told[0][1])
    poll(lambda: len(resumed.told) == 2)

    assert resumed.bodies == ["needle 2", "needle 3"]
