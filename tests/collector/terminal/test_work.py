"""Deploys, queues and hot services as tables: what strangers wrote is shown, never obeyed; what is missing breaks nothing."""

import io

import pytest
from rich.console import Console

from collector.terminal import work

HOSTILE = "a\x1b[31mb"
ROWS = {
    "deploys": {"verdict": "regressed", "service": HOSTILE, "version": HOSTILE, "previous": None, "at": "2026-11-18T11:00:00Z",
                "markers": [{"by": HOSTILE}, {"by": ""}, "x"], "evidence": [{"message": HOSTILE}]},
    "queues": {"verdict": "stuck", "queue": HOSTILE, "rate_in": 1.5, "rate_out": None, "lag": 7.0, "producers": [{"service": HOSTILE}], "consumers": [],
               "evidence": [{"message": HOSTILE}]},
    "hot": {"score": 0.91, "service": HOSTILE, "rate": 3.0, "throughput_share": 0.5, "cost_share": None, "cpu_saturation": 0.93, "recommendation": HOSTILE},
}  # fmt: skip


def printed(kind, *rows):
    """What a person sees."""
    out = io.StringIO()
    getattr(work, kind)(Console(file=out, width=200), rows)
    return out.getvalue()


@pytest.mark.parametrize("kind", ROWS)
def test_a_table_says_it_in_words_and_escapes_what_was_written(kind):
    """A state by its word; escape sequences as text."""
    text = printed(kind, ROWS[kind])

    assert {"deploys": "regressed", "queues": "stuck", "hot": "91%"}[kind] in text
    assert "\x1b" not in text
    assert r"a\x1b[31mb" in text


@pytest.mark.parametrize("kind", ROWS)
def test_a_row_that_lacks_everything_is_printed(kind):
    """Another version's collector may tell less."""
    assert printed(kind, {}).count("\n") >= 2
