"""
ClickHouse alone on sealed segments: the baseline of `paths.py`, a process of its own.

    python benchmarks/alone.py FORMAT TABLE[,TABLE…] DATABASE_FOLDER SEGMENT …

The segments are loaded as the collector's loader does it: the same mapping into the same tables with their views and indexes, one block per
partition, two segments at a time. No HTTP, no journal, no tokens, nothing else to do. Prints CPU-seconds and wall seconds, as JSON.
"""

from __future__ import annotations

import json
import queue
import resource
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import chdb  # noqa: E402

from collector.load.loader import BLOCK_RAW_BYTES, BLOCK_SETTINGS  # noqa: E402
from collector.load.mapping import Mapping  # noqa: E402
from collector.store.migrate import read_migrations  # noqa: E402
from tests.collector.formats.segments import mappings  # noqa: E402

_PARAMS = {"retention_days": "30", "kept": "[('', '', 30)]"}
# Session settings of the collector's engine, of its loader, and of no view of a client.
_SETTINGS = {
    **BLOCK_SETTINGS,
    "async_insert": 0,
    "insert_deduplicate": 0,
    "max_block_size": 65_536,
    "input_format_max_block_size_bytes": BLOCK_RAW_BYTES,
}


def quoted(value: object) -> str:
    """Return *value* as SQL has text."""
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def load(database: str, mapped: tuple[Mapping, ...], waiting: queue.SimpleQueue[str]) -> None:
    """Load segments until there are none."""
    handles = []
    for mapping in mapped:
        handle = chdb.connect(database)
        wanted = {**_SETTINGS, **mapping.settings()}
        handle.query("SET " + ", ".join(f"{name} = {quoted(value)}" for name, value in wanted.items()), "CSV")
        handles.append(handle)
    while True:
        try:
            path = waiting.get_nowait()
        except queue.Empty:
            return
        for mapping, handle in zip(mapped, handles, strict=True):
            handle.query(mapping.insert_from_file(path), "CSV", params=_PARAMS)


def cpu_s() -> float:
    """CPU-seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Load, and print what it took."""
    name, tables, database, *paths = sys.argv[1:]
    connection = chdb.connect(database)
    for migration in read_migrations():
        for statement in migration.statements():
            connection.query(statement, "CSV")
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    for path in paths:
        waiting.put(path)
    mapped = tuple(mapping for mapping in mappings(name) if mapping.table in tables.split(","))
    threads = [threading.Thread(target=load, args=(database, mapped, waiting)) for _ in range(2)]
    began, before = time.monotonic(), cpu_s()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = {"cpu_s": cpu_s() - before, "wall_s": time.monotonic() - began}
    for table in {mapping.table for mapping in mapped}:
        found[table] = int(connection.query(f"SELECT count() FROM {table}", "CSV").bytes())
    print(json.dumps(found))


if __name__ == "__main__":
    main()
