"""Names of containers: from Kubernetes' paths, from Docker's files, from the shapes of cgroups."""

import json
import os

import pytest

from agents.sources import cgroup_tree
from agents.sources.containers import Container, workload
from agents.sources.docker import Docker
from agents.sources.kubernetes import Kubernetes

ID = "0123456789abcdef" * 4
UID = "11111111-2222-3333-4444-555555555555"


@pytest.mark.parametrize(
    ("pod", "service"),
    [
        ("checkout-7d9c5b8f6d-x2x9k", "checkout"),
        ("my-long-name-5f6d8-x2x9k", "my-long-name-5f6d8"),
        ("node-exporter-x2x9k", "node-exporter"),
        ("report-28934560-b4mvq", "report"),
        ("db-0", "db"),
        ("db-12", "db"),
        ("etcd-node7", "etcd"),
        ("my-redis", "my-redis"),
        ("web", "web"),
        ("web-proxy", "web-proxy"),
    ],
)
def test_the_workload_is_derived_from_the_pods_name(pod, service):
    """Deployments, sets of all kinds, jobs, static pods; a name of one's own stays."""
    assert workload(pod, "node7") == service


@pytest.mark.parametrize(
    ("path", "pod_uid"),
    [
        (f"docker/{ID}", ""),
        (f"system.slice/docker-{ID}.scope", ""),
        (f"machine.slice/libpod-{ID}.scope", ""),
        (f"kubepods/burstable/pod{UID}/{ID}", UID),
        (f"kubepods/pod{UID}/{ID}", UID),
        (f"kubepods.slice/kubepods-pod{UID.replace('-', '_')}.slice/cri-containerd-{ID}.scope", UID),
        (
            f"kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{UID.replace('-', '_')}.slice/crio-{ID}.scope",
            UID,
        ),
        (f"kubepods/besteffort/pod{'ab' * 16}/{ID}", "ab" * 16),
        (f"kubelet/kubepods/pod{UID}/{ID}", UID),
        (f"system.slice:docker:{ID}", ""),
    ],
)
def test_a_container_is_recognised_by_its_path(tmp_path, path, pod_uid):
    """Both drivers of all runtimes; what is below a container is part of it."""
    (tmp_path / path / "init.scope").mkdir(parents=True)
    (tmp_path / path / "nested" / ("f" * 64)).mkdir(parents=True)

    [found] = cgroup_tree.find(tmp_path)

    assert (found.id, found.pod_uid, found.group.unified) == (ID, pod_uid, tmp_path / path)


@pytest.mark.parametrize(
    "path",
    [f"crio-conmon-{ID}.scope", f"x-{ID}", ID[:63], f"{ID}0", "system.slice/ssh.service", "user.slice"],
)
def test_what_is_no_container_is_not_one(tmp_path, path):
    """Monitors of containers, other units, other lengths."""
    (tmp_path / path).mkdir(parents=True)

    assert cgroup_tree.find(tmp_path) == []


def test_version_1_and_hybrid_mounts_are_put_together(tmp_path):
    """The controllers of one container by its path in each; where both versions are mounted, both."""
    for mount in ("cpu", "cpuacct", "memory", "unified"):
        (tmp_path / mount / "docker" / ID).mkdir(parents=True)

    [found] = cgroup_tree.find(tmp_path)

    assert set(found.group.controllers) == {"cpu", "cpuacct", "memory"}
    assert found.group.unified == tmp_path / "unified" / "docker" / ID


def test_a_tree_that_is_not_there_has_no_containers(tmp_path):
    """A node without cgroups is no reason to stop."""
    assert cgroup_tree.find(tmp_path / "nowhere") == []


def test_kubernetes_names_come_from_paths(tmp_path):
    """Of a log and of a cgroup alike; the id from kubelet's link to that very log, restarts from the log's name."""
    pods, links = tmp_path / "pods", tmp_path / "containers"
    logs = pods / f"shop_checkout-7d9c5b8f6d-x2x9k_{UID}" / "app"
    logs.mkdir(parents=True)
    links.mkdir()
    for number in (1, 2):
        (logs / f"{number}.log").touch()
        (links / f"checkout-7d9c5b8f6d-x2x9k_shop_app-{str(number) * 64}.log").symlink_to(
            logs / f"{number}.log"
        )
    kubernetes = Kubernetes(pods, "node7")

    found = kubernetes.of_log(str(logs / "2.log"))
    rotated = kubernetes.of_log(str(logs / "1.log.20260101-000000"))

    assert found == Container(
        "app",
        "checkout",
        "2" * 64,
        namespace="shop",
        pod="checkout-7d9c5b8f6d-x2x9k",
        pod_uid=UID,
        restarts=2,
    )
    assert (rotated.id, rotated.restarts) == ("1" * 64, 1)
    assert kubernetes.of_cgroup("2" * 64, UID, kubernetes.names()) == found
    sandbox = kubernetes.of_cgroup("9" * 64, UID, kubernetes.names())
    assert (sandbox.name, sandbox.pod) == ("", "checkout-7d9c5b8f6d-x2x9k")
    assert found.resource() == {
        "service.name": "checkout",
        "service.namespace": "shop",
        "service.instance.id": "shop.checkout-7d9c5b8f6d-x2x9k.app",
        "k8s.namespace.name": "shop",
        "k8s.pod.name": "checkout-7d9c5b8f6d-x2x9k",
        "k8s.pod.uid": UID,
        "k8s.container.name": "app",
        "k8s.container.restart_count": "2",
        "container.id": "2" * 64,
        "container.name": "app",
    }


@pytest.mark.parametrize("path", ["/var/log/pods/x/app/0.log", "/var/log/pods/a_b_c/app/x.log", "/0.log"])
def test_another_path_is_no_containers(tmp_path, path):
    """It is followed under the agent's own name rather than under a wrong one."""
    assert Kubernetes(tmp_path, "").of_log(path) is None


def described(tmp_path, **config):
    """Docker's answer about a container with this config.v2.json."""
    directory = tmp_path / ID
    directory.mkdir(exist_ok=True)
    (directory / "config.v2.json").write_text(json.dumps(config))
    return Docker(tmp_path, "").of_log(str(directory / f"{ID}-json.log"))


def test_docker_names_come_from_its_file(tmp_path):
    """The compose service and project, else the container's name; image and restarts."""
    labels = {"com.docker.compose.service": "web", "com.docker.compose.project": "shop"}
    composed = described(
        tmp_path, Name="/shop-web-1", Config={"Image": "web:2", "Labels": labels}, RestartCount=3
    )
    alone = described(tmp_path, Name="/proxy", Config={"Image": "nginx", "Labels": None})

    assert composed == Container("shop-web-1", "web", ID, image="web:2", project="shop", restarts=3)
    assert composed.resource() == {
        "service.name": "web",
        "service.namespace": "shop",
        "service.instance.id": ID[:12],
        "container.id": ID,
        "container.name": "shop-web-1",
        "container.image.name": "web:2",
    }
    assert (alone.name, alone.service, alone.project) == ("proxy", "proxy", "")


def test_dockers_file_is_read_again_when_it_was_written(tmp_path):
    """A restart is seen; a file that is gone or broken leaves the short id, and is not remembered."""
    described(tmp_path, Name="/a", RestartCount=0)
    docker = Docker(tmp_path, "")
    file = tmp_path / ID / "config.v2.json"
    assert docker.of_id(ID).restarts == 0

    file.write_text(json.dumps({"Name": "/a", "RestartCount": 1}))
    os.utime(file, ns=(1, 1))
    assert docker.of_id(ID).restarts == 1
    for broken in ("{", "[]", '{"Config": 5}', '{"RestartCount": "x"}'):
        file.write_text(broken)
        assert docker.of_id(ID) == Container(ID[:12], ID[:12], ID)
    file.write_text(json.dumps({"Name": "/b"}))
    assert docker.of_id(ID).name == "b"


def test_pods_that_docker_runs_have_kubernetes_names(tmp_path):
    """Labels of the shim, the same service as by the pod's path."""
    labels = {
        "io.kubernetes.pod.name": "db-0", "io.kubernetes.pod.namespace": "shop", "io.kubernetes.pod.uid": UID,
        "io.kubernetes.container.name": "postgres",
    }  # fmt: skip
    found = described(tmp_path, Name="/k8s_postgres_db-0_shop_x_0", Config={"Labels": labels})

    assert (found.name, found.service, found.namespace, found.pod, found.pod_uid) == (
        "postgres", "db", "shop", "db-0", UID
    )  # fmt: skip


@pytest.mark.parametrize(
    ("container", "pattern", "excluded"),
    [
        (Container("app", "s", namespace="kube-system", pod="dns-1"), "kube-system/*", True),
        (Container("app", "s", namespace="shop", pod="dns-1"), "*/*/app", True),
        (Container("app", "s", namespace="shop", pod="dns-1"), "app", False),
        (Container("shop-web-1", "web"), "shop-*", True),
        (Container("shop-web-1", "web"), "web", False),
    ],
)
def test_containers_are_excluded_by_name(container, pattern, excluded):
    """namespace/pod/container in Kubernetes, the name elsewhere."""
    assert container.is_excluded([pattern]) is excluded
