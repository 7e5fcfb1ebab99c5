"""The benchmark of `gather-worker sync`: a project's notes brought into the brain, and compared again."""

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import psutil
import typer
from bson import ObjectId
from pymongo import MongoClient
from pymongo.collection import Collection

from dev.progress import Reporter
from dev.rooms import BRAIN_KEY
from dev.service_process import script
from gather_clients.brain_client import BrainClient
from gather_clients.notes.note import Note
from gather_clients.notes.note_reading import note_of
from gather_contracts import names
from gather_contracts.brain import NODES_PER_BATCH_MAX
from gather_worker.documents.note_node import node_of
from tests.bench.measure import cpu_s, memory_of, this_machine
from tests.bench.texts import Film, NoteWriter
from tests.bench.worker.benchmark import notes_text, rows_table
from tests.bench.worker.rows import Row
from tests.bench.worker.stage import Stage, departments, stage
from tests.support.application_documents import lexical, paragraph

NEW_GOAL_S: Final = 120.0
NONE_NEW_GOAL_S: Final = 5.0
"""For 10,000 notes."""
HALF_WORDS: Final = 38
DEADLINE_S: Final = 300
AT_ONCE: Final = 2
"""Requests at a time of the floor, as of the command."""
SEED: Final = 11
CHANGED_SHARE: Final = 0.01
POLL_S: Final = 0.02
SERVICES: Final = {"gather-brain": "brain", "Neo4jCommunity": "Neo4j", "mongod ": "MongoDB"}
"""What stands in a service's command line, and what it is called."""


@dataclass(frozen=True, slots=True)
class Synced:
    """One run of the command."""

    wall_s: float
    report: dict[str, Any]


class Forms:
    """Notes as people and Gather leave them: half of them Gather's, the others in five forms.

    No text comes twice, since the brain remembers the vectors of the last texts.
    """

    def __init__(self, words: int, seed: int) -> None:
        self._halves = max(1, round(words / HALF_WORDS))
        self._writer = NoteWriter(seed)
        self._film: Film = self._writer.film()
        self._departments = departments()

    def documents(self, project_id: str, count: int) -> list[dict[str, Any]]:
        """Return so many documents of a project."""
        made = (self._ours(place) if place % 2 else self._peoples(place) for place in range(count))
        return [document | {"projectId": project_id} for document in made]

    def text(self) -> str:
        """Return a text that was not written before."""
        department = self._writer.department()
        return " ".join(self._writer.half(department, self._film) for _ in range(self._halves))

    def _ours(self, place: int) -> dict[str, Any]:
        department = self._departments[place % len(self._departments)]
        content = self.text()
        return self._base(content, content[:120]) | {
            "isAutomated": True,
            "automationMetadata": {
                "taskId": "bench", "department": department.slug, "departmentName": department.name,
                "iteration": 1, "qualityScore": 71.5, "basedOnNodes": [], "model": "demo/model",
                "run": "earlier", "runUid": "earlier", "prompt": "generate.v3",
            },
        }  # fmt: skip

    def _peoples(self, place: int) -> dict[str, Any]:
        text = self.text()
        forms: Sequence[Any] = (
            text,
            json.dumps({"title": text[:40], "note": text}),
            lexical(paragraph(text[:200]), paragraph(text[200:])),
            json.dumps(lexical(paragraph(text))),
            f"<p>{text}</p>",
        )
        return self._base(forms[place // 2 % len(forms)], "") | {"isAutomated": False}

    def _base(self, content: Any, summary: str) -> dict[str, Any]:
        now = datetime.now(UTC)
        return {
            "_id": ObjectId(), "content": content, "summary": summary,
            "context": "Why this matters to the film.", "createdAt": now, "lastUpdated": now,
            "createdBy": "bench",
        }  # fmt: skip


class SyncBench:
    """Projects of so many notes, brought to the brain."""

    def __init__(self, theatre: Stage, reporter: Reporter, notes: int, words: int) -> None:
        self._stage = theatre
        self._reporter = reporter
        self._count = notes
        self._words = words
        self._project_id = ""
        self._forms = Forms(words, SEED)
        self.memory_mib: list[float] = []
        self._cpu_s: dict[str, float] = {}

    def measure(self, new: int, none_new: int) -> list[Row]:
        """Return the rows; `new` and `none_new` are how often each is done."""
        size, share = f"{self._count} notes of {self._words} words", f"{CHANGED_SHARE:.0%}"
        all_new, bare_new = self._all_new(new)
        new_cpu = self._processor_time()
        none, bare_none = self._none_new(none_new)
        none_cpu = self._processor_time()
        return [
            Row("sync-new", f"{size}, all new", "s", NEW_GOAL_S, all_new, bare_new,
                f"floor: bare writes of prepared nodes, two at a time; {new_cpu}"),
            Row("sync-none", f"{size}, none new", "s", NONE_NEW_GOAL_S, none, bare_none,
                f"floor: the brain's list alone; {none_cpu}"),
            Row("sync-some", f"{size}, {share} changed and {share} deleted", "s", None,
                self._some_changed(none_new)),
            Row("sync-memory", f"highest resident memory, {size}", "MiB", None, self.memory_mib),
        ]  # fmt: skip

    def _all_new(self, repeats: int) -> tuple[list[float], list[float]]:
        found, floors = [], []
        for turn in range(repeats):
            with self._reporter.step(f"All new, {turn + 1} of {repeats}: bare writes"):
                floors.append(asyncio.run(self._bare_writes()))
            with self._reporter.step(f"All new, {turn + 1} of {repeats}: sync"), self._mongodb() as client:
                self._project_id = uuid.uuid4().hex[:24]
                documents = self._forms.documents(self._project_id, self._count)
                self._items(client).insert_many(documents)
                synced = self._sync()
            assert synced.report["new"] == self._count, synced.report
            found.append(synced.wall_s)
        return found, floors

    def _none_new(self, repeats: int) -> tuple[list[float], list[float]]:
        found, floors = [], []
        with self._reporter.step(f"None new, {repeats} times"):
            for _ in range(repeats):
                floors.append(asyncio.run(self._bare_list()))
                synced = self._sync()
                assert synced.report["equal"] == self._count, synced.report
                found.append(synced.wall_s)
        return found, floors

    def _some_changed(self, repeats: int) -> list[float]:
        found = []
        share = max(1, int(self._count * CHANGED_SHARE))
        rng = random.Random(SEED)  # noqa: S311 - repeatable, not secret
        with self._reporter.step(f"Some changed, {repeats} times"), self._mongodb() as client:
            items = self._items(client)
            for _ in range(repeats):
                ids = rng.sample(items.distinct("_id"), 2 * share)
                for each in ids[:share]:
                    change = {"content": self._forms.text(), "lastUpdated": datetime.now(UTC)}
                    items.update_one({"_id": each}, {"$set": change})
                items.delete_many({"_id": {"$in": ids[share:]}})
                synced = self._sync()
                assert (synced.report["changed"], synced.report["deleted"]) == (share, share), synced.report
                found.append(synced.wall_s)
        return found

    def _sync(self) -> Synced:
        command = [script("gather-worker"), "sync", "--project", self._project_id]
        services = self._stage.services
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "GATHER_SECRETS_DIR": str(self._stage.folder / "none"),
            **services.secrets(),
            **services.environment(),
        }
        out = self._stage.folder / "sync.json"
        before = services_cpu_s()
        began_s = time.perf_counter()
        with out.open("w", encoding="utf-8") as file:
            process = subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.DEVNULL)
            # Not what the kernel says at the end: that counts this process, which it was forked from.
            peak_mib, used_s = 0.0, 0.0
            while process.poll() is None:
                with contextlib.suppress(psutil.Error, OSError, StopIteration):
                    peak_mib, used_s = memory_of(process.pid).peak_rss, cpu_s(process.pid)
                time.sleep(POLL_S)
        wall_s = time.perf_counter() - began_s
        assert process.returncode == 0
        self._cpu_s = {"command": used_s}
        self._cpu_s |= {name: after - before.get(name, 0.0) for name, after in services_cpu_s().items()}
        self.memory_mib.append(peak_mib)
        report = json.loads(out.read_text(encoding="utf-8"))
        return Synced(wall_s, report)

    def _processor_time(self) -> str:
        """Say what the last run of the command took of the processors: comparable when other things run."""
        return "processor time in s: " + ", ".join(f"{name} {used:.1f}" for name, used in self._cpu_s.items())

    async def _bare_writes(self) -> float:
        """Write as many prepared nodes, then erase them; return the seconds of writing."""
        project_id = uuid.uuid4().hex[:24]
        notes = (note_of(each, project_id) for each in self._forms.documents(project_id, self._count))
        nodes = [node_of(note) for note in notes if isinstance(note, Note)]
        size = NODES_PER_BATCH_MAX
        waiting = iter([nodes[start : start + size] for start in range(0, len(nodes), size)])
        async with BrainClient(self._stage.services.brain_uri, BRAIN_KEY, timeout_s=DEADLINE_S) as brain:

            async def write() -> None:
                for batch in waiting:
                    await brain.create_nodes(batch, deadline_s=DEADLINE_S)

            began_s = time.perf_counter()
            await asyncio.gather(*(write() for _ in range(AT_ONCE)))
            took_s = time.perf_counter() - began_s
            await brain.delete_project(project_id, confirm=project_id, deadline_s=DEADLINE_S)
        return took_s

    async def _bare_list(self) -> float:
        async with BrainClient(self._stage.services.brain_uri, BRAIN_KEY) as brain:
            began_s = time.perf_counter()
            async for _ in brain.node_pages(self._project_id):
                pass
            return time.perf_counter() - began_s

    def _items(self, client: MongoClient[dict[str, Any]]) -> Collection[dict[str, Any]]:
        return client[names.gather_database(self._project_id)][names.ITEMS_COLLECTION]

    def _mongodb(self) -> MongoClient[dict[str, Any]]:
        return MongoClient(self._stage.services.mongodb_uri)


def services_cpu_s() -> dict[str, float]:
    """Return the seconds of processor time that each service has used until now, as far as it is ours."""
    found: dict[str, float] = {}
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            called = " ".join(process.cmdline())
            for word, name in SERVICES.items():
                if word in called:
                    found[name] = found.get(name, 0.0) + cpu_s(process.pid)
    return found


command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@command.command()
def sync(
    notes: Annotated[int, typer.Option(min=100, help="Notes of the project.")] = 10_000,
    words: Annotated[
        list[int] | None, typer.Option(min=30, help="Of a note; may be given several times.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="How often all notes are new.")] = 2,
    equal_repeats: Annotated[int, typer.Option(min=1, help="How often none is, or some are.")] = 7,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every measured value here.")] = None,
) -> None:
    """Measure `gather-worker sync` against its goals on this machine; all that it needs is started here."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    reporter, machine = Reporter(), this_machine()
    reporter.say(machine.as_line())
    rows: list[Row] = []
    with stage(reporter) as theatre:
        for each in words or [75, 250]:
            rows += SyncBench(theatre, reporter, notes, each).measure(repeats, equal_repeats)
    reporter.say(f"\n{rows_table(rows)}\n\n{notes_text(rows)}")
    if json_file is not None:
        found = {"machine": machine.as_json(), "rows": [asdict(row) for row in rows]}
        json_file.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    command()
