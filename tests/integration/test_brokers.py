"""
Brokers' own metrics through a running collector: how long queues are, who takes from them, what died.

RabbitMQ: what Debian's rabbitmq-server 3.10.8 answered, recorded, and that server itself where `make test` has unpacked it into ``tests/.debian/rabbitmq`` (as a
process of its own on loopback, scraped by our agent). Kafka: no broker and no exporter can be installed here; the exposition is written to the letter of
danielqsj/kafka_exporter's README (names, labels, help texts) and was not recorded.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import ROOT, Served, eventually, free_port

RECORDED = Path(__file__).parent / "recorded"
UNPACKED = ROOT / "tests" / ".debian" / "rabbitmq"
_SERVER = UNPACKED / "usr" / "lib" / "rabbitmq" / "lib"
_ERLANG = UNPACKED / "usr" / "lib" / "erlang"
pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def collector(serve_module: Callable[..., Served]) -> Served:
    """One for all of them: each has an environment of its own."""
    return serve_module()


def post(collector: Served, text: str, env: str, at: datetime | None = None) -> None:
    """Post an exposition as a scraper does, now or of then."""
    headers = {
        "Fuseboard-Resource": f"service.name=exporter,deployment.environment.name={env}",
        "Fuseboard-Scraped-At": (at or datetime.now(UTC)).isoformat(),
    }
    assert collector.client.post("/v1/exposition", content=text, headers=headers).status_code == 200


def queues(collector: Served, env: str, count: int) -> dict[str, dict[str, Any]]:
    """Rows by queue, once there are *count*."""
    found = eventually(lambda: [rows for rows in [collector.data("/queues", env=env)] if len(rows) == count])
    return {row["queue"]: row for row in found[0]}


@pytest.mark.parametrize("way", ["detailed", "per-object"])
def test_what_rabbitmq_answered_is_understood(collector: Served, way: str) -> None:
    """Both ways to ask it: three messages that nobody takes, two that were rejected."""
    post(collector, (RECORDED / f"rabbitmq-3.10.8-{way}.prom").read_text(), way)

    found = queues(collector, way, 2)

    assert (found["orders"]["verdict"], found["orders"]["ready"], found["orders"]["consumer_count"]) == (
        "stuck",
        3,
        0,
    )
    assert (found["orders-dlq"]["dead_letters_of"], found["orders-dlq"]["lag"]) == ("orders", 2)


_KAFKA = """\
# HELP kafka_brokers Number of Brokers in the Kafka Cluster.
# TYPE kafka_brokers gauge
kafka_brokers 3
# HELP kafka_topic_partition_current_offset Current Offset of a Broker at Topic/Partition
# TYPE kafka_topic_partition_current_offset gauge
kafka_topic_partition_current_offset{{partition="0",topic="orders"}} {newest}
kafka_topic_partition_current_offset{{partition="0",topic="__consumer_offsets"}} 0
# HELP kafka_consumergroup_current_offset Current Offset of a ConsumerGroup at Topic/Partition
# TYPE kafka_consumergroup_current_offset gauge
kafka_consumergroup_current_offset{{consumergroup="mail",partition="0",topic="orders"}} {taken}
# HELP kafka_consumergroup_lag Current Approximate Lag of a ConsumerGroup at Topic/Partition
# TYPE kafka_consumergroup_lag gauge
kafka_consumergroup_lag{{consumergroup="mail",partition="0",topic="orders"}} {lag}
# HELP kafka_consumergroup_lag_sum Current Approximate Lag of a ConsumerGroup at Topic for all partitions
# TYPE kafka_consumergroup_lag_sum gauge
kafka_consumergroup_lag_sum{{consumergroup="mail",topic="orders"}} {lag}
# HELP kafka_consumergroup_members Amount of members in a consumer group
# TYPE kafka_consumergroup_members gauge
kafka_consumergroup_members{{consumergroup="mail"}} 2
"""


def test_kafkas_exporter_is_understood(collector: Served) -> None:
    """A group that takes half of what comes: growing, with both rates and its members."""
    now = datetime.now(UTC)
    for minute in range(5, -1, -1):
        newest, taken = 10_000 - 600 * minute, 5_000 - 300 * minute
        post(
            collector,
            _KAFKA.format(newest=newest, taken=taken, lag=newest - taken),
            "kafka",
            now - timedelta(minutes=minute),
        )

    def told() -> dict[str, Any] | None:
        row = queues(collector, "kafka", 2)["orders"]
        return row if (row["verdict"], row["lag"]) == ("growing", 5000) else None

    row = eventually(told)

    assert row["groups"][0]["members"] == 2
    assert (row["rate_in"], row["rate_out"]) == (pytest.approx(10, rel=0.05), pytest.approx(5, rel=0.05))


class RabbitMQ:
    """
    One rabbitmq-server with a node name, ports and directories of its own; ended with its process group.

    Args:
        folder: Everything it writes.
    """

    def __init__(self, folder: Path) -> None:
        self.amqp, self.metrics, self.management, self._epmd, self._peers = (free_port() for _ in range(5))
        for name in ("mnesia", "log", "bin"):
            (folder / name).mkdir()
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.local = 127.0.0.1:{self.amqp}\nprometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {self.metrics}\n"
            f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {self.management}\n"
        )
        (folder / "enabled_plugins").write_text("[rabbitmq_management,rabbitmq_prometheus].\n")
        self._folder, self._processes = folder, list[subprocess.Popen[bytes]]()
        self._log = (folder / "server.log").open("wb")

    def start(self) -> None:
        """Start the name server of its own, then the server."""
        emulator = next(_ERLANG.glob("erts-*"))
        own = self._folder / "bin" / "erl"
        # Debian's looks for itself in /usr/lib/erlang, wherever it lies
        own.write_text(
            f'#!/bin/sh\nexport EMU=beam ROOTDIR={_ERLANG} BINDIR={emulator}/bin PROGNAME=erl\nexec "$BINDIR/erlexec" "$@"\n'
        )
        own.chmod(0o755)
        self._run(emulator / "bin" / "epmd", "-port", str(self._epmd), "-address", "127.0.0.1")
        self._run(next(_SERVER.glob("rabbitmq_server-*")) / "sbin" / "rabbitmq-server")

    def _run(self, *command: str | Path) -> None:
        folder = self._folder
        libraries = sorted(path for path in (UNPACKED / "usr" / "lib").glob("*-linux-gnu"))
        environment = {
            "PATH": f"{folder}/bin:{_ERLANG}/bin:{os.environ['PATH']}", "HOME": str(folder), "LANG": "C.UTF-8",
            "LD_LIBRARY_PATH": ":".join(map(str, libraries)), "ERL_EPMD_PORT": str(self._epmd), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"fuse{self.amqp}@localhost", "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia", "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_LOGS": "-", "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq", "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled_plugins",
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/none", "RABBITMQ_DIST_PORT": str(self._peers),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
        }  # fmt: skip
        self._processes.append(
            subprocess.Popen(
                command, env=environment, stdout=self._log, stderr=self._log, start_new_session=True
            )
        )

    def ready(self) -> bool:
        """Whether it answers; fails when it has ended."""
        if self._processes[-1].poll() is not None:
            pytest.skip(
                f"rabbitmq-server does not run here: {(self._folder / 'server.log').read_text()[-500:]}"
            )
        return self.call("GET", "overview").status_code == 200

    def call(self, method: str, path: str, **body: Any) -> httpx.Response:
        """Ask its management API."""
        url = f"http://127.0.0.1:{self.management}/api/{path}"
        return httpx.request(method, url, json=body or None, auth=("guest", "guest"), timeout=60)

    def stop(self) -> None:
        """End the server's process group, then the name server's."""
        for process in reversed(self._processes):
            for number in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(process.pid, number)
                except ProcessLookupError:
                    break
                deadline = time.monotonic() + 10
                while time.monotonic() < deadline and _lives(process):
                    time.sleep(0.1)
        self._log.close()


def _lives(process: subprocess.Popen[bytes]) -> bool:
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def rabbitmq(tmp_path: Path) -> Iterator[RabbitMQ]:
    """A server that is up."""
    folder = tmp_path / "rabbitmq"
    folder.mkdir()
    made = RabbitMQ(folder)
    made.start()
    try:
        eventually(made.ready, 90)
        yield made
    finally:
        made.stop()


@pytest.mark.skipif(not _SERVER.exists(), reason="Debian's rabbitmq-server is unpacked by `make test`")
def test_rabbitmq_itself_scraped_by_our_agent(collector: Served, rabbitmq: RabbitMQ, tmp_path: Path) -> None:
    """Messages that nobody takes, and those that were rejected, dead-lettered by the broker."""
    rabbitmq.call("PUT", "queues/%2F/orders-dlq", durable=True)
    dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "orders-dlq"}
    rabbitmq.call("PUT", "queues/%2F/orders", durable=True, arguments=dead)
    for number in range(7):
        rabbitmq.call("POST", "exchanges/%2F/amq.default/publish", properties={}, routing_key="orders", payload=str(number), payload_encoding="string")  # fmt: skip
    rabbitmq.call("POST", "queues/%2F/orders/get", count=2, ackmode="reject_requeue_false", encoding="auto")
    url = f"http://127.0.0.1:{rabbitmq.metrics}/metrics/detailed?family=queue_coarse_metrics&family=queue_consumer_count"
    (tmp_path / "agent.toml").write_text(
        f'collector = "{collector.url}"\ndata_dir = "{tmp_path}/agent"\n[resource]\n"service.name" = "rabbitmq"\n"deployment.environment.name" = "real"\n'
        f'[[scrape]]\nurl = "{url}"\ninterval_s = 1\n'
    )
    agent = subprocess.Popen(
        [sys.executable, "-m", "agents", "--config", str(tmp_path / "agent.toml")], cwd=ROOT
    )
    try:
        # the broker's numbers are those of its last look at itself, five seconds ago at most
        found = eventually(lambda: [rows for rows in [{row["queue"]: row for row in collector.data("/queues", env="real")}]
                                    if rows.get("orders", {}).get("ready") == 5 and rows["orders-dlq"]["ready"] == 2], 90)[0]  # fmt: skip
    finally:
        agent.terminate()
        agent.wait(60)

    assert (found["orders"]["verdict"], found["orders"]["consumer_count"]) == ("stuck", 0)
    assert (found["orders-dlq"]["dead_letters_of"], found["orders-dlq"]["dead_letter"]) == ("orders", True)
