"""
Serve the dashboards alone: ``python -m dashboards --collector URL``.

The key of this installation comes from ``FUSEBOARD_DASHBOARDS_KEY``, never from the command line.
On loopback it speaks for every visitor. On any other address each visitor brings a read key of
their own (the browser asks), unless ``--anonymous`` says that something in front decides who comes in.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import signal
import sys
from collections.abc import Sequence

KEY_VARIABLE = "FUSEBOARD_DASHBOARDS_KEY"
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")
"""What a browser's Host header may say on loopback; other names would be DNS rebinding."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and serve until SIGTERM; 2 for settings that make no sense."""
    parser = _parser()
    options = parser.parse_args(arguments)
    key = os.environ.get(KEY_VARIABLE, "")
    local = is_loopback(options.host)
    if not options.collector.startswith(("http://", "https://")):
        parser.error(f"--collector {options.collector!r}: write a URL such as http://127.0.0.1:4318")
    if key and not local and not options.anonymous:
        parser.error(
            f"--host {options.host!r} is reachable from other machines and {KEY_VARIABLE} would let every "
            "visitor in: unset it (each visitor then brings a read key), or pass --anonymous if a proxy "
            "or a port published on loopback decides who may visit"
        )
    return _serve(options, key, local=local)


def _serve(options: argparse.Namespace, key: str, *, local: bool) -> int:
    import httpx
    import uvicorn

    from dashboards.api import Api
    from dashboards.app import create_app
    from dashboards.documents import PATIENCE_S

    # each live tail holds a connection
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
    client = httpx.AsyncClient(base_url=options.collector, limits=limits)
    hosts = LOOPBACK_HOSTS if local else ("*",)
    application = create_app(Api(client, key), allowed_hosts=hosts, patience_s=PATIENCE_S)
    signal.signal(signal.SIGTERM, _leave)
    uvicorn.run(application, host=options.host, port=options.port, log_level="warning", server_header=False)
    return 0


def _leave(*_: object) -> None:
    """Exit with 0: uvicorn drains, then raises the signal again for whoever handled it before."""
    sys.exit(0)


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches *host*."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dashboards", description=__doc__)
    parser.add_argument("--collector", required=True, metavar="URL", help="base URL of the collector")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback)")
    parser.add_argument("--port", type=int, default=4319, help="port to listen on (default: 4319)")
    parser.add_argument("--anonymous", action="store_true", help="serve visitors without a key of their own")
    return parser


if __name__ == "__main__":
    sys.exit(main())
