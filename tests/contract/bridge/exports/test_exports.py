"""Pages and exports of notes by a real bridge out of a real MongoDB."""

import asyncio
import csv
import io
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import docx
import httpx
import pytest
from bson import ObjectId
from pymongo import MongoClient

from gather_bridge.exports import exporting
from gather_clients.event_log import EventLog
from gather_contracts import names
from tests.support.application.exported_film import (
    BEGAN,
    FILM,
    RUN,
    checkpoint_documents,
    item_documents,
    people_documents,
)
from tests.support.application_documents import every_form, person_note
from tests.support.events.played_run import played_run

ServeBridge = Callable[..., AbstractAsyncContextManager[Any]]
HEADERS = {"Authorization": "Bearer a-token-for-every-project"}


@pytest.fixture
def film(mongodb_uri: str, project: str) -> Iterator[Any]:
    """The project's database, with a run's notes and people's."""
    with MongoClient[dict[str, Any]](mongodb_uri) as client:
        database = client[names.gather_database(project)]
        database[names.ITEMS_COLLECTION].insert_many([*people_documents(project), *item_documents(project)])
        database[names.CHECKPOINTS_COLLECTION].insert_many(checkpoint_documents())
        yield database
        client.drop_database(database)


@pytest.fixture
async def bridge(serve_bridge: ServeBridge, mongodb_uri: str) -> AsyncIterator[Any]:
    """A bridge that has a MongoDB."""
    async with serve_bridge(mongodb_uri=mongodb_uri) as serving:
        yield serving


async def get(serving: Any, path: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(headers=HEADERS | headers, timeout=60) as client:
        return await client.get(f"http://127.0.0.1:{serving.port}/api/v1/projects/{path}")


async def export(serving: Any, project: str, query: str) -> httpx.Response:
    answer = await get(serving, f"{project}/export?{query}")
    assert answer.status_code == 200, answer.text
    return answer


async def pages(serving: Any, project: str, query: str) -> list[dict[str, Any]]:
    """Return all notes, page by page."""
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        answer = await get(serving, f"{project}/notes?{query}{after and f'&after={after}'}")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store"), answer.text
        page = answer.json()
        found += page["notes"]
        if page["next"] is None:
            return found
        after = page["next"]


async def test_pages_give_every_note_once_the_newest_first(bridge: Any, film: Any, project: str) -> None:
    """Whatever the size of a page, also while people write and delete."""
    whole = await pages(bridge, project, "limit=200")
    assert len(whole) == 16
    made = [note["created_at"] for note in whole]
    assert made == sorted(made, reverse=True)
    assert whole == await pages(bridge, project, "limit=3")
    first = (await get(bridge, f"{project}/notes?limit=5")).json()
    newer, gone = item_documents(project)[0], ObjectId(whole[3]["id"])
    film[names.ITEMS_COLLECTION].insert_one(
        newer | {"_id": ObjectId(), "createdAt": BEGAN + timedelta(days=1)}
    )
    film[names.ITEMS_COLLECTION].delete_one({"_id": gone})
    second = (await get(bridge, f"{project}/notes?limit=5&after={first['next']}")).json()
    shown = [note["id"] for note in second["notes"]]
    assert shown
    assert shown == [note["id"] for note in whole[5 : 5 + len(shown)]]


async def test_a_page_says_where_a_note_comes_from(bridge: Any, film: Any, project: str) -> None:
    """Of a run only its own; a department's are people's too."""
    notes = await pages(bridge, project, f"run={RUN}")
    assert {note["by"] for note in notes} == {"gather"}
    assert len(notes) == 6
    assert notes[-1]["provenance"]["model"] == "anthropic/claude-sonnet-4.5"
    story = await pages(bridge, project, "department=story")
    assert [note["by"] for note in story] == ["gather"] * 3 + ["person"]
    assert (story[-1]["locked"], story[-1]["provenance"]) == (True, None)
    assert await pages(bridge, project, f"run={RUN}&department=nothing") == []


async def test_documents_of_every_form_are_paged(bridge: Any, film: Any, project: str) -> None:
    """Ids and dates of every type, no dates, texts of 100 KB: each note once, in pages of a bounded size."""
    collection = film[names.ITEMS_COLLECTION]
    collection.delete_many({})
    forms = list(every_form(project))
    forms += [person_note(project, content="long " * 30_000, createdAt=...) for _ in range(20)]
    collection.insert_many([form for form in forms if len(str(form.get("_id"))) != 65])
    found = await pages(bridge, project, "limit=200")
    assert len({note["id"] for note in found}) == len(found) == len(forms)
    assert found == await pages(bridge, project, "limit=7")
    sizes = [len((await get(bridge, f"{project}/notes?limit=200{after}")).content) for after in ("",)]
    assert max(sizes) < 1_700_000


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        pytest.param("notes?limit=0", 400, "limit", id="limit"),
        pytest.param("notes?limit=201", 400, "limit", id="limit too high"),
        pytest.param("notes?after=x", 400, "after", id="mark"),
        pytest.param("notes?run=No!", 400, "run", id="run's name"),
        pytest.param("notes?run=nobody", 404, "no such run", id="run"),
        pytest.param("notes?department=a%00", 400, "department", id="department"),
        pytest.param("export", 400, "jsonl, csv, md, docx", id="no format"),
        pytest.param("export?format=pdf", 400, "jsonl, csv, md, docx", id="format"),
        pytest.param("export?format=csv&run=nobody", 404, "no such run", id="exported run"),
        pytest.param(
            "export?format=md&department=x", 404, "story, character, sound", id="exported department"
        ),
    ],
)
@pytest.mark.usefixtures("film")
async def test_a_wrong_question_is_answered_with_what_is_wrong(
    bridge: Any, project: str, path: str, status: int, words: str
) -> None:
    answer = await get(bridge, f"{project}/{path}")
    assert answer.status_code == status
    assert words in answer.json()["message"]


async def test_strangers_learn_nothing(bridge: Any, film: Any, project: str) -> None:
    for path in ("notes", "export?format=csv"):
        assert (await get(bridge, f"{project}/{path}", Authorization="Bearer x")).status_code == 401


async def test_without_mongodb_it_says_what_to_configure(serving: Any, project: str) -> None:
    for path in ("notes", "export?format=csv"):
        answer = await get(serving, f"{project}/{path}")
        assert (answer.status_code, answer.json()["error"]) == (503, "not_configured")
        assert "MONGODB_URI" in answer.json()["message"]


async def test_an_unavailable_mongodb_is_503_without_its_address(
    serve_bridge: ServeBridge, project: str
) -> None:
    away = "mongodb://user:hidden@127.0.0.1:1/?directConnection=true"
    async with serve_bridge(mongodb_uri=away, mongodb_timeout_s=0.2) as serving:
        for path in ("notes", "export?format=csv", "notes?run=film"):
            answer = await get(serving, f"{project}/{path}")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
            assert "hidden" not in answer.text


@pytest.mark.parametrize("name", ["jsonl", "csv", "md", "docx"])
async def test_an_export_is_a_file_of_what_the_notes_say(
    bridge: Any, film: Any, project: str, name: str
) -> None:
    """Named so that every system takes it."""
    answer = await export(bridge, project, f"format={name}&run={RUN}")
    disposition = f'attachment; filename="gather-{RUN}.{name}"'
    assert answer.headers["content-disposition"] == disposition
    assert answer.headers["x-content-type-options"] == "nosniff"
    text = text_of(name, answer.content)
    for notes in FILM["notes"].values():
        for note in notes:
            assert all(line in text for line in note["summary"].split("\n"))
    await bridge.until_metric(f'gather_bridge_exports_total{{format="{name}",result="sent"}} 1.0')


async def test_an_export_has_the_notes_of_what_is_asked_for(bridge: Any, film: Any, project: str) -> None:
    """A run's; a project's with people's first; a department's."""
    whole = text_of("md", (await export(bridge, project, "format=md")).content)
    assert "Salt is money here" in whole
    assert whole.index("Salt is money here") < whole.index("A room tone made of salt")
    one = text_of("md", (await export(bridge, project, f"format=md&run={RUN}&department=sound")).content)
    assert "A room tone made of salt" in one
    assert "Marta never asks" not in one
    assert "Salt is money here" not in one


def text_of(name: str, content: bytes) -> str:
    if name != "docx":
        return content.decode()
    return "\n".join(each.text for each in docx.Document(io.BytesIO(content)).paragraphs)


async def test_without_redis_s_snapshot_and_checkpoints_notes_are_enough(
    bridge: Any, film: Any, project: str
) -> None:
    """Of a run that only its notes know."""
    film[names.CHECKPOINTS_COLLECTION].drop()
    answer = await export(bridge, project, f"format=csv&run={RUN}")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    assert [row["department"] for row in rows] == ["character"] * 2 + ["sound"] + ["story"] * 3


async def test_a_client_that_goes_ends_the_export(bridge: Any, film: Any, project: str) -> None:
    """Its process is gone, and its place free."""
    film[names.ITEMS_COLLECTION].insert_many(
        [person_note(project, content="salt " * 20_000) for _ in range(100)]
    )
    url = f"http://127.0.0.1:{bridge.port}/api/v1/projects/{project}/export?format=jsonl"
    async with httpx.AsyncClient(headers=HEADERS, timeout=60) as client, client.stream("GET", url) as answer:
        assert answer.status_code == 200
        async for _ in answer.aiter_bytes():
            break
    await bridge.until_metric('gather_bridge_exports_total{format="jsonl",result="gone"} 1.0')
    whole = await export(bridge, project, "format=jsonl")
    assert json.loads(whole.content.splitlines()[-1])["notes"] == 116


async def test_mongodb_lost_in_the_middle_is_no_whole_file(
    bridge: Any, film: Any, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client is told by a transfer that breaks off."""
    monkeypatch.setattr(
        exporting, "PROCESS", (sys.executable, "-c", 'print(\'{"status": 200}\'); print("half"); exit(1)')
    )
    with pytest.raises(httpx.RemoteProtocolError):
        await get(bridge, f"{project}/export?format=jsonl")
    monkeypatch.setattr(exporting, "PROCESS", (sys.executable, "-c", "raise MemoryError"))
    assert (await get(bridge, f"{project}/export?format=jsonl")).status_code == 503


async def test_an_export_ends_with_its_token(
    bridge: Any, project: str, tokens_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Revoked in the middle."""
    endless = "import time; print('{\"status\": 200}', flush=True); time.sleep(600)"
    monkeypatch.setattr(exporting, "PROCESS", (sys.executable, "-c", endless))
    url = f"http://127.0.0.1:{bridge.port}/api/v1/projects/{project}/export?format=csv"
    async with httpx.AsyncClient(headers=HEADERS, timeout=60) as client, client.stream("GET", url) as answer:
        assert answer.status_code == 200
        other = {"name": "other", "sha256": "0" * 64, "projects": ["*"]}
        tokens_file.write_text(json.dumps([other]), "utf-8")  # noqa: ASYNC240 - a few bytes
        with pytest.raises(httpx.RemoteProtocolError):
            await answer.aread()


async def test_sockets_hear_events_while_exports_are_made(
    bridge: Any, film: Any, project: str, log: EventLog
) -> None:
    """Every event, in order."""
    async with bridge.client(project) as client:
        await client.event()
        exported = asyncio.create_task(export(bridge, project, "format=docx"))
        for event in played_run(project):
            await log.append(event)
        offsets = await client.offsets(len(played_run(project)))
        assert offsets == sorted(offsets)
        await exported
