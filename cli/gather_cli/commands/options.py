"""Options that several commands have, as kubectl has them."""

import os
import re
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Final

import typer
from typer._click.globals import get_current_context

from gather_cli.cluster.api_server import ApiServer, default_timeout_s
from gather_cli.cluster.kubeconfig import context_names, read_access
from gather_cli.cluster.runs import LATEST, Runs
from gather_cli.errors import CliError, NotFound
from gather_cli.notes.bridge_settings import read_config

PANEL: Final = "Cluster"
NAMESPACE: Final = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
COMPLETION_S: Final = 2.0
"""A key press waits for it."""


class Form(StrEnum):
    """How a result is shown."""

    JSON = "json"
    YAML = "yaml"
    WIDE = "wide"
    NAME = "name"


def _contexts(context: typer.Context, incomplete: str) -> list[str]:
    return [name for name in context_names(context.params.get("kubeconfig")) if name.startswith(incomplete)]


def _runs(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names of runs that begin like that; none where the cluster does not answer at once."""
    given = context.params
    try:
        runs = open_runs(
            given.get("namespace"), given.get("context"), given.get("kubeconfig"), is_completing=True
        )
        return [name for name in runs.names() if name.startswith(incomplete)]
    except (CliError, OSError):
        return []


Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace", "-n", help="Namespace of the runs. Default: the context's.", rich_help_panel=PANEL
    ),
]
Context = Annotated[
    str | None,
    typer.Option(
        "--context", help="Context of the kubeconfig.", autocompletion=_contexts, rich_help_panel=PANEL
    ),
]
Kubeconfig = Annotated[
    str | None,
    typer.Option(
        "--kubeconfig",
        help="Kubeconfig file. Default: KUBECONFIG, else ~/.kube/config.",
        rich_help_panel=PANEL,
    ),
]
RequestTimeout = Annotated[
    float | None,
    typer.Option(
        "--request-timeout",
        min=0.1,
        help="Seconds for the cluster to answer; default 15.",
        rich_help_panel=PANEL,
    ),
]
RunName = Annotated[
    str, typer.Argument(metavar="RUN", help=f"The run's name; {LATEST}: the newest.", autocompletion=_runs)
]
RunNames = Annotated[
    list[str],
    typer.Argument(metavar="RUN...", help=f"The runs' names; {LATEST}: the newest.", autocompletion=_runs),
]
Output = Annotated[Form | None, typer.Option("--output", "-o", help="Another form of the result.")]
Timeout = Annotated[
    float | None,
    typer.Option("--timeout", min=0, help="Seconds to wait at most; then exit code 124. Default: no limit."),
]
Departments = Annotated[
    list[str] | None,
    typer.Option(
        "--department", "-d", help="Only this department; more than once, or slugs with commas between."
    ),
]


def open_runs(
    namespace: str | None,
    context: str | None,
    kubeconfig: str | None,
    timeout_s: float | None = None,
    *,
    is_completing: bool = False,
) -> Runs:
    """Return the runs of a namespace; raises CliError if there is no way to the cluster.

    `is_completing`: a shell waits, so that nothing takes long, is asked or is printed.
    """
    access = read_access(kubeconfig, context)
    if is_completing:
        access, timeout_s = replace(access, quiet_s=COMPLETION_S), COMPLETION_S
    config = read_config(access.context)
    chosen = namespace or os.environ.get("GATHER_NAMESPACE") or config.namespace or access.namespace
    if not re.fullmatch(NAMESPACE, chosen):
        raise NotFound(f'"{chosen}" is no namespace\'s name: small letters, digits and dashes, at most 63')
    server = ApiServer(access, timeout_s or default_timeout_s())
    if (called := get_current_context(silent=True)) is not None:
        called.call_on_close(server.close)
    return Runs(server, chosen)


def slugs(departments: list[str] | None) -> list[str]:
    """Return department slugs, each once, out of options that may hold several."""
    parts = [part.strip() for option in departments or () for part in option.split(",")]
    return list(dict.fromkeys(filter(None, parts)))
