"""`python -m dev up`, `down`, `status`, `kubectl` and `helm`: the cluster itself."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from dev.artefacts.cache import Cache
from dev.cluster import kubectl
from dev.cluster.choose import choose_provider
from dev.cluster.engine import ensure_engine
from dev.cluster.provider import Status
from dev.progress import Reporter

MIB = 1024**2
PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

app = typer.Typer()
Nodes = Annotated[
    int,
    typer.Option(help="2: a second node of the pool, tainted, to lose or drain; not on kind.", min=1, max=2),
]


@app.command(epilog="Example: python -m dev up && dev/kubectl get nodes")
def up(nodes: Nodes = 1) -> None:
    """Bring up the one-machine cluster, to deploy to it; needs a Docker engine or root.

    It builds and installs what is missing, and does nothing if the cluster is up and ready. A second node
    that is there stays until `down`.
    """
    cache = Cache.from_environment()
    reporter = Reporter.remembering(cache)
    with cache.locked(reporter.say):
        choose_provider(cache, reporter).up(nodes)


@app.command(epilog="Example: python -m dev docker && python -m dev demo")
def docker() -> None:
    """Have a Docker engine, so that kind makes the cluster; root gets one installed and started."""
    cache = Cache.from_environment()
    reporter = Reporter.remembering(cache)
    with cache.locked(reporter.say):
        ensure_engine(cache, reporter)


@app.command(epilog="Example: python -m dev down")
def down() -> None:
    """End the cluster and remove all that it left, when you are done; needs root if `up` did.

    The built programs and images' layers stay in the cache.
    """
    cache = Cache.from_environment()
    reporter = Reporter.remembering(cache)
    with cache.locked(reporter.say):
        choose_provider(cache, reporter).down()


@app.command(epilog="Example: python -m dev status || python -m dev up")
def status() -> None:
    """Show whether the cluster is ready, its versions and memory, when something is wrong; needs nothing.

    It exits with 1 unless the cluster is ready.
    """
    cache = Cache.from_environment()
    reporter = Reporter.remembering(cache)
    found = choose_provider(cache, reporter).status()
    Console().print(status_table(found, cache))
    if found.failure:
        Console(highlight=False).print(f"It ended by itself: {found.failure}", markup=False, soft_wrap=True)
    if not found.is_ready:
        raise typer.Exit(1)


def status_table(status: Status, cache: Cache) -> Table:
    """Return the cluster's state as a table."""
    table = Table(show_header=False, box=None)
    running = "ready" if status.is_ready else "not ready" if status.is_running else "down"
    table.add_row("provider", status.provider)
    table.add_row("cluster", running)
    if status.nodes > 1:
        table.add_row("nodes", str(status.nodes))
    for name, version in status.versions.items():
        table.add_row(name, version)
    if status.memory_bytes:
        table.add_row("memory", f"{status.memory_bytes / MIB:.0f} MiB (programs and pods)")
    table.add_row("kubeconfig", str(cache.kubeconfig) if status.is_running else "-")
    table.add_row("cache", str(cache.root))
    return table


@app.command("kubectl", context_settings=PASS_THROUGH)
def run_kubectl(context: typer.Context) -> None:
    """Run the cluster's own kubectl, to look at what runs there; needs the cluster up."""
    kubectl.execute("kubectl", context.args, context.obj.context)


@app.command("helm", context_settings=PASS_THROUGH)
def run_helm(context: typer.Context) -> None:
    """Run the cluster's own Helm, to look at or change releases; needs the cluster up."""
    kubectl.execute("helm", context.args, context.obj.context)
