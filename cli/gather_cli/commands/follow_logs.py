"""`gather logs`: what a run's workers wrote, in order."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from gather_cli.cluster.kubeconfig import near
from gather_cli.cluster.pod_logs import LogAsk, follow_all, read_all
from gather_cli.cluster.runs import LATEST, Run, Runs
from gather_cli.commands.options import (
    Context,
    Departments,
    Kubeconfig,
    Namespace,
    RequestTimeout,
    RunName,
    open_runs,
    slugs,
)
from gather_cli.errors import NotFound
from gather_cli.views.log_lines import line_reader
from gather_cli.views.printing import print_line
from gather_cli.views.terminal import stdout_terminal

HELP = """\
Print the logs of a run's workers, attempt after attempt, in the order in which they began.

On a terminal each line is shown as time, level, message and fields; elsewhere, and with --raw, as it was
written (JSON). Logs go with their pods, which go with the run.

Examples:

  gather logs my-film                     # all departments, attempt after attempt
  gather logs my-film -d story -f         # of one department, attempts still to come too
  gather logs my-film --tail 20 --since 10m
  gather logs my-film --raw --no-prefix | jq -r .message
"""


def logs(
    run: RunName = LATEST,
    department: Departments = None,
    is_following: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")
    ] = False,
    tail: Annotated[
        int | None, typer.Option("--tail", min=0, help="Only so many last lines of each attempt.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Only lines since so long, such as 90s, 10m, 2h.")
    ] = None,
    is_previous: Annotated[
        bool, typer.Option("--previous", "-p", help="Of the container before the last restart.")
    ] = False,
    is_raw: Annotated[
        bool | None,
        typer.Option("--raw/--pretty", help="Lines as they were written, or for people.", show_default=False),
    ] = None,
    is_prefixed: Annotated[
        bool | None,
        typer.Option(
            "--prefix/--no-prefix",
            help="Begin each line with its department; default: where there are several.",
            show_default=False,
        ),
    ] = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    request_timeout: RequestTimeout = None,
) -> None:
    runs = open_runs(namespace, context, kubeconfig, request_timeout)
    found = runs.get(run)
    wanted = slugs(department)
    _check_departments(found, wanted)
    terminal = stdout_terminal()
    readable = line_reader(terminal, is_raw=not terminal.is_interactive if is_raw is None else is_raw)
    has_several = len(wanted or (found.get("status") or {}).get("departments") or ()) != 1
    with_prefix = has_several if is_prefixed is None else is_prefixed

    def show(slug: str, line: str) -> None:
        print_line((terminal.paint(f"{slug} | ", "cyan") if with_prefix else "") + readable(line))

    ask = LogAsk(frozenset(wanted), tail, _seconds(since), is_previous=is_previous)
    shown = (follow_all if is_following else read_all)(runs, found, ask, show)
    if not shown:
        typer.echo(_nothing(runs, found), err=True)


def _check_departments(run: Run, wanted: list[str]) -> None:
    there = [d["slug"] for d in (run.get("status") or {}).get("departments") or ()]
    for slug in wanted:
        if there and slug not in there:
            raise NotFound(f"run {run['metadata']['name']} has no department {slug}{near(slug, there)}")


def _seconds(text: str | None) -> int | None:
    """Return a time as kubectl writes it, in seconds; raises BadParameter."""
    if text is None:
        return None
    units: Mapping[str, int] = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    number, unit = (text[:-1], text[-1]) if text[-1:] in units else (text, "s")
    if not number.isdigit():
        raise typer.BadParameter("a number with s, m, h or d, such as 90s or 2h", param_hint="--since")
    return int(number) * units[unit]


def _nothing(runs: Runs, run: Run) -> str:
    status: Mapping[str, Any] = run.get("status") or {}
    name = run["metadata"]["name"]
    if not any(d.get("attempt") for d in status.get("departments") or ()):
        return f"No worker of {name} has started; gather status {name} says why."
    return f"The pods of {name} in namespace {runs.namespace} are gone, and their logs with them."
