"""A project that the application has made, on a real cluster: its validator, and its people, who go on."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import pytest
from pymongo import MongoClient

from gather_clients.brain_client import BrainClient
from gather_contracts import names
from gather_contracts.resource import GatherRun
from tests.support.application.collection_audit import (
    Comparison,
    WriteCounts,
    WriteRecord,
    changed_for_people,
    compare,
    counts_of,
    edits_undone,
    pages_of,
    words_missing,
)
from tests.support.application.film_notes import id_text_of
from tests.support.application.people import People
from tests.support.application_documents import VALIDATOR, Document, make_collection
from tests.support.deployed_gather import DeployedGather, is_succeeded, run_of

PROJECT: Final = "e10000000000000000000001"
NOTES: Final = 70
SEED: Final = 12
RUN_S: Final = 120


@dataclass
class Seen:
    """What became of the project, while its stores can be reached."""

    people: People
    runs: list[GatherRun] = field(default_factory=list)
    comparison: Comparison | None = None
    writes: WriteCounts = field(default_factory=lambda: WriteCounts(0, 0, 0))
    missing_words: list[tuple[str, str]] = field(default_factory=list)


@pytest.fixture(scope="module")
def seen(gather: DeployedGather, brain_key: str) -> Iterator[Seen]:
    """A run with people at work, and a short one after they have gone home: at its start it takes all in."""
    with gather.forward("gather-backing-mongodb", 27017) as port:
        uri = f"mongodb://127.0.0.1:{port}/?directConnection=true"
        _drop(uri)
        people = People(uri, PROJECT, SEED)
        seen = Seen(people)
        try:
            make_collection(people.gather.database)
            people.write(NOTES)
            with WriteRecord(people.gather.database) as record:
                with people.at_work():
                    seen.runs.append(_run(gather, "at-work"))
                people.work(NOTES // 5)
                seen.runs.append(_run(gather, "at-home"))
                seen.writes = counts_of(record.writes())
            with gather.forward("gather-brain", 8080) as brain_port:
                asyncio.run(_look(seen, f"http://127.0.0.1:{brain_port}", brain_key))
            yield seen
        finally:
            people.close()
            _drop(uri)


def _run(gather: DeployedGather, name: str) -> GatherRun:
    with run_of(gather, name, PROJECT, departments=["story"], maxIterations=1):
        return gather.wait_end(name, RUN_S)


def _drop(uri: str) -> None:
    with MongoClient[Document](uri) as client:
        client.drop_database(names.gather_database(PROJECT))


async def _look(seen: Seen, brain: str, key: str) -> None:
    async with BrainClient(brain, key) as client:
        seen.comparison = await compare(seen.people.gather, client, PROJECT)
        seen.missing_words = await words_missing(client, PROJECT, seen.people.ledger)


def test_both_runs_succeed_and_no_write_is_refused(seen: Seen) -> None:
    """By the validator, which is asked by each write."""
    assert all(is_succeeded(run) for run in seen.runs), [run.status for run in seen.runs]
    assert all(run.status.items_created > 0 for run in seen.runs)
    assert seen.writes.inserted == sum(run.status.items_created for run in seen.runs)
    assert (seen.writes.refused, seen.writes.failed) == (0, {})
    assert seen.people.gather.count_documents({"isAutomated": True, "$nor": [VALIDATOR]}) == 0


def test_the_brain_has_what_stands_in_mongodb(seen: Seen) -> None:
    """Each readable canon note with its text, and nothing of what was deleted."""
    found = seen.comparison
    assert found is not None
    assert found.differences == 0, found
    assert found.nodes >= len(seen.people.ledger.readable()) > 0
    assert seen.missing_words == []


def test_people_s_deletes_and_edits_stay(seen: Seen) -> None:
    """Nothing is written again, nothing is taken back."""
    ledger = seen.people.ledger
    assert ledger.acts["deleted"] > 0
    assert ledger.acts["edited"] > 0
    assert seen.writes.came_back == frozenset()
    assert {id_text_of(d["_id"]) for d in seen.people.gather.find({}, {"_id": 1})} & ledger.deleted == set()
    assert ledger.lost == []
    assert changed_for_people(seen.people.gather, ledger) == []
    assert edits_undone(seen.people.gather, ledger) == []


def test_the_application_s_pages_find_our_notes(seen: Seen) -> None:
    """By its filters, each once."""
    written = seen.people.gather.count_documents({"isAutomated": True})
    found = pages_of(seen.people.gather, {"isAutomated": True, "automationMetadata.department": "story"})
    assert len({document["_id"] for document in found}) == len(found) == written > 0
