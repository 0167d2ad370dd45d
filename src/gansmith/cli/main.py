"""The command line: finds the command, and turns every error into at most three lines and an exit code."""

from __future__ import annotations

import importlib
import io
import os
import shlex
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from .. import __version__
from ..errors import GansmithError, Interrupted, did_you_mean

COMMANDS = (
    "inspect",
    "train",
    "resume",
    "generate",
    "evaluate",
    "edit",
    "compare",
    "diagnose",
    "synthesize",
    "report",
    "recipes",
    "metrics",
    "convert",
    "oversample-lab",
)
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


class Commands(click.Group):
    """Imports a command's file only when it is asked for; those files import torch only when they run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = importlib.import_module(f"gansmith.cli.{cmd_name.replace('-', '_')}").command
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            raise click.UsageError(
                f"no command {args[0]!r}; known: {', '.join(COMMANDS)}.{did_you_mean(args[0], COMMANDS)}"
            )
        return super().resolve_command(ctx, args)


@click.command(cls=Commands, context_settings=SETTINGS)
@click.version_option(__version__, prog_name="gansmith")
def app() -> None:
    """Train, judge and use generative adversarial networks.

    \b
    gansmith train photos/ --out runs/photos
    gansmith generate runs/photos -n 64 --out samples/
    gansmith evaluate runs/photos --data photos/
    gansmith synthesize patients.csv --out synthetic.csv
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs a command and exits: 0 done, 2 what was given cannot work, 1 it failed, 130 or 143 interrupted."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    _speak_any_alphabet()
    try:
        app.main(args=list(arguments), prog_name="gansmith", standalone_mode=False)
        code = 0
        sys.stdout.flush()
    except click.exceptions.Exit as end:
        code = end.exit_code
    except BrokenPipeError:  # the reader (head, less) has gone; nothing can be told to it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except BaseException as error:
        if "--debug" in arguments and not isinstance(error, click.ClickException | SystemExit | click.Abort):
            traceback.print_exception(error)
        code = _explain(error, arguments)
    sys.exit(code)


def _explain(error: BaseException, arguments: Sequence[str]) -> int:
    """Tells an error in one to three lines on stderr and returns the exit code."""
    match error:
        case SystemExit():
            return error.code if isinstance(error.code, int) else 1
        case KeyboardInterrupt() | click.Abort():
            return _tell("interrupted", 130)
        case click.ClickException():
            return _tell(_usage(error), 2)
        case Interrupted():  # the run was saved as it should be: no error
            return _tell(str(error), error.exit_code, once=True, label="")
        case GansmithError():
            text = f"{error}\n{_again(error, arguments)}" if hasattr(error, "arguments") else str(error)
            return _tell(text, error.exit_code, once=error.exit_code == 2)
        case _:
            own = _in_own_file(error)
            kind = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
            if own:
                return _tell(f"your recipe fails, {own}: {kind[:500]}\nwith --debug you see how it got there", 2)
            return _tell(f"{kind[:500]}\nthis is a bug in gansmith; run it again with --debug to see where", 1)


def _in_own_file(error: BaseException) -> str:
    """`my_gan.py, line 12` when an error came from within a recipe of the user's, else an empty string."""
    trace, place = error.__traceback__, ""
    while trace:
        if str(trace.tb_frame.f_globals.get("__name__", "")).startswith("gansmith_own_"):
            place = f"{Path(trace.tb_frame.f_code.co_filename).name}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _again(error: GansmithError, arguments: Sequence[str]) -> str:
    """The command that was given, with what it lacked."""
    return shlex.join(["gansmith", *arguments, *getattr(error, "arguments", [])])


def _usage(error: click.ClickException) -> str:
    text = error.format_message()
    if isinstance(error, click.UsageError) and error.ctx:
        text += f"\n{error.ctx.command_path} --help lists what there is"
    return text


def _tell(message: str, code: int, *, once: bool = False, label: str = "error: ") -> int:
    """Writes a message. What every process of a run says alike (`once`) only the first of them tells."""
    from ..pipelines.processes import first_process

    if first_process() or not once:
        lines = [line for line in message.splitlines() if line.strip()][:3]
        click.echo(label + "\n".join(lines), err=True)
    return code


def _speak_any_alphabet() -> None:
    """A file name or a dash that the terminal's encoding lacks is replaced, not fatal."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
