"""
How soon each page is there, in a real Chromium with nothing cached: first paint, content, use, the last part, bytes, and what it cost collector and engine.

    python benchmarks/pages.py (--demo | --data-dir DIR | --url URL) [--hours 1] [--times 5] [--only TEXT] [--json]

``--demo`` starts the sample shop and lets it trade for a while; ``--data-dir`` starts a collector over an existing data set (`answers.py --keep DIR` makes
one of 20 M log records), and writes into it what it lacks for a page to show anything: a dashboard and the transitions of a few breakers; use a
copy. ``--url`` asks a collector that runs. Pages are opened over the last hours until now, as a reader opens them; over those of the data, an absolute range, where
these end long ago.

====================  ====================================================================================================
first paint           first-contentful-paint, ms from the navigation: of a page in two parts that is its frame (navigation, time range, a skeleton that says
                      it reads), not its content (docs/adr/0048); of a page in one part everything
content               a picture was drawn after the page's primary content was in the document, to its footer
parts                 2: the frame went out first; 1: the page was there before the patience for it ended
usable                DOMContentLoaded: the page with its primary content, scripts ready; what comes later has its place kept
last part             the last answer of any kind, marks on charts included
bytes                 transferred, compressed as they came
CPU                   of collector and engine together until the last part, ms (10 ms steps); a tenth of it may be their own idling
====================  ====================================================================================================

Targets: on the demo a first paint of at most 300 ms (how long the content then takes stands beside it, and is not what the target is about); over a data set every page usable within 1,000 ms. Figures are medians of *times* visits after one
that is not counted. Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[1]
FIRST_PAINT_MS, USABLE_MS = 300.0, 1000.0
SHOP_TRADES_S = 60.0
_STILL_COMING = timedelta(minutes=2)
_TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
_PARTS = """() => new Promise((done) => {
  const late = () => document.querySelector("[data-part][aria-busy], [data-part].htmx-request");
  const look = () => (late() ? setTimeout(look, 20) : done());
  look();
})"""
_TIMES = """() => {
  const [page] = performance.getEntriesByType("navigation");
  const all = [page, ...performance.getEntriesByType("resource")];
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  return {
    first_paint_ms: paint ? paint.startTime : page.responseEnd, usable_ms: page.domContentLoadedEventEnd,
    last_part_ms: Math.max(...all.map((each) => each.responseEnd)), bytes: all.reduce((sum, each) => sum + each.transferSize, 0),
    requests: all.length, content_ms: window.contentPainted || page.domContentLoadedEventEnd, parts: document.querySelector(".coming") ? 2 : 1,
  };
}"""
_WATCH = """new MutationObserver((_, watch) => {
  if (!document.querySelector("footer")) return;
  watch.disconnect();
  requestAnimationFrame(() => setTimeout(() => { window.contentPainted = performance.now(); }));
}).observe(document, { childList: true, subtree: true });"""


@dataclass(frozen=True)
class Visited:
    """What one page took: medians."""

    path: str
    first_paint_ms: float
    content_ms: float
    parts: int
    usable_ms: float
    last_part_ms: float
    bytes: int
    requests: int
    cpu_ms: float
    status: int


class Collector:
    """
    A collector that runs, asked over HTTP.

    Args:
        url: Where.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._at = urlsplit(url).netloc

    def ask(self, path: str, body: Any = None) -> tuple[int, Any]:
        """Send one request; status and what its JSON says."""
        connection = http.client.HTTPConnection(self._at, timeout=120)
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(
                "GET" if body is None else "POST", path, sent, {"Content-Type": "application/json"}
            )
            answer = connection.getresponse()
            text = answer.read()
            try:
                return answer.status, json.loads(text)
            except ValueError:
                return answer.status, None
        finally:
            connection.close()

    def rows(self, path: str) -> list[dict[str, Any]]:
        """Give the rows of an answer; none where it refuses."""
        status, told = self.ask(path)
        return told["data"] if status == 200 and isinstance(told, dict) else []

    def wait(self, most_s: float = 120.0) -> None:
        """Wait until it is ready."""
        deadline = time.monotonic() + most_s
        while time.monotonic() < deadline:
            try:
                if self.ask("/readyz")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.2)
        raise SystemExit("the collector did not become ready")

    def processes(self) -> tuple[int, ...]:
        """Find collector and engine; none if they run elsewhere."""
        engine = (self.rows("/api/v1/pipeline") or [{}])[0].get("engine", {}).get("pid")
        try:
            return (engine, int(_stat(engine)[1])) if engine else ()
        except OSError:
            return ()


def cpu_ms(processes: tuple[int, ...]) -> float:
    """Give the CPU time that processes have used, user and system."""
    return sum((int(fields[11]) + int(fields[12])) * _TICK_MS for fields in map(_stat, processes))


def settle(processes: tuple[int, ...], most_s: float = 180.0) -> None:
    """Wait until what a start has to catch up with (merges, jobs) is done: three seconds with less than a tenth of a core."""
    deadline, quiet = time.monotonic() + most_s, 0
    while quiet < 3 and time.monotonic() < deadline:
        before = cpu_ms(processes)
        time.sleep(1)
        quiet = quiet + 1 if cpu_ms(processes) - before < 100 else 0


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()


def ready_for(collector: Collector, end: datetime) -> None:
    """Send what a data set may lack for a page to show anything: a dashboard, breakers."""
    if not collector.rows("/api/v1/dashboards"):
        metric = {"kind": "metric", "queries": ["sum by (service) (rate(http_requests_total[5m]))"]}
        found = [{"kind": "log_count", "queries": ["severity:>=error"]}, {"kind": "log_count"}]
        board = [metric, *found, {"kind": "logs", "queries": ["service:checkout"]}, {"kind": "breakers"}]
        collector.ask("/api/v1/dashboards", {"name": "All kinds of panels", "panels": board})
    if not collector.rows(f"/api/v1/breakers?start=-30d&end={_at(end)}"):
        collector.ask("/v1/breakers", [_transition(number, end) for number in range(400)])
        time.sleep(3)


def _transition(number: int, end: datetime) -> dict[str, Any]:
    names = ("gateway", "checkout", "cart", "inventory", "payment")
    states = ("closed", "open", "half_open")
    at = end - timedelta(seconds=(400 - number) * 30)
    return {
        "service": names[number % 5], "breaker": names[(number + 1) % 5], "target": names[(number + 1) % 5], "instance": f"i-{number % 2}", "env": "prod",
        "from": states[number % 3], "to": states[(number + 1) % 3], "at": _at(at), "reason": "failure rate over 50 %", "failure_rate": 62.0, "calls": 100,
    }  # fmt: skip


def newest(collector: Collector) -> datetime:
    """Find when the newest log record occurred."""
    rows = collector.rows("/api/v1/logs?start=-30d&limit=1")
    if not rows:
        raise SystemExit("no log record: this data set is empty")
    return datetime.fromisoformat(rows[0]["occurred_at"][:26].rstrip("Z") + "Z") + timedelta(seconds=1)


def hours_until(end: datetime, hours: float) -> str:
    """Give the range of every page; data that still come are asked about until now, which pages answer from what is kept of the present."""
    if datetime.now(UTC) - end < _STILL_COMING:
        return f"start=-{hours * 60:.0f}m&end=now"
    return f"start={_at(end - timedelta(hours=hours))}&end={_at(end)}"


def addresses(collector: Collector, window: str) -> dict[str, str]:
    """Give an address of every page that has something to show: name -> path with the window."""
    one = {
        "trace": _first(collector, f"/api/v1/traces?limit=1&{window}", "trace_id"),
        "record": _first(collector, f"/api/v1/logs?limit=1&{window}", "id"),
        "rule": _first(collector, "/api/v1/rules?limit=1", "id"),
        "incident": _first(collector, "/api/v1/incidents?limit=1", "id"),
        "board": _first(collector, "/api/v1/dashboards", "id"),
        "service": _first(collector, f"/api/v1/services?{window}", "service"),
    }
    breakers = collector.rows(f"/api/v1/breakers?{window}&limit=1")
    breaker = (
        "/".join(quote(breakers[0][name], safe="") for name in ("service", "breaker")) if breakers else ""
    )
    paths = [
        "/", "/services", _of("/services/{}", one["service"]), "/breakers", f"/breakers/{breaker}" if breaker else "", "/map", "/logs", "/logs?query=severity%3A%3E%3Derror",
        "/logs?query=user.id%3A4711", "/logs?query=quetzalcoatl", _of("/logs/context?id={}", one["record"]), "/patterns?query=severity%3A%3E%3Dwarn", "/traces",
        "/traces?service=payment&error=true", _of("/traces/{}", one["trace"]), _of("/traces/{}?view=flame", one["trace"]),
        "/graph?q1=sum%20by%20(service)%20(rate(http_requests_total%5B5m%5D))", "/alerts", "/rules", _of("/rules/{}", one["rule"]), "/receivers", "/silences", "/incidents",
        _of("/incidents/{}", one["incident"]), "/endpoints", "/databases", "/deploys", "/queues", "/gateway", "/catalogue", "/pipeline", "/boards", _of("/boards/{}", one["board"]),
        "/sql?query=SELECT%20service%2C%20count()%20FROM%20logs%20GROUP%20BY%20service", "/find?query=checkout", "/keys", "/users", "/settings",
    ]  # fmt: skip
    return {path: f"{path}{'&' if '?' in path else '?'}{window}" for path in paths if path}


def _of(path: str, what: str) -> str:
    return path.format(quote(what, safe="")) if what else ""


def _first(collector: Collector, path: str, field: str) -> str:
    rows = collector.rows(path)
    return str(rows[0][field]) if rows else ""


def visit(browser: Browser, url: str, processes: tuple[int, ...]) -> dict[str, float]:
    """Open one page as a first visitor; what it took."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    try:
        page = context.new_page()
        page.add_init_script(_WATCH)
        page.set_default_timeout(120_000)
        before = cpu_ms(processes)
        answer = page.goto(url, wait_until="load")
        page.evaluate(_PARTS)
        page.wait_for_load_state("networkidle")
        spent = cpu_ms(processes) - before
        return {**page.evaluate(_TIMES), "cpu_ms": spent, "status": answer.status if answer else 0}
    finally:
        context.close()


def measure(browser: Browser, collector: Collector, path: str, address: str, times: int) -> Visited:
    """Visit a page once, then *times* times."""
    processes = collector.processes()
    visit(browser, collector.url + address, processes)
    every = [visit(browser, collector.url + address, processes) for _ in range(times)]
    middle = {name: statistics.median(each[name] for each in every) for name in every[0]}
    whole = {name: int(middle.pop(name)) for name in ("bytes", "requests", "status", "parts")}
    return Visited(path, **middle, **whole)  # type: ignore[arg-type]


@contextmanager
def running(command: str, data: Path, *options: str) -> Iterator[Collector]:
    """Run a collector (``serve`` or ``up``) over *data*."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    told = ["--data-dir", str(data), "--port", str(port), *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "FUSEBOARD_GRPC_PORT": "0"}
    process = subprocess.Popen(
        [sys.executable, "-m", "collector", command, *told],
        cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        collector = Collector(f"http://127.0.0.1:{port}")
        collector.wait()
        yield collector
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(90)


@contextmanager
def chosen(asked: argparse.Namespace) -> Iterator[Collector]:
    """Give the collector that was asked for."""
    if asked.url:
        yield Collector(asked.url.rstrip("/"))
        return
    made = Path(tempfile.mkdtemp(prefix="fuseboard-pages-"))
    try:
        with running(*(("up", made, "--demo") if asked.demo else ("serve", asked.data_dir))) as collector:
            if asked.demo:
                time.sleep(SHOP_TRADES_S)
            else:
                ready_for(collector, newest(collector))
                settle(collector.processes())
            yield collector
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium."""
    path = next(path for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(path).exists())
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield browser
        browser.close()


HEAD = f"{'page':72} {'first paint':>11} {'content':>8} {'parts':>5} {'usable':>8} {'last part':>9} {'kB':>6} {'requests':>8} {'CPU ms':>7}"


def row(each: Visited, *, paint: bool) -> str:
    """Write one line of the table."""
    late = each.first_paint_ms > FIRST_PAINT_MS if paint else each.usable_ms > USABLE_MS
    said = ("  missed" if late else "") + (f"  ({each.status})" if each.status != 200 else "")
    return (
        f"{each.path[:72]:72} {each.first_paint_ms:11.0f} {each.content_ms:8.0f} {each.parts:5} {each.usable_ms:8.0f} {each.last_part_ms:9.0f} "
        f"{each.bytes / 1000:6.0f} {each.requests:8} {each.cpu_ms:7.0f}{said}"
    )


def verdict(found: list[Visited], *, paint: bool) -> str:
    """Say what was met."""
    took = [each.first_paint_ms if paint else each.usable_ms for each in found]
    most, name = (FIRST_PAINT_MS, "first paint") if paint else (USABLE_MS, "usable")
    many = sum(each > most for each in took)
    content = [each.content_ms for each in found]
    return (
        f"{name}, slowest page: {max(took):.0f} ms  {'missed by ' + str(many) + ' pages' if many else 'met'}: at most {most:.0f} ms\n"
        f"content, slowest page: {max(content):.0f} ms; median page: {statistics.median(content):.0f} ms"
    )


def _at(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def main() -> None:
    """Open every page, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--demo", action="store_true", help="start the sample shop")
    where.add_argument("--data-dir", type=Path, help="a data set to serve; it is written into: use a copy")
    where.add_argument("--url", help="a collector that runs")
    parser.add_argument("--hours", type=float, default=1.0, help="the range of every page; default 1")
    parser.add_argument("--times", type=int, default=5, help="visits of each page; default 5")
    parser.add_argument("--only", default="", help="pages whose address has this text; several by commas")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    asked = parser.parse_args()
    with chosen(asked) as collector, chromium() as browser:
        end = newest(collector)
        window = hours_until(end, asked.hours)
        found: list[Visited] = []
        if not asked.json:
            print(HEAD)
        for path, address in addresses(collector, window).items():
            if any(text in path for text in asked.only.split(",")):
                found.append(measure(browser, collector, path, address, asked.times))
                if not asked.json:
                    print(row(found[-1], paint=asked.demo), flush=True)
    if asked.json:
        print(json.dumps({"hours": asked.hours, "pages": [asdict(each) for each in found]}))
        return
    print(verdict(found, paint=asked.demo) if found else "no page has this in its address")


if __name__ == "__main__":
    main()
