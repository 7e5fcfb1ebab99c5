"""`gather list`: the runs of a namespace."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from gather_cli.commands.ends import phase_of
from gather_cli.commands.options import (
    Context,
    Form,
    Kubeconfig,
    Namespace,
    Output,
    RequestTimeout,
    open_runs,
)
from gather_cli.errors import Exit
from gather_cli.views.printing import print_line, print_objects, runs_table
from gather_cli.views.terminal import stdout_terminal
from gather_contracts.reasons import RunPhase

HELP = """\
List runs, the newest last.

Examples:

  gather list                             # of the context's namespace
  gather list -A -o wide                  # of all namespaces, with iterations, cost and reason
  gather list --active                    # that have not ended
  gather list --project 66f1a2b3c4d5e6f708192a3b --phase Failed
  gather list -o name | xargs -n 1 kubectl describe
"""


def list_runs(
    output: Output = None,
    is_everywhere: Annotated[
        bool, typer.Option("--all-namespaces", "-A", help="Runs of all namespaces.")
    ] = False,
    is_active: Annotated[bool, typer.Option("--active", help="Only runs that have not ended.")] = False,
    phase: Annotated[
        list[RunPhase] | None,
        typer.Option("--phase", case_sensitive=False, help="Only runs in this phase; more than once."),
    ] = None,
    project: Annotated[str | None, typer.Option("--project", help="Only runs of this project.")] = None,
    selector: Annotated[
        str, typer.Option("--selector", "-l", help="Only runs with these labels, such as team=film.")
    ] = "",
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    request_timeout: RequestTimeout = None,
) -> None:
    runs = open_runs(namespace, context, kubeconfig, request_timeout)
    found = [
        run for run in runs.all(selector, is_everywhere=is_everywhere)
        if (not phase or phase_of(run) in phase)
        and (not is_active or not RunPhase(phase_of(run)).is_final)
        and (not project or str(run["spec"].get("projectId", "")).lower() == project.lower())
    ]  # fmt: skip
    if output in {Form.JSON, Form.YAML, Form.NAME}:
        print_objects(output.value, found, is_list=True)
        return
    if not found:
        where = "in any namespace" if is_everywhere else f"in namespace {runs.namespace}"
        typer.echo(f"No runs {where}.", err=True)
        raise typer.Exit(int(Exit.DONE))
    rows = runs_table(
        found, datetime.now(UTC), stdout_terminal(), is_wide=output is Form.WIDE, is_everywhere=is_everywhere
    )
    for line in rows:
        print_line(line)
