"""The door over Redis as it is met: TLS, a password, Sentinels and a failover, and what is refused."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.service_process import HOST, ServiceProcess
from tests.contract.bridge.celery_door.conftest import Door
from tests.support.doors.celery_client import Client
from tests.support.doors.doors_api import DoorsApi
from tests.support.doors.played_statuses import DONE, RUNNING
from tests.support.events.redis_servers import (
    SERVICE,
    ask,
    certificate,
    info,
    port_of,
    redis_server,
    replicate,
    sentinel_server,
    tls_server,
    until,
)

pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")


async def whole_task(client: Client, link: str = "linked") -> None:
    """See a task through, with what follows it."""
    note = client.app.signature("note", args=[], queue=link)
    result = client.send(link=note)
    await client.play(result, DONE)
    assert (await asyncio.to_thread(result.get, timeout=60))["status"] == "completed"
    assert client.redis.llen(link) == 1


@pytest.fixture(params=["tls", "password"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceProcess]:
    """A Redis of the test's own."""
    if request.param == "tls":
        made = tls_server(tmp_path / "redis", certificate(tmp_path / "both.pem"))
    else:
        made = redis_server(tmp_path / "redis", "--requirepass", "p%ss", credentials=":p%25ss@")
    with made.running():
        yield made


async def test_a_task_goes_through_tls_and_with_a_password(
    server: ServiceProcess, kubernetes: DoorsApi, new_door: Door
) -> None:
    """Celery's own part has the connections of ours."""
    kubernetes.clear()
    url = server.uri + ("&ssl_cert_reqs=required" if server.uri.startswith("rediss") else "")
    client = Client(url, kubernetes, "films")
    try:
        async with new_door(redis_url=server.uri, queues=("films",)) as door:
            await whole_task(client)
            await client.until(door.remote.is_listening.is_set)
            second = client.send()
            await client.run_of(second)
            second.revoke()
            await client.until(lambda: kubernetes.run(second.id)["spec"].get("cancel"))
    finally:
        client.close()


@pytest.mark.long
async def test_a_failover_by_sentinels_loses_neither_task_nor_result(
    tmp_path: Path, kubernetes: DoorsApi, new_door: Door
) -> None:
    """The door finds the new primary by itself, for queue, results and remote control."""
    kubernetes.clear()
    first, second = (redis_server(tmp_path / name, "--save", "") for name in ("first", "second"))
    with first.running(), second.running():
        replicate(second, first)
        with sentinel_server(tmp_path / "sentinel", first).running() as sentinel:
            until(lambda: ask(sentinel, "SENTINEL", "REPLICAS", SERVICE))
            url = f"redis+sentinel://{HOST}:{port_of(sentinel)}/{SERVICE}/0"
            before, after = (Client(each.uri, kubernetes, "films") for each in (first, second))
            try:
                async with new_door(redis_url=url, queues=("films",)) as door:
                    running = before.send()
                    await before.play(running, RUNNING)
                    await before.state(running, "PROGRESS")
                    first.kill()
                    until(lambda: info(second, "replication")["role"] == "master", 30)
                    await after.play(running, DONE)
                    await after.state(running, "SUCCESS")
                    await whole_task(after)
                    assert door.broken() == ""
                    first.start()
            finally:
                before.close()
                after.close()


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"CELERY_BROKER_URL": "amqp://rabbit"}, "CELERY_BROKER_URL: is not the address of a Redis"),
        ({"CELERY_RESULT_BACKEND": "rpc://"}, "CELERY_RESULT_BACKEND: is not the address of a Redis"),
        ({"GATHER_CELERY_QUEUES": "[]"}, "GATHER_CELERY_QUEUES"),
        ({"GATHER_NAMESPACE": ""}, "GATHER_NAMESPACE"),
        ({}, "no way to the Kubernetes API"),
    ],
    ids=["broker", "results", "queues", "namespace", "kubernetes"],
)
def test_what_can_never_work_ends_the_door_with_a_line(
    environment: dict[str, str], said: str, redis_url: str, tmp_path: Path
) -> None:
    known = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "REDIS_URL": redis_url}
    known["GATHER_NAMESPACE"] = "films"
    command = [sys.executable, "-m", "gather_bridge.main", "celery"]
    ended = subprocess.run(
        command, env=known | environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 64
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
