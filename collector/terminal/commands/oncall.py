"""Commands about alerts: incidents, and who is not told."""

from __future__ import annotations

from typing import Annotated

import typer

from collector.terminal import oncall
from collector.terminal.asking import JsonOption, KeyOption, UrlOption, answered, asking
from collector.terminal.output import Output


def incidents(
    state: Annotated[
        str, typer.Option("--state", help="Only these: 'open,acknowledged'; default: all but merged ones.")
    ] = "",
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Incidents: pages with one root as one story, the newest first."""
    output = Output(as_json=as_json)
    with asking(url, key) as remote:
        code = output.rows(
            answered(remote, lambda: remote.get("/incidents", {"state": state})), oncall.incidents
        )
    raise typer.Exit(code)


def silences(as_json: JsonOption = False, url: UrlOption = None, key: KeyOption = None) -> None:
    """Silences and maintenance windows: who is not told of which alerts, until when, and why."""
    output = Output(as_json=as_json)
    with asking(url, key) as remote:
        code = output.rows(answered(remote, lambda: remote.get("/silences", {})), oncall.silences)
    raise typer.Exit(code)
