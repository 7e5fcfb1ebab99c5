"""A Celery door in this process, before a real Redis and a real API server, and the application's client."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI

from gather_bridge.celery_door.celery_door import CeleryDoor, build_celery_app
from gather_bridge.celery_door.celery_metrics import CeleryMetrics
from gather_bridge.celery_door.celery_settings import CelerySettings
from gather_contracts import names
from tests.support.doors.celery_client import Client
from tests.support.doors.doors_api import NAMESPACE, DoorsApi
from tests.support.doors.settings_by_name import settings_by_name

Door = Callable[..., Any]


@pytest.fixture
def client(redis_url: str, kubernetes: DoorsApi) -> Iterator[Client]:
    kubernetes.clear()
    made = Client(redis_url, kubernetes, f"test-{uuid.uuid4().hex[:8]}")
    # Doors of one Redis share one lease: a test that was interrupted must not hold up the next.
    made.redis.delete(names.CELERY_LEASE)
    yield made
    made.redis.delete(made.queue, names.CELERY_REQUESTS, names.CELERY_LEASE)
    made.close()


@pytest.fixture
def new_door(redis_url: str, client: Client, monkeypatch: pytest.MonkeyPatch) -> Door:
    """Return what runs a door while its block lasts; settings may be given."""
    monkeypatch.setenv("KUBECONFIG", str(client.kubernetes.kubeconfig))

    @asynccontextmanager
    async def running(**given: Any) -> AsyncIterator[CeleryDoor]:
        settings = settings_by_name(
            CelerySettings,
            {
                "redis_url": redis_url,
                "namespace": NAMESPACE,
                "queues": (client.queue,),
                "node_name": uuid.uuid4().hex[:6],
                **given,
            },
        )
        app: FastAPI = build_celery_app(settings, CeleryMetrics(settings.task))
        async with app.router.lifespan_context(app):
            door: CeleryDoor = app.state.door
            yield door

    return running


@pytest.fixture
async def door(new_door: Door) -> AsyncIterator[CeleryDoor]:
    async with new_door() as made:
        yield made
