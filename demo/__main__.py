"""The command line: up, fault, service, load, pager."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from demo.errors import DemoError, UsageError
from demo.faults import FAULTS
from demo.settings import DEFAULT_DATA_DIR, ServiceSettings
from demo.topology import SERVICES

_MAX_RATE = 200.0  # seven small processes on two cores; past this the load measures itself


def main(argv: list[str] | None = None) -> int:
    """Run one command; return 0, 1 (it failed) or 2 (it cannot work as asked)."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except UsageError as error:
        print(f"demo: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo", description="A small real shop under load.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_up(commands.add_parser("up", help="start the whole shop"))
    _add_fault(commands.add_parser("fault", help="switch a fault of one service"))
    service = commands.add_parser("service", help="run one service; settings come from the environment")
    service.add_argument("name", metavar="NAME", help=f"one of {', '.join(SERVICES)}")
    service.set_defaults(run=_service)
    load = commands.add_parser("load", help="run the customers against a gateway")
    load.add_argument("--gateway", required=True, metavar="URL", type=_url)
    load.add_argument("--duration", metavar="S", type=_positive, help="seconds; default: until SIGTERM")
    _add_load_options(load)
    load.set_defaults(run=_load)
    pager = commands.add_parser("pager", help="receive the alerts' webhooks; secret from DEMO_PAGER_SECRET")
    pager.add_argument(
        "--log", metavar="FILE", type=Path, required=True, help="where deliveries are appended"
    )
    pager.add_argument("--port", metavar="P", type=_whole, default=0, help="default: any free one")
    pager.set_defaults(run=_pager)
    return parser


def _add_up(up: argparse.ArgumentParser) -> None:
    up.add_argument("--collector", metavar="URL", type=_url, help="where the sidecars ship to")
    up.add_argument(
        "--key",
        metavar="K",
        default=os.environ.get("DEMO_KEY"),  # an argument is there for every user of the machine to read
        help="ingest key, better given as DEMO_KEY; not needed for a collector on loopback",
    )
    up.add_argument("--data-dir", metavar="D", type=Path, default=Path(DEFAULT_DATA_DIR))
    up.add_argument("--no-sidecars", action="store_true", help="services and load alone")
    up.add_argument(
        "--base-port", metavar="P", type=int, default=0, help="first of 30 ports; default: free ones"
    )
    _add_load_options(up)
    up.set_defaults(run=_up)


def _add_load_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seed", metavar="N", type=_whole, default=1, help="same seed, same requests and errors"
    )
    parser.add_argument(
        "--rate", metavar="R", type=_rate, default=10.0, help="requests/s at the gateway; default 10"
    )


def _add_fault(fault: argparse.ArgumentParser) -> None:
    fault.add_argument("service", choices=list(SERVICES))
    fault.add_argument("fault", choices=list(FAULTS))
    switch = fault.add_mutually_exclusive_group(required=True)
    switch.add_argument("--on", action="store_true")
    switch.add_argument("--off", dest="on", action="store_false")
    fault.add_argument(
        "--value", metavar="V", type=_whole, help="ms for slow, percent for errors, MiB for leak"
    )
    fault.add_argument("--data-dir", metavar="D", type=Path, default=Path(DEFAULT_DATA_DIR))
    fault.add_argument(
        "--url", metavar="URL", type=_url, help="the service's own address, where there is no state file"
    )
    fault.set_defaults(run=_fault)


def _up(arguments: argparse.Namespace) -> None:
    from demo import ports, state
    from demo.orchestrator import ENV, Shop, ShopPlan
    from demo.sidecars import SidecarPlan

    data_dir = arguments.data_dir.resolve()
    if not arguments.no_sidecars and not arguments.collector:
        raise UsageError(
            "the sidecars need a collector: give --collector http://127.0.0.1:4318, or --no-sidecars"
        )
    state.refuse_second(data_dir)
    data_dir.mkdir(parents=True, exist_ok=True)
    sidecars = None
    if not arguments.no_sidecars:
        sidecars = SidecarPlan(arguments.collector, arguments.key, data_dir, ENV)
    block = ports.given(arguments.base_port) if arguments.base_port else ports.free()
    Shop(ShopPlan(data_dir, block, arguments.seed, arguments.rate, sidecars)).run()


def _service(arguments: argparse.Namespace) -> None:
    settings = ServiceSettings.from_env(arguments.name, os.environ)
    from demo import process

    process.run(settings)


def _load(arguments: argparse.Namespace) -> None:
    from demo import load

    load.run(arguments.gateway, arguments.seed, arguments.rate, arguments.duration)


def _pager(arguments: argparse.Namespace) -> None:
    from demo import pager

    pager.run(os.environ.get("DEMO_PAGER_SECRET", ""), arguments.log, arguments.port)


def _fault(arguments: argparse.Namespace) -> None:
    from demo import state

    if arguments.url:
        address = urlsplit(arguments.url).netloc
    else:
        services = state.read(arguments.data_dir.resolve())["services"]
        address = f"127.0.0.1:{services[arguments.service]['control_port']}"
    body = {"fault": arguments.fault, "on": arguments.on, "value": arguments.value}
    print(json.dumps(_switch(address, arguments.service, body)))  # noqa: T201


def _switch(address: str, service: str, body: dict[str, Any]) -> Any:
    connection = http.client.HTTPConnection(address, timeout=5)
    try:
        connection.request("POST", "/_fault", json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise DemoError(f"{service} does not answer at {address}: {error}; it may be restarting") from error
    finally:
        connection.close()
    if response.status != 200:
        raise UsageError(answer["error"]["message"])
    return answer


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def _rate(text: str) -> float:
    rate = _positive(text)
    if rate > _MAX_RATE:
        raise argparse.ArgumentTypeError(f"{text!r} requests/s is too much: at most {_MAX_RATE:g}")
    return rate


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise argparse.ArgumentTypeError(f"{text!r} is not a URL such as http://127.0.0.1:4318")
    return text.rstrip("/")


if __name__ == "__main__":
    sys.exit(main())
