"""
The verdict: set equality over the tables of a stopped collector, and every rollup against the table it is made from.

The rollups are not listed here: every materialised view of the schema is found in the database itself, its SELECT run again
over the whole base table and compared, row by row, with what stands in its target. A view added later is judged as well.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import weakref
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from tests.conftest import Served
from tests.system.faults.caller import GAUGE, Called
from tests.system.faults.producer import Written, body_of, is_transition, line_of

Rows = list[dict[str, Any]]
# One line in: {name: sql}; one line out: {name: rows}. One process for all questions, because opening costs seconds.
_SCRIPT = """
import chdb, json, os, sys
connection = chdb.connect(sys.argv[1])
for line in sys.stdin:
    found = {}
    for name, sql in json.loads(line).items():
        try:
            rows = connection.query(sql, "JSONEachRow").bytes().splitlines()
        except RuntimeError as error:
            sys.exit(f"{name}: {error}")
        found[name] = [json.loads(row) for row in rows]
    print(json.dumps(found), flush=True)
os._exit(0)
"""
_SIMPLE = re.compile(r"SimpleAggregateFunction\((\w+), (.*)\)$")
# Prometheus' mark of a series' end, as bits of a NaN: not a sample, so the series was not seen.
_STALE = "0x7ff0000000000002"
# Filled by a view and by requests of their own: only what the view made is compared.
_ONLY = {"breaker_transitions": "source IN ('log', 'span')"}


class Database:
    """A stopped collector's database, open in a process of its own until this object goes."""

    def __init__(self, data_dir: Path) -> None:
        command = [sys.executable, "-c", _SCRIPT, str(data_dir / "engine")]
        self._errors = (data_dir / "judge.log").open("wb")
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors
        )
        self._log = data_dir / "judge.log"
        weakref.finalize(self, _end, self._process, self._errors)

    def ask(self, statements: Mapping[str, str]) -> dict[str, Rows]:
        """Rows of each statement."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(statements).encode() + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, self._log.read_text()[-3000:]
        found: dict[str, Rows] = json.loads(answer)
        return found


def _end(process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
    for pipe in (process.stdin, process.stdout, errors):
        if pipe is not None:
            pipe.close()
    process.kill()
    process.wait()


class Stored:
    """What the stopped collectors hold, together; several are one store of which each holds a part."""

    def __init__(self, collectors: Sequence[Served]) -> None:
        self._databases = [Database(served.data_dir) for served in collectors]

    def rows(self, **statements: str) -> dict[str, Rows]:
        """Rows of each statement, those of all collectors one after the other."""
        found: dict[str, Rows] = {name: [] for name in statements}
        for database in self._databases:
            for name, rows in database.ask(statements).items():
                found[name] += rows
        return found

    def lines(
        self, written: Iterable[Written], service: str = "orders", *, transitions: bool = True
    ) -> tuple[int, int]:
        """Judge the lines: each certain one once, whole; each doubtful one at most once; nothing else. How many, and how many doubtful ones."""
        found = self.rows(
            logs=f"SELECT attributes['unique'] AS u, body, count() AS n FROM logs WHERE service = '{service}' GROUP BY u, body",
            transitions="SELECT breaker, count() AS n FROM breaker_transitions "
            f"WHERE source = 'log' AND service = '{service}' GROUP BY breaker",
        )
        certain = set().union(*(each.certain for each in written))
        doubtful = set().union(*(each.doubtful for each in written))
        # a line that was read up to its middle when a racing truncation took its end away: what was read is shipped
        torn = [row["body"] for row in found["logs"] if not row["u"]]
        cut_off = [line_of(u).decode() for u in doubtful]
        strange = [body for body in torn if not any(line.startswith(body) for line in cut_off)]
        assert not strange, f"{len(strange)} records that are no line of anybody: {strange[:5]}"
        named = [row for row in found["logs"] if row["u"]]
        same(((row["u"], row["n"]) for row in named), certain, doubtful, "lines")
        damaged = [row for row in named if row["body"] != body_of(row["u"])]
        assert not damaged, f"{len(damaged)} damaged lines: {damaged[:5]}"
        expected = {u for u in certain if transitions and is_transition(u)}
        excused = {u for u in doubtful if transitions and is_transition(u)}
        same(
            ((row["breaker"], row["n"]) for row in found["transitions"]),
            expected,
            excused,
            "transitions in lines",
        )
        return len(named), sum(row["u"] in doubtful for row in named)

    def calls(self, called: Called, scraped: set[int] | None = None) -> None:
        """Judge what came through the relay and by scraping."""
        # a scrape's end is marked by a NaN (staleness), which is no answer of the target
        series = "NOT isNaN(value) AND series_id IN (SELECT series_id FROM metric_series WHERE name = '{}')"
        found = self.rows(
            spans="SELECT span_id AS id, count() AS n FROM spans GROUP BY id",
            samples=f"SELECT toString(value) AS id, count() AS n FROM metric_samples WHERE {series.format(GAUGE)} GROUP BY id",
            scrapes=f"SELECT toString(value) AS id, count() AS n FROM metric_samples WHERE {series.format('target_scrapes')} GROUP BY id",
            # the agent posts those of its own breaker beside ours
            posted="SELECT breaker AS id, count() AS n FROM breaker_transitions WHERE source = 'post' AND service = 'caller' GROUP BY id",
            events="SELECT breaker AS id, count() AS n FROM breaker_transitions WHERE source = 'span' GROUP BY id",
        )
        expected: dict[str, tuple[set[Any], set[Any]]] = {
            "spans": (called.spans, set()),
            "samples": (called.samples, set()),
            "scrapes": (set(), scraped or set()),
            "posted": (called.posted, set()),
            "events": (called.events, set()),
        }
        for name, (certain, doubtful) in expected.items():
            same(((_key(row["id"]), int(row["n"])) for row in found[name]), certain, doubtful, name)

    def rollups(self, *, quarantine: bool = False) -> list[str]:
        """Judge every rollup and the books; nothing is in *quarantine* unless that is said. The names of what was compared."""
        names: list[str] = []
        for database in self._databases:
            names = _rollups(database)
            _books(database, quarantine=quarantine)
        return names


def _key(text: Any) -> Any:
    return int(text) if str(text).isdigit() and len(str(text)) < 16 else text


def same(found: Iterable[tuple[Any, Any]], certain: set[Any], doubtful: set[Any], what: str) -> None:
    """Fail unless *found* (id, times) is *certain*, each once, and besides at most once what is *doubtful*."""
    times: dict[Any, int] = {}
    for name, count in found:
        times[name] = times.get(name, 0) + int(count)
    lost = certain - times.keys()
    invented = times.keys() - certain - doubtful
    repeated = {name: count for name, count in times.items() if count != 1}
    complete = not (lost or invented or repeated)
    assert complete, (
        f"{what}: {len(lost)} lost {_some(lost)}, {len(invented)} that nobody wrote {_some(invented)}, "
        f"{len(repeated)} more than once {_some(repeated.items())}; {len(times)} of {len(certain)} stored"
    )


def _some(names: Iterable[Any]) -> list[Any]:
    return sorted(names, key=str)[:8]


def _rollups(database: Database) -> list[str]:
    schema = database.ask(
        {
            "views": "SELECT name, as_select, create_table_query AS ddl FROM system.tables "
            "WHERE engine = 'MaterializedView' AND database = currentDatabase() ORDER BY name",
            "passing": "SELECT name FROM system.tables WHERE engine = 'Null' AND database = currentDatabase()",
            "columns": "SELECT table, name, type, default_kind FROM system.columns WHERE database = currentDatabase() ORDER BY table, position",
        },
    )
    by_target: dict[str, list[str]] = {}
    passing = "|".join(row["name"] for row in schema["passing"]) or "-"
    for view in schema["views"]:
        if re.search(rf"\b(?:FROM|JOIN) (?:`?\w+`?\.)?`?(?:{passing})\b", view["as_select"]):
            continue  # its base keeps nothing to compare with; what it wrote is judged row by row
        target = re.search(r" TO (?:`?\w+`?\.)?`?(\w+)`?", view["ddl"])
        assert target, view["ddl"]
        by_target.setdefault(target[1], []).append(view["as_select"])
    statements: dict[str, str] = {}
    for target, selects in by_target.items():
        columns = [
            (row["name"], row["type"])
            for row in schema["columns"]
            if row["table"] == target and _is_made(row, selects)
        ]
        made, kept = _both_sides(target, selects, columns)
        statements[f"{target}: missing or wrong"] = f"SELECT * FROM ({made} EXCEPT ALL {kept}) LIMIT 5"
        statements[f"{target}: too much"] = f"SELECT * FROM ({kept} EXCEPT ALL {made}) LIMIT 5"
        statements[f"{target}: rows"] = f"SELECT count() AS n FROM ({kept})"
    found = database.ask(statements)
    wrong = {name: rows for name, rows in found.items() if rows and not name.endswith(": rows")}
    assert not wrong, f"rollups differ from their base tables: {json.dumps(wrong, indent=1)[:4000]}"
    return [
        name.partition(":")[0]
        for name, rows in found.items()
        if name.endswith(": rows") and int(rows[0]["n"])
    ]


def _is_made(column: Mapping[str, Any], selects: Sequence[str]) -> bool:
    """Whether a view gives this column; one with a default that no view names is somebody else's."""
    return not column["default_kind"] or any(
        re.search(rf"\b{column['name']}\b", select) for select in selects
    )


def _both_sides(target: str, selects: Sequence[str], columns: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """The rollup made anew from its base, and as it is; sketches (quantiles) depend on merging and are left out."""
    keys, values = [], []
    for name, kind in columns:
        if simple := _SIMPLE.match(kind):
            call = f"{simple[1]}(`{name}`)"
            values.append(
                f"toString({f'arraySort({call})' if simple[2].startswith('Array') else call}) AS `v_{name}`"
            )
        elif not kind.startswith("AggregateFunction"):
            keys.append(name)
    names = [name for name, kind in columns if not kind.startswith("AggregateFunction")]
    grouped = ", ".join(f"ifNull(toString(`{name}`), 'null') AS `k_{name}`" for name in keys)
    what = ", ".join([grouped, *values, "toString(count()) AS n"] if not values else [grouped, *values])
    by = ", ".join(f"`k_{name}`" for name in keys)
    listed = ", ".join(f"`{name}`" for name in names)
    plain = " UNION ALL ".join(f"SELECT {_cast(columns)} FROM ({select})" for select in selects)
    where = f" WHERE {_ONLY[target]}" if target in _ONLY else ""
    made = f"SELECT {what} FROM ({plain}) GROUP BY {by}"
    kept = f"SELECT {what} FROM (SELECT {listed} FROM {target}{where}) GROUP BY {by}"
    return made, kept


def _cast(columns: Sequence[tuple[str, str]]) -> str:
    """The view's columns under the target's types, as an insert would give them."""
    parts = []
    for name, kind in columns:
        if kind.startswith("AggregateFunction"):
            continue
        simple = _SIMPLE.match(kind)
        parts.append(
            f"CAST(`{name}`, '{(simple[2] if simple else kind).replace(chr(39), chr(92) + chr(39))}') AS `{name}`"
        )
    return ", ".join(parts)


def _books(database: Database, *, quarantine: bool) -> None:
    """Each batch once; its rows are in the tables, and no row without its batch; series know when they were seen."""
    found = database.ask(
        {
            "batches stored twice": "SELECT batch_id, count() AS n FROM batches GROUP BY batch_id HAVING n > 1 LIMIT 5",
            "sources stored twice": "SELECT agent, source_kind, source_path, generation, source_start, count() AS n FROM batches "
            "WHERE agent != '' AND source_kind = 'file' GROUP BY ALL HAVING n > 1 LIMIT 5",
            "rows without a batch": "SELECT DISTINCT batch_id FROM logs WHERE batch_id NOT IN (SELECT batch_id FROM batches) LIMIT 5",
            "spans without a batch": "SELECT DISTINCT batch_id FROM spans WHERE batch_id NOT IN (SELECT batch_id FROM batches) LIMIT 5",
            "batches without rows": "SELECT batch_id, signal FROM batches WHERE records > 0 AND NOT quarantined AND ("
            "(signal = 'logs' AND batch_id NOT IN (SELECT batch_id FROM logs)) OR "
            "(signal = 'traces' AND batch_id NOT IN (SELECT batch_id FROM spans))) LIMIT 5",
            "samples without a series": "SELECT DISTINCT series_id FROM metric_samples "
            "WHERE series_id NOT IN (SELECT series_id FROM metric_series) LIMIT 5",
            "series seen at other times": "SELECT s.series_id, s.seen, m.seen FROM "
            "(SELECT series_id, (min(first_seen), max(last_seen)) AS seen FROM metric_series GROUP BY series_id) AS s "
            f"JOIN (SELECT series_id, (min(at), max(at)) AS seen FROM metric_samples WHERE reinterpretAsUInt64(value) != {_STALE} GROUP BY series_id) AS m "
            "ON s.series_id = m.series_id WHERE s.seen != m.seen LIMIT 5",
            "quarantined": "SELECT batch_id, format, reason FROM quarantine LIMIT 5",
        },
    )
    wrong = {
        name: rows for name, rows in found.items() if rows and not (quarantine and name == "quarantined")
    }
    assert not wrong, json.dumps(wrong, indent=1)[:4000]


def settled_ledger(served: Served, service: str, log_bytes: int) -> list[dict[str, Any]]:
    """The ledger's rows of *service*; fails unless nothing is in flight and at least *log_bytes* of logs are counted."""
    rows = served.data("/ledger", service=service, start="-6h")
    emitted = sum(row["emitted_bytes"] for row in rows if row["signal"] == "logs")
    assert emitted >= log_bytes, f"{emitted} of {log_bytes} bytes are reported: {rows}"
    assert all(row["in_flight"] == 0 for row in rows), rows
    return rows


def unexplained(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Gaps of a ledger's row that the agent has no reason for."""
    return [gap for gap in row["gaps"] if not gap["explained"]]
