"""
``fuseboard-agent``: the sidecar's command line (``python -m agents`` is the same).

    fuseboard-agent [--config agent.toml]              ship until SIGTERM, which drains and exits 0
    fuseboard-agent check [--config agent.toml]        validate and print the settings, secrets masked
    fuseboard-agent run [--config agent.toml] -- CMD   run CMD and ship its output as well

Exit 2: a setting is unknown or wrong; standard error names it.
"""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from agents import __version__
from agents.errors import SpoolUnavailable, WrongSetting
from agents.own_log import log
from agents.settings import LISTS, TABLES, TOP, Settings, describe, load


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the answer is the exit code."""
    given = _parse(sys.argv[1:] if arguments is None else arguments)
    config = given.config or os.environ.get("FUSEBOARD_AGENT_CONFIG")
    try:
        settings = load(Path(config) if config else None, os.environ)
        if given.command == "check":
            sys.stdout.write(describe(settings) + "\n")
            return 0
        return _ship(settings)
    except WrongSetting as error:
        sys.stderr.write(f"fuseboard-agent: {error.message}\n")
        return 2
    except (SpoolUnavailable, OSError) as error:
        log("error", "agent_cannot_start", reason=str(error))
        return 1


def _ship(settings: Settings) -> int:
    from agents.pipeline import Pipeline

    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    pipeline = Pipeline(settings)
    pipeline.start()
    asked.wait()
    pipeline.stop()
    return 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="fuseboard-agent",
        description="Ship one service's logs, metrics, traces and breaker transitions, each block exactly once.",
        epilog=_settings_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "command", nargs="?", choices=("check",), help="check: validate and print the settings"
    )
    parser.add_argument("--config", help="TOML file; or FUSEBOARD_AGENT_CONFIG")
    parser.add_argument("--version", action="version", version=__version__)
    return parser.parse_args(arguments)


def _settings_help() -> str:
    tables = {"": TOP} | TABLES | LISTS
    lines = ["settings (in agent.toml, or as FUSEBOARD_AGENT_<TABLE>_<KEY>):"]
    for table, fields in tables.items():
        prefix = f"{table}." if table else ""
        lines += [f"  {prefix + field.key:24} {field.help}" for field in fields]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
