"""Callbacks: one POST at a task's end, through the bridge's sender, whatever was away meanwhile."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from gather_bridge.http_door import callback_feed
from gather_bridge.webhooks import delivery
from gather_bridge.webhooks.signature import HEADER
from gather_contracts import names
from tests.contract.bridge.http_door.test_tasks_over_http import ENDED, RUNNING
from tests.support.doors.doors_api import DoorsApi
from tests.support.doors.http_door import PROJECT, WAIT_S, ServeDoor
from tests.support.events.webhook_receiver import Receiver

Serve = Callable[..., AbstractAsyncContextManager[Any]]


@pytest.fixture(autouse=True)
def in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for news more often than in production."""
    monkeypatch.setattr(callback_feed, "LOOK_S", 0.1)
    monkeypatch.setattr(delivery, "SWEEP_S", 0.1)


@pytest.fixture(autouse=True)
async def nothing_left(redis: Redis) -> AsyncIterator[None]:
    """Let no bridge of another test meet what a test leaves."""
    yield
    await redis.delete(names.TASK_CALLBACKS)


@pytest.fixture
def sender(serve_bridge: Serve, certificate: Path) -> Callable[..., AbstractAsyncContextManager[Any]]:
    """Return what serves a bridge that may call the receiver."""
    usual = {
        "webhook_ca_file": certificate,
        "webhook_allowed_networks": (ip_network("127.0.0.0/8"),),
        "webhook_retry_base_s": 0.05,
    }
    return lambda **changed: serve_bridge(**{**usual, **changed})


def allowed() -> dict[str, Any]:
    """A door's setting by which the receiver's address may stand in a callback_url."""
    return {"webhook_allowed_networks": (ip_network("127.0.0.0/8"),)}


def url_of(receiver: Receiver) -> str:
    """Where callbacks go."""
    return f"https://127.0.0.1:{receiver.port}/callbacks"


def outcome(kubernetes: DoorsApi, task_id: str) -> str | None:
    """Return what the run says of its callback."""
    said: dict[str, str] = kubernetes.run(task_id)["metadata"]["annotations"]
    return said.get(names.ANNOTATION_CALLBACK)


async def until_noted(kubernetes: DoorsApi, task_id: str) -> None:
    """Wait until the run says that its callback was delivered."""
    async with asyncio.timeout(WAIT_S):
        while outcome(kubernetes, task_id) != "delivered":  # noqa: ASYNC110 - the API server tells nobody
            await asyncio.sleep(0.05)


async def test_an_ended_task_calls_back_once(
    serve_door: ServeDoor, sender: Serve, receiver: Receiver, kubernetes: DoorsApi
) -> None:
    """Two doors and two bridges; a receiver that fails first; the body as the application expects it."""
    receiver.answers = [500]
    async with serve_door(**allowed()) as door, serve_door(**allowed()), sender(), sender():
        sent = {"callback_url": url_of(receiver), "metadata": {"user_id": "user-123", "gather": 7}}
        task_id = await door.submitted(**sent)
        kubernetes.put_status(task_id, RUNNING)
        await door.until(task_id, lambda body: bool(body["status"] == "processing"))
        assert receiver.bodies == []
        kubernetes.put_status(task_id, ENDED)
        await until_noted(kubernetes, task_id)
    assert len(receiver.bodies) == 2
    assert receiver.bodies[0] == receiver.bodies[1]
    body = json.loads(receiver.bodies[1])
    assert (body["task_id"], body["project_id"], body["status"]) == (task_id, PROJECT, "completed")
    assert body["result"]["items_created"] == 6
    assert body["metadata"] == {"user_id": "user-123", "gather": 7}
    assert "error" not in body
    assert HEADER.lower() in receiver.headers[1]
    assert len({headers["webhook-id"] for headers in receiver.headers}) == 1


async def test_tasks_that_did_not_succeed_call_back_with_their_error(
    serve_door: ServeDoor, sender: Serve, receiver: Receiver, kubernetes: DoorsApi
) -> None:
    """A sentence, and its parts."""
    async with serve_door(**allowed()) as door, sender():
        for phase in ("Failed", "Cancelled"):
            task_id = await door.submitted(callback_url=url_of(receiver))
            kubernetes.put_status(task_id, {**ENDED, "phase": phase})
            await until_noted(kubernetes, task_id)
    bodies = [json.loads(each) for each in receiver.bodies]
    assert [body["status"] for body in bodies] == ["failed", "cancelled"]
    for body in bodies:
        assert isinstance(body["error"], str)
        assert set(body["error_details"]) == {"error", "message", "details"}
        assert "result" not in body


async def test_an_end_that_no_door_saw_calls_back_too(
    serve_door: ServeDoor, sender: Serve, receiver: Receiver, kubernetes: DoorsApi
) -> None:
    """The next door's watch begins with all there is; a door after that sends nothing again."""
    async with serve_door(**allowed()) as door:
        task_id = await door.submitted(callback_url=url_of(receiver))
    kubernetes.put_status(task_id, ENDED)
    async with sender():
        async with serve_door():
            await until_noted(kubernetes, task_id)
        async with serve_door() as later:
            assert (await later.status(task_id)).json()["status"] == "completed"
    assert len(receiver.bodies) == 1


async def test_a_run_that_is_deleted_calls_back_as_cancelled(
    serve_door: ServeDoor, sender: Serve, receiver: Receiver, kubernetes: DoorsApi
) -> None:
    """With what it had made by then."""
    async with serve_door(**allowed()) as door, sender():
        task_id = await door.submitted(callback_url=url_of(receiver))
        kubernetes.put_status(task_id, RUNNING)
        await door.until(task_id, lambda body: bool(body["status"] == "processing"))
        kubernetes.delete(task_id)
        await receiver.wait_for(1)
    (body,) = [json.loads(each) for each in receiver.bodies]
    assert (body["task_id"], body["status"]) == (task_id, "cancelled")
    assert body["error_details"]["details"]["items_created_so_far"] == 6


async def test_a_callback_outlives_redis(
    serve_door: ServeDoor, receiver: Receiver, sender: Serve, kubernetes: DoorsApi, redis: Redis
) -> None:
    """What was lost before it was sent is put there again; the run holds the truth."""
    async with serve_door(**allowed()) as door:
        task_id = await door.submitted(callback_url=url_of(receiver))
        kubernetes.put_status(task_id, ENDED)
        uid = kubernetes.run(task_id)["metadata"]["uid"]
        async with asyncio.timeout(WAIT_S):
            while not await redis.sismember(names.TASK_CALLBACKS, uid):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await redis.delete(names.TASK_CALLBACKS, names.task_callback(uid))
        async with sender():
            await until_noted(kubernetes, task_id)
    assert len(receiver.bodies) == 1


async def test_a_redirect_is_not_followed_and_a_private_address_not_called(
    serve_door: ServeDoor, sender: Serve, receiver: Receiver, kubernetes: DoorsApi, redis: Redis
) -> None:
    """The sender's guards hold for callbacks: the name may lead anywhere by then."""
    receiver.answers = [307, 307]
    async with serve_door(**allowed()) as door, sender():
        task_id = await door.submitted(callback_url=url_of(receiver))
        kubernetes.put_status(task_id, ENDED)
        await receiver.wait_for(3)
        await until_noted(kubernetes, task_id)
    assert set(receiver.paths) == {"/callbacks"}
    async with serve_door(**allowed()) as door, sender(webhook_allowed_networks=()) as bridge:
        task_id = await door.submitted(callback_url=url_of(receiver))
        kubernetes.put_status(task_id, ENDED)
        await bridge.until_counted('gather_bridge_webhook_deliveries_total{result="failed"}')
        uid = kubernetes.run(task_id)["metadata"]["uid"]
        assert "not public" in str(await redis.hget(names.task_callback(uid), "reason"))
        await redis.delete(names.TASK_CALLBACKS, names.task_callback(uid))
    assert len(receiver.bodies) == 3


async def test_one_receiver_that_never_answers_holds_up_no_other(
    serve_door: ServeDoor, sender: Serve, receiver: Receiver, kubernetes: DoorsApi
) -> None:
    """Each run's callback has a line of its own."""
    hanging = asyncio.Event()

    async def hang(_: Any) -> None:
        await hanging.wait()

    async with serve_door(**allowed()) as door, sender(webhook_timeout_s=30):
        receiver.answers = [hang]
        first = await door.submitted(callback_url=url_of(receiver))
        kubernetes.put_status(first, ENDED)
        await receiver.wait_for(1)
        second = await door.submitted(callback_url=url_of(receiver))
        kubernetes.put_status(second, ENDED)
        await until_noted(kubernetes, second)
        assert outcome(kubernetes, first) is None
        hanging.set()
        await until_noted(kubernetes, first)
