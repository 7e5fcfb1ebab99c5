"""How `submit` and `rerun` make a run and tell of it."""

import secrets
import time
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from gather_cli.cluster.runs import Run, Runs
from gather_cli.commands.ends import exit_code_of, wait
from gather_cli.commands.options import Form
from gather_cli.commands.watch_run import watch_to_end
from gather_cli.errors import AlreadyThere, Unreachable
from gather_cli.views.printing import print_line, print_objects
from gather_contracts import names

WAITS_S: Final = (0.2, 1.0)
"""Between tries to make a run."""

Waiting = Annotated[
    bool, typer.Option("--wait", help="Wait for the run's end; the exit code says how it ended.")
]
Watching = Annotated[bool, typer.Option("--watch", "-w", help="Watch it to its end.")]


def make(runs: Runs, run: Mapping[str, Any], dry_run: str | None) -> Run:
    """Make the run, or only have it checked; what may come right is tried again.

    A run that an earlier try of this call has made before its answer was lost is taken for made. Raises
    AlreadyThere if another one has the name.
    """
    if dry_run == "client":
        return dict(run)
    metadata = run["metadata"]
    mark = {names.ANNOTATION_SUBMISSION: secrets.token_hex(8)}
    own = {**run, "metadata": {**metadata, "annotations": {**(metadata.get("annotations") or {}), **mark}}}
    for wait_s in (*WAITS_S, None):
        try:
            return runs.create(own, is_dry=bool(dry_run))
        except AlreadyThere:
            there = runs.get(metadata["name"])
            if mark.items() <= (there["metadata"].get("annotations") or {}).items():
                return there
            raise
        except Unreachable:
            if wait_s is None:
                raise
            time.sleep(wait_s)
    raise AssertionError  # the last try returns or raises


def tell(
    runs: Runs, run: Run, output: Form | None, dry_run: str | None, *, is_waiting: bool, is_watching: bool,
    timeout_s: float | None,
) -> None:  # fmt: skip
    """Show what was made, then wait for its end or watch it if that is wanted; ends with its exit code."""
    name = run["metadata"]["name"]
    if is_watching and not dry_run and output in {Form.JSON, Form.YAML}:
        pass  # each of its states is printed, and nothing else
    elif output in {Form.JSON, Form.YAML, Form.NAME}:
        print_objects(output.value, [run], is_list=False)
    else:
        print_line(f"{name} submitted" + (f" ({dry_run} dry run)" if dry_run else ""))
    if dry_run:
        return
    if is_watching and output is not Form.NAME:
        raise typer.Exit(watch_to_end(runs, run, timeout_s, output))
    if is_waiting or is_watching:
        ended = wait(runs, run, timeout_s)
        if output is None:
            print_line(f"{name} {ended['status']['phase']}")
        raise typer.Exit(int(exit_code_of(ended) or 0))
    if output is None:
        typer.echo(f"Watch it: gather watch {name} -n {runs.namespace}", err=True)
