"""The Pipeline page: is anything lost, in one sentence and in rows."""

from __future__ import annotations

from typing import Any

import pytest

from dashboards.api import Problem, Section
from dashboards.pages.pipeline import breaks_of, canary_sentence, disk_sentence, line_of, summarise
from tests.dashboards.document import read
from tests.dashboards.recorded_api import pages_over
from tests.dashboards.recorded_shop import PIPELINE, gap, ledger_line

OK: dict[str, Any] = PIPELINE["canary"]  # type: ignore[assignment]


def summary(
    *rows: dict[str, Any], canary: dict[str, Any] = OK, problem: Problem | None = None
) -> tuple[str, str]:
    """The verdict and the sentence about these rows of /ledger."""
    lines = [line_of(row, {}) for row in rows]
    return summarise(
        Section(rows, problem), lines, [each for line in lines for each in breaks_of(line)], canary
    )


def test_when_everything_arrived_it_says_so() -> None:
    """Sums hold, no gap, the canary is there."""
    assert summary(ledger_line("cart", "a1")) == ("healthy", "Nothing is lost")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"gaps": [gap("/a.log", "")]}, "1 gap that nobody explains"),
        ({"overlaps": [{"source_kind": "file", "from": 1, "to": 2}] * 2}, "2 ranges are stored twice"),
        ({"stored": 359}, "1 sum does not hold"),
    ],
)
def test_what_nobody_explains_is_wrong(row: dict[str, Any], said: str) -> None:
    """A gap, an overlap, a sum that does not hold."""
    verdict, sentence = summary(ledger_line("cart", "a1", **row))

    assert verdict == "unhealthy"
    assert said in sentence


def test_what_was_given_up_and_counted_is_not_lost_unnoticed() -> None:
    """Dropped, rejected and taken out: weak, with numbers; the hole they leave is explained."""
    dropped = {
        "dropped": {"spool_full": 7},
        "dropped_lines": {"spool_full": 90, "sampled": 12},
        "gaps": [gap("/a.log", "dropped")],
    }
    verdict, sentence = summary(ledger_line("cart", "a1", stored=351, rejected=2, **dropped))

    assert verdict == "degraded"
    assert sentence.endswith("7 blocks dropped, 12 lines taken out, 2 blocks rejected")


def test_a_missing_canary_line_is_wrong_whatever_the_ledger_says() -> None:
    """The collector lost what it had acknowledged."""
    assert summary(canary=OK | {"state": "missing", "missing": 2}) == (
        "unhealthy",
        "Something is wrong: 2 canary lines are missing",
    )


def test_what_cannot_be_asked_is_unknown() -> None:
    """With the engine away nobody knows; a canary on its way is not lost either."""
    assert summary(problem=Problem(503, "engine_unavailable", "away"))[0] == "unknown"
    assert summary(canary=OK | {"state": "waiting", "reason": "x"})[0] == "unknown"


@pytest.mark.parametrize("state", ["off", "starting", "ok", "waiting", "refused", "missing", "duplicated"])
def test_the_canary_says_something_in_every_state(state: str) -> None:
    """Each state is a sentence."""
    assert canary_sentence(OK | {"state": state, "reason": "because"}).endswith(".")


def test_troubled_lines_come_first_and_are_marked() -> None:
    """The unexplained gap is a red row with path and offsets, the explained one is not."""
    page = read(pages_over("shop"), "/pipeline").page

    first, second = page.having(data_testid="break-row")
    assert (first.attributes.get("data-health"), second.attributes.get("data-health")) == ("unhealthy", None)
    assert "file /var/log/checkout/app.log 1,048,576 – 2,097,152 1 MiB" in first.text
    assert "dropped" in second.text
    services = [row.tags("th")[0].text for row in page.having(data_testid="ledger-row")]
    assert services[:3] == ["checkout", "cart", "payment"]
    assert page.having(data_testid="ledger-row")[-1].text.endswith("canary")


def test_agents_that_wait_come_before_those_that_are_up() -> None:
    """State, spool and what was given up."""
    page = read(pages_over("shop"), "/pipeline").page

    assert [row.attributes["data-state"] for row in page.having(data_testid="agent-row")] == [
        "spooling",
        "up",
        "up",
    ]
    assert "3 blocks, 2.86 MiB, 42 s old" in page.having(data_testid="agent-row")[0].text
    assert "http://one:4318 open" in page.having(data_testid="agent-row")[0].text


def test_the_page_is_one_click_away_from_everywhere() -> None:
    """It stands in the navigation."""
    (nav,) = read(pages_over("shop"), "/").page.tags("nav")

    assert any(a.attributes["href"].startswith("/pipeline?") for a in nav.tags("a"))


def test_what_had_to_go_to_make_room_is_said_in_one_sentence() -> None:
    """What the data take, what is free, and which partition went last; nothing where there is no budget."""
    disk: dict[str, Any] = PIPELINE["disk"]  # type: ignore[assignment]
    gone = {
        "at": "2026-11-27T03:00:00Z",
        "table": "logs",
        "partition": "('2026-11-01',30)",
        "bytes": 9,
        "rows": 1200,
        "reason": "max_bytes",
    }

    taken = (
        "ClickHouse's data take 12 GiB of at most 20 GiB; 60 GiB of the disk are free, 5 GiB are to stay free"
    )
    assert disk_sentence(disk) == f"{taken}."
    assert disk_sentence(disk | {"dropped": [gone]}).startswith(
        f"{taken}; 1 partition was dropped early to make room, the last of them logs"
    )
    assert (disk_sentence({}), disk_sentence(disk | {"bytes": None})) == ("", "")
