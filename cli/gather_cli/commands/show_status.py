"""`gather status`: one run as a tree."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from gather_cli.cluster.runs import LATEST
from gather_cli.commands.ends import exit_code_of, wait
from gather_cli.commands.options import (
    Context,
    Form,
    Kubeconfig,
    Namespace,
    Output,
    RequestTimeout,
    RunName,
    Timeout,
    open_runs,
)
from gather_cli.views.printing import print_line, print_objects
from gather_cli.views.run_tree import Tree
from gather_cli.views.terminal import stdout_terminal

HELP = """\
Show a run: its departments and attempts, why it waits, scores, money.

Below each department that waits or has failed stands the reason, and what helps.

Examples:

  gather status my-film                   # the tree
  gather status                           # of the newest run
  gather status my-film -o wide           # with every attempt, models and tokens
  gather status my-film --wait            # at the run's end; the exit code says how it ended
  gather status my-film -o json           # the GatherRun itself
"""


def status(
    run: RunName = LATEST,
    output: Output = None,
    is_waiting: Annotated[
        bool, typer.Option("--wait", help="Wait for the run's end; exit 0 Succeeded, 1 Failed, 3 Cancelled.")
    ] = False,
    timeout: Timeout = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    request_timeout: RequestTimeout = None,
) -> None:
    runs = open_runs(namespace, context, kubeconfig, request_timeout)
    found = runs.get(run)
    if is_waiting:
        found = wait(runs, found, timeout)
    if output in {Form.JSON, Form.YAML, Form.NAME}:
        print_objects(output.value, [found], is_list=False)
    else:
        terminal, now, is_wide = stdout_terminal(), datetime.now(UTC), output is Form.WIDE
        print_line(Tree(found, now, terminal).first_line())
        for line in list(Tree(found, now, terminal, runs.pods(found), is_wide).lines())[1:]:
            print_line(line)
    if is_waiting:
        raise typer.Exit(int(exit_code_of(found) or 0))
