"""Node mode: one agent, all containers of a host; a real agent process on a tree such as kubelet, Docker and the kernel make."""

import os
import re
import shutil
import time
from collections import Counter
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agents.sources.node_host import Host
from agents.sources.samples import expositions
from tests.agents.hosts import Node, cri, json_file, suffix


@pytest.fixture
def node(tmp_path):
    """An empty host."""
    return Node(tmp_path / "host")


def append(log, line):
    """Write one line."""
    with log.open("ab") as file:
        file.write(line)


def resource(request):
    """The attributes a request was sent under."""
    return dict(pair.split("=", 1) for pair in request.headers["fuseboard-resource"].split(","))


def arrived(collector):
    """How often each line arrived, by (service, its text)."""
    return Counter(
        (resource(request)["service.name"], text.decode())
        for request in collector.of("/v1/lines")
        for text in re.findall(rb"line-[0-9]+-[0-9]+", request.body)
    )


def test_two_hundred_containers_are_one_agents_work(node, collector, agent, wait_for, record_property):
    """Each line of each container arrives once, under its own service; all are measured; memory and CPU stay small."""
    logs = {f"service{number}": (node.pod(number), cri) for number in range(150)}
    for number in range(150, 200):
        labels = {"com.docker.compose.service": f"service{number}", "com.docker.compose.project": "shop"}
        logs[f"service{number}"] = (node.container(number, f"shop-{number}-1", labels), json_file)
    expected = set()

    def write(part):
        for number, (service, (log, shape)) in enumerate(logs.items()):
            append(log, shape(f"line-{number}-{part}"))
            expected.add((service, f"line-{number}-{part}"))

    write(0)
    agent.start(node.toml(collector.url))
    wait_for(lambda: len(arrived(collector)) == len(expected), "the first lines")
    began, used = time.monotonic(), cpu_s(agent)
    for part in range(1, 6):
        write(part)
        wait_for(lambda: len(arrived(collector)) == len(expected), "the lines")
        time.sleep(0.4)  # a rate, not a race: how much of a core the agent takes while little happens
    share = (cpu_s(agent) - used) / (time.monotonic() - began)
    resident_mb = memory_mb(agent)
    assert agent.terminate() == 0

    record_property("rss_mb", resident_mb)
    record_property("cores", share)
    print(f"200 containers: {resident_mb:.1f} MB, {share:.3f} of a core")  # noqa: T201 - pytest -s shows it
    assert arrived(collector) == Counter(dict.fromkeys(expected, 1))
    assert resident_mb < 60
    measured = {
        (match[1], float(match[2]))
        for request in collector.of("/v1/exposition")
        for match in re.finditer(
            r'container_cpu_usage_seconds_total\{[^}]*service_name="([^"]+)"\} (\S+)', request.body.decode()
        )
    }
    assert measured == {(f"service{number}", float(number)) for number in range(200)}
    assert all(len(request.body) < 1 << 20 for request in collector.of("/v1/exposition"))


def cpu_s(agent):
    """Processor time of the agent so far."""
    with Path(f"/proc/{agent.running().pid}/stat").open() as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(agent):
    """Resident memory of the agent."""
    with Path(f"/proc/{agent.running().pid}/status").open() as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) / 1024


def test_a_log_carries_its_containers_resource(node, collector, agent, wait_for):
    """Kubernetes' and Docker's attributes, host and environment of the agent, nothing of the agent's own service."""
    append(node.pod(1), cri("line-1-0"))
    append(node.container(2, "proxy"), json_file("line-2-0"))
    agent.start(node.toml(collector.url))
    wait_for(lambda: len(arrived(collector)) == 2, "the lines")

    pod, container = sorted(
        (resource(request) for request in collector.of("/v1/lines")),
        key=lambda found: "k8s.pod.name" not in found,
    )

    assert pod["service.name"] == "service1"
    assert pod["k8s.namespace.name"] == "shop"
    assert pod["container.id"] == f"{1:064x}"
    assert container["service.name"] == "proxy"
    assert container["container.image.name"] == "image:1"
    for found in (pod, container):
        assert (found["host.name"], found["deployment.environment.name"]) == ("node7", "test")
        assert "service.version" not in found


def test_pods_that_come_and_go_are_counted_together(node, collector, agent, wait_for):
    """The ledger's counters are by workload, so they do not grow with each pod; offsets stay apart by generation."""
    for number in (1, 2, 3):
        append(node.pod(number, service="checkout"), cri(f"line-{number}-0"))
    append(node.container(4, "shop-web-1", {"com.docker.compose.service": "web"}), json_file("line-4-0"))
    agent.start(node.toml(collector.url))
    wait_for(lambda: len(arrived(collector)) == 4, "the lines")
    assert agent.terminate() == 0

    counted = {
        (counter["service"], counter["source"]): counter["read_blocks"]
        for counter in collector.reports[-1]["counters"]
        if counter["signal"] == "logs"
    }
    assert counted == {("checkout", "file:shop/checkout/app"): 3, ("web", "file:web"): 1}
    sources = [request.headers["fuseboard-source"] for request in collector.of("/v1/lines")]
    assert sum("path=shop/checkout/app" in source for source in sources) == 3
    assert len({source.partition("generation=")[2].partition(",")[0] for source in sources}) == 4


def test_a_new_container_is_found_within_a_second_or_so(node, collector, agent, wait_for):
    """Its log from the beginning, although the agent was told to begin at the end of those it found at first."""
    append(node.pod(1), cri("line-1-0"))
    agent.start(node.toml(collector.url, 'start_at = "end"\n'))
    wait_for(lambda: len(agent.happened("file_followed")) == 1, "the first log")
    began = time.monotonic()
    append(node.pod(2), cri("line-2-0"))

    wait_for(lambda: bool(arrived(collector)), "the line of the new one")

    assert time.monotonic() - began < 20
    assert arrived(collector) == {("service2", "line-2-0"): 1}


def test_rotation_as_kubelet_does_it(node, collector, agent, wait_for):
    """Renamed with a time, a new file under the old name, the old one compressed: each line once."""
    log = node.pod(1)
    append(log, cri("line-1-0"))
    agent.start(node.toml(collector.url))
    wait_for(lambda: len(arrived(collector)) == 1, "the first line")
    rotated = log.with_name("0.log.20260101-000000")
    append(log, cri("line-1-1"))
    log.rename(rotated)
    append(log, cri("line-1-2"))
    wait_for(lambda: len(arrived(collector)) == 3, "the lines around the rotation")
    shutil.copy(rotated, log.with_name("0.log.20260101-000000.tmp"))
    log.with_name("0.log.20260101-000000.tmp").rename(log.with_name("0.log.20260101-000000.gz"))
    rotated.unlink()
    append(log, cri("line-1-3"))
    wait_for(lambda: len(arrived(collector)) == 4, "the line after the compression")
    assert agent.terminate() == 0

    assert set(arrived(collector).values()) == {1}


def test_pods_that_docker_runs_are_followed_once(node, collector, agent, wait_for):
    """Kubelet's log is a link to Docker's: one file, under Kubernetes' names."""
    log = node.pod(1)
    labels = {"io.kubernetes.pod.name": "service1-7d9c5b8f6d-x2x9k", "io.kubernetes.container.name": "app"}
    real = node.container(1, "k8s_app", labels)
    log.unlink()
    log.symlink_to(real)
    append(real, json_file("line-1-0"))
    agent.start(node.toml(collector.url))
    wait_for(lambda: bool(arrived(collector)), "the line")
    assert agent.terminate() == 0

    assert arrived(collector) == {("service1", "line-1-0"): 1}


def test_excluded_containers_are_not_followed_nor_measured(node, collector, agent, wait_for):
    """By namespace, pod and container, or by Docker's name."""
    append(node.pod(1, namespace="kube-system"), cri("line-1-0"))
    append(node.container(2, "noise-1"), json_file("line-2-0"))
    append(node.pod(3), cri("line-3-0"))
    agent.start(node.toml(collector.url, 'exclude = ["kube-system/*/*", "noise-*"]\n'))
    wait_for(lambda: bool(arrived(collector)) and bool(collector.of("/v1/exposition")), "the line")
    assert agent.terminate() == 0

    assert set(arrived(collector)) == {("service3", "line-3-0")}
    assert all(
        b"kube-system" not in request.body and b"noise" not in request.body
        for request in collector.of("/v1/exposition")
    )


def test_a_container_that_has_gone_is_ended(node, collector, agent, wait_for, tmp_path):
    """Its samples and no other's are shipped once more as stale; its log is finished."""
    for number in (1, 2):
        append(node.pod(number), cri(f"line-{number}-0"))
    agent.start(node.toml(collector.url))
    wait_for(lambda: bool(collector.of("/v1/exposition")) and len(arrived(collector)) == 2, "both")
    group = next(path for path in node.cgroup.glob("*/*") if "00000001_" in path.name)
    group.rename(tmp_path / "gone")  # at once, as the kernel removes it
    wait_for(lambda: bool(stale(collector)), "the end")

    [ended] = stale(collector)
    assert b'service_name="service1"' in ended.body
    assert b"container_memory_working_set_bytes" in ended.body
    assert b"service2" not in ended.body


def stale(collector):
    """The expositions that end series."""
    return [r for r in collector.of("/v1/exposition") if r.headers.get("fuseboard-format") == "stale"]


def test_samples_say_whose_they_are(node):
    """Container, namespace, pod, id and service; restarts; the sandbox of a pod has none of its own."""
    node.pod(1)
    node.container(2, "proxy")

    text = expositions(Host(node.settings(), "node7", node.proc).measure()).decode()
    lines = text.splitlines()

    assert len(list(text_string_to_metric_families(text))) > 15
    of_pod = f'{{container="app",namespace="shop",pod="service1-7d9c5b8f6d-{suffix(1)}",id="{1:064x}",service_name="service1"}}'
    of_docker = f'{{container="proxy",id="d{2:063x}",service_name="proxy"}}'
    assert f"container_memory_working_set_bytes{of_pod} 700" in lines
    assert f"container_cpu_usage_seconds_total{of_docker} 2" in lines
    assert f"container_restarts_total{of_docker} 2" in lines
    assert f"container_restarts_total{of_pod} 0" in lines
    assert sum(line.startswith("container_memory_rss{") for line in lines) == 2
    assert not any("container_start_time_seconds" in line or "_network_" in line for line in lines)


def test_the_network_of_a_pod_is_counted_once(node):
    """Its containers share a namespace; one that has the host's is left out."""
    for number, pids in ((1, "11"), (2, "12"), (3, "13")):
        node.pod(number)
        for procs in node.cgroup.glob(f"*/*{number:08x}_*/*/cgroup.procs"):
            procs.write_text(pids + "\n")
    for pid, net in (("1", "net:[1]"), ("11", "net:[2]"), ("12", "net:[2]"), ("13", "net:[1]")):
        (node.proc / pid / "net").mkdir(parents=True)
        (node.proc / pid / "ns").mkdir()
        (node.proc / pid / "ns" / "net").symlink_to(net)
        (node.proc / pid / "cgroup").write_text("0::/init.scope\n" if pid == "1" else "0::/x\n")
        (node.proc / pid / "net" / "dev").write_text("a\nb\n eth0: 7 0 0 0 0 0 0 0 9 0 0 0 0 0 0 0\n")
        (node.proc / pid / "stat").write_text(f"{pid} (a b) S 1 " + "5 " * 30)

    lines = expositions(Host(node.settings(), "node7", node.proc).measure()).decode().splitlines()

    received = [line for line in lines if line.startswith("container_network_receive_bytes_total{")]
    assert len(received) == 1
    assert re.fullmatch(
        r'container_network_receive_bytes_total\{namespace="shop",pod="service[12]-[^"]+",service_name="service[12]",'
        r'interface="eth0"\} 7',
        received[0],
    )
    assert sum(line.startswith("container_start_time_seconds{") for line in lines) == 3
