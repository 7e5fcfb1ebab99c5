"""`gather-brain reembed`: the change of embedding model from the command line, in a brain's pod or a Job."""

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final

import typer

from gather_brain.app import open_database
from gather_brain.embeddings.embedder import Embedder, VectorCache
from gather_brain.embeddings.onnx_model import ModelError
from gather_brain.embeddings.providers import build_embedders
from gather_brain.embeddings.reembedding_plan import GRACE_MIN_S, Phase, Plan, PlanError
from gather_brain.errors import UnavailableError
from gather_brain.reembed import Change, NoPlanError, abort
from gather_brain.settings import Settings, read_settings
from gather_brain.store.reembedding import Reembedding
from gather_brain.store.reembedding_plans import PlanStore

NICENESS: Final = 10
"""Requests that are served on the same processors go first."""
EXIT_INPUT: Final = 64
EXIT_AGAIN: Final = 75


def reembed(
    status: Annotated[bool, typer.Option("--status", help="Only say where the change stands.")] = False,
    abort_change: Annotated[bool, typer.Option("--abort", help="Give the change under way up.")] = False,
    grace_s: Annotated[
        float,
        typer.Option("--grace", min=GRACE_MIN_S, max=3600, help="Seconds to keep the old vectors in the end"),
    ] = 60.0,
    patience_s: Annotated[
        float,
        typer.Option("--patience", min=0, help="Seconds to wait for a Neo4j or a model that is away."),
    ] = 600.0,
) -> None:
    """Embed all nodes with the next model, then search by it; run again, it goes on where it was stopped."""
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR)
    settings = read_settings()
    if status:
        _run(lambda: _status(settings))
    elif abort_change:
        _run(lambda: _abort(settings))
    else:
        os.nice(NICENESS)
        _run(lambda: _change(settings, grace_s, patience_s))


def _run(work: Callable[[], Coroutine[Any, Any, Plan]]) -> None:
    """Run a piece of work, print the plan that stands after it, and exit by what the caller can do."""
    try:
        plan = asyncio.run(work())
    except NoPlanError:
        typer.echo("no brain has been ready with this Neo4j yet: start one first", err=True)
        raise typer.Exit(EXIT_INPUT) from None
    except (PlanError, ModelError) as failure:
        typer.echo(str(failure), err=True)
        raise typer.Exit(EXIT_INPUT) from None
    except UnavailableError:
        typer.echo("Neo4j or the embedding model cannot be reached; run the same again", err=True)
        raise typer.Exit(EXIT_AGAIN) from None
    typer.echo("\n".join(described(plan)))


async def _status(settings: Settings) -> Plan:
    async with open_database(settings) as database:
        plan = await PlanStore(database).read()
    if plan is None:
        raise NoPlanError
    return plan


async def _abort(settings: Settings) -> Plan:
    async with open_database(settings) as database:
        return await abort(PlanStore(database), Reembedding(database))


async def _change(settings: Settings, grace_s: float, patience_s: float) -> Plan:
    embedder = _target(settings)
    try:
        async with open_database(settings) as database:
            change = Change(
                PlanStore(database),
                Reembedding(database),
                embedder,
                grace_s=grace_s,
                patience_s=patience_s,
                tell=_tell,
            )
            return await change.run()
    finally:
        await embedder.close()


def _target(settings: Settings) -> Embedder:
    """Return the next model, or the only one: each node is embedded once, so nothing is worth caching."""
    return build_embedders(settings.models[-1:], VectorCache(0))[0]


def _tell(plan: Plan, note: str) -> None:
    typer.echo(note or _sentence(plan), err=True)


def _sentence(plan: Plan) -> str:
    active, other = plan.active.model.name, plan.other.name if plan.other else ""
    match plan.phase:
        case Phase.STEADY:
            return f"all nodes are embedded with {active}"
        case Phase.FILLING:
            return f"filling: {plan.done} of {plan.total} nodes are embedded with {other}"
        case Phase.CLOSING:
            return f"closing: {plan.done} of {plan.total} nodes are embedded with {other}"
        case Phase.RETIRING:
            return f"retiring: {active} is searched by; {other} is kept for requests under way"
        case Phase.CLEARING:
            return f"clearing: vectors that are not of {active} are removed"


def described(plan: Plan) -> list[str]:
    """Return the plan as lines of a name and a value, tab-separated."""
    fields = {
        "phase": plan.phase.value,
        "model": f"{plan.active.model.name} ({plan.active.model.dimensions} dimensions)",
        "other": f"{plan.other.name} ({plan.other.dimensions} dimensions)" if plan.other else "-",
        "nodes": f"{plan.done}/{plan.total}",
        "started": plan.started_at or "-",
    }
    return [f"{name}\t{value}" for name, value in fields.items()]
