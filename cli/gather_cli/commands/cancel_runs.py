"""`gather cancel`: stop runs and keep what they made."""

from typing import Annotated

import typer

from gather_cli.commands.ends import exit_code_of, phase_of, wait
from gather_cli.commands.options import (
    Context,
    Kubeconfig,
    Namespace,
    RequestTimeout,
    RunNames,
    Timeout,
    open_runs,
)
from gather_cli.errors import CliError, Exit
from gather_cli.views.printing import print_line
from gather_cli.views.terminal import plain

HELP = """\
Cancel runs. What they made is kept, and so is the resource; it cannot be taken back.

A run that has ended already is left as it is, and that is no error.

Examples:

  gather cancel my-film
  gather cancel my-film other-film --wait --timeout 60
"""


def cancel(
    run: RunNames,
    is_waiting: Annotated[bool, typer.Option("--wait", help="Wait until all have ended.")] = False,
    timeout: Timeout = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    request_timeout: RequestTimeout = None,
) -> None:
    runs = open_runs(namespace, context, kubeconfig, request_timeout)
    first: CliError | None = None
    for name in dict.fromkeys(run):
        try:
            found = runs.get(name)
            named = found["metadata"]["name"]
            if exit_code_of(found) is not None:
                print_line(f"{named} has ended already: {phase_of(found)}")
                continue
            found = runs.cancel(named)
            if is_waiting:
                found = wait(runs, found, timeout)
                print_line(f"{named} is {phase_of(found)}")
            else:
                print_line(f"{named} is being cancelled")
        except CliError as error:  # the others are still to be cancelled
            typer.echo(f"error: {plain(error)}", err=True)
            first = first or error
    if first is not None:
        raise typer.Exit(int(first.exit_code or Exit.FAILED))
