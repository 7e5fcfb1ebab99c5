"""What a run may be given on the command line, and the GatherRun that comes of it."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer
import yaml

from gather_cli.errors import CliError, Exit
from gather_contracts import names

FILE_MAX_BYTES: Final = 2**20
WORK: Final = "What to gather"
LIMITS: Final = "Limits"


class WrongInput(CliError):  # noqa: N818 - a state, said as one
    """What was given cannot be a run."""

    exit_code = Exit.USAGE


MaxIterations = Annotated[
    int | None, typer.Option("--max-iterations", min=1, max=500, help="Iterations of the whole run.")
]
Threshold = Annotated[
    float | None,
    typer.Option("--quality-threshold", min=0, max=100, help="Score from which a department is good enough."),
]
Focus = Annotated[
    str | None, typer.Option("--focus", help="What the notes shall be about, in your own words.")
]
Language = Annotated[
    str | None, typer.Option("--language", help="Language of the notes, such as de or pt-BR.")
]
Evaluation = Annotated[
    bool | None,
    typer.Option(
        "--evaluation/--no-evaluation",
        help="Evaluate departments that reach their threshold.",
        show_default=False,
    ),
]
Webhook = Annotated[str | None, typer.Option("--webhook-url", help="An https address that gets every event.")]
MaxCost = Annotated[float | None, typer.Option("--max-cost", min=0, help="USD that the run may spend.")]
MaxTokens = Annotated[int | None, typer.Option("--max-tokens", min=0, help="Tokens that the run may use.")]
DepartmentTimeout = Annotated[
    int | None,
    typer.Option("--department-timeout", min=30, max=3600, help="Seconds for one attempt of a department."),
]
Retries = Annotated[
    int | None, typer.Option("--retries", min=0, max=10, help="Further attempts of a department.")
]
StopOnFailure = Annotated[
    bool | None,
    typer.Option(
        "--stop-on-failure/--continue-on-failure",
        help="End the run when a department fails.",
        show_default=False,
    ),
]
Parallelism = Annotated[
    int | None, typer.Option("--parallelism", min=1, max=16, help="Departments at work at once.")
]
Ttl = Annotated[
    int | None,
    typer.Option("--ttl", min=0, help="Seconds after its end, after which the resource is deleted."),
]
Queue = Annotated[str | None, typer.Option("--queue", help="Kueue's LocalQueue for the run's Jobs.")]
DryRun = Annotated[
    str | None,
    typer.Option(
        "--dry-run",
        metavar="client|server",
        help="Make nothing: show the run (client), or let the cluster check it too (server).",
    ),
]


def spec_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a spec's fields of what was given; what was not given is not in it."""
    stop = given.get("stop_on_failure")
    budget = _given({"maxCostUSD": given.get("max_cost"), "maxTokens": given.get("max_tokens")})
    queue = given.get("queue")
    return _given({
        "projectId": given.get("project"),
        "userId": given.get("user"),
        "maxIterations": given.get("max_iterations"),
        "qualityThreshold": given.get("quality_threshold"),
        "departments": given.get("departments") or None,
        "focus": given.get("focus"),
        "language": given.get("language"),
        "enableAutoEvaluation": given.get("evaluation"),
        "webhookUrl": given.get("webhook_url"),
        "budget": budget or None,
        "departmentTimeoutSeconds": given.get("department_timeout"),
        "departmentRetries": given.get("retries"),
        "onDepartmentFailure": None if stop is None else ("Stop" if stop else "Continue"),
        "parallelism": given.get("parallelism"),
        "ttlSecondsAfterFinished": given.get("ttl"),
        "worker": {"labels": {names.LABEL_QUEUE: queue}} if queue else None,
    })  # fmt: skip


def merged(spec: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return a spec with other fields put over it; `budget` and `worker` field by field."""
    made = {**spec, **over}
    if spec.get("budget") and over.get("budget"):
        made["budget"] = {**spec["budget"], **over["budget"]}
    if spec.get("worker") and over.get("worker"):
        labels = {**(spec["worker"].get("labels") or {}), **over["worker"]["labels"]}
        made["worker"] = {**spec["worker"], "labels": labels}
    return made


def run_of_file(file: str) -> dict[str, Any]:
    """Return the GatherRun of a file, `-` being stdin; raises WrongInput."""
    try:
        text = (
            sys.stdin.read(FILE_MAX_BYTES + 1) if file == "-" else Path(file).expanduser().read_text("utf-8")
        )
        documents = [document for document in yaml.safe_load_all(text) if document]
    except OSError as error:
        raise WrongInput(f"{file}: {error.strerror}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise WrongInput(f"{file} is no YAML: {' '.join(str(error).split())[:200]}") from error
    if len(text) > FILE_MAX_BYTES:
        raise WrongInput(f"{file} has more than {FILE_MAX_BYTES} bytes")
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise WrongInput(f"{file} holds {len(documents)} objects; one GatherRun is needed")
    run = documents[0]
    if run.get("kind") != names.KIND or not str(run.get("apiVersion")).startswith(f"{names.GROUP}/"):
        raise WrongInput(
            f"{file} is a {run.get('kind') or 'nameless object'}, no {names.KIND} of {names.GROUP}"
        )
    if not isinstance(run.get("metadata") or {}, dict) or not isinstance(run.get("spec"), dict):
        raise WrongInput(f"{file} has no spec; examples/gatherrun.yaml shows one")
    return run


def build_run(
    name: str, namespace: str, spec: Mapping[str, Any], metadata: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a GatherRun to be made; of a run's metadata only labels and annotations of its user are kept."""
    kept = {
        key: value for key, value in (metadata or {}).items() if key in {"labels", "annotations"} and value
    }
    return {
        "apiVersion": f"{names.GROUP}/{names.VERSION}",
        "kind": names.KIND,
        "metadata": {"name": name, "namespace": namespace, **kept},
        "spec": dict(spec),
    }


def check_spec(spec: Mapping[str, Any]) -> None:
    """Raise WrongInput with what to give where a field is missing that no run can be without."""
    if not re.fullmatch(names.OBJECT_ID_PATTERN, str(spec.get("projectId") or "")):
        raise WrongInput(
            "give --project: 24 hexadecimal digits, as in the project's address in the application"
        )
    if not spec.get("userId"):
        raise WrongInput(
            "give --user (or GATHER_USER, or user in the configuration file): who asks, written on every note"
        )


def check_dry_run(form: str | None) -> None:
    """Raise WrongInput for another word than kubectl's."""
    if form not in {None, "client", "server"}:
        raise WrongInput("--dry-run is client or server")


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
