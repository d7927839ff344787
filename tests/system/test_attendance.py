"""A quiet collector loads little, and whoever asks finds everything all the same."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import httpx
import pytest

from tests.conftest import Served, eventually

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

_LOADED = re.compile(r'^fuseboard_load_segments_total\{group="lines"\} (\S+)$', re.MULTILINE)


def _loaded(served: Served) -> float:
    """Segments of lines loaded so far; asking this makes nobody a reader."""
    found = _LOADED.search(httpx.get(f"{served.url}/metrics").text)
    return float(found[1]) if found else 0.0


_ATTEMPTS = 3


def _asked_once(served: Served, word: str) -> tuple[float, list[str]]:
    """Send lines over several seconds; how many segments were loaded meanwhile, and what one question then finds."""
    before = _loaded(served)
    for number in range(3):
        answer = served.client.post("/v1/lines", content=f'{{"message":"{word} {number}"}}'.encode())
        assert answer.status_code == 200
        time.sleep(1.2)
    loaded = _loaded(served) - before
    return loaded, [row["body"] for row in served.data("/logs", query=f'"{word}"')]


def test_the_first_question_finds_what_nobody_had_asked_for(serve: Callable[..., Served]) -> None:
    """
    Lines of several seconds wait unloaded; one question, asked once, has all of them.

    A question waits no longer than a second for them to be loaded, so where the machine stood still in that second another collector is asked.
    """
    for attempt in range(_ATTEMPTS):
        served = serve("default_rules = false\n")
        loaded, found = _asked_once(served, "quiet")
        served.kill()
        if len(found) == 3 or attempt == _ATTEMPTS - 1:
            break

    assert loaded == 0
    assert found == ["quiet 2", "quiet 1", "quiet 0"]


def test_a_transition_in_a_line_is_loaded_without_a_reader(serve: Callable[..., Served]) -> None:
    """Alerts wait for it."""
    served = serve()
    before = _loaded(served)

    served.client.post(
        "/v1/lines",
        content=b'{"event":"circuit_breaker.transition","service":"cart","breaker":"to-payment","from":"closed","to":"open"}',
    )

    eventually(lambda: _loaded(served) > before)


def test_who_watches_the_pipeline_sees_it_run_empty(serve: Callable[..., Served]) -> None:
    """Records of every signal that nobody else asks for are loaded once somebody looks whether they have arrived."""
    served = serve("default_rules = false\n")
    for path, body in (("/v1/lines", b"watched"), ("/v1/exposition", b"watched 1\n")):
        assert served.client.post(path, content=body).status_code == 200

    eventually(lambda: served.data("/pipeline")[0]["journal"]["bytes"] == 0)

    assert [row["body"] for row in served.data("/logs", query="watched")] == ["watched"]
