"""`python -m dev serve`: one room on throw-away stores, restarted when its code changes, until Ctrl-C."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from dev.artefacts.page_assets import PageAssets
from dev.artefacts.store_binaries import StoreArtefacts
from dev.cli.stores import until_interrupted
from dev.code_watch import run_with_reload
from dev.paths import ROOT
from dev.progress import Reporter
from dev.rooms import BRAIN_KEY, brain_service, bridge_service
from dev.service_process import ServiceProcess, free_port
from dev.stores import running

PROJECT = "507f1f77bcf86cd799439011"
SHARED_CODE = ("clients/gather_clients", "contracts/gather_contracts")

app = typer.Typer()
serve = typer.Typer(no_args_is_help=True, epilog="Example: python -m dev serve brain --port 8080")
app.add_typer(serve, name="serve")
Port = Annotated[int, typer.Option(help="Where it listens; 0: a free port.", min=0, max=65535)]


@serve.callback()
def serve_group() -> None:
    """Run one room on empty stores and restart it on code changes, to work on it; needs no cluster.

    Ctrl-C ends all. The stores are downloaded at first use.
    """


@serve.command("brain", epilog="Example: python -m dev serve brain --port 8080")
def serve_brain(port: Port = 0) -> None:
    """Run a brain on its own Neo4j and Redis; prints its address, a key and a curl line to try it."""
    programs, reporter = StoreArtefacts.from_environment(), Reporter()
    with until_interrupted() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gather-brain-")))
        model = programs.embedding_model()
        with reporter.step("Start Redis and Neo4j"):
            redis = stack.enter_context(running("redis", programs))
            neo4j = stack.enter_context(running("neo4j", programs, is_short_lived=True))
        settings = {"REDIS_URL": redis.uri, "GATHER_BRAIN_PORT": str(port or free_port())}
        brain = brain_service(folder, neo4j.uri, model, settings)
        stack.callback(brain.stop)
        typer.echo(brain_hints(brain.uri))
        _run(brain, "brain", reporter)


@serve.command("bridge", epilog="Example: python -m dev serve bridge --port 8081")
def serve_bridge(port: Port = 0) -> None:
    """Run a bridge on its own Redis that lets anyone listen; prints its address and a line that listens."""
    programs, reporter = StoreArtefacts.from_environment(), Reporter()
    with until_interrupted() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gather-bridge-")))
        with reporter.step("Start Redis"):
            redis = stack.enter_context(running("redis", programs))
        settings = {
            "GATHER_BRIDGE_PORT": str(port or free_port()),
            "GATHER_BRIDGE_PAGE_DIR": str(PageAssets(programs.artefacts).folder()),
        }
        bridge = bridge_service(folder, redis.uri, settings)
        stack.callback(bridge.stop)
        typer.echo(bridge_hints(bridge.uri, redis.uri))
        _run(bridge, "bridge", reporter)


def _run(service: ServiceProcess, room: str, reporter: Reporter) -> None:
    service.is_shown = True
    run_with_reload(service, [ROOT / path for path in (f"{room}/gather_{room}", *SHARED_CODE)], reporter.say)


def brain_hints(uri: str) -> str:
    """Return what to paste into a shell to use the brain."""
    node = f'{{"type": "GatherItem", "projectId": "{PROJECT}", "content": "The lamp goes out."}}'
    return f"""\
export BRAIN_SERVICE_BASE_URL={uri}
export BRAIN_SERVICE_API_KEY={BRAIN_KEY}
curl -H 'Authorization: Bearer {BRAIN_KEY}' -H 'Content-Type: application/json' \\
  -d '{{"nodes": [{node}]}}' {uri}/api/v1/nodes/batch
"""


def bridge_hints(uri: str, redis_url: str) -> str:
    """Return what to paste into a shell to listen to the bridge, which needs no token here."""
    return f"""\
# In a browser: {uri}/projects/{PROJECT}
export REDIS_URL={redis_url}
.venv/bin/python -m websockets {uri.replace("http", "ws", 1)}/api/v1/projects/{PROJECT}/events
"""
