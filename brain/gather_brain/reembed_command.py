"""`gather-brain reembed`: change the embedding model, from a brain's pod or a Job."""

import asyncio
import os
from typing import Final

import typer

from gather_brain.embeddings.embedder import VectorCache
from gather_brain.embeddings.onnx_model import ModelError
from gather_brain.embeddings.providers import build_embedders
from gather_brain.embeddings.reembedding_plan import Phase, PlanError, ReembeddingPlan
from gather_brain.errors import UnavailableError
from gather_brain.opened_database import open_database
from gather_brain.reembed import TEXTS_AT_ONCE, ModelChange, abort
from gather_brain.settings import start_process
from gather_brain.store.database import refusal_of
from gather_brain.store.reembedding import Reembedding
from gather_brain.store.reembedding_plans import NoPlanError, PlanStore

NICENESS: Final = 10
"""Requests served on the same processors go first."""
EXIT_INPUT: Final = 64
EXIT_AGAIN: Final = 75


def change_model(*, status: bool, abort_change: bool, grace_s: float, patience_s: float) -> None:
    """Do what `gather-brain reembed` says; exits with 64 or 75 where it cannot."""
    settings = start_process("ERROR")

    async def work() -> ReembeddingPlan:
        async with open_database(settings) as database:
            plans, nodes = PlanStore(database), Reembedding(database)
            if status:
                return await plans.require()
            if abort_change:
                return await abort(plans, nodes)
            os.nice(NICENESS)
            # The next model, or the only one. Each node is embedded once: only what is asked for again, since
            # one attempt was too short for it, is worth caching.
            (embedder,) = build_embedders(settings.models[-1:], VectorCache(TEXTS_AT_ONCE))
            change = ModelChange(
                plans, nodes, embedder, grace_s=grace_s, patience_s=patience_s, report=_report
            )
            try:
                return await change.run()
            finally:
                await embedder.close()

    try:
        plan = asyncio.run(work())
    except NoPlanError:
        typer.echo("no brain has been ready with this Neo4j yet: start one first", err=True)
        raise typer.Exit(EXIT_INPUT) from None
    except (PlanError, ModelError) as failure:
        typer.echo(str(failure), err=True)
        raise typer.Exit(EXIT_INPUT) from None
    except UnavailableError as error:
        if refusal := refusal_of(error.__cause__):
            typer.echo(refusal, err=True)
            raise typer.Exit(EXIT_INPUT) from None
        typer.echo("Neo4j or the embedding model is unavailable; run the command again to continue", err=True)
        raise typer.Exit(EXIT_AGAIN) from None
    typer.echo("\n".join(described(plan)))


def _report(plan: ReembeddingPlan, note: str) -> None:
    typer.echo(note or _sentence(plan), err=True)


def _sentence(plan: ReembeddingPlan) -> str:
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
            return f"clearing: vectors of models other than {active} are being removed"


def described(plan: ReembeddingPlan) -> list[str]:
    """Return the plan as lines of a name and a value, tab-separated."""
    fields = {
        "phase": plan.phase.value,
        "model": f"{plan.active.model.name} ({plan.active.model.dimensions} dimensions)",
        "other": f"{plan.other.name} ({plan.other.dimensions} dimensions)" if plan.other else "-",
        "nodes": f"{plan.done}/{plan.total}",
        "started": plan.started_at or "-",
    }
    return [f"{name}\t{value}" for name, value in fields.items()]
