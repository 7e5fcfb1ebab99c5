"""The command line's composition root: which module has which command, and what an error ends with."""

import os
import sys
from importlib import import_module
from typing import Any, Final

import typer
import typer.core
import typer.main
from typer._click.exceptions import ClickException
from typer._completion_classes import completion_init

from gather_cli import quick_params
from gather_cli.errors import CliError, Exit, OutputLost, ReaderGone
from gather_cli.views.completion_scripts import VARIABLE
from gather_cli.views.terminal import plain
from gather_contracts.variables.known_variables import NEAR_ONE, unknown_variables

HELP: Final = """\
Start, watch and stop runs of Gather; find out what is wrong with an installation.

As `kubectl gather` it is the same program. Cluster and namespace are those of kubectl's kubeconfig.

Exit codes: 0 done, or the run Succeeded; 1 the run Failed, or something is wrong; 2 wrong usage; 3 the run
was cancelled; 4 no such run; 5 not allowed; 6 the cluster cannot be reached; 7 the cluster refuses what was
sent; 124 --timeout is over; 130 Ctrl-C.
"""
COMMANDS: Final = {
    "submit": ("submit_run", "submit"),
    "list": ("list_runs", "list_runs"),
    "status": ("show_status", "status"),
    "watch": ("watch_run", "watch"),
    "logs": ("follow_logs", "logs"),
    "cancel": ("cancel_runs", "cancel"),
    "rerun": ("rerun", "rerun"),
    "items": ("read_notes", "items"),
    "export": ("read_notes", "export"),
    "doctor": ("diagnose", "doctor"),
    "completion": ("about", "completion"),
    "version": ("about", "version"),
}
"""By its name: the module and its function, whose help is `HELP`, or `<NAME>_HELP` where a module has two."""


class Commands(typer.core.TyperGroup):
    """Commands whose modules are imported when they are called: none waits for what others need."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        """Return the names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - typer's signature
        """Return a command; None if there is none."""
        if cmd_name not in self.commands and cmd_name in COMMANDS:
            self.commands[cmd_name] = build_command(cmd_name)
        return self.commands.get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command; for one that there is not, those that are like it are suggested."""
        for name in COMMANDS:
            if args and args[0] not in COMMANDS:
                self.get_command(ctx, name)
        return super().resolve_command(ctx, args)


def build_command(name: str) -> Any:
    """Return one command, its module imported."""
    module_name, function_name = COMMANDS[name]
    module = import_module(f"gather_cli.commands.{module_name}")
    text = (getattr(module, f"{name.upper()}_HELP", None) or module.HELP).replace(
        "Examples:\n\n", "\b\nExamples:\n"
    )
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    first = text.splitlines()[0].split(";")[0].split(":")[0].rstrip(".")
    single.command(name, help=text, short_help=first)(getattr(module, function_name))
    command: Any = typer.main.get_command(single)
    command.name = name
    return command


def build_app() -> typer.Typer:
    """Return the program."""
    app = typer.Typer(
        cls=Commands, help=HELP, no_args_is_help=True, add_completion=False, rich_markup_mode=None,
        pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]},
    )  # fmt: skip

    @app.callback()
    def gather() -> None:
        pass

    return app


def program_name() -> str:
    """Return how the program was called: `kubectl gather` as a plugin."""
    name = os.path.basename(sys.argv[0] or "")  # noqa: PTH119 - no path object for a name
    return "kubectl gather" if name.startswith(("kubectl-gather", "kubectl_gather")) else "gather"


def main() -> None:
    """Do what the command line says, and end with the code that `errors.py` documents."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal of another encoding is no reason to fail
    quick_params.install()
    if VARIABLE in os.environ:
        completion_init()
    else:
        _warn_of_misspelt_variables()
    try:
        code = build_app()(prog_name=program_name(), standalone_mode=False, complete_var=VARIABLE)
        sys.stdout.flush()
    except (CliError, ReaderGone, ClickException, KeyboardInterrupt, typer.Abort) as error:
        code = _told(error)
    sys.exit(int(code or 0))


def _warn_of_misspelt_variables() -> None:
    """Say which of ours is nearly what a variable is called; others of that beginning are a person's own."""
    for said in unknown_variables(os.environ):
        if NEAR_ONE in said:
            typer.echo(f"warning: {said}", err=True)


def _told(error: BaseException) -> int:
    """Say what is wrong in one line, and return the exit code."""
    match error:
        case CliError():
            typer.echo(f"error: {plain(error)}", err=True)
            if isinstance(error, OutputLost):
                _drop_output()
            return error.exit_code
        case ReaderGone():
            _drop_output()
            return Exit.READER_GONE
        case ClickException():
            error.show()
            return error.exit_code
    return Exit.INTERRUPTED


def _drop_output() -> None:
    """Let what is still to be written go nowhere: Python would complain of it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
