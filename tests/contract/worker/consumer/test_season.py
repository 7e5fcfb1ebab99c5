"""Gather at home in the application: its collection, its notes of all forms, its people, who never stop.

`make contract` plays a season with few notes, `make consumer` with 10,000; `make bench-sync` judges times.
"""

import asyncio
import json
import logging
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import jsonschema
import pytest

from dev.paths import ROOT
from dev.service_process import ServiceProcess
from tests.support.application.collection_audit import (
    changed_for_people,
    edits_undone,
    is_found_by_index,
    pages_of,
)
from tests.support.application.film_notes import ALL_FORMS, ALL_UNREADABLE, id_text_of
from tests.support.application.season import Director, Season
from tests.support.application_documents import VALIDATOR, Document, as_json
from tests.support.worker_harness import Services
from tests.support.workers.process_forks import ProcessForks

WHOLE: Final = os.environ.get("GATHER_CONSUMER_NOTES")
"""Of `make consumer`, which measures too: its workers are programs of their own."""
NOTES: Final = int(WHOLE or "200")
SCHEMA: Final = json.loads((ROOT / "docs" / "items.schema.json").read_text(encoding="utf-8"))

_LOGGER = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def season(
    services: Services,
    replica_set_store: ServiceProcess,
    forks: ProcessForks,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Season]:
    """Runs with people at work all the time, on a MongoDB with transactions, as where people work."""
    services = replace(services, mongodb_uri=replica_set_store.uri)
    director = Director(services, tmp_path_factory.mktemp("season"), NOTES, None if WHOLE else forks)
    try:
        yield asyncio.run(director.play())
    finally:
        _LOGGER.info("the season of %d notes:\n%s", NOTES, director.season.table())
        gather = director.season.gather
        gather.database.client.drop_database(gather.database.name)
        director.season.people.close()


def ours(season: Season) -> list[Document]:
    """Return Gather's notes as they stand at the end."""
    return list(season.gather.find({"isAutomated": True}))


# --- reading


def test_all_that_people_wrote_is_read(season: Season) -> None:
    """Each form says what its author wrote; what is no note is counted by reason."""
    assert season.unread_notes == []
    assert season.wrong_words == []
    assert {str(reason): n for reason, n in season.read.unread.items()} == season.expected_unread
    assert season.expected_unread.total() >= len(ALL_UNREADABLE)
    assert not season.read.is_cut
    assert season.read.shortened == 0


def test_every_form_was_there(season: Season) -> None:
    """Else the season shows less than it says."""
    kinds = {"added", "edited", "marked", "deleted", "Gather's edited", "Gather's deleted", "Gather's marked"}
    assert len(season.read.notes) >= len(ALL_FORMS) - 1
    assert set(season.people.ledger.acts) == kinds


# --- writing


def test_all_workers_succeed(season: Season) -> None:
    """However people go on, and though one of them was killed."""
    for ended in (each for run in (*season.runs, season.quiet) for each in run):
        assert ended.exit_code == 0, ended.messages()
        assert ended.result is not None
        assert ended.result.items_created > 0


def test_no_write_is_refused(season: Season) -> None:
    """The validator is asked by each of them."""
    assert season.writes.inserted > 0
    assert season.writes.updated > 0
    assert (season.writes.refused, season.writes.failed) == (0, {})
    assert season.gather.count_documents({"isAutomated": True, "$nor": [VALIDATOR]}) == 0


def test_our_notes_have_the_documented_form(season: Season) -> None:
    """By the schema, with what people have added: their marks."""
    for document in ours(season):
        kept = {name: value for name, value in document.items() if name not in {"canon", "locked"}}
        jsonschema.validate(as_json(kept), SCHEMA)


def test_people_s_notes_are_as_they_left_them(season: Season) -> None:
    """Gather changes none, and takes back no edit of its own notes."""
    assert season.people.ledger.lost == []
    assert changed_for_people(season.gather, season.people.ledger) == []
    assert edits_undone(season.gather, season.people.ledger) == []


def test_nothing_is_written_after_it_was_deleted(season: Season) -> None:
    """Neither for a while, as MongoDB's profile shows, nor at the end."""
    deleted = season.people.ledger.deleted
    assert season.caught in deleted
    assert season.written_and_pending == set()
    assert season.writes.came_back == frozenset()
    assert {id_text_of(d["_id"]) for d in season.gather.find({}, {"_id": 1})} & deleted == set()


# --- the brain


@pytest.mark.parametrize("when", ["all new", "none new", "some changed", "at the end"])
def test_a_sync_makes_the_brain_equal(season: Season, when: str) -> None:
    """Each readable canon note has its node with the same hash, and no other node is there."""
    comparison = season.comparisons[f"after sync, {when}"]
    assert comparison.differences == 0, comparison
    assert comparison.nodes > 0
    report = season.syncs[when]
    assert report["refused"] == 0
    assert report["noNotes"] == season.noted[when]


def test_a_sync_writes_what_differs_and_no_more(season: Season) -> None:
    """All at first, nothing the second time, and then what people have changed."""
    counts = {when: (r["new"], r["changed"], r["deleted"], r["equal"]) for when, r in season.syncs.items()}
    count = len(season.read.notes)
    assert counts["all new"] == (count, 0, 0, 0)
    assert counts["none new"] == (0, 0, 0, count)
    assert all(kind > 0 for kind in counts["some changed"])
    assert season.syncs["all new"]["seconds"] > season.syncs["none new"]["seconds"]


def test_a_run_makes_the_brain_equal_by_itself(season: Season) -> None:
    """At its start it takes in what people have done since, and nobody disturbs it afterwards."""
    found = season.comparisons["after a quiet run"]
    assert found.differences == 0, found


def test_no_prompt_shows_what_people_have_deleted_or_taken_out(season: Season) -> None:
    """Of the notes that a run's prompts showed, each stood there and counted."""
    assert len(season.gone) > 0
    assert len(season.quiet_based_on) > 0
    assert season.quiet_based_on & season.gone == set()


def test_the_brain_says_what_people_wrote(season: Season) -> None:
    """In the words that they have left, whatever the form."""
    assert season.missing_words == []


# --- the application's pages


def test_the_application_s_pages_find_our_notes(season: Season) -> None:
    """By its filters, the last changed first, each note once."""
    written = {document["_id"] for document in ours(season)}
    assert len(written) > 0
    found = pages_of(season.gather, {"projectId": season.project_id, "isAutomated": True})
    assert sorted(document["_id"] for document in found) == sorted(written)
    assert [d["lastUpdated"] for d in found] == sorted((d["lastUpdated"] for d in found), reverse=True)
    for name in ("department", "taskId"):
        by_value = Counter(document["automationMetadata"][name] for document in found)
        for value, count in by_value.items():
            query = {f"automationMetadata.{name}": value}
            assert len(pages_of(season.gather, query)) == count
            assert is_found_by_index(season.gather, query)
    assert is_found_by_index(season.gather, {"isAutomated": True})


def test_the_application_s_search_finds_our_notes(season: Season) -> None:
    """By the longest word of their content, where no person has written over it."""
    as_written = [d for d in ours(season) if str(d["_id"]) not in season.people.ledger.edited]
    assert len(as_written) > 0
    for document in as_written:
        word = max(re.findall(r"\b[a-z]{4,}\b", document["content"]), key=len)
        query = {"$text": {"$search": word}, "isAutomated": True}
        assert document["_id"] in {each["_id"] for each in season.gather.find(query)}
