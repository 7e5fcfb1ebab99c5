"""`gather-worker sync`: the brain made equal to MongoDB, as runs do it, at any time."""

import argparse
import asyncio
import json
import re
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from gather_clients.brain_client import BrainClient
from gather_clients.brain_errors import BrainNotFound, BrainRejected, BrainUnauthorized, BrainUnavailable
from gather_contracts import names
from gather_contracts.result import ExitCode
from gather_worker.attempt import Attempt
from gather_worker.cli.clients import run_command
from gather_worker.cli.settings import SyncSettings
from gather_worker.cli.signals import end_on_signals
from gather_worker.errors import BrainUnusable, InvalidInput, Terminated, TryAgain
from gather_worker.services.brain import brain_client
from gather_worker.services.brain_nodes import BrainNodes
from gather_worker.services.mongodb import ProjectDatabase
from gather_worker.services.note_pages import NotePages
from gather_worker.settings import read_settings
from gather_worker.sync.merge import Kind, OutOfOrder
from gather_worker.sync.synchronizer import Progress, Synchronizer

DURATION_S: Final = 86_400.0
"""A day; with a key's default limits a million notes take longer, and the next command goes on."""
CALL_TIMEOUT_S: Final = 30.0
"""For one answer of the brain: a batch of 50 long notes on a busy machine."""
PROGRESS_EVERY_S: Final = 5.0
LONG_WAIT_S: Final = 2.0
"""Shorter waits are retries after an answer that was lost; longer ones the brain asks for."""
LIMITED: Final = (
    "the brain asks to wait: by default a key may write 10 batches of 50 notes a minute. A key with limits "
    "of its own is faster: gather-brain keys create --project {project} --name sync --limit batch=600/600 "
    "--limit list=600/600 --limit delete=600/600"
)
NO_COLLECTION: Final = (
    "MongoDB has no collection {name}, and the brain has notes of it: nothing is deleted. See that "
    "MONGODB_URI names the right server and --project the right project. If the project is gone for good, "
    "erase it from the brain with DELETE /api/v1/projects/{project} (docs/brain.md)"
)


def execute(arguments: argparse.Namespace) -> ExitCode:
    """Make a project's brain equal and print what was done; raises WorkerError."""
    project_id: str = arguments.project
    if not re.fullmatch(names.OBJECT_ID_PATTERN, project_id):
        raise InvalidInput("--project: must be 24 hexadecimal digits")
    settings = read_settings(SyncSettings)
    return run_command(_sync(settings, project_id, arguments))


async def _sync(settings: SyncSettings, project_id: str, arguments: argparse.Namespace) -> ExitCode:
    began_s = time.monotonic()
    attempt = Attempt(DURATION_S)
    end_on_signals(attempt)
    voice = _Voice(project_id)
    async with _opened(settings, project_id, attempt, voice.wait) as (notes, nodes):
        synchronizer = Synchronizer(notes, nodes, is_dry=arguments.is_dry)
        telling = asyncio.create_task(voice.tell(synchronizer.progress))
        try:
            await _with_plain_errors(synchronizer, project_id)
        except (TryAgain, Terminated) as error:
            raise type(error)(f"{error}; {_so_far(synchronizer.progress)}. The next sync goes on") from error
        finally:
            telling.cancel()
    report = report_of(project_id, synchronizer.progress, time.monotonic() - began_s)
    sys.stdout.write(table_of(report) if arguments.is_table else f"{json.dumps(report, indent=2)}\n")
    return ExitCode.DONE if not report["refused"] else ExitCode.NEVER


@asynccontextmanager
async def _opened(
    settings: SyncSettings, project_id: str, attempt: Attempt, wait: Callable[[float], Any]
) -> AsyncIterator[tuple[NotePages, BrainNodes]]:
    """Open both stores; raises InvalidInput for an address that is none."""
    client = brain_client(
        settings.brain_url,
        settings.brain_api_key.get_secret_value(),
        timeout_s=CALL_TIMEOUT_S,
        sleep=wait,
    )
    store = ProjectDatabase(
        settings.mongodb_uri.get_secret_value(), project_id, attempt, settings.store_patience_s
    )
    try:
        async with client:
            await _require_ready(client)
            yield NotePages(store), BrainNodes(client, attempt, project_id)
    finally:
        await store.close()


async def _require_ready(client: BrainClient) -> None:
    """Raise TryAgain at once if the brain is not there; later an absence is waited out."""
    try:
        ready = await client.readiness()
    except BrainUnavailable as error:
        raise TryAgain(
            f"{error}: see that BRAIN_SERVICE_BASE_URL is right and that the brain runs"
        ) from error
    if ready.status != "ready":
        reason = (ready.model_extra or {}).get("reason") or ready.neo4j
        raise TryAgain(f"the brain is {ready.status}: {reason}")


async def _with_plain_errors(synchronizer: Synchronizer, project_id: str) -> None:
    """Synchronise; raises WorkerError alone."""
    try:
        await synchronizer.run()
    except BrainUnusable as error:
        raise TryAgain(str(error)) from error
    except OutOfOrder as error:
        raise TryAgain(
            f"{error}: nothing can be concluded from that; both stores must be of one order"
        ) from error
    except BrainUnauthorized as error:
        raise InvalidInput(f"BRAIN_SERVICE_API_KEY: the brain refuses the key ({error})") from error
    except BrainNotFound as error:
        text = f"the key may not use the project: make one with --project {project_id}"
        raise InvalidInput(f"BRAIN_SERVICE_API_KEY: {text}") from error
    except BrainRejected as error:
        raise InvalidInput(f"the brain refuses a request: {error}") from error
    if synchronizer.progress.is_stranded:
        name = f"{names.gather_database(project_id)}.{names.ITEMS_COLLECTION}"
        raise InvalidInput(NO_COLLECTION.format(name=name, project=project_id))


class _Voice:
    """Says on standard error how far it has come, and once why it is slow."""

    def __init__(self, project_id: str) -> None:
        self._project_id = project_id
        self._has_said_why = False

    async def tell(self, progress: Progress) -> None:
        """Say it every few seconds, until cancelled."""
        while True:
            await asyncio.sleep(PROGRESS_EVERY_S)
            self._say(_so_far(progress))

    async def wait(self, duration_s: float) -> None:
        """Wait as the brain asks."""
        if duration_s >= LONG_WAIT_S and not self._has_said_why:
            self._has_said_why = True
            self._say(LIMITED.format(project=self._project_id))
        await asyncio.sleep(duration_s)

    def _say(self, text: str) -> None:
        sys.stderr.write(f"gather-worker sync: {text}\n")
        sys.stderr.flush()


def _so_far(progress: Progress) -> str:
    counted = ", ".join(f"{progress.counts[kind]} {kind}" for kind in Kind if progress.counts[kind])
    return f"{progress.looked_at} looked at{': ' if counted else ''}{counted}"


# --- what is printed


def report_of(project_id: str, progress: Progress, duration_s: float) -> dict[str, Any]:
    """Return the report; lists of ids show the first hundred of each kind."""
    counts = {kind.value: progress.counts[kind] for kind in Kind}
    return {
        "project": project_id,
        "dryRun": progress.is_dry,
        **counts,
        "noNotes": {str(reason): count for reason, count in sorted(progress.unread.items())},
        "seconds": round(duration_s, 2),
        "ids": {kind.value: ids for kind, ids in progress.ids.items() if ids},
    }


def table_of(report: dict[str, Any]) -> str:
    """Return the report as lines for people."""
    would = "would be " if report["dryRun"] else ""
    lines = {
        "new": f"{would}written, the brain had none",
        "changed": f"{would}written over what the brain had",
        "deleted": f"{would}deleted from the brain",
        "equal": "equal already",
        "refused": "not taken by the brain",
    }
    rows = [f"{report[kind]:>8}  {text}" for kind, text in lines.items()]
    rows += [f"{count:>8}  no notes: {reason}" for reason, count in report["noNotes"].items()]
    shown = [
        f"{kind}: {', '.join(ids)}{' …' if report[kind] > len(ids) else ''}"
        for kind, ids in report["ids"].items()
    ]
    return "\n".join([f"{report['project']}, {report['seconds']:g} s", *rows, *shown, ""])
