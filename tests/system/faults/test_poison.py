"""Poison through every ingest path: kept in quarantine or stored as text, its neighbours stored, nothing falls over."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Served, eventually
from tests.system.faults import poison
from tests.system.faults.judge import Stored
from tests.system.faults.poison import Poison
from tests.system.faults.victims import Agent, pipeline_is_empty

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

REFUSED = {400, 413, 415}
GOOD_EVERY = 4


def _all() -> Iterator[Poison]:
    return itertools.chain(poison.lines(), poison.otlp(), poison.expositions(), poison.breakers())


def _good(served: Served, number: int) -> None:
    """Good records of each path, beside the poison in its segment."""
    text = f"good {number}"
    for path, body in (
        ("/v1/lines", f'{{"msg":"{text}","unique":"good-{number}"}}\n'.encode()),
        ("/v1/exposition", f"good_sample {number}\n".encode()),
        ("/v1/breakers", f'{{"breaker":"good-{number}","to":"open"}}'.encode()),
    ):
        answer = served.client.post(
            path, content=body, headers={"Fuseboard-Resource": "service.name=neighbour"}
        )
        assert answer.status_code == 200, answer.text


def test_poison_is_kept_and_its_neighbours_are_stored(
    serve: Callable[..., Served], shut: Callable[..., None]
) -> None:
    """Every hostile request is answered and accounted for, every good record beside it is stored, the engine never restarts."""
    served = serve()
    before = served.engine()
    answers: dict[str, httpx.Response] = {}
    for number, bad in enumerate(_all()):
        headers = {"Content-Type": bad.content_type} | bad.headers
        answers[f"{bad.path} {bad.name}"] = served.client.post(bad.path, content=bad.body, headers=headers)
        if number % GOOD_EVERY == 0:
            _good(served, number)
    eventually(lambda: pipeline_is_empty(served), 60)
    after = served.engine()
    shown = _shown(served)
    quarantined = served.data("/pipeline")[0]["quarantine"]["records"]
    shut(served)
    stored = Stored([served])
    found = stored.rows(
        lines="SELECT batch_id AS id, count() AS n FROM logs GROUP BY id",
        batches="SELECT batch_id AS id, records, quarantined FROM batches",
        quarantine="SELECT count() AS n FROM quarantine",
        good_lines="SELECT attributes['unique'] AS u, count() AS n FROM logs WHERE service = 'neighbour' GROUP BY u",
        good_samples="SELECT count() AS n FROM metric_samples WHERE series_id IN "
        "(SELECT series_id FROM metric_series WHERE name = 'good_sample' AND service = 'neighbour')",
        good_breakers="SELECT uniq(breaker) AS n, count() AS rows FROM breaker_transitions WHERE service = 'neighbour'",
    )
    stored.rollups(quarantine=True)

    odd = {
        name: answer.text[:200]
        for name, answer in answers.items()
        if answer.status_code not in {200, *REFUSED}
    }
    assert odd == {}
    assert (after["pid"], after["restarts"]) == (before["pid"], before["restarts"])
    good = range(0, len(answers), GOOD_EVERY)
    assert {row["u"]: row["n"] for row in found["good_lines"]} == {f"good-{number}": 1 for number in good}
    assert found["good_samples"] == [{"n": len(good)}]
    assert found["good_breakers"] == [{"n": len(good), "rows": len(good)}]
    assert _wrong_lines(answers, found) == {}
    accepted = {answer.headers.get("fuseboard-batch") for answer in answers.values()} - {None}
    assert accepted <= {row["id"] for row in found["batches"]}
    assert sum(row["quarantined"] for row in found["batches"]) == found["quarantine"][0]["n"] == quarantined
    assert {name for name, status in shown.items() if status != 200} == set()


def _wrong_lines(
    answers: dict[str, httpx.Response], found: dict[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    """Blocks of lines of which not every line that is not empty is a row; no line is ever refused."""
    rows = {row["id"]: row["n"] for row in found["lines"]}
    wrong = {}
    for bad in poison.lines():
        answer = answers[f"/v1/lines {bad.name}"]
        expected = sum(bool(line.removesuffix(b"\r")) for line in bad.body.split(b"\n"))
        if not bad.body.strip():
            continue  # without a line there is nothing to store: 400 empty_body
        stored = rows.get(answer.json().get("batch"), 0) if answer.status_code == 200 else answer.text[:200]
        if stored != expected:
            wrong[bad.name] = (stored, expected)
    return wrong


def _shown(served: Served) -> dict[str, int]:
    """What the API says to questions that have to show the poison."""
    pages = (
        "logs",
        "logs/histogram",
        "services",
        "traces",
        "breakers",
        "breakers/transitions",
        "map",
        "ledger",
        "pipeline",
    )
    answers = {
        page: served.client.get(
            f"/api/v1/{page}",
            params={} if page in {"services", "map", "breakers", "pipeline"} else {"start": "-1h"},
        )
        for page in pages
    }
    for answer in answers.values():
        answer.json()
    return {page: answer.status_code for page, answer in answers.items()}


def test_poison_in_a_file_is_shipped_like_anything_else(
    serve: Callable[..., Served],
    make_agent: Callable[..., Agent],
    drain: Callable[..., None],
    shut: Callable[..., None],
    tmp_path: Path,
) -> None:
    """A file full of hostile lines: the agent stays up, the good lines between them are all stored, nothing is rejected."""
    served = serve()
    log = tmp_path / "poison.log"
    log.write_bytes(
        b"".join(
            b'%s\n{"msg":"good","unique":"good-%d"}\n' % (line, number)
            for number, line in enumerate(poison.LINES.values())
        )
    )
    agent = make_agent([served.url], [str(log)])
    agent.start(wait=True)
    eventually(lambda: agent.counted(log) > 0)
    drain(agent)
    shut(served)
    stored = Stored([served])
    found = stored.rows(
        lines="SELECT attributes['unique'] AS u, count() AS n FROM logs WHERE u LIKE 'good-%' GROUP BY u"
    )["lines"]
    stored.rollups()

    assert {row["u"]: row["n"] for row in found} == {
        f"good-{number}": 1 for number in range(len(poison.LINES))
    }
