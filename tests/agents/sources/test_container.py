"""Container metrics: cgroups of both versions, a process tree, the host."""

import os
import subprocess
import sys
import time

import pytest

from agents.settings_values import ContainerSettings
from agents.sources import cgroup, cgroup_v2, network, procfs, usage
from agents.sources.container import measure, service_pid
from agents.sources.samples import Sample, expositions, lines_of, pairs

V2 = {
    "cpu.stat": "usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\n"
    "nr_periods 10\nnr_throttled 4\nthrottled_usec 1500000\n",
    "cpu.max": "50000 100000\n",
    "memory.current": "1000\n",
    "memory.stat": "anon 600\nfile 350\ninactive_file 300\n",
    "memory.swap.current": "50\n",
    "memory.max": "4096\n",
    "memory.events": "oom 2\noom_kill 1\n",
    "pids.current": "9\n",
    "pids.max": "100\n",
    "cgroup.procs": "42\n43\n",
    "io.stat": "8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n8:16 \n7:0 rbytes=0 wbytes=0 rios=0 wios=0\n",
    "cpu.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=3000000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\n",
    "io.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=500000\n",
}
V1 = {
    "cpuacct/cpuacct.usage": "2500000000\n",
    "cpuacct/cpuacct.stat": "user 200\nsystem 50\n",
    "cpu/cpu.stat": "nr_periods 10\nnr_throttled 4\nthrottled_time 1500000000\n",
    "cpu/cpu.cfs_quota_us": "50000\n",
    "cpu/cpu.cfs_period_us": "100000\n",
    "memory/memory.usage_in_bytes": "1000\n",
    "memory/memory.stat": "rss 1\ncache 1\ntotal_rss 600\ntotal_cache 350\ntotal_swap 50\ntotal_inactive_file 300\n",
    "memory/memory.limit_in_bytes": "4096\n",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
    "pids/pids.current": "9\n",
    "pids/pids.max": "100\n",
    "memory/cgroup.procs": "42\n43\n",
    "cpu/cgroup.procs": "42\n43\n",
    "cpuacct/cgroup.procs": "42\n43\n",
    "pids/cgroup.procs": "42\n43\n",
    "blkio/cgroup.procs": "42\n43\n",
    "blkio/blkio.throttle.io_service_bytes": "8:0 Read 4096\n8:0 Write 8192\n8:0 Total 12288\nTotal 12288\n",
    "blkio/blkio.throttle.io_serviced": "8:0 Read 1\n8:0 Write 2\n8:0 Total 3\nTotal 3\n",
}
DEVICES = {"8:0": "sda"}
EXPECTED = {
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
    "container_memory_cache": 350,
    "container_memory_swap": 50,
    "container_spec_memory_limit_bytes": 4096,
    "container_oom_events_total": 1,
    "container_processes": 2,
    "container_threads": 9,
    "container_threads_max": 100,
    "container_fs_reads_bytes_total": 4096,
    "container_fs_writes_bytes_total": 8192,
    "container_fs_reads_total": 1,
    "container_fs_writes_total": 2,
}
PRESSURE = {
    "container_pressure_cpu_waiting_seconds_total": 3,
    "container_pressure_cpu_stalled_seconds_total": 1,
    "container_pressure_io_waiting_seconds_total": 0.5,
}


@pytest.fixture
def host(tmp_path):
    """Make fake trees: ``write`` puts files of one group below a mount, ``process`` says what its /proc tells of it."""

    class Host:
        root, proc = tmp_path / "cgroup", tmp_path / "proc"

        def write(self, files, group="shop/payment"):
            for name, text in files.items():
                *mount, file = name.split("/")
                path = self.root.joinpath(*mount, group, file)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)

        def process(self, lines, pid=42):
            path = self.proc / str(pid) / "cgroup"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(lines)

        def find(self, pid=42):
            return cgroup.find(pid, self.root, self.proc)

        def values(self, pid=42, cpus=8):
            used = usage.samples(self.find(pid).usage(DEVICES, self.find(pid).pids()), cpus)
            return {sample.name: sample.value for sample in used if sample.value is not None}

    return Host()


def test_version_2_is_read(host):
    """Names of cAdvisor and units; working set = current − inactive_file; a device that was never used is not there."""
    host.write(V2)
    host.process("12:cpu:/old\n0::/shop/payment\n")

    assert host.values() == EXPECTED | PRESSURE


def test_version_1_is_read_alike(host):
    """Other files and units, the same numbers under the same names."""
    host.write(V1)
    host.process("".join(f"{n}:{name}:/shop/payment\n" for n, name in enumerate(cgroup.V1, 1)))

    assert host.values() == EXPECTED


def test_version_1_mounts_of_several_controllers_are_found(host):
    """``cpu,cpuacct`` is one mount where the distribution has no links to it."""
    host.write(
        {
            name.replace("cpuacct/", "cpu,cpuacct/").replace("cpu/", "cpu,cpuacct/"): t
            for name, t in V1.items()
        }
    )
    host.process("2:cpu,cpuacct:/shop/payment\n3:memory:/shop/payment\n")

    assert host.values()["container_cpu_usage_seconds_total"] == 2.5
    assert host.values()["container_spec_cpu_limit_cores"] == 0.5
    assert "container_threads" not in host.values()


def test_hybrid_mounts_are_read_together(host):
    """Controllers of version 1 first, what only version 2 has (pressure) beside them."""
    host.write({name: text for name, text in V1.items() if name.startswith("memory/")})
    host.write({f"unified/{name}": text for name, text in V2.items() if not name.startswith("memory")})
    host.process("3:memory:/shop/payment\n0::/shop/payment\n")

    assert host.values() == EXPECTED | PRESSURE


def test_inside_a_container_its_group_is_the_root_of_version_1(host):
    """The path in /proc is the host's and leads nowhere; what is mounted as the root is ours."""
    host.write({name: text for name, text in V1.items() if name.startswith("memory/")}, group="")
    host.process("3:memory:/docker/0123\n")

    assert host.values()["container_memory_usage_bytes"] == 1000


def test_inside_a_container_its_group_is_the_root_of_version_2(host):
    """The path in /proc is the namespace's root."""
    host.write(V2, group="")
    host.process("0::/\n")

    assert host.values() == EXPECTED | PRESSURE


def test_root_groups_are_nobodys(host):
    """They count the machine: a process in root groups only has no group."""
    host.write(
        {"memory/memory.usage_in_bytes": "1\n", "memory/release_agent": "\n", "cpu.stat": "usage_usec 1\n"},
        "",
    )
    host.process("3:memory:/\n0::/\n")

    assert host.find() is None
    assert host.find(99) is None


def test_what_the_kernel_does_not_say_is_left_out(host):
    """A controller that is off has no samples; without a quota the machine's processors are the limit; no limit is 0."""
    host.write(
        {"cpu.max": "max 100000\n", "memory.max": "max\n", "memory.current": "1000\n", "pids.max": "max\n"}
    )
    host.process("0::/shop/payment\n")

    assert host.values() == {
        "container_spec_cpu_limit_cores": 8,
        "container_memory_usage_bytes": 1000,
        "container_memory_working_set_bytes": 1000,
        "container_spec_memory_limit_bytes": 0,
        "container_threads_max": 0,
    }


def test_no_limit_in_version_1_is_0(host):
    """The kernel writes the largest number there is, and −1 for a quota."""
    host.write(V1 | {"memory/memory.limit_in_bytes": "9223372036854771712\n", "cpu/cpu.cfs_quota_us": "-1\n"})
    host.process("3:memory:/shop/payment\n4:cpu:/shop/payment\n")

    assert host.values()["container_spec_memory_limit_bytes"] == 0
    assert host.values()["container_spec_cpu_limit_cores"] == 8


def test_a_group_that_ends_while_it_is_read_is_an_error(host):
    """Not zeroes, which would look like a counter that was reset."""
    host.write({"memory.current": "1000\n"})
    host.process("0::/shop/payment\n")
    group = host.find()
    (host.root / "shop/payment/memory.current").unlink()

    with pytest.raises(OSError, match="is gone"):
        group.usage({}, [])


def test_a_group_that_ends_between_two_of_its_files_is_an_error(host, monkeypatch):
    """Not the half that was read before: what is told last is told as ended, and has to be whole."""
    host.write(V2)
    host.process("0::/shop/payment\n")
    group = host.find()
    read = cgroup_v2.pairs

    def then_remove(directory, name):
        """Read the first file, and the group is gone."""
        found = read(directory, name)
        if (host.root / "shop").exists():
            (host.root / "shop").rename(host.root.parent / "gone")
        return found

    monkeypatch.setattr(cgroup_v2, "pairs", then_remove)

    with pytest.raises(OSError, match="is gone"):
        group.usage({}, [])


def test_processes_below_a_group_are_its_own(host):
    """A container with an init system has its processes in groups of its own."""
    host.write(V2 | {"cgroup.procs": ""})
    host.write({"cgroup.procs": "42\n"}, "shop/payment/init.scope")
    host.write({"cgroup.procs": "43\n44\n"}, "shop/payment/system.slice/app.service")
    host.process("0::/shop/payment\n")

    assert host.values()["container_processes"] == 3
    assert sorted(host.find().pids()) == [42, 43, 44]


def test_the_network_is_read_by_interface(tmp_path):
    """Loopback is left out; columns are those of proc_pid_net(5)."""
    dev = tmp_path / "42" / "net" / "dev"
    dev.parent.mkdir(parents=True)
    dev.write_text(
        "Inter-|   Receive  |  Transmit\n face |bytes ...\n"
        "    lo:  1 1 0 0 0 0 0 0  1 1 0 0 0 0 0 0\n"
        "  eth0:100 10 3 4 0 0 0 0 200 20 5 6 0 0 0 0\n"
    )

    found = {
        sample.name.removeprefix("container_network_"): sample for sample in network.samples(42, tmp_path)
    }

    assert {name: sample.value for name, sample in found.items()} == {
        "receive_bytes_total": 100,
        "receive_packets_total": 10,
        "receive_errors_total": 3,
        "receive_packets_dropped_total": 4,
        "transmit_bytes_total": 200,
        "transmit_packets_total": 20,
        "transmit_errors_total": 5,
        "transmit_packets_dropped_total": 6,
    }
    assert {sample.labels for sample in found.values()} == {(("interface", "eth0"),)}
    assert network.samples(43, tmp_path) == []


def test_the_hosts_network_is_nobodys(host):
    """A process in the namespace of the host's init; in a container the first process is not the host's."""
    for pid, net, line in (
        ("1", "net:[1]", "0::/init.scope\n"),
        ("42", "net:[1]", ""),
        ("43", "net:[2]", ""),
    ):
        host.process(line, pid)
        (host.proc / pid / "ns").mkdir()
        (host.proc / pid / "ns" / "net").symlink_to(net)

    assert network.is_the_hosts(42, host.proc)
    assert not network.is_the_hosts(43, host.proc)
    host.process("0::/\n", 1)
    assert not network.is_the_hosts(42, host.proc)


def test_this_machine_is_read():
    """Whatever layout it has: a group of ours has memory or time, or there is none."""
    group = cgroup.find(0)
    if group is not None:
        used = group.usage(procfs.devices(), [])
        assert (used.memory or used.cpu_s or 0) > 0
        assert os.getpid() in group.pids()


def test_names_are_escaped_and_families_stand_together():
    """Samples of several targets: one type line per family, quotes and line ends escaped; what is not known is left out."""
    measured = [
        (
            pairs({"container": name}),
            [
                Sample("a", "gauge", 1),
                Sample("b", "counter", 2.5, (("device", "s"),)),
                Sample("c", "gauge", None),
            ],
        )
        for name in ("x", 'y"\n\\')
    ]

    body = expositions(measured)

    assert body == (
        b'# TYPE a gauge\na{container="x"} 1\na{container="y\\"\\n\\\\"} 1\n'
        b'# TYPE b counter\nb{container="x",device="s"} 2.5\nb{container="y\\"\\n\\\\",device="s"} 2.5\n'
    )
    assert (
        lines_of(body, [pairs({"container": "x"})])
        == b'a{container="x"} 1\nb{container="x",device="s"} 2.5\n'
    )
    assert lines_of(body, [pairs({"container": "z"})]) == b""


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
    parent.communicate("\n", timeout=60)

    assert (both["container_processes"], one["container_processes"]) == (2, 1)
    assert both["container_memory_working_set_bytes"] > one["container_memory_working_set_bytes"] + 20_000_000
    assert 0.15 <= both["container_cpu_usage_seconds_total"] <= one["container_cpu_usage_seconds_total"]
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


def test_a_service_that_ends_is_ended(collector, agent, wait_for):
    """When the process has gone its samples are shipped once more as stale; the agent goes on waiting for the next one."""
    service = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    pid_file = agent.home / "pid"
    pid_file.write_text(f"{service.pid}\n")
    agent.start(
        f'collector = "{collector.url}"\n[container]\nenabled = true\ninterval_s = 0.2\npid_file = "{pid_file}"\n'
    )
    wait_for(lambda: bool(collector.of("/v1/exposition")), "a sample")
    service.communicate(b"\n", timeout=60)

    wait_for(lambda: len(agent.happened("container_not_measured")) >= 2, "the end")
    wait_for(lambda: bool(stale(collector)), "the stale samples")

    last = [r for r in collector.numbered("/v1/exposition") if r not in stale(collector)][-1]
    assert len(stale(collector)) == 1
    assert stale(collector)[0].body == last.body


def stale(collector):
    """The expositions that end series."""
    return [r for r in collector.of("/v1/exposition") if r.headers.get("fuseboard-format") == "stale"]
