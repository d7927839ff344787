"""Commands about how services are: breakers, health, causes, deploys, queues, what presses them."""

from __future__ import annotations

from typing import Annotated

import typer

from collector.terminal import board, work
from collector.terminal.asking import (
    EndOption,
    EnvOption,
    JsonOption,
    KeyOption,
    StartOption,
    UrlOption,
    answered,
    asking,
)
from collector.terminal.output import Output


def breakers(
    service: Annotated[str, typer.Option("--service", help="Only this service's.")] = "",
    state: Annotated[str, typer.Option("--state", help="Only these: 'open', 'open,half_open'.")] = "",
    start: StartOption = None,
    end: EndOption = None,
    env: EnvOption = "",
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """The board: every breaker as it stands, open ones first."""
    output = Output(as_json=as_json)
    wanted = {each.strip() for each in state.split(",") if each.strip()}
    with asking(url, key) as remote:
        params = {"service": service, "start": start, "end": end, "env": env}
        rows = answered(remote, lambda: remote.get("/breakers", params))
        code = output.rows([row for row in rows if not wanted or row.get("state") in wanted], board.breakers)
    raise typer.Exit(code)


def services(
    health: Annotated[
        str, typer.Option("--health", help="Only these: 'unhealthy', 'unhealthy,degraded'.")
    ] = "",
    start: StartOption = None,
    end: EndOption = None,
    env: EnvOption = "",
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Services with their health, the evidence, and requests, errors and durations."""
    output = Output(as_json=as_json)
    wanted = {each.strip() for each in health.split(",") if each.strip()}
    with asking(url, key) as remote:
        rows = answered(remote, lambda: remote.get("/services", {"start": start, "end": end, "env": env}))
        code = output.rows([row for row in rows if not wanted or row.get("health") in wanted], board.services)
    raise typer.Exit(code)


def causes(
    service: Annotated[str, typer.Option("--service", help="Whose trouble; default: anybody's.")] = "",
    start: StartOption = None,
    end: EndOption = None,
    env: EnvOption = "",
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Where trouble began: probable causes with their evidence, the likeliest first."""
    output = Output(as_json=as_json)
    params = {"service": service, "start": start, "end": end, "env": env}
    with asking(url, key) as remote:
        code = output.rows(answered(remote, lambda: remote.get("/causes", params)), board.causes)
    raise typer.Exit(code)


def deploys(
    service: Annotated[str, typer.Option("--service", help="Only this service's.")] = "",
    start: StartOption = None,
    end: EndOption = None,
    env: EnvOption = "",
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Deploys with what they changed: regressed, improved, unchanged, and the evidence."""
    output = Output(as_json=as_json)
    params = {"service": service, "start": start, "end": end, "env": env}
    with asking(url, key) as remote:
        code = output.rows(answered(remote, lambda: remote.get("/deploys", params)), work.deploys)
    raise typer.Exit(code)


def queues(
    start: StartOption = None,
    end: EndOption = None,
    env: EnvOption = "",
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Queues with who sends and who takes, how far behind they are and whether they grow, the worst first."""
    output = Output(as_json=as_json)
    params = {"start": start, "end": end, "env": env}
    with asking(url, key) as remote:
        code = output.rows(answered(remote, lambda: remote.get("/queues", params)), work.queues)
    raise typer.Exit(code)


def hot(
    start: StartOption = None,
    end: EndOption = None,
    env: EnvOption = "",
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Services by what presses them: which to scale next, and what would help."""
    output = Output(as_json=as_json)
    params = {"start": start, "end": end, "env": env}
    with asking(url, key) as remote:
        code = output.rows(answered(remote, lambda: remote.get("/hot", params)), work.hot)
    raise typer.Exit(code)
