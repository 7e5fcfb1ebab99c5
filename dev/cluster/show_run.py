"""`make demo`: apply the example GatherRun, show it run to its end, and show what it made.

Everything goes the way a user goes: kubectl for the resource, a port-forward for MongoDB.
"""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from pymongo import MongoClient
from rich.box import SIMPLE
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from dev.cluster.port_forward import forwarded
from dev.cluster.real_model import RealModel, run_manifest
from dev.commands import output_of
from dev.errors import DevError
from dev.progress import Reporter
from gather_contracts.names import ITEMS_COLLECTION, PLURAL, gather_database
from gather_contracts.reasons import RunPhase
from gather_contracts.resource import GatherRun, parse_run

RUN_TIMEOUT_S = 900
"""The example run needs one to two minutes; a cluster that is much slower has a fault worth reading."""
REAL_RUN_TIMEOUT_S = 2700
"""Four attempts of a department at ten minutes each, and what lies between them."""
SAMPLE_ITEMS = 3
TABLE_WIDTH = 130
"""The departments' table unwrapped; a log has no width of its own."""


DELETE_TIMEOUT_S = 60
SEED_TIMEOUT_S = 300
"""The seed waits for the brain, which has just become ready."""


class DemoError(DevError):
    """The run did not succeed; the message says where to look."""


def wait_for_seed_command(kubectl: list[str], namespace: str) -> list[str]:
    """Return the command that waits until the example project's notes are in MongoDB and the brain."""
    seed = ["job", "-l", "app.kubernetes.io/component=demo-seed"]
    return [
        *kubectl, "-n", namespace, "wait", *seed, "--for=condition=complete", f"--timeout={SEED_TIMEOUT_S}s",
    ]  # fmt: skip


def departments_table(run: GatherRun) -> Table:
    """Return the run's departments as a table, in the CMS's order."""
    table = Table(title=f"{run.metadata.name}: {run.status.phase} {run.status.progress}", box=SIMPLE)
    for heading in ("#", "Department", "Phase", "Reason"):
        table.add_column(heading, no_wrap=True)
    for heading in ("Iterations", "Items", "Quality", "Threshold", "USD"):
        table.add_column(heading, justify="right", no_wrap=True)
    for d in run.status.departments:
        table.add_row(
            str(d.code_dep_number), d.name, d.phase, d.reason, f"{d.iterations}/{d.iteration_limit}",
            str(d.items_created), f"{d.quality_score:.1f}", f"{d.threshold:.0f}", f"{d.cost_usd:.4f}",
        )  # fmt: skip
    return table


def watch_run(
    kubectl: list[str], namespace: str, name: str, timeout_s: float = RUN_TIMEOUT_S
) -> Iterator[GatherRun]:
    """Yield the run each time it changes, from the API server's watch, until it is final or time is up."""
    command = [
        *kubectl, "-n", namespace, "get", PLURAL, name, "--watch", "-o", "json",
        f"--request-timeout={timeout_s:.0f}s",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            for body in _documents(process):
                run = parse_run(body)
                yield run
                if run.status.phase.is_final:
                    return
        finally:
            process.kill()


def _documents(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    """Yield the JSON documents that kubectl prints one after the other."""
    text = ""
    for line in process.stdout or ():
        text += line
        if line.startswith("}"):
            yield json.loads(text)
            text = ""


def show_progress(runs: Iterator[GatherRun], console: Console) -> GatherRun | None:
    """Show the run as it changes: a live table on a terminal, else a line a change; return its last state."""
    run: GatherRun | None = None
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4) as live:
            for run in runs:
                live.update(departments_table(run))
        return run
    shown = ""
    for run in runs:
        line = progress_line(run)
        if line != shown:
            console.print(line, soft_wrap=True, highlight=False)
            shown = line
    return run


def progress_line(run: GatherRun) -> str:
    """Return the run's state in one line."""
    status = run.status
    at = status.current_department or "-"
    return (
        f"  {status.phase:<10} {status.progress or '-':<5} {at:<24} "
        f"iterations {status.iterations:<4} items {status.items_created:<5} "
        f"quality {status.quality_score:.1f}"
    )


def sample_items(mongodb_uri: str, run: GatherRun) -> list[dict[str, Any]]:
    """Return a few items that the run wrote, the first of each department, or of its only one."""
    with MongoClient[dict[str, Any]](mongodb_uri, serverSelectionTimeoutMS=10_000) as client:
        collection = client[gather_database(run.spec.project_id)][ITEMS_COLLECTION]
        department = "$automationMetadata.departmentName"
        stages: list[dict[str, Any]] = [
            {"$match": {"isAutomated": True, "automationMetadata.runUid": run.metadata.uid}},
            {"$sort": {"automationMetadata.iteration": 1, "createdAt": 1}},
        ]
        if len(run.status.departments) > 1:
            stages.append({"$group": {"_id": department, "content": {"$first": "$content"}}})
            stages.append({"$sort": {"_id": 1}})
        else:
            stages.append({"$project": {"_id": department, "content": 1}})
        return list(collection.aggregate([*stages, {"$limit": SAMPLE_ITEMS}], maxTimeMS=10_000))


def cost_line(run: GatherRun, model: RealModel | None) -> str:
    """Return what the run made and cost, in a sentence; without a real model nobody pays."""
    status = run.status
    if model:
        money = f"{status.cost_usd:.4f} of at most {model.cap_usd:.2f} USD, for {model.name} at {model.host}"
    else:
        money = f"{status.cost_usd:.4f} USD (the demo model's own price list: no money was spent)"
    return f"{status.items_created} items in {status.iterations} iterations, {status.tokens} tokens, {money}."


def print_outcome(
    console: Console, run: GatherRun, items: list[dict[str, Any]], namespace: str, model: RealModel | None
) -> None:
    """Print the departments, some of the items, the cost and what to try next."""
    wide = Console(width=max(TABLE_WIDTH, console.width), highlight=False)
    wide.print(departments_table(run))
    for item in items:
        wide.print(f"\n[bold]{item['_id']}[/bold]: {escape(item['content'])}")
    wide.print(f"\n{cost_line(run, model)}", markup=False)
    name = run.metadata.name
    console.print(
        f"""
Next:
  dev/kubectl -n {namespace} get gatherruns
  dev/kubectl -n {namespace} describe gatherrun {name}
  dev/kubectl -n {namespace} delete gatherrun {name}    # cancels a run; what it made stays in MongoDB
  make down""",
        highlight=False,
        soft_wrap=True,
    )


def apply_example(kubectl: list[str], namespace: str, manifest: Path, say: Callable[[str], None]) -> str:
    """Apply the run in a file, again if an earlier one has ended; return its name.

    One that is still at work is left alone, and followed.
    """
    name = str(yaml.safe_load(manifest.read_text(encoding="utf-8"))["metadata"]["name"])
    in_namespace = [*kubectl, "-n", namespace]
    phase = ["get", PLURAL, name, "--ignore-not-found", "-o", "jsonpath={.status.phase}"]
    said = output_of([*in_namespace, *phase]).strip()
    if said and RunPhase(said).is_final:
        say(f"Run {name} of an earlier demo has ended, and is made again; its notes stay.")
        output_of(
            [*in_namespace, "delete", PLURAL, name, f"--timeout={DELETE_TIMEOUT_S}s"],
            timeout_s=DELETE_TIMEOUT_S + 10,
        )
    output_of([*in_namespace, "apply", "-f", str(manifest)])
    return name


def create_run(kubectl: list[str], namespace: str, manifest: str) -> str:
    """Create the run in a text; return the name that it gets."""
    created = output_of([*kubectl, "-n", namespace, "create", "-f", "-", "-o", "name"], stdin=manifest)
    return created.strip().rpartition("/")[2]


def run_demo(
    kubectl: list[str], namespace: str, manifest: Path, reporter: Reporter, model: RealModel | None = None
) -> None:
    """Start the run in `manifest`, follow it to its end and print what it made and cost.

    With a real model it is one department of it, within the model's cap. Raises DemoError if it does not end
    as Succeeded; the message says what it cost.
    """
    console = reporter.console
    with reporter.step("Wait for the example project's notes"):
        output_of(wait_for_seed_command(kubectl, namespace), timeout_s=SEED_TIMEOUT_S + 10)
    if model:
        example = yaml.safe_load(manifest.read_text(encoding="utf-8"))
        name = create_run(kubectl, namespace, run_manifest(example, model))
    else:
        name = apply_example(kubectl, namespace, manifest, reporter.say)
    started = time.monotonic()
    reporter.say(f"Run {name}:")
    watched = follow_paid if model else follow
    run = watched(kubectl, namespace, name, console)
    if run is None or run.status.phase is not RunPhase.SUCCEEDED:
        raise DemoError(failure_text(name, run, namespace, model))
    console.print(f"Ended after {time.monotonic() - started:.0f} s.")
    with forwarded(kubectl, namespace, "svc/gather-backing-mongodb", 27017) as port:
        items = sample_items(f"mongodb://127.0.0.1:{port}/?directConnection=true", run)
    print_outcome(console, run, items, namespace, model)


def follow(kubectl: list[str], namespace: str, name: str, console: Console) -> GatherRun | None:
    """Show the run until its end; return its last state."""
    return show_progress(watch_run(kubectl, namespace, name), console)


def follow_paid(kubectl: list[str], namespace: str, name: str, console: Console) -> GatherRun | None:
    """Show a run that costs money until its end; one that nobody looks at any more is cancelled."""
    run: GatherRun | None = None
    try:
        run = show_progress(watch_run(kubectl, namespace, name, REAL_RUN_TIMEOUT_S), console)
    finally:
        if run is None or not run.status.phase.is_final:
            cancel = [PLURAL, name, "--type=merge", "-p", '{"spec": {"cancel": true}}']
            output_of([*kubectl, "-n", namespace, "patch", *cancel])
    return run


def failure_text(name: str, run: GatherRun | None, namespace: str, model: RealModel | None) -> str:
    """Return why a run did not succeed, where to look, and what a real model cost."""
    said = f"run {name} is {run.status.phase if run else 'never seen'}, not Succeeded"
    for department in run.status.departments if run else ():
        if department.reason:
            said += f"; {department.slug}: {department.reason} {department.message}".rstrip()
    cost = f" It made {cost_line(run, model)}" if run and model else ""
    return (
        f"{said}.{cost} Look at `dev/kubectl -n {namespace} describe gatherrun {name}` and "
        f"`dev/kubectl -n {namespace} logs deploy/gather-operator`."
    )
