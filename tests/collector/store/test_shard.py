"""A collector in front of a cluster keeps to one shard. The nodes are stand-ins that answer the one question; no cluster was at hand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from collector.engine.remote import Server
from collector.errors import FuseboardError, StoreUnavailable
from collector.store.shard import OneShard, shard_of
from collector.store.target import Target
from tests.conftest import eventually
from tests.system.server import ClickHouse, url_of


class Balancer:
    """Each connection goes to the next of its nodes, which says its shard."""

    def __init__(self) -> None:
        self.shards = ["01"]
        self.connections = 0
        balancer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
                assert (asked, self.headers["Authorization"]) == (
                    "SELECT getMacro('shard')",
                    "Basic ZnVzZTpw",
                )
                shard = balancer.shards[balancer.connections % len(balancer.shards)]
                balancer.connections += 1
                body = f"{shard}\n".encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.target = Target(f"http://fuse:p@127.0.0.1:{self._server.server_address[1]}/db", shared_disk=False, cluster="main")  # fmt: skip
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def balancer() -> Iterator[Balancer]:
    """In front of one shard."""
    found = Balancer()
    yield found
    found.close()


def test_the_first_shard_is_remembered(tmp_path: Path, balancer: Balancer) -> None:
    """Over restarts; replicas of the same are the same."""
    OneShard(tmp_path / "shard").check(balancer.target)
    OneShard(tmp_path / "shard").check(balancer.target)

    assert (tmp_path / "shard").read_text() == "01"


def test_another_shard_is_refused_until_somebody_says_so(tmp_path: Path, balancer: Balancer) -> None:
    """It would take a segment that was sent before a second time."""
    guard = OneShard(tmp_path / "shard")
    guard.check(balancer.target)
    balancer.shards = ["02"]

    with pytest.raises(
        FuseboardError, match="shard '02' answers and this collector writes to shard '01'"
    ) as refused:
        guard.check(balancer.target)

    assert refused.value.code == "wrong_shard"
    (tmp_path / "shard").unlink()
    guard.check(balancer.target)


def test_a_balancer_over_several_shards_is_seen_before_anything_is_written(
    tmp_path: Path, balancer: Balancer
) -> None:
    """By asking over several connections; nothing is remembered."""
    balancer.shards = ["01", "01", "02"]

    with pytest.raises(FuseboardError, match="'01', '02' answer by turns"):
        OneShard(tmp_path / "shard").check(balancer.target)

    assert not (tmp_path / "shard").exists()


def test_a_server_without_the_macro_says_what_it_needs(tmp_path: Path) -> None:
    """As a real engine words it: no cluster's node."""
    server = ClickHouse(tmp_path / "clickhouse").start()
    try:
        with pytest.raises(StoreUnavailable, match=r"needs the macros shard and replica.*macro"):
            shard_of(Target(url_of(server.port), shared_disk=False))
    finally:
        server.kill()
    with pytest.raises(StoreUnavailable, match="does not say its shard: ConnectError"):
        shard_of(Target(url_of(server.port), shared_disk=False))


def test_a_server_of_another_shard_counts_as_away(tmp_path: Path) -> None:
    """Also while it runs: each question after which the shard is another one is not answered; the reason is told, and it comes back by itself."""
    clickhouse = ClickHouse(tmp_path / "clickhouse").start()
    said = ["01"]
    server = Server(Target(url_of(clickhouse.port), shared_disk=False, cluster="main"), 5)
    server.on_answer = OneShard(tmp_path / "shard", lambda _: said[0]).check
    try:
        server.start()
        eventually(lambda: server.state.state == "up")
        said[0] = "02"
        eventually(lambda: server.state.state == "down")
        with pytest.raises(StoreUnavailable, match="shard '02' answers"):
            server.target()
        said[0] = "01"
        eventually(lambda: server.state.state == "up")
    finally:
        server.stop()
        clickhouse.kill()
