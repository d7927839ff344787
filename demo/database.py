"""
The shop database: one SQLite file that catalog and inventory share on purpose (neither can change its tables alone).

Statements run on the event loop: each is one indexed look-up or update of a small file, well under a millisecond.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opentelemetry.trace import SpanKind, Tracer

from demo.sqlite import open_shared

_SCHEMA = """
CREATE TABLE IF NOT EXISTS products (product TEXT PRIMARY KEY, name TEXT NOT NULL, price_cents INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS stock (product TEXT PRIMARY KEY, available INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS reservations (reservation TEXT NOT NULL, product TEXT NOT NULL, quantity INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS reservations_by_id ON reservations (reservation);
"""
_NAMES = ("Kettle", "Lamp", "Teapot", "Notebook", "Blanket", "Clock", "Basket", "Mirror", "Stool", "Vase")
PRODUCTS = tuple(f"p-{number:02d}" for number in range(1, 21))
FULL_STOCK = 500


class ShopDatabase:
    """
    One process's connection; each statement is a client span with ``db.*`` attributes.

    Args:
        path: The file; made and filled if it is not there, by whoever comes first.
        tracer: Makes the spans.
    """

    def __init__(self, path: Path, tracer: Tracer) -> None:
        self._namespace = path.name
        self._tracer = tracer
        self._connection = open_shared(path, _SCHEMA)
        self._fill()

    def _fill(self) -> None:
        products = [
            (product, f"{_NAMES[at % len(_NAMES)]} {at + 1}", 500 + 375 * at)
            for at, product in enumerate(PRODUCTS)
        ]
        self._connection.executemany("INSERT OR IGNORE INTO products VALUES (?, ?, ?)", products)
        stock = [(product, FULL_STOCK) for product in PRODUCTS]
        self._connection.executemany("INSERT OR IGNORE INTO stock VALUES (?, ?)", stock)

    def run(
        self, sql: str, parameters: tuple[Any, ...] = (), *, operation: str, table: str
    ) -> list[tuple[Any, ...]]:
        """
        Run one statement.

        Args:
            sql: With ``?`` for the *parameters*.
            parameters: One value per ``?``.
            operation: ``SELECT``, ``UPDATE``, …
            table: The table it is about; the span is called *operation* *table*.

        Returns:
            The rows, also those of ``RETURNING``.
        """
        attributes = {
            "db.system.name": "sqlite",
            "db.namespace": self._namespace,
            "db.operation.name": operation,
            "db.collection.name": table,
            "db.query.text": sql,
        }
        with self._tracer.start_as_current_span(
            f"{operation} {table}", kind=SpanKind.CLIENT, attributes=attributes
        ) as span:
            rows = self._connection.execute(sql, parameters).fetchall()
            span.set_attribute("db.response.returned_rows", len(rows))
            return rows

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
