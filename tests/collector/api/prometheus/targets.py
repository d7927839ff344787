"""What scripts run against: our API over a real engine, and Debian's Prometheus."""

from __future__ import annotations

import itertools
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cramjam
import httpx

from collector.journal.envelope import Head
from collector.load.retention import LONGEST_DAYS
from collector.store.client import Store
from tests.collector.api.prometheus.script import Labels, Points
from tests.collector.formats.segments import mappings, segment
from tests.collector.formats.write_requests import Request

TABLES = ("metric_series", "metric_samples", "exemplars")


def write_request(series: Sequence[tuple[Labels, Points]]) -> bytes:
    """Return a remote_write 1.0 request, not compressed."""
    request: Any = Request()
    for labels, points in series:
        one = request.timeseries.add()
        for name, value in sorted(labels.items()):
            one.labels.add(name=name, value=value)
        for at_ms, number in points:
            one.samples.add(value=number, timestamp=at_ms)
    return bytes(request.SerializeToString())


class Ours:
    """
    The API over an engine; samples go in as the loader would insert a segment of remote_write.

    Args:
        store: With the schema.
        client: Of a server that answers at ``/prometheus``.
        folder: For segments.
    """

    def __init__(self, store: Store, client: httpx.Client, folder: Path) -> None:
        self._store = store
        self._client = client
        self._folder = folder
        self._numbers = itertools.count()

    def write(self, series: Sequence[tuple[Labels, Points]]) -> None:
        """Load one segment."""
        number = next(self._numbers)
        path = self._folder / f"{number}.pb.zst"
        head = Head(
            batch_id=str(number), received_at_ns=time.time_ns(), resource={}, source={}, key_id="", services=(), envs=(), format="remote_write", at_ns=0
        )  # fmt: skip
        path.write_bytes(segment([(head, write_request(series))]))
        params = {"retention_days": LONGEST_DAYS, "kept": [("", "", LONGEST_DAYS)]}
        for mapping in mappings("remote_write"):
            self._store.load(mapping.insert_from_file(str(path)), params, {**mapping.settings(), "max_insert_threads": 1, "max_partitions_per_insert_block": 0})  # fmt: skip
        path.unlink()

    def clear(self) -> None:
        """Empty the tables of metrics."""
        for table in TABLES:
            self._store.command(f"TRUNCATE TABLE {table}")

    def ask(self, path: str, params: dict[str, str]) -> dict[str, Any]:
        """Ask as Grafana does: a form."""
        answer: dict[str, Any] = self._client.post(f"/prometheus/api/v1/{path}", data=params).json()
        return answer


class Debians:
    """
    Debian's Prometheus; a new process and an empty database at each `clear`.

    Args:
        folder: For databases.
        port: To listen on.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self._numbers = itertools.count()
        self._process: subprocess.Popen[bytes] | None = None
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)

    def write(self, series: Sequence[tuple[Labels, Points]]) -> None:
        """Write series by series; times may go back within the window."""
        body = cramjam.snappy.compress_raw(write_request(series))
        headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf", "X-Prometheus-Remote-Write-Version": "0.1.0"}  # fmt: skip
        answer = self.client.post("/api/v1/write", content=bytes(body), headers=headers)
        assert answer.status_code == 204, answer.text

    def clear(self) -> None:
        """Start anew."""
        self.close()
        folder = self._folder / str(next(self._numbers))
        folder.mkdir()
        (folder / "prometheus.yml").write_text("storage: {tsdb: {out_of_order_time_window: 3650d}}\n")
        command = [
            "prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{self._port}", "--web.enable-remote-write-receiver", "--storage.tsdb.retention.time=100y",
        ]  # fmt: skip
        with (folder / "log").open("wb") as out:
            self._process = subprocess.Popen(command, stdout=out, stderr=out, cwd=folder)
        deadline = time.monotonic() + 60
        while not self._ready():
            assert time.monotonic() < deadline, (folder / "log").read_text()[-2000:]
            time.sleep(0.02)

    def _ready(self) -> bool:
        try:
            return self.client.get("/-/ready").status_code == 200
        except httpx.HTTPError:
            return False

    def ask(self, path: str, params: dict[str, str]) -> dict[str, Any]:
        """Ask as Grafana does: a form."""
        answer: dict[str, Any] = self.client.post(f"/api/v1/{path}", data=params).json()
        return answer

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def debians(folder: Path, port: int) -> Iterator[Debians]:
    """Run Debian's Prometheus."""
    target = Debians(folder, port)
    try:
        yield target
    finally:
        target.close()
        target.client.close()
