"""The brain's benchmark: fill, warm up, measure, show."""

import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import neo4j
import typer

from dev.artefacts.versions import NEO4J
from dev.progress import Reporter
from tests.bench import report
from tests.bench.brain.calls import Calls
from tests.bench.brain.floors import Floors
from tests.bench.brain.replicas import SHARE, measure_replicas, replicas_table
from tests.bench.brain.rows import Measured, RowKey, all_rows, measure
from tests.bench.brain.seed import Sizes, agreement, project_ids
from tests.bench.brain.stage import Stage, run_stage
from tests.bench.brain.sustained import (
    BATCH_NODES,
    PROJECTS,
    Load,
    Sustained,
    sustain,
)
from tests.bench.measure import Machine, memory_of, this_machine

SEED_ROWS: Final = 2
SEED_SUSTAINED: Final = 3
"""Of the texts that are sent; the seeded nodes have 1."""
SEEDED_TEXTS: Final = 500
DEPARTMENTS: Final = 12
"""That are worked on at a time: each is analysed every 15 s or so at 50 analyses a minute."""

command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@command.command()
def brain(  # noqa: PLR0917 - options, given by name
    nodes: Annotated[int, typer.Option(min=100, help="Nodes of the measured project.")] = 10_000,
    others: Annotated[int, typer.Option(min=0, help="Nodes of all other projects together.")] = 90_000,
    other_projects: Annotated[int, typer.Option(min=1, help="How many others there are.")] = 45,
    repeats: Annotated[int, typer.Option(min=1, help="Measured requests of each row.")] = 40,
    only: Annotated[list[RowKey] | None, typer.Option(help="Only this; may be given several times.")] = None,
    warm_up: Annotated[
        bool, typer.Option(help="Send requests before those that count; without, they show a cold Java.")
    ] = True,
    sustained_s: Annotated[
        float, typer.Option(min=0, help="Length of the sustained load; 0 leaves it out.")
    ] = 300,
    rate: Annotated[
        float, typer.Option(min=0.001, help="Of the required requests a minute (sustained load).")
    ] = 1,
    departments: Annotated[
        int, typer.Option(min=1, help="That are analysed in turn (sustained load).")
    ] = DEPARTMENTS,
    unseen_share: Annotated[
        float,
        typer.Option(min=0, max=1, help="Of 100 analysed items, the share that is new (sustained load)."),
    ] = 0.1,
    replicas: Annotated[
        int, typer.Option(min=1, help="Measure only what so many brains answer beside one, each slowed down.")
    ] = 1,
    replicas_s: Annotated[float, typer.Option(min=1, help="For so long each.")] = 20,
    neo4j_uri: Annotated[
        str | None,
        typer.Option("--neo4j", help="Use this Neo4j, without authentication; what is written stays in it."),
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every measured value here.")] = None,
) -> None:
    """Measure the brain against the required times on this machine; everything that it needs is started here.

    Fails only if a request does: whether a time is good is for the reader, who knows what else ran.
    """
    # An end from outside also removes the folders: a gigabyte.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sizes = Sizes(nodes, others, other_projects)
    reporter = Reporter()
    machine = this_machine()
    reporter.say(machine.as_line())
    with run_stage(sizes, neo4j_uri, reporter) as stage:
        reporter.say(_conditions(stage))
        if replicas > 1:
            calls = Calls(SEED_ROWS, _seeded(stage))
            beside = measure_replicas(stage, calls, replicas, replicas_s, reporter)
            reporter.say(f"\nEach brain has {SHARE:.0%} of a core.\n\n{replicas_table(beside)}")
            if json_file is not None:
                json_file.write_text(json.dumps([each.as_json() for each in beside]), encoding="utf-8")
            raise typer.Exit(any(each.errors for each in beside))
        rows = _rows(stage, repeats, only, reporter, is_warmed_up=warm_up)
        sustained = None
        if sustained_s and (not only or RowKey.SUSTAINED in only):
            calls = Calls(SEED_SUSTAINED, _seeded(stage))
            load = Load(sustained_s, rate, departments, unseen_share)
            sustained = asyncio.run(sustain(stage, calls, load, reporter))
            _say_sustained(sustained, load, stage.sizes, reporter)
        reporter.say(f"\nbrain's memory at the end: {report.memory_text(memory_of(stage.brain.pid))}")
        if json_file is not None:
            json_file.write_text(
                json.dumps(_as_json(machine, sizes, stage, rows, sustained)), encoding="utf-8"
            )
    if _say_errors(rows, sustained, reporter):
        raise typer.Exit(1)


def _rows(
    stage: Stage, repeats: int, only: Sequence[RowKey] | None, reporter: Reporter, *, is_warmed_up: bool
) -> list[Measured]:
    project = project_ids(stage.sizes)[0]
    calls = Calls(SEED_ROWS, _seeded(stage))
    with Floors(stage.neo4j_uri, stage.brain.uri, stage.model, project) as floors:
        rows = all_rows(calls, floors, project)
        wanted = [row for row in rows if not only or row.key in only]
        measured = measure(stage, wanted, repeats, reporter, is_warmed_up=is_warmed_up) if wanted else []
    if measured:
        reporter.say(f"\n{report.rows_table(measured)}\n\n{report.floors_text(measured)}")
    return measured


def _conditions(stage: Stage) -> str:
    sizes = stage.sizes
    with neo4j.GraphDatabase.driver(stage.neo4j_uri, auth=None) as driver:
        near = agreement(driver, stage.model)
    return (
        f"Neo4j {NEO4J}, {stage.model.name}, one brain with its default settings, one caller at a time; all "
        "on this machine.\n"
        f"{sizes.nodes:,} nodes in 10 departments of the measured project, {sizes.others:,} in "
        f"{sizes.other_projects} other projects.\n"
        "Seeded nodes are pairs of embedded half notes; their vectors are sums, with a median cosine of "
        f"{near:.3f} to what the model makes of the whole text.\n"
        "Texts that are sent have 109 tokens on average (85 to 145) and were not sent before, but for seen "
        "ones; every fifth search is for a seeded note in other words."
    )


def _seeded(stage: Stage) -> list[str]:
    with neo4j.GraphDatabase.driver(stage.neo4j_uri, auth=None) as driver:
        records = driver.execute_query(
            "MATCH (n:Node {projectId: $project}) RETURN n.content AS content ORDER BY n.id LIMIT $limit",
            project=project_ids(stage.sizes)[0],
            limit=SEEDED_TEXTS,
        ).records
    return [record["content"] for record in records]


def _say_sustained(found: Sustained, load: Load, sizes: Sizes, reporter: Reporter) -> None:
    others = min(PROJECTS - 1, sizes.other_projects)
    reporter.say(
        "\nAll at once at fixed times, latency counted from when a request was due; nodes in batches of "
        f"{BATCH_NODES}; analyses of {load.departments} departments in turn, of whose 100 items "
        f"{load.unseen_share:.0%} are new each time; one half of the rest goes to the measured project, the "
        f"other half to {others} more.\n\n{report.sustained_table(found)}\n\n{report.sustained_text(found)}"
    )


def _say_errors(rows: Sequence[Measured], sustained: Sustained | None, reporter: Reporter) -> int:
    """Show what went wrong and return how much did."""
    errors = [error for row in rows for error in row.errors]
    errors += [error for kind in (sustained.kinds if sustained else ()) for error in kind.errors]
    for error in dict.fromkeys(errors):
        reporter.say(f"{errors.count(error)} x {error}")
    return len(errors)


def _as_json(
    machine: Machine, sizes: Sizes, stage: Stage, rows: Sequence[Measured], sustained: Sustained | None
) -> dict[str, Any]:
    memory = memory_of(stage.brain.pid)
    return {
        "machine": machine.as_json(),
        "nodes": sizes.nodes,
        "others": sizes.others,
        "otherProjects": sizes.other_projects,
        "model": stage.model.name,
        "neo4j": NEO4J,
        "rows": [row.as_json() for row in rows],
        "sustained": report.sustained_json(sustained) if sustained else None,
        "brainMemoryMib": {"rss": memory.rss, "pss": memory.pss, "peakRss": memory.peak_rss},
    }


if __name__ == "__main__":
    command()
