"""SIGHUP: other settings, every line once."""

import http.client
import json
import random
import re
import signal
import socket
import threading

import pytest

from tests.conftest import free_port


def rewrite(agent, config):
    """Write other settings and say so."""
    header = f'data_dir = "{agent.data}"\nreport_interval_s = 0.2\n'
    (agent.home / "agent.toml").write_text(header + config)
    agent.config = config
    agent.running().send_signal(signal.SIGHUP)


def reloads(agent):
    """How many reloads went well."""
    return len(agent.happened("settings_reloaded"))


class Writer:
    """Writes numbered lines into some files, in turn, until it is stopped."""

    def __init__(self, *paths):
        self.paths = paths
        self.written = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        """Write a few lines each millisecond."""
        files = [path.open("ab") for path in self.paths]
        while not self.stopping.wait(0.001):
            for number, file in enumerate(files):
                lines = [b"%d %d" % (number, len(self.written) + more) for more in range(3)]
                file.write(b"\n".join(lines) + b"\n")
                file.flush()
                self.written += lines
        for file in files:
            file.close()

    def stop(self):
        """End, giving every line."""
        self.stopping.set()
        self.thread.join()
        return self.written


@pytest.fixture
def writer(tmp_path):
    """Two files that grow."""
    made = Writer(tmp_path / "a.log", tmp_path / "b.log")
    yield made
    made.stop()


def toml(paths, more=""):
    """Settings of files."""
    return f'{more}\n[resource]\n"service.name" = "checkout"\n[[files]]\npaths = {json.dumps(paths)}\nstart_at = "beginning"\n'


def test_every_line_once_over_reloads_under_load(
    tmp_path, collector, second_collector, agent, writer, wait_for
):
    """Files, key, collector and bounds change while lines are written: none is lost, none comes twice."""
    both, one = [f"{tmp_path}/*.log"], [f"{tmp_path}/a.log"]
    key_file = tmp_path / "key"
    key_file.write_text("k-1")
    key = f'key_file = "{key_file}"\n'
    agent.start(toml(both, f'collector = "{collector.url}"\n{key}'))
    wait_for(lambda: len(collector.lines()) > 100, "lines")
    for round_ in range(1, 4):
        paths = one if round_ % 2 else both
        key_file.write_text(f"k-{round_ + 1}")
        to = second_collector if round_ % 2 else collector
        rewrite(agent, toml(paths, f'collector = "{to.url}"\n{key}'))
        wait_for(lambda round_=round_: reloads(agent) == round_, "the reload")
        seen = len(to.lines())
        wait_for(lambda to=to, seen=seen: len(to.lines()) > seen + 50, "lines under the new settings")
    rewrite(agent, toml(both, f'collector = "{collector.url}"\n{key}') + "[spool]\nmax_bytes = 1000000\n")
    wait_for(lambda: reloads(agent) == 4, "the last reload")
    written = writer.stop()
    wait_for(lambda: len(collector.lines() + second_collector.lines()) >= len(written), "every line")
    assert agent.terminate() == 0

    assert sorted(collector.lines() + second_collector.lines()) == sorted(written)
    assert {"Bearer k-1", "Bearer k-3"} <= collector.authorizations
    assert {"Bearer k-2", "Bearer k-4"} <= second_collector.authorizations
    assert collector.conflicts == second_collector.conflicts == []


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("collector = ", "not TOML"),
        ('collector = "http://a"\n[spool]\nmax_bytes = "big"\n', "spool.max_bytes"),
        ('collector = "http://a"\nmetrics_listen = "TAKEN"\n', "metrics_listen"),
        ('collector = "http://a"\n[relay]\nlisten = "TAKEN"\n', "relay.listen"),
    ],
)
def test_wrong_settings_change_nothing(tmp_path, collector, agent, wait_for, wrong, named):
    """A broken file, or an address that is taken, is an error in the log; the agent goes on as it was."""
    log = tmp_path / "a.log"
    log.write_bytes(b"1\n")
    agent.start(toml([str(log)], f'collector = "{collector.url}"'))
    wait_for(lambda: collector.lines() == [b"1"], "the first line")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        rewrite(agent, wrong.replace("TAKEN", f"127.0.0.1:{taken.getsockname()[1]}"))
        wait_for(lambda: bool(agent.happened("reload_refused")), "the refusal")
    with log.open("ab") as file:
        file.write(b"2\n")
    wait_for(lambda: collector.lines() == [b"1", b"2"], "the next line")

    assert named in agent.happened("reload_refused")[0]["reason"]
    assert agent.happened("reload_refused")[0]["level"] == "error"
    assert agent.terminate() == 0


def test_the_data_directory_stays(tmp_path, collector, agent, wait_for):
    """Another data_dir would be another agent: refused, and said so."""
    agent.start(toml([f"{tmp_path}/a.log"], f'collector = "{collector.url}"'))
    wait_for(lambda: bool(agent.happened("agent_started")), "the start")
    text = (agent.home / "agent.toml").read_text()
    (agent.home / "agent.toml").write_text(text.replace(str(agent.data), f"{tmp_path}/other"))
    agent.running().send_signal(signal.SIGHUP)
    wait_for(lambda: bool(agent.happened("reload_refused")), "the refusal")

    assert "data_dir" in agent.happened("reload_refused")[0]["reason"]


def test_a_full_spool_does_not_hold_a_reload_up(tmp_path, collector, agent, wait_for):
    """Sources that wait for room are stopped all the same; with more room everything arrives, once."""
    log = tmp_path / "a.log"
    lines = [b"%d %s" % (number, random_text(number)) for number in range(5000)]
    log.write_bytes(b"\n".join(lines) + b"\n")
    collector.script = lambda path, _number: None if path == "/v1/reports" else (503, {"Retry-After": "0"})
    small = "[spool]\nmax_bytes = 65536\n"
    agent.start(toml([str(log)], f'collector = "{collector.url}"') + small)
    wait_for(lambda: bool(agent.happened("source_waits")), "the spool to be full")
    collector.script = lambda _path, _number: None
    rewrite(agent, toml([str(log)], f'collector = "{collector.url}"'))
    wait_for(lambda: reloads(agent) == 1, "the reload")
    wait_for(lambda: len(collector.lines()) >= len(lines), "every line")

    assert sorted(collector.lines()) == sorted(lines)


def random_text(seed):
    """Text that does not compress."""
    return random.Random(seed).randbytes(150).hex().encode()


def test_a_relay_stays_or_moves(collector, agent, wait_for):
    """At the same address a connection outlives the reload; at another, what it took before is not taken twice."""
    port = free_port()
    base = (
        f'collector = "{collector.url}"\n[resource]\n"service.name" = "NAME"\n[relay]\nlisten = "127.0.0.1:'
    )
    agent.start(base.replace("NAME", "before") + f'{port}"\n')
    agent.relay()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def post(number):
        body = b'{"breaker":"b%d","to":"open"}' % number
        connection.request("POST", "/v1/breakers", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    first, kept = post(1), connection.sock
    rewrite(agent, base.replace("NAME", "after") + f'{port}"\n')
    wait_for(lambda: reloads(agent) == 1, "the reload")
    second = post(2)
    assert (first, second) == (200, 200)
    assert connection.sock is kept
    connection.close()
    rewrite(agent, base.replace("NAME", "after") + '0"\n')
    wait_for(lambda: reloads(agent) == 2, "the move")
    connection = http.client.HTTPConnection(agent.relay().removeprefix("http://"), timeout=60)
    assert post(3) == 200
    wait_for(lambda: len(collector.of("/v1/breakers")) == 3, "all three")
    connection.close()

    services = {
        json.loads(it.body)["breaker"]: it.headers["fuseboard-resource"].partition(",")[0]
        for it in collector.of("/v1/breakers")
    }
    assert services == {
        "b1": "service.name=before",
        "b2": "service.name=after",
        "b3": "service.name=after",
    }
    assert collector.conflicts == []


def test_own_metrics_move(collector, agent, wait_for):
    """Another address is listened at, the old one is not; SIGTERM still drains."""
    ports = [free_port() for _ in range(2)]
    config = f'collector = "{collector.url}"\nmetrics_listen = "127.0.0.1:PORT"\n'
    agent.start(config.replace("PORT", str(ports[0])))
    wait_for(lambda: bool(agent.happened("agent_started")), "the start")
    rewrite(agent, config.replace("PORT", str(ports[1])))
    wait_for(lambda: reloads(agent) == 1, "the reload")
    connection = http.client.HTTPConnection("127.0.0.1", ports[1], timeout=60)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()

    assert re.search(r"^fuseboard_agent_requests_total ", text, re.MULTILINE)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", ports[0]), timeout=5)
    assert agent.terminate() == 0


def test_signals_under_run_are_the_processs(collector, agent, wait_for):
    """SIGHUP reaches the process that is run, and its exit code is ours."""
    script = (
        "import signal, sys, time; signal.signal(signal.SIGHUP, lambda *_: sys.exit(7)); "
        "print('up', flush=True); time.sleep(60)"
    )
    agent.start(f'collector = "{collector.url}"\n', "run", "--", "python3", "-c", script)
    wait_for(lambda: collector.lines() == [b"up"], "the process to be up")
    agent.running().send_signal(signal.SIGHUP)
    agent.running().communicate(timeout=60)

    assert agent.running().returncode == 7
