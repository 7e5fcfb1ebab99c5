"""`gather submit`: a new run."""

from typing import Annotated

import typer

from gather_cli.cluster.runs import fresh_name
from gather_cli.commands.making import Waiting, Watching, make, tell
from gather_cli.commands.options import (
    Context,
    Departments,
    Kubeconfig,
    Namespace,
    Output,
    RequestTimeout,
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
    Queue,
    Retries,
    StopOnFailure,
    Threshold,
    Ttl,
    Webhook,
    build_run,
    check_dry_run,
    check_spec,
    merged,
    run_of_file,
    spec_of,
)
from gather_cli.errors import AlreadyThere
from gather_cli.notes.bridge_settings import read_config

HELP = """\
Start a run, from options, from a file, or from a file with options over it.

What is not given has the default that `kubectl explain gatherrun.spec` names, a name included.

Examples:

  gather submit --project 66f1a2b3c4d5e6f708192a3b --user user-123
  gather submit my-film --project 66f1a2b3c4d5e6f708192a3b --user user-123 -d story,character --max-cost 2
  gather submit -f run.yaml --quality-threshold 85 --watch
  gather submit -f run.yaml --dry-run server -o yaml   # checked by the cluster, not made
  RUN=$(gather submit -f run.yaml -o name) && gather status "$RUN" --wait
"""


def submit(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The run's name.")] = None,
    file: Annotated[
        str | None, typer.Option("--filename", "-f", help="A GatherRun as YAML or JSON; -: stdin.")
    ] = None,
    project: Annotated[
        str | None, typer.Option("--project", help="The project: 24 hexadecimal digits.")
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", envvar="GATHER_USER", help="Who asks; written on every note.")
    ] = None,
    department: Departments = None,
    max_iterations: MaxIterations = None,
    quality_threshold: Threshold = None,
    focus: Focus = None,
    language: Language = None,
    evaluation: Evaluation = None,
    webhook_url: Webhook = None,
    max_cost: MaxCost = None,
    max_tokens: MaxTokens = None,
    department_timeout: DepartmentTimeout = None,
    retries: Retries = None,
    stop_on_failure: StopOnFailure = None,
    parallelism: Parallelism = None,
    ttl: Ttl = None,
    queue: Queue = None,
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
    of_file = run_of_file(file) if file else {"metadata": {}, "spec": {}}
    metadata = of_file.get("metadata") or {}
    runs = open_runs(namespace or metadata.get("namespace"), context, kubeconfig, request_timeout)
    spec = merged(of_file["spec"], spec_of(given))
    if not spec.get("userId") and (known := read_config(runs.server.access.context).user):
        spec["userId"] = known
    check_spec(spec)
    named = name or metadata.get("name")
    base = str(metadata.get("generateName") or f"gather-{str(spec['projectId'])[-6:]}").lower()
    run = build_run(named or fresh_name(base), runs.namespace, spec, metadata)
    try:
        made = make(runs, run, dry_run)
    except AlreadyThere as error:
        raise AlreadyThere(
            f"a run {named} is there already in namespace {runs.namespace}; take another name, "
            f"or run it again: gather rerun {named}"
        ) from error
    tell(runs, made, output, dry_run, is_waiting=is_waiting, is_watching=is_watching, timeout_s=timeout)
