"""`python -m dev deploy` and `demo`: Gather on the cluster, and its first run."""

import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated

import typer

from dev.artefacts.cache import Cache
from dev.cluster import kubectl
from dev.cluster.choose import choose_provider
from dev.cluster.deploy import BACKING_RELEASE, RELEASE, Tools, deploy
from dev.cluster.provider import Provider
from dev.cluster.real_model import (
    CAP_DEFAULT_USD,
    RealModel,
    chart_values,
    give_key,
    take_key,
    take_model,
    way_settings,
)
from dev.cluster.show_run import run_demo
from dev.durations import Durations, clock, run_kind
from dev.images.build import Images
from dev.images.specs import chart_settings
from dev.paths import ROOT
from dev.progress import Reporter
from gather_demo.languages import Language

EXAMPLES = {
    Language.EN: ROOT / "examples" / "gatherrun.yaml",
    Language.DE: ROOT / "examples" / "gatherrun-de.yaml",
}
EMBEDDINGS = {Language.EN: "fast", Language.DE: "multilingual"}
"""By which the brain reads the demo's notes."""

app = typer.Typer()
Namespace = Annotated[str, typer.Option(help="Namespace of both releases; made if it is missing.")]
DemoNamespace = Annotated[
    str, typer.Option(help="The same; empty: gather, or gather-LANGUAGE for another language than en.")
]
Model = Annotated[
    str,
    typer.Option(
        help="A real model, such as vendor/name, with the key in OPENROUTER_API_KEY; "
        "GATHER_LLM_BASE_URL names another endpoint than OpenRouter. Empty: the demo's own."
    ),
]
MaxCost = Annotated[float, typer.Option(help="What the run may cost with a real model, in USD.")]
InLanguage = Annotated[
    Language, typer.Option(help="Of departments, project and the demo model's notes; the brain reads it too.")
]
StartedAt = Annotated[
    float,
    typer.Option(hidden=True, help="When `make demo` began, in seconds since 1970; it may install tools."),
]


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that has the images, and the tools bound to it."""

    provider: Provider
    tools: Tools
    tags: Mapping[str, str]
    language: Language = Language.EN

    def install(
        self,
        namespace: str,
        reporter: Reporter,
        texts: Mapping[str, str] | None = None,
        more: Mapping[str, str] | None = None,
    ) -> None:
        """Install both charts; `texts` are values of the chart `gather` taken as they are, `more` others."""
        settings = chart_settings(self.tags)
        brain = {"brain.embedding": EMBEDDINGS[self.language]}
        settings[RELEASE] = {**settings.get(RELEASE, {}), **brain, **(more or {})}
        demo = {"demo.language": self.language.value}
        settings[BACKING_RELEASE] = {**settings.get(BACKING_RELEASE, {}), **demo}
        with reporter.step(f"Install Gather in {namespace}") as step:
            deploy(self.tools, namespace, settings, step.waits_for, texts)


def bring_up(cache: Cache, reporter: Reporter, language: Language = Language.EN) -> Cluster:
    """Bring up the cluster and give it the images."""
    with cache.locked(reporter.say):
        provider, images = choose_provider(cache, reporter), Images.from_environment(cache, reporter)
        up_with_images(provider, images)
        tags = images.load(provider)
    tools = Tools(kubectl.kubectl_command(cache), kubectl.helm_command(cache))
    return Cluster(provider, tools, tags, language)


def up_with_images(provider: Provider, images: Images) -> None:
    """Bring the cluster up, and build images meanwhile: its programs do not keep two cores busy.

    No image is begun once the cluster is up, or has failed: `Images.load` builds the others and loads them.
    """
    is_over = threading.Event()
    with ThreadPoolExecutor(1) as aside:
        building = aside.submit(images.build, until=is_over.is_set)
        try:
            provider.up()
        finally:
            is_over.set()
        building.result()


def show_example(cluster: Cluster, namespace: str, reporter: Reporter) -> None:
    """Install Gather with the demo's own model and show the example run."""
    cluster.install(namespace, reporter)
    # One that a killed demo with a real model left.
    take_key(cluster.tools.kubectl, namespace)
    run_demo(list(cluster.tools.kubectl), namespace, EXAMPLES[cluster.language], reporter)


def show_real_model(cluster: Cluster, namespace: str, model: RealModel, reporter: Reporter) -> None:
    """Show one department of the example run with a real model; afterwards neither key nor model is left."""
    tools = cluster.tools
    with cluster.provider.way_out(model.url) as way:
        try:
            cluster.install(namespace, reporter, chart_values(model, way.url, way.proxy), way_settings())
            give_key(tools.kubectl, namespace, model)
            run_demo(list(tools.kubectl), namespace, EXAMPLES[cluster.language], reporter, model)
        finally:
            reporter.say("Deleting the key and going back to the demo's own model.")
            take_key(tools.kubectl, namespace)
            cluster.install(namespace, reporter)


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
    reporter = Reporter.remembering(cache)
    bring_up(cache, reporter).install(namespace, reporter)


@app.command(epilog="Example: python -m dev demo")
def demo(
    namespace: DemoNamespace = "",
    model: Model = "",
    max_cost: MaxCost = CAP_DEFAULT_USD,
    language: InLanguage = Language.EN,
    started_at: StartedAt = 0,
) -> None:
    """Deploy Gather and show an example GatherRun from start to end, as a first look; needs what `up` needs.

    The run is examples/gatherrun.yaml, or gatherrun-de.yaml beside it. It ends within two minutes and costs
    nothing. With --model it is one department of it, written by a real model, and what that cost is shown.
    """
    started = started_at or time.time()
    real = take_model(model, max_cost) if model else None
    cache = Cache.from_environment()
    reporter = Reporter.remembering(cache)
    if known := Durations.of(cache).totals_line():
        reporter.say(f"The last times of the demo here: {known}.")
    cluster = bring_up(cache, reporter, language)
    # Of its own for each language: a brain's graph holds the vectors of one model.
    namespace = namespace or ("gather" if language is Language.EN else f"gather-{language}")
    if real:
        show_real_model(cluster, namespace, real, reporter)
    else:
        show_example(cluster, namespace, reporter)
        say_total(reporter, Durations.of(cache), time.time() - started)
