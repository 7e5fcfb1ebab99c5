"""`gather rerun`: a new run with an old one's spec."""

import re
from typing import Annotated, Final

import typer

from gather_cli.cluster.runs import Run, Runs
from gather_cli.commands.making import Waiting, Watching, make, tell
from gather_cli.commands.options import (
    Context,
    Departments,
    Kubeconfig,
    Namespace,
    Output,
    RequestTimeout,
    RunName,
    Timeout,
    open_runs,
    slugs,
)
from gather_cli.commands.spec_options import (
    DepartmentTimeout,
    DryRun,
    Evaluation,
    Focus,
    Language,
    MaxCost,
    MaxIterations,
    MaxTokens,
    Parallelism,
    Retries,
    Threshold,
    WrongInput,
    build_run,
    check_dry_run,
    merged,
    spec_of,
)
from gather_cli.errors import AlreadyThere

HELP = """\
Start a new run with the spec of an old one; the old one stays. Notes that are there are taken into account.

Options go over the old spec. The new run is called as the old one with a number at its end.

Examples:

  gather rerun my-film                                 # makes my-film-2
  gather rerun my-film --unfinished                    # only departments that did not succeed
  gather rerun my-film --name my-film-dear --max-cost 10 --watch
"""
NAME_MAX: Final = 63
TRIES: Final = 200
ENDED_WELL: Final = "Succeeded"


def rerun(
    run: RunName,
    name: Annotated[str | None, typer.Option("--name", help="The new run's name.")] = None,
    is_unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Only departments that did not succeed.")
    ] = False,
    department: Departments = None,
    max_iterations: MaxIterations = None,
    quality_threshold: Threshold = None,
    focus: Focus = None,
    language: Language = None,
    evaluation: Evaluation = None,
    max_cost: MaxCost = None,
    max_tokens: MaxTokens = None,
    department_timeout: DepartmentTimeout = None,
    retries: Retries = None,
    parallelism: Parallelism = None,
    dry_run: DryRun = None,
    is_waiting: Waiting = False,
    is_watching: Watching = False,
    timeout: Timeout = None,
    output: Output = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    request_timeout: RequestTimeout = None,
) -> None:
    given = {**locals(), "departments": slugs(department)}
    check_dry_run(dry_run)
    runs = open_runs(namespace, context, kubeconfig, request_timeout)
    old = runs.get(run)
    spec = merged(_spec_again(old), spec_of(given))
    if is_unfinished:
        spec["departments"] = unfinished(old)
    made = _make_named(runs, old, spec, name, dry_run)
    tell(runs, made, output, dry_run, is_waiting=is_waiting, is_watching=is_watching, timeout_s=timeout)


def _spec_again(old: Run) -> dict[str, object]:
    return {field: value for field, value in old["spec"].items() if field not in {"cancel", "suspend"}}


def unfinished(old: Run) -> list[str]:
    """Return the slugs of departments that did not succeed; raises WrongInput if there are none."""
    departments = (old.get("status") or {}).get("departments") or []
    left = [d["slug"] for d in departments if d.get("phase") != ENDED_WELL]
    if not left:
        raise WrongInput(
            f"each department of {old['metadata']['name']} has succeeded; leave --unfinished out"
        )
    return left


def next_names(name: str) -> list[str]:
    """Return the names that a run's successors have, one after the other."""
    base, number = re.fullmatch(r"(.*?)(?:-(\d{1,4}))?", name).groups()  # type: ignore[union-attr] # it always matches
    first = int(number or 1) + 1
    return [f"{base[: NAME_MAX - 6].rstrip('-.')}-{n}" for n in range(first, first + TRIES)]


def _make_named(runs: Runs, old: Run, spec: dict[str, object], name: str | None, dry_run: str | None) -> Run:
    labels = {
        k: v for k, v in (old["metadata"].get("labels") or {}).items() if not k.startswith("gather.ft.tc/")
    }
    for new in [name] if name else next_names(old["metadata"]["name"]):
        try:
            return make(runs, build_run(new, runs.namespace, spec, {"labels": labels}), dry_run)
        except AlreadyThere as error:
            if name:
                raise AlreadyThere(f"a run {name} is there already; take another name") from error
    raise AlreadyThere("give the new run's name with --name: all numbers are taken")
