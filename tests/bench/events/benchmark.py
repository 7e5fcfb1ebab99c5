"""The events' benchmark: a Redis, bridges and real sockets; tables of times, memory and what was lost."""

import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from dev.progress import Reporter
from tests.bench.events.scenes import SCENES, Found, Sizes
from tests.bench.events.stage import staged
from tests.bench.measure import ranked, this_machine
from tests.bench.report import table

SOCKET_GOAL_KIB: Final = 41
USUAL: Final = Sizes()
SMALL: Final = Sizes(
    sockets=30, projects=5, per_s=50, seconds=1, herd=20, replays=((20, 100),), caught_up=300,
    idle_connections=600, hang_s=1, lead_s=0.3, drain_s=0.5,
)  # fmt: skip
"""All of it in seconds, to see that it works."""

Scene = StrEnum("Scene", {name: name for name in SCENES})  # type: ignore[misc]

command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@command.command()
def events(  # noqa: PLR0917 - options, given by name
    only: Annotated[list[Scene] | None, typer.Option(help="Measure this alone; several times.")] = None,
    sockets: Annotated[int, typer.Option(min=1, help="That listen to live events.")] = USUAL.sockets,
    projects: Annotated[
        int, typer.Option(min=1, help="Over which clients and events are spread.")
    ] = USUAL.projects,
    rate: Annotated[float, typer.Option(min=1, help="Live events a second.")] = USUAL.per_s,
    seconds: Annotated[float, typer.Option(min=1, help="Of live events.")] = USUAL.seconds,
    herd: Annotated[int, typer.Option(min=1, help="Clients that come back at once.")] = USUAL.herd,
    small: Annotated[bool, typer.Option(help="All of it in a size of seconds.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every measured value here.")] = None,
) -> None:
    """Measure how the bridge brings events to sockets, about three minutes.

    Fails if an event was lost, came twice, or was missing where the bridge said that none was, and if a
    client was refused or closed although nothing was wrong. Whether a time is good depends on what else the
    machine does: processor time does not.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    reporter, machine, found = Reporter(), this_machine(), Found()
    reporter.say(machine.as_line())
    sizes = SMALL if small else Sizes(sockets, projects, rate, seconds, herd)
    with ExitStack() as stack:
        stage = stack.enter_context(staged(sizes.drain_s)) if small else None
        for name in only or list(Scene):
            with (
                reporter.step(str(name)) as step,
                nullcontext(stage) if stage else staged(sizes.drain_s) as own,
            ):
                asyncio.run(SCENES[name](own, sizes, found, step))
    for text in texts(found):
        reporter.say(f"\n{text}")
    if json_file is not None:
        json_file.write_text(json.dumps({"machine": machine.as_json(), **asdict(found)}), encoding="utf-8")
    failures = failed(found)
    for failure in failures:
        reporter.say(failure)
    if failures:
        raise typer.Exit(1)


def texts(found: Found) -> list[str]:
    """Return what was measured as tables."""
    shown = []
    if found.timings:
        shown.append(timings_table(found))
    if found.socket_kib is not None:
        shown.append(f"memory a socket: {found.socket_kib:.1f} KiB (goal: {SOCKET_GOAL_KIB})")
    if found.faults:
        shown.append(faults_table(found))
    return shown


def timings_table(found: Found) -> str:
    """Return the times, and what they took: cores of each process, the bridge's highest memory."""
    head = ("ms", "goal", "min", "median", "p99", "max", "n", "refused", "closed", "bridge", "us/frame",
            "MiB", "Redis", "clients", "waited")  # fmt: skip
    body = []
    for row in found.timings:
        ordered, use = sorted(row.ms), row.use
        times = (ordered[0], ranked(ordered, 0.5), ranked(ordered, 0.99), ordered[-1])
        parts = (use.bridge_s, use.redis_s, use.clients_s, use.waited_s)
        cores = [f"{each / use.seconds:.2f}" for each in parts]
        body.append((
            row.title, "-" if row.goal_ms is None else f"{row.goal_ms:g}", *(f"{each:.1f}" for each in times),
            str(len(ordered)), str(row.refused), str(row.closed), cores[0], f"{row.frame_us:.0f}",
            f"{use.peak_mib:.0f}", *cores[1:],
        ))  # fmt: skip
    return table(head, body)


def faults_table(found: Found) -> str:
    """Return what was lost, and how long it took until nothing was missing."""
    head = ("", "lost", "doubled", "wrongly recovered", "reloads", "whole after s", "connections", "closed")
    return table(head, [
        (
            row.title, str(row.errors.lost), str(row.errors.doubled), str(row.errors.wrong),
            str(row.errors.reloads), f"{row.back_s:.1f}", f"{row.connections:.2f}",
            ", ".join(f"{code}: {count}" for code, count in sorted(row.closed.items())) or "-",
        )
        for row in found.faults
    ])  # fmt: skip


def failed(found: Found) -> Sequence[str]:
    """Return what must not be, whatever the machine does."""
    refused = [f"{row.title}: {row.refused} refused, {row.closed} closed" for row in found.timings
               if row.refused or row.closed]  # fmt: skip
    return refused + [
        f"{row.title}: {row.errors}"
        for row in found.faults
        if row.errors.lost or row.errors.doubled or row.errors.wrong
    ]


if __name__ == "__main__":
    command()
