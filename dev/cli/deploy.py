"""`python -m dev deploy` and `demo`: Gather on the cluster, and its first run."""

import time
from typing import Annotated

import typer

from dev.artefacts.cache import Cache
from dev.cluster import kubectl
from dev.cluster.choose import choose_provider
from dev.cluster.deploy import Tools, deploy
from dev.cluster.show_run import run_demo
from dev.durations import Durations, clock, run_kind
from dev.images.build import Images
from dev.images.specs import chart_settings
from dev.paths import ROOT
from dev.progress import Reporter

app = typer.Typer()
Namespace = Annotated[str, typer.Option(help="Namespace of both releases; made if it is missing.")]
StartedAt = Annotated[
    float,
    typer.Option(hidden=True, help="When `make demo` began, in seconds since 1970; it may install tools."),
]


def bring_up(namespace: str, cache: Cache, reporter: Reporter) -> Tools:
    """Bring up the cluster, give it the images and install both charts; return the tools bound to it."""
    with cache.locked(reporter.say):
        provider = choose_provider(cache, reporter)
        provider.up()
        tags = Images.from_environment(cache, reporter).load(provider)
    tools = Tools(kubectl.kubectl_command(cache), kubectl.helm_command(cache))
    with reporter.step(f"Install Gather in {namespace}") as step:
        deploy(tools, namespace, chart_settings(tags), step.waits_for)
    return tools


def say_total(reporter: Reporter, durations: Durations, seconds: float) -> None:
    """Show how long the whole took beside the last times, and keep it as the last one of its kind."""
    kind = run_kind(frozenset(reporter.built))
    before = durations.totals_line()
    durations.record_total(kind, seconds)
    last = f"; the last times here: {before}" if before else ""
    reporter.say(f"The demo took {clock(seconds)} ({kind}{last}).")


@app.command(name="deploy", epilog="Example: python -m dev deploy --namespace gather")
def deploy_command(namespace: Namespace = "gather") -> None:
    """Install this working tree's Gather with its backing services, to test it whole; needs what `up` needs.

    It brings the cluster up and builds and loads the images that changed.
    """
    cache = Cache.from_environment()
    bring_up(namespace, cache, Reporter.remembering(cache))


@app.command(epilog="Example: python -m dev demo")
def demo(namespace: Namespace = "gather", started_at: StartedAt = 0) -> None:
    """Deploy Gather and show an example GatherRun from start to end, as a first look; needs what `up` needs.

    The run is examples/gatherrun.yaml. It ends within two minutes and costs nothing.
    """
    started = started_at or time.time()
    cache = Cache.from_environment()
    reporter = Reporter.remembering(cache)
    if known := Durations.of(cache).totals_line():
        reporter.say(f"The last times of the demo here: {known}.")
    tools = bring_up(namespace, cache, reporter)
    run_demo(list(tools.kubectl), namespace, str(ROOT / "examples" / "gatherrun.yaml"), reporter)
    say_total(reporter, Durations.of(cache), time.time() - started)
