"""The command `pulp-hf`."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from . import bootstrap, database, detach, status
from .datadir import DataDir
from .errors import StandaloneError
from .options import OPTIONS, Option, Options, resolve
from .screen import Screen
from .signals import Signals, Stopped

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    arguments = parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except StandaloneError as error:
        return _refuse(error)
    except KeyboardInterrupt:
        return INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """Return the parser, made from the table of options."""
    root = argparse.ArgumentParser(
        prog="pulp-hf", description="Pulp for Hugging Face on one machine, with one command."
    )
    version = f"pulp-hf {database.own_version()} (pulpcore {database.versions()['pulpcore']})"
    root.add_argument("--version", action="version", version=version)
    commands = root.add_subparsers(metavar="COMMAND", required=True)
    for name, run, sentence in (
        ("up", _up, "bring everything up and look after it until Ctrl-C or `pulp-hf down`"),
        ("status", _status, "tell what runs and how it is (exit code 0, or 3 for not running)"),
        ("down", _down, "stop what runs on the data folder and wait for its end"),
    ):
        command = commands.add_parser(
            name,
            help=sentence,
            description=sentence,
            epilog=_variables(name),
            allow_abbrev=False,
        )
        command.set_defaults(run=run)
        for option in OPTIONS:
            if option.has_flag and name in option.commands:
                _add(command, option)
        if name == "up":
            command.add_argument(
                "--detach", action="store_true", help="go to the background once ready"
            )
        if name in ("up", "status"):
            command.add_argument("--json", action="store_true", help="print one JSON object")
    return root


def _add(command: argparse.ArgumentParser, option: Option) -> None:
    default = option.default_text or option.default
    unit = f" {option.unit}" if option.unit else ""
    command.add_argument(
        option.flag,
        dest=option.name,
        metavar=option.metavar,
        action="append" if option.repeatable else "store",
        help=f"{option.help} [{option.env}; default: {default}{unit}]".replace("%", "%%"),
    )


def _variables(command: str) -> str:
    only = [o for o in OPTIONS if not o.has_flag and command in o.commands]
    sentences = [f"{option.env}: {option.help}" for option in only]
    return " ".join(["Only by environment or .env:", *sentences]) if only else ""


def options_of(arguments: argparse.Namespace) -> tuple[Options, dict[str, str]]:
    """Return the options, and the environment completed by `.env`."""
    dotenv = read_dotenv(Path.cwd() / ".env")
    flags = {option.name: getattr(arguments, option.name, None) for option in OPTIONS}
    options = resolve(flags, os.environ, dotenv)
    environ = {key: value for key, value in dotenv.items() if value is not None}
    return options, {**environ, **os.environ}


def read_dotenv(path: Path) -> dict[str, str | None]:
    """Read a `.env` file; nothing when there is none."""
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    return dict(dotenv_values(path))


def _up(arguments: argparse.Namespace) -> int:
    options, environ = options_of(arguments)
    if not arguments.detach:
        return _run(options, environ, arguments.json, None)
    return detach.run(lambda background: _run(options, environ, arguments.json, background))


def _run(
    options: Options, environ: dict[str, str], as_json: bool, background: detach.Background | None
) -> int:
    screen = Screen(as_json=as_json)
    try:
        bootstrap.up(options, environ, Signals(), screen, background)
    except StandaloneError as error:
        return _refuse(error)
    except Stopped:
        return INTERRUPTED
    screen.progress("Stopped.")
    return 0


def _refuse(error: StandaloneError) -> int:
    print(f"pulp-hf: {error}", file=sys.stderr)
    return error.exit_code


def _status(arguments: argparse.Namespace) -> int:
    options, _ = options_of(arguments)
    found = status.look(DataDir(options.data))
    print(status.as_json(found) if arguments.json else found.text())
    return found.exit_code


def _down(arguments: argparse.Namespace) -> int:
    options, _ = options_of(arguments)
    print(status.down(DataDir(options.data)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
