"""`gather items` and `gather export` against a real bridge over a real MongoDB."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from gather_contracts import names
from tests.contract.bridge.conftest import TOKEN, ServeBridge, serve_bridge, tokens_file  # noqa: F401 - fixtures
from tests.contract.cli.conftest import Ended, Gather
from tests.support.application.exported_film import (
    RUN,
    checkpoint_documents,
    item_documents,
    people_documents,
)


@pytest.fixture
def film(mongodb_uri: str, project: str) -> Iterator[None]:
    """A project with a run's notes and people's."""
    with MongoClient[dict[str, Any]](mongodb_uri) as client:
        database = client[names.gather_database(project)]
        database[names.ITEMS_COLLECTION].insert_many([*people_documents(project), *item_documents(project)])
        database[names.CHECKPOINTS_COLLECTION].insert_many(checkpoint_documents())
        yield
        client.drop_database(database)


@pytest.fixture
async def bridge(serve_bridge: ServeBridge, mongodb_uri: str, film: None) -> AsyncIterator[str]:  # noqa: F811
    """Where a bridge with that MongoDB is."""
    async with serve_bridge(mongodb_uri=mongodb_uri) as serving:
        yield f"http://127.0.0.1:{serving.port}"


async def test_notes_are_read_over_all_pages_and_exported_whole(
    gather: Gather, bridge: str, project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a token out of a file; without one it says how to give one."""
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n", "utf-8")
    where = ("--project", project, "--bridge", bridge)

    async def call(*arguments: str) -> Ended:
        return await asyncio.to_thread(gather, *arguments, *where, "--token-file", str(token))

    monkeypatch.setattr("gather_cli.commands.read_notes.PAGE", 3)
    found = json.loads((await call("items", "--limit", "0", "-o", "json")).out)["notes"]
    assert len({note["id"] for note in found}) == len(found) == 16
    assert len((await call("items", "--limit", "4", "-o", "name")).out.splitlines()) == 4
    assert (await call("items", RUN, "-d", "story", "--limit", "0")).out.count("story  gather") == 3
    for form in ("jsonl", "csv", "md", "docx"):
        file = tmp_path / f"film.{form}"
        assert (await call("export", "-o", str(file))).code == 0
        assert file.stat().st_size > 1000
    said = await asyncio.to_thread(gather, "items", *where)
    assert said.code == 5
    assert "the bridge wants a token; give a token of the bridge: --token-file" in said.err
    wrong = await call("export", "-o", str(tmp_path / "film.pdf"))
    assert (wrong.code, "end the file with .jsonl, .csv, .md or .docx" in wrong.err) == (2, True)
