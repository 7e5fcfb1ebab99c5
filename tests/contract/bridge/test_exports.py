"""Pages and exports of notes by a real bridge out of a real MongoDB."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest
from docx import Document as read_docx
from pymongo import MongoClient

from gather_contracts import names
from tests.support.application.exported_film import (
    RUN,
    checkpoint_documents,
    item_documents,
    people_documents,
)

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


