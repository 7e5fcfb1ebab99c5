"""A season in the life of one project: people write notes, and go on while Gather runs over them twice."""

import json
import logging
import os
import signal
import subprocess
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bson import ObjectId
from pymongo.collection import Collection

from dev.rooms import BRAIN_KEY
from dev.service_process import script
from dev.waiting import wait_for
from gather_clients.brain_client import BrainClient
from gather_clients.notes.note import Note
from gather_worker.attempt import Attempt
from gather_worker.services.notes import ProjectRead
from gather_worker.services.store import Store
from tests.support.application.collection_audit import (
    Comparison,
    WriteCounts,
    WriteRecord,
    compare,
    counts_of,
    words_missing,
)
from tests.support.application.people import People
from tests.support.application_documents import Document, make_collection
from tests.support.worker_harness import Ended, Services, WorkerHarness, run_document
from tests.support.workers.process_forks import ProcessForks

SEED: Final = 20261128
RUNS: Final = 2
DEPARTMENTS: Final = 2
ITERATIONS: Final = 2
BETWEEN_SHARE: Final = 0.05
"""Acts of people between two runs, for each note."""
PATIENCE_S: Final = 5.0
COMMAND_TIMEOUT_S: Final = 1800.0

_LOGGER = logging.getLogger(__name__)


@dataclass
class Season:
    """What was seen of it; times in seconds."""

    project_id: str
    people: People
    read: ProjectRead = field(default_factory=ProjectRead)
    """Before the first run."""
    expected_unread: Counter[str] = field(default_factory=Counter)
    wrong_words: list[str] = field(default_factory=list)
    """Forms of people's notes that were read and do not say what was written."""
    unread_notes: list[str] = field(default_factory=list)
    """Forms of people's readable notes that were not read."""
    runs: list[Sequence[Ended]] = field(default_factory=list)
    quiet: Sequence[Ended] = ()
    """Of a short run while nobody else is at work."""
    caught: str = ""
    """The note that was deleted right after its worker had written it and was killed."""
    written_and_pending: set[str] = field(default_factory=set)
    """Notes that stood there then, and in the checkpoint as if they did not."""
    gone: frozenset[str] = frozenset()
    """What people had deleted, or taken out of the film, when it began."""
    quiet_based_on: frozenset[str] = frozenset()
    """The notes that its prompts showed."""
    comparisons: dict[str, Comparison] = field(default_factory=dict)
    """Of brain and MongoDB, by when."""
    syncs: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What `gather-worker sync` printed, by when."""
    noted: dict[str, Counter[str]] = field(default_factory=dict)
    """What it must have counted as no notes, by reason."""
    times: dict[str, float] = field(default_factory=dict)
    writes: WriteCounts = field(default_factory=lambda: WriteCounts(0, 0, 0))
    missing_words: list[tuple[str, str]] = field(default_factory=list)
    """Id and form of people's notes whose node says something else at the end."""

    @property
    def gather(self) -> Collection[Document]:
        """Return the collection."""
        return self.people.gather

    def table(self) -> str:
        """Return what happened, to be printed."""
        ledger = self.people.ledger
        workers = [ended for run in (*self.runs, self.quiet) for ended in run]
        rows: list[tuple[str, object]] = [
            ("people's notes at the end", len(ledger.notes)),
            ("… readable and canon", len(ledger.readable())),
            *((f"… {reason}", count) for reason, count in sorted(ledger.unread().items())),
            ("Gather's notes at the end", self.gather.count_documents({"isAutomated": True})),
            *((f"people's acts: {kind}", count) for kind, count in ledger.acts.most_common()),
            ("workers", len(workers)),
            ("worker's memory at most, MB", max((e.peak_memory_bytes for e in workers), default=0) // 2**20),
            ("Gather's writes: inserts", self.writes.inserted),
            ("Gather's writes: updates", self.writes.updated),
            ("Gather's writes: refused", self.writes.refused),
            ("written again after a delete", len(self.writes.came_back)),
            *((f"{name}, s", f"{seconds:.1f}") for name, seconds in self.times.items()),
            *(
                (f"brain {when}: nodes/missing/orphans/outdated",
                 f"{c.nodes}/{len(c.missing)}/{len(c.orphans)}/{len(c.outdated)}")
                for when, c in self.comparisons.items()
            ),
        ]  # fmt: skip
        return "\n".join(f"{name:<60} {value}" for name, value in rows)


class Director:
    """Plays a season against running services."""

    def __init__(self, services: Services, folder: Path, notes: int, forks: ProcessForks | None) -> None:
        self._services = services
        self._folder = folder
        self._notes = notes
        self._forks = forks
        project_id = uuid.uuid4().hex[:24]
        self.season = Season(project_id, People(services.mongodb_uri, project_id, SEED))

    async def play(self) -> Season:
        """Return the season when it is over."""
        season, people = self.season, self.season.people
        make_collection(season.gather.database)
        people.write(self._notes)
        _LOGGER.info("%d notes of people are written", self._notes)
        await self._read()
        with WriteRecord(season.gather.database) as record:
            await self._sync("all new")
            await self._sync("none new")
            people.work(int(self._notes * BETWEEN_SHARE))
            await self._sync("some changed")
            self._run_interrupted()
            for number in range(RUNS):
                with people.at_work():
                    season.runs.append(self._run(number))
                await self._compare(f"after run {number + 1}")
                people.work(int(self._notes * BETWEEN_SHARE))
            await self._run_quietly()
            people.work(int(self._notes * BETWEEN_SHARE))
            await self._sync("at the end")
            season.writes = counts_of(record.writes())
        async with self._brain() as client:
            season.missing_words = await words_missing(client, season.project_id, people.ledger)
        return season

    def _brain(self) -> BrainClient:
        return BrainClient(self._services.brain_uri, BRAIN_KEY)

    async def _read(self) -> None:
        season = self.season
        store = Store(self._services.mongodb_uri, season.project_id, Attempt(300), PATIENCE_S)
        began = time.monotonic()
        try:
            season.read = await store.read_notes()
        finally:
            await store.close()
        season.times["all notes read"] = time.monotonic() - began
        season.expected_unread = season.people.ledger.unread()
        texts: dict[str, Note] = {note.id: note for note in season.read.notes}
        for note_id, note in season.people.ledger.readable().items():
            if note_id not in texts:
                season.unread_notes.append(note.form)
            elif note.words not in texts[note_id].content:
                season.wrong_words.append(note.form)

    async def _compare(self, when: str) -> None:
        async with self._brain() as client:
            season = self.season
            season.comparisons[when] = await compare(season.gather, client, season.project_id)
        _LOGGER.info("brain %s: %d differences", when, season.comparisons[when].differences)

    async def _sync(self, when: str) -> None:
        began = time.monotonic()
        done = self._command("sync", "--project", self.season.project_id)
        self.season.times[f"sync, {when}"] = time.monotonic() - began
        assert done.returncode == 0, done.stdout + done.stderr
        self.season.syncs[when] = json.loads(done.stdout)
        self.season.noted[when] = self.season.people.ledger.no_notes()
        _LOGGER.info("sync, %s: %.1f s", when, time.monotonic() - began)
        await self._compare(f"after sync, {when}")

    def _command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Return how a command of the worker ended."""
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        environment |= {**self._services.environment(), **self._services.secrets()}
        if self._forks:
            return self._forks.run(arguments, environment, COMMAND_TIMEOUT_S)
        return subprocess.run(
            [script("gather-worker"), *arguments],
            env=environment, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False,
        )  # fmt: skip

    def _run_interrupted(self) -> None:
        """Have a worker killed right after it wrote a note, the note deleted, and another worker go on."""
        harness, season = self._harness("interrupted"), self.season
        uid = harness.document.run.uid
        try:
            worker = harness.start(0, 1)
            written = wait_for("a note of the run", lambda: self._written_by(uid), 120, poll_s=0.002)
            worker.signal(signal.SIGSTOP)
            pending = {str(item["_id"]) for item in harness.checkpoint().get("pending", ())}
            season.written_and_pending = {str(each) for each in written} & pending
            season.caught = str(written[0])
            season.people.delete(written[0])
            worker.signal(signal.SIGKILL)
            worker.wait()
            season.runs.append([harness.run(0, 1)])
        finally:
            harness.stop()
        _LOGGER.info("interrupted: %d notes written, %d pending", len(written), len(pending))

    def _written_by(self, run_uid: str) -> list[ObjectId] | None:
        found = self.season.gather.find({"automationMetadata.runUid": run_uid}, {"_id": 1})
        return [document["_id"] for document in found] or None

    async def _run_quietly(self) -> None:
        """Run one department while nobody is at work: what it leaves is equal without a sync."""
        harness, season = self._harness("quiet"), self.season
        season.gone = season.people.ledger.gone()
        season.quiet = [harness.run(1, 2)]
        await self._compare("after a quiet run")
        made = season.gather.find({"automationMetadata.runUid": harness.document.run.uid})
        season.quiet_based_on = frozenset(i for d in made for i in d["automationMetadata"]["basedOnNodes"])

    def _run(self, number: int) -> Sequence[Ended]:
        """Return how the workers of a whole run ended; the second run's first one is killed on the way."""
        harness = self._harness(f"run-{number}")
        ended: list[Ended] = []
        try:
            if number:
                killed = harness.start(0, ITERATIONS)
                wait_for("an iteration", lambda: harness.checkpoint().get("iterations"), 120)
                killed.signal(signal.SIGKILL)
                killed.wait()
            for index in range(DEPARTMENTS):
                ended.append(harness.run(index, ITERATIONS))
                _LOGGER.info("run %d, department %d: exit code %d", number + 1, index, ended[-1].exit_code)
        finally:
            harness.stop()
        return ended

    def _harness(self, name: str) -> WorkerHarness:
        folder = self._folder / name
        folder.mkdir()
        document = run_document(self.season.project_id, str(uuid.uuid4()))
        return WorkerHarness(self._services, folder, document, forks=self._forks)
