"""
``fuseboard-agent``: the sidecar's command line (``python -m agents`` is the same).

    fuseboard-agent [--config agent.toml]              ship until SIGTERM, which drains and exits 0
    fuseboard-agent check [--config agent.toml]        validate and print the settings, secrets masked; --json for programs
    fuseboard-agent run [--config agent.toml] -- CMD   run CMD and ship its output as well
    fuseboard-agent quarantine list | show | retry     what a collector has rejected (``quarantine_cli``)

SIGHUP reads the settings again, the key's file too; wrong ones are an error in the log, and the old ones stay. Under ``run``
every signal is the process's own; only the key is read again there, when a collector does not know it.

Exit 2: a setting is unknown or wrong; standard error names it.
"""

import argparse
import os
import signal
import sys
from pathlib import Path

from agents import __version__
from agents.errors import SpoolUnavailable, WrongSetting
from agents.own_log import log
from agents.settings import load
from agents.settings_tables import LISTS, TABLES, TOP
from agents.settings_values import Settings


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the answer is the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if arguments[:1] == ["quarantine"]:
            from agents import quarantine_cli

            return quarantine_cli.run(arguments[1:], _data_dir)
        return _main(_parse(arguments))
    except WrongSetting as error:
        sys.stderr.write(f"fuseboard-agent: {error.message}\n")
        return 2
    except (SpoolUnavailable, OSError) as error:
        log("error", "agent_cannot_start", reason=str(error))
        return 1


def _main(given: argparse.Namespace) -> int:
    config = _config(given.config)
    if given.command == "check":
        return _check(config, as_json=given.json)
    settings = load(config, os.environ)
    return _ship(settings, config) if given.command is None else _run(settings, given.child)


def _config(named: str | None) -> Path | None:
    named = named or os.environ.get("FUSEBOARD_AGENT_CONFIG")
    return Path(named) if named else None


def _data_dir(named: str | None) -> Path:
    return load(_config(named), os.environ).data_dir


def _check(config: Path | None, *, as_json: bool) -> int:
    """Print the settings; a wrong one is a sentence on standard error, or an object on standard output."""
    from agents import check

    try:
        settings = load(config, os.environ)
    except WrongSetting as error:
        if not as_json:
            raise
        sys.stdout.write(check.refusal_as_json(error.setting, error.message) + "\n")
        return 2
    sys.stdout.write((check.as_json(settings) if as_json else check.described(settings)) + "\n")
    sys.stderr.writelines(f"fuseboard-agent: note: {note}\n" for note in check.notes(settings))
    return 0


def _ship(settings: Settings, config: Path | None) -> int:
    """Ship until SIGTERM or SIGINT; SIGHUP reads the settings again."""
    from agents.pipeline import Pipeline

    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(
        signal.SIG_BLOCK, {*ends, signal.SIGHUP}
    )  # also in the threads that start from here
    pipeline = Pipeline(settings)
    pipeline.start()
    while signal.sigwait({*ends, signal.SIGHUP}) not in ends:
        try:
            pipeline.reload(load(config, os.environ), lambda: bool(signal.sigpending() & ends))
        except WrongSetting as error:
            log("error", "reload_refused", reason=error.message)
    pipeline.stop()
    return 0


def _run(settings: Settings, command: list[str]) -> int:
    """Run a process beside the sources; its exit code is ours (128 + signal when one ended it)."""
    from agents import child as children
    from agents.pipeline import Pipeline

    mask = children.block_signals()
    pipeline = Pipeline(settings)
    pipeline.start()
    asked = children.asked_to_end()
    if asked:
        pipeline.stop()
        return 128 + asked
    try:
        child = children.start(command, mask)
    except OSError as error:
        sys.stderr.write(f"fuseboard-agent: {command[0]!r} cannot be run: {error}\n")
        pipeline.stop()
        return 126 if isinstance(error, PermissionError) else 127
    source = pipeline.follow(child, command[0])
    code = children.supervise(child)
    source.finish(settings.drain_s)
    pipeline.stop()
    _let_go_of_standard_error()
    return code


def _let_go_of_standard_error() -> None:
    """Keep the interpreter from ending with a code of its own, 120, when nobody reads our standard error any more."""
    try:
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _parse(arguments: list[str]) -> argparse.Namespace:
    own, child = arguments, []
    if "--" in arguments:
        own, child = arguments[: arguments.index("--")], arguments[arguments.index("--") + 1 :]
    parser = argparse.ArgumentParser(
        prog="fuseboard-agent",
        description="Ship one service's logs, metrics, traces and breaker transitions, each block exactly once.",
        epilog=f"fuseboard-agent quarantine --help: blocks that a collector has rejected\n\n{_settings_help()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "command",
        nargs="?",
        choices=("check", "run"),
        help="check: print the settings; run -- CMD: ship CMD's output",
    )
    parser.add_argument("--config", help="TOML file; or FUSEBOARD_AGENT_CONFIG")
    parser.add_argument("--json", action="store_true", help="check: for programs")
    parser.add_argument("--version", action="version", version=__version__)
    given = parser.parse_args(own)
    if (given.command == "run") != bool(child):
        parser.error("write: fuseboard-agent run -- CMD ARGUMENTS")
    given.child = child
    return given


def _settings_help() -> str:
    tables = {"": TOP} | TABLES | LISTS
    lines = ["settings (in agent.toml, or as FUSEBOARD_AGENT_<TABLE>_<KEY>):"]
    for table, fields in tables.items():
        prefix = f"{table}." if table else ""
        lines += [f"  {prefix + field.key:24} {field.help}" for field in fields]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
