"""The SQLite file that catalog and inventory share."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from demo.database import FULL_STOCK, ShopDatabase


def _open(path: Path, together: Any, failures: Any) -> None:
    """Open the database in a process of its own at the same moment as the others."""
    tracer = TracerProvider().get_tracer("test")
    together.wait()
    try:
        ShopDatabase(path, tracer).close()
    except Exception as error:  # noqa: BLE001 - whatever it was, the test shows it
        failures.put(repr(error))
    failures.put(None)


def test_processes_that_start_together_all_open_it(tmp_path: Path) -> None:
    """Setting up a fresh file from several processes at once never answers "database is locked"."""
    context = multiprocessing.get_context("spawn")
    together, failures = context.Barrier(3), context.Queue()
    starters = [
        context.Process(target=_open, args=(tmp_path / "shop.db", together, failures)) for _ in range(3)
    ]
    for each in starters:
        each.start()
    said = [failures.get(timeout=120) for _ in starters]
    for each in starters:
        each.join(timeout=30)

    assert said == [None, None, None]


def test_a_statement_is_a_client_span_that_names_the_database(tmp_path: Path) -> None:
    """Both services' spans carry the same ``db.namespace``: how the sharing is found out."""
    spans, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    database = ShopDatabase(tmp_path / "shop.db", provider.get_tracer("test"))
    rows = database.run(
        "SELECT available FROM stock WHERE product = ?", ("p-01",), operation="SELECT", table="stock"
    )
    database.close()

    (span,) = spans.get_finished_spans()
    assert rows == [(FULL_STOCK,)]
    assert span.name == "SELECT stock"
    assert span.attributes["db.namespace"] == "shop.db"
    assert span.attributes["db.system.name"] == "sqlite"
