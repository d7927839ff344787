"""The disk of the agent, then the collector's, is full or read-only, and comes back: no crash, no loss, on again by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests import conftest
from tests.conftest import Served, eventually
from tests.small_disk import SmallDisk, small_disk
from tests.system.faults import victims
from tests.system.faults.judge import Stored, settled_ledger
from tests.system.faults.producer import Producer
from tests.system.faults.victims import Agent

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system"), pytest.mark.timeout(300)]

REFUSING = Path(__file__).parent / "refusing"
OUT_S = 4.0  # how long a disk is away
BACK_S = 30.0  # within which everything goes on by itself


class Switch:
    """Makes a directory read-only for the processes that were started while it was made."""

    def __init__(self, below: Path) -> None:
        self._switch = Path(f"{below}.read-only")

    def fill(self) -> None:
        """Refuse."""
        self._switch.touch()

    def empty(self) -> None:
        """Work again."""
        self._switch.unlink()


@pytest.fixture
def disk(
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., SmallDisk | Switch]]:
    """``disk(kind, path, size)``: the disk under *path*, which is not there yet; ``full`` is a tmpfs, ``read-only`` a layer."""
    mounts = []

    def make(kind: str, path: Path, size: str) -> SmallDisk | Switch:
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "full":
            mounts.append(small_disk(path, size))
            return mounts[-1].__enter__()
        for module, name in ((victims, "clean_environment"), (conftest, "_environment")):
            monkeypatch.setattr(module, name, _refusing(getattr(module, name), path))
        return Switch(path)

    yield make
    for mount in mounts:
        mount.__exit__(None, None, None)


def _refusing(environment: Callable[[], dict[str, str]], below: Path) -> Callable[[], dict[str, str]]:
    return lambda: {
        **(found := environment()),
        "PYTHONPATH": f"{REFUSING}:{found['PYTHONPATH']}",
        "REFUSE_BELOW": str(below),
    }


def _keep_full(disk: SmallDisk | Switch) -> None:
    """Let the disk be away for *OUT_S*: what the processes on it give back meanwhile is taken as well."""
    until = time.monotonic() + OUT_S
    while time.monotonic() < until:
        disk.fill()
        time.sleep(0.02)
    disk.fill()


def _began_again(agent: Agent, before: float, since: float) -> float:
    """Wait until the agent has had more acknowledged than *before*; the seconds since *since*."""
    eventually(lambda: agent.total("shipped_bytes_total") > before, BACK_S)
    return time.monotonic() - since


@pytest.mark.parametrize("kind", ["full", "read-only"])
def test_the_agents_disk_is_away_and_comes_back(
    kind: str, disk, serve, make_agent, drain, shut, tmp_path: Path
) -> None:
    """The agent stays up and reads nothing it could not keep; then every line is stored once, and the ledger balances."""
    small = disk(kind, tmp_path / "agent-0" / "data", "8m")
    served: Served = serve()
    producer = Producer(tmp_path / "orders.log", seed=3, per_s=400)
    agent: Agent = make_agent([served.url], [producer.pattern])
    agent.start(wait=True)
    producer.start()
    eventually(lambda: agent.total("shipped_bytes_total") > 0, BACK_S)
    _keep_full(small)
    stuck = agent.total("lag_bytes")
    before, back = agent.total("shipped_bytes_total"), time.monotonic()
    small.empty()
    took = _began_again(agent, before, back)
    written = producer.stop()
    drain(agent)
    ledger = eventually(lambda: settled_ledger(served, "orders", written.bytes()[0]), 60)
    shut(served)
    stored = Stored([served])

    assert agent.starts == 1
    assert stuck > 0
    assert took <= BACK_S
    assert stored.lines([written])[1] == 0
    stored.rollups()
    assert all(row["gaps"] == [] for row in ledger)


@pytest.mark.parametrize("kind", ["full", "read-only"])
def test_the_collectors_disk_is_away_and_comes_back(
    kind: str, disk, make_agent, drain, shut, tmp_path: Path
) -> None:
    """Refused with a time to come back, never a crash; what was acknowledged is there, and all is stored once."""
    small = disk(kind, tmp_path / "collector" / "data", "400m")
    served = Served(tmp_path / "collector")
    try:
        served.start()
        producer = Producer(tmp_path / "orders.log", seed=4, per_s=400)
        agent: Agent = make_agent([served.url], [producer.pattern])
        agent.start(wait=True)
        producer.start()
        eventually(lambda: agent.total("shipped_bytes_total") > 0, BACK_S)
        small.fill()
        refused = eventually(lambda: _refused(served))
        _keep_full(small)
        alive = served.client.get("/healthz").status_code
        ready = served.client.get("/readyz").status_code
        before, back = agent.total("shipped_bytes_total"), time.monotonic()
        small.empty()
        eventually(lambda: served.client.get("/readyz").status_code == 200, BACK_S)
        took = _began_again(agent, before, back)
        written = producer.stop()
        drain(agent)
        shut(served)
        stored = Stored([served])

        assert refused.status_code in {429, 503}
        assert int(refused.headers["retry-after"]) >= 1
        assert (alive, ready) == (200, 503)
        assert took <= BACK_S
        assert stored.lines([written])[1] == 0
    finally:
        served.close()


def _refused(served: Served) -> httpx.Response | None:
    """A request that is refused, if one is: of a service of its own, large enough to need space."""
    body = b"".join(b"%032x\n" % (number * 0x9E3779B97F4A7C15 % 2**128) for number in range(3000))
    answer = served.client.post(
        "/v1/lines", content=body, headers={"Fuseboard-Resource": "service.name=probe"}
    )
    return None if answer.status_code == 200 else answer
