"""A host's directories as kubelet, Docker and the kernel make them: what tests and the benchmark of node mode share."""

import json

from agents.settings_values import NodeSettings


class Node:
    """A host's directories."""

    def __init__(self, home):
        self.pods, self.links, self.docker = (
            home / "log" / "pods",
            home / "log" / "containers",
            home / "docker",
        )
        self.cgroup, self.proc = home / "cgroup", home / "proc"
        for directory in (self.pods, self.links, self.docker, self.cgroup, self.proc):
            directory.mkdir(parents=True)
        (self.proc / "stat").write_text("cpu 1\nbtime 1000\n")

    def settings(self, **more):
        """What ``[node]`` says of this host."""
        given = {
            "enabled": True, "pods_dir": self.pods, "docker_dir": self.docker, "cgroup_dir": self.cgroup, "exclude": (),
            "start_at": "beginning", "multiline": "auto", "interval_s": 1.0,
        }  # fmt: skip
        return NodeSettings(**given | more)

    def toml(self, collector_url, more="", interval_s=0.5):
        """The same as a file."""
        return (
            f'collector = "{collector_url}"\n[resource]\n"service.name" = "node-agent"\n"service.version" = "9"\n'
            f'"host.name" = "node7"\n"deployment.environment.name" = "test"\n[node]\nenabled = true\npods_dir = "{self.pods}"\n'
            f'docker_dir = "{self.docker}"\ncgroup_dir = "{self.cgroup}"\ninterval_s = {interval_s}\n{more}'
        )

    def pod(self, number, namespace="shop", container="app", service=None):
        """Make a pod with one container and its log; gives the log."""
        name = f"{service or f'service{number}'}-7d9c5b8f6d-{suffix(number)}"
        uid, container_id = f"{number:08x}-2222-3333-4444-555555555555", f"{number:064x}"
        log = self.pods / f"{namespace}_{name}_{uid}" / container / "0.log"
        log.parent.mkdir(parents=True)
        log.touch()
        (self.links / f"{name}_{namespace}_{container}-{container_id}.log").symlink_to(log)
        slice_ = f"kubepods.slice/kubepods-pod{uid.replace('-', '_')}.slice"
        self.group(f"{slice_}/cri-containerd-{container_id}.scope", number)
        self.group(f"{slice_}/cri-containerd-{'f' * 56}{number:08x}.scope", number)  # the pod's sandbox
        return log

    def container(self, number, name, labels=None):
        """Make a container of Docker; gives its log."""
        container_id = f"d{number:063x}"
        directory = self.docker / container_id
        directory.mkdir()
        config = {
            "Name": f"/{name}",
            "Config": {"Image": "image:1", "Labels": labels or {}},
            "RestartCount": 2,
        }
        (directory / "config.v2.json").write_text(json.dumps(config))
        self.group(f"system.slice/docker-{container_id}.scope", number)
        log = directory / f"{container_id}-json.log"
        log.touch()
        return log

    def group(self, path, number):
        """Make the cgroup of a container."""
        directory = self.cgroup / path
        directory.mkdir(parents=True)
        files = {
            "memory.current": "1000", "memory.stat": "anon 600\nfile 350\ninactive_file 300", "memory.max": "max",
            "cpu.max": "max 100000", "cpu.stat": f"usage_usec {number}000000\nnr_periods 1", "pids.current": "3",
            "pids.max": "max", "cgroup.procs": "0\n0", "io.stat": "8:0 rbytes=1 wbytes=2 rios=3 wios=4",
            "memory.events": "oom_kill 0", "cpu.pressure": "some avg10=0 total=5\nfull avg10=0 total=1",
        }  # fmt: skip
        for name, text in files.items():
            (directory / name).write_text(text + "\n")


def suffix(number):
    """Five characters as Kubernetes draws them."""
    alphabet = "bcdfghjklmnpqrstvwxz2456789"
    return "".join(alphabet[number // 27**place % 27] for place in range(5))


def cri(text):
    """A line as containerd writes it."""
    return f"2026-01-01T00:00:00.000000000Z stdout F {text}\n".encode()


def json_file(text):
    """A line as Docker writes it."""
    line = {"log": text + "\n", "stream": "stdout", "time": "2026-01-01T00:00:00.000000000Z"}
    return (json.dumps(line, separators=(",", ":")) + "\n").encode()
