"""Container metrics: cgroup v2 files, a process tree, the host."""

import os
import subprocess
import sys
import time

import pytest

from agents.settings_values import ContainerSettings
from agents.sources import cgroup, procfs
from agents.sources.container import measure, service_pid

GROUP = {
    "cpu.stat": "usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\n"
    "nr_periods 10\nnr_throttled 4\nthrottled_usec 1500000\n",
    "cpu.max": "50000 100000\n",
    "memory.current": "1000\n",
    "memory.stat": "anon 600\ninactive_file 300\n",
    "memory.max": "4096\n",
    "memory.events": "oom 2\noom_kill 1\n",
    "pids.current": "7\n",
}


@pytest.fixture
def group(tmp_path):
    """A cgroup v2 directory as the kernel shows it, and a /proc that leads to it."""
    directory = tmp_path / "cgroup" / "shop" / "payment"
    directory.mkdir(parents=True)
    for name, text in GROUP.items():
        (directory / name).write_text(text)
    process = tmp_path / "proc" / "42"
    process.mkdir(parents=True)
    (process / "cgroup").write_text("12:cpu:/old\n0::/shop/payment\n")
    return tmp_path, directory


def test_a_cgroup_is_found_and_read(group):
    """Names of cAdvisor and units; working set = current − inactive_file."""
    home, directory = group

    found = cgroup.find(42, home / "cgroup", home / "proc")
    values = {sample.name: sample.value for sample in cgroup.samples(directory, 8, 1000.5)}

    assert found == directory
    assert values == {
        "container_cpu_usage_seconds_total": 2.5,
        "container_cpu_user_seconds_total": 2.0,
        "container_cpu_system_seconds_total": 0.5,
        "container_cpu_cfs_periods_total": 10,
        "container_cpu_cfs_throttled_periods_total": 4,
        "container_cpu_cfs_throttled_seconds_total": 1.5,
        "container_spec_cpu_limit_cores": 0.5,
        "container_memory_usage_bytes": 1000,
        "container_memory_working_set_bytes": 700,
        "container_memory_rss": 600,
        "container_spec_memory_limit_bytes": 4096,
        "container_oom_events_total": 1,
        "container_processes": 7,
        "container_start_time_seconds": 1000.5,
    }


def test_controllers_that_are_off_are_zero(group):
    """No limit is 0, as cAdvisor writes it; a missing file is not an error."""
    _, directory = group
    (directory / "memory.max").write_text("max\n")
    (directory / "cpu.max").write_text("max 100000\n")
    (directory / "memory.events").unlink()
    (directory / "pids.current").unlink()

    values = {sample.name: sample.value for sample in cgroup.samples(directory, 8, 0)}

    assert values["container_spec_memory_limit_bytes"] == 0
    assert values["container_spec_cpu_limit_cores"] == 8
    assert values["container_oom_events_total"] == 0
    assert "container_processes" not in values


def test_a_process_tree_is_summed():
    """A parent and its child count together; CPU does not fall when the child ends."""
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time\\nx=bytearray(30_000_000)\\n"
        "while time.process_time() < 0.2: pass\\nprint(1, flush=True)\\ninput()'], stdin=subprocess.PIPE)\n"
        "sys.stdin.readline(); child.communicate(b'x'); print(2, flush=True); sys.stdin.readline()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout.readline() == "1\n"
    both = {sample.name: sample.value for sample in procfs.tree_samples(parent.pid)}
    parent.stdin.write("\n")
    parent.stdin.flush()
    assert parent.stdout.readline() == "2\n"
    one = {sample.name: sample.value for sample in procfs.tree_samples(parent.pid)}
    parent.communicate("\n", timeout=10)

    assert (both["container_processes"], one["container_processes"]) == (2, 1)
    assert both["container_memory_working_set_bytes"] > one["container_memory_working_set_bytes"] + 20_000_000
    assert 0.2 <= both["container_cpu_usage_seconds_total"] <= one["container_cpu_usage_seconds_total"]
    assert abs(both["container_start_time_seconds"] - time.time()) < 60


def test_the_host_is_measured_where_there_is_nothing_nearer():
    """Memory against the machine's, CPU of all processors."""
    values = {sample.name: sample.value for sample in procfs.host_samples()}

    assert 0 < values["container_memory_working_set_bytes"] < values["container_spec_memory_limit_bytes"]
    assert values["container_cpu_usage_seconds_total"] > 0
    assert values["container_processes"] > 1


def test_the_pid_file_is_read_at_each_sample(tmp_path):
    """A service that restarts has another pid; a file that is not there or holds nonsense is an error that says so."""
    settings = ContainerSettings(enabled=True, interval_s=1, pid=0, pid_file=tmp_path / "pid")
    with pytest.raises(OSError, match="pid"):
        service_pid(settings)
    (tmp_path / "pid").write_text("soon")
    with pytest.raises(OSError, match="'soon'"):
        service_pid(settings)
    (tmp_path / "pid").write_text(f"{os.getpid()}\n")

    scope, samples = measure(settings)

    assert scope in {"process", "cgroup"}
    assert samples


def test_container_metrics_are_shipped_as_an_exposition(collector, agent, wait_for):
    """One body with types and the scope, under the kind ``container``."""
    agent.start(f'collector = "{collector.url}"\n[container]\nenabled = true\npid = {os.getpid()}\n')

    wait_for(lambda: bool(collector.of("/v1/exposition")), "a sample")

    request = collector.of("/v1/exposition")[0]
    assert (
        b"# TYPE container_cpu_usage_seconds_total counter\ncontainer_cpu_usage_seconds_total{scope="
        in request.body
    )
    assert "kind=container" in request.headers["fuseboard-source"]
