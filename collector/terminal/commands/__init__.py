"""
The commands: options, one question each, an exit code.

``logs.py``       query, tail, patterns
``traces.py``     traces, trace
``services.py``   breakers, services, causes, deploys, queues, hot
``oncall.py``     incidents, silences
``languages.py``  promql, sql

In: what somebody typed. Out: rows, handed to the module of ``terminal/`` that shows them; `add_to` puts the commands into the program.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import typer

from collector.terminal.commands.languages import promql, sql
from collector.terminal.commands.logs import patterns, query, tail
from collector.terminal.commands.oncall import incidents, silences
from collector.terminal.commands.services import breakers, causes, deploys, hot, queues, services
from collector.terminal.commands.traces import find_traces, trace

COMMANDS: Mapping[str, Callable[..., None]] = {
    "query": query,
    "tail": tail,
    "patterns": patterns,
    "traces": find_traces,
    "trace": trace,
    "breakers": breakers,
    "services": services,
    "causes": causes,
    "incidents": incidents,
    "silences": silences,
    "deploys": deploys,
    "queues": queues,
    "hot": hot,
    "promql": promql,
    "sql": sql,
}


def add_to(cli: typer.Typer, commands: Mapping[str, Callable[..., None]] = COMMANDS) -> None:
    """Add *commands* to the program."""
    for name, command in commands.items():
        cli.command(name, rich_help_panel="Ask a collector (exit 0: found, 1: nothing, 2: an error)")(command)
