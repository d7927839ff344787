"""
A process that runs alerting rounds in forks of itself, and kills them where it is told.

Reads one JSON object per line and answers with one: ``{"killed": bool}``. Each fork opens the
state as a restarted collector does, evaluates once, delivers what is due, and ends. With
``kill_at`` = n it gets SIGKILL at its n-th point; points are before every write, before every
commit, after it (the next BEGIN), and between an attempt's commit and its request; ``kill_before_send`` names that last one.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import traceback
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import structlog
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, event

from collector.alerting import Alerting, AlertingSettings, Receiver
from collector.alerting.guard import resolve_host
from collector.alerting.kinds.asking import Sources
from collector.alerting.routing.tree import build_tree
from collector.errors import StoreUnavailable
from collector.read.sql import Reader
from collector.state import State

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def nobody() -> Reader:
    """Answer nothing: these rules ask no engine."""
    raise StoreUnavailable("there is no engine")


class Points:
    """Counts points and dies at one of them."""

    def __init__(self, kill_at: int | None) -> None:
        self.left = kill_at

    def __call__(self, *args: object, **kwargs: object) -> None:
        """Pass a point."""
        del kwargs
        if self.left is not None and not str(args[2:3]).startswith(("('SELECT", "('BEGIN',")):
            self.left -= 1
            if self.left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


def run(spec: dict[str, object]) -> None:
    """Be the collector for one round."""
    if spec.get("pid_file"):
        Path(str(spec["pid_file"])).write_text(str(os.getpid()))
    now = datetime.fromisoformat(str(spec["now"]))
    breaker = SimpleNamespace(
        service="checkout",
        env="demo",
        breaker="payment",
        target="payment",
        instance="checkout-1",
        state=spec["state"],
        since=datetime.fromisoformat(str(spec["since"])),
        reason="",
        trace_id="",
    )
    state_ = State(str(spec["state_url"]))
    point = Points(spec.get("kill_at"))

    def resolve(host: str, port: int) -> tuple[str, ...]:
        point()
        if spec.get("kill_before_send"):
            os.kill(os.getpid(), signal.SIGKILL)
        return resolve_host(host, port)

    url = str(spec["receiver"])
    receivers = [Receiver("pager", url, SECRET, allow_private=True)]
    if spec.get("second"):
        receivers.append(Receiver("second", f"{url}/second", kind="alertmanager", allow_private=True))
    others = [
        SimpleNamespace(**{**vars(breaker), "service": service, "state": state})
        for service, state in dict(spec.get("others", {})).items()
    ]
    settings = AlertingSettings(
        rule_files=(str(spec["rule_file"]),),
        receivers=tuple(receivers),
        routes=build_tree(list(spec.get("routes", ())), ["pager"]),
        flap_damping="routes" in spec,
    )
    alerting = Alerting(
        settings,
        state=state_,
        breakers=SimpleNamespace(current=lambda: [breaker, *others]),
        registry=CollectorRegistry(),
        holder="collector-1",
        sources=Sources(nobody, own=lambda: {"journal": {"bytes": spec.get("journal", 0), "max_bytes": 1}}),
        clock=lambda: now,
        resolve=resolve,
    )
    event.listen(Engine, "before_cursor_execute", point)
    event.listen(Engine, "commit", point)
    alerting.round()
    alerting.deliver_due()


def warm_up() -> None:
    """Run one round here: late imports and first compilations would cost every fork 0.1 s and more."""
    with TemporaryDirectory() as folder:
        rules = Path(folder, "rules.yaml")
        rules.write_text("groups: [{name: warm, rules: [{alert: Up, breaker: open for 1s}]}]")
        times = {"now": "2026-11-22T03:00:15+00:00", "since": "2026-11-22T03:00:00+00:00"}
        places = {
            "state_url": f"sqlite:///{folder}/state.db",
            "rule_file": str(rules),
            "receiver": "http://127.0.0.1:9/",
        }
        run({**times, **places, "state": "open"})
    gc.freeze()


def main() -> None:
    """Fork once per line."""
    # Logs must not stand between the answers.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    warm_up()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                run(json.loads(line))
                os._exit(0)
            except BaseException:  # noqa: BLE001 - a fork must never return into the loop
                traceback.print_exc()
                os._exit(1)
        _, status = os.waitpid(pid, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        assert killed or os.waitstatus_to_exitcode(status) == 0, status
        sys.stdout.write(json.dumps({"killed": killed}) + "\n")
        sys.stdout.flush()


main()
