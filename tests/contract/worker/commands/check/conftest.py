"""A world in which everything works, and the command as it is run in it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pymongo
import pytest
import redis

from dev.service_process import ServiceProcess
from gather_clients.logs import hide_in_logs
from gather_contracts import names
from gather_worker.main import execute_command
from tests.support.application.celery_consumer import celery_service, forget
from tests.support.application.check_world import (
    BRAIN_CALL,
    CMS_KEY,
    DEPARTMENTS,
    EMBEDDINGS,
    PASSWORD,
    QUEUE,
    SEVEN,
    Report,
    World,
    listed,
)
from tests.support.application.scripted_http import Answer, scripted_http
from tests.support.workers.given_up_sockets import collect_given_up_sockets

USERS: Final = {
    "gather": ["allkeys", "allchannels", "allcommands"],
    "reader": ["allkeys", "allchannels", "+@read", "+@connection"],
    "elsewhere": ["~other:*", "allchannels", "allcommands"],
}


def _add_missing_users(redis_url: str) -> None:
    """Redis keeps users in memory, and other tests kill it."""
    with redis.Redis.from_url(redis_url) as client:
        known = {user.decode() for user in client.execute_command("ACL", "USERS")}
        for user in USERS.keys() - known:
            client.execute_command("ACL", "SETUSER", user, "reset", "on", f">{PASSWORD}", *USERS[user])


@pytest.fixture(scope="session")
def redis_with_users(redis_url: str) -> Iterator[str]:
    """The session's Redis with users of its own: HOST:PORT.

    To its end, since Celery's connections of one address outlive an application, and a user's end is theirs.
    """
    yield redis_url.split("/")[2]
    with redis.Redis.from_url(redis_url) as client:
        client.execute_command("ACL", "DELUSER", *USERS)


@pytest.fixture(scope="module")
def application(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """The application's Celery worker on a queue of its own."""
    forget(redis_url)
    with celery_service(
        tmp_path_factory.mktemp("celery"), redis_url, is_sample=True, queue=QUEUE
    ).running() as celery:
        yield celery
    forget(redis_url)


@pytest.fixture
def world(
    tmp_path: Path,
    mongodb_with_users: pymongo.MongoClient[dict[str, Any]],
    redis_url: str,
    redis_with_users: str,
) -> Iterator[World]:
    """All works."""
    _add_missing_users(redis_url)
    similar = {"similarities": [0.4], "model": EMBEDDINGS, "total_time_ms": 1}
    answers = {
        "/readyz": Answer({"status": "ready", "model": EMBEDDINGS, "neo4j": "online"}),
        BRAIN_CALL: Answer(similar, headers={"X-RateLimit-Limit": "60"}),
        "/v1/models": listed(),
        DEPARTMENTS: Answer(SEVEN, authorization=f"users API-Key {CMS_KEY}"),
    }
    with scripted_http(answers) as http:
        host, port = mongodb_with_users.address or ("", 0)
        made = World(tmp_path, f"{host}:{port}", redis_with_users, http, mongodb_with_users)
        yield made
        mongodb_with_users.drop_database(names.gather_database(made.project))


@pytest.fixture
def check(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[[], Report]]:
    """Run the command in this process, in the world as it is then."""

    def run() -> Report:
        command = world.prepared()
        for name in ("MONGODB_URI", "REDIS_URL", "CELERY_BROKER_URL", "PAYLOAD_API_KEY"):
            monkeypatch.delenv(name, raising=False)
        for name, value in world.variables.items():
            monkeypatch.setenv(name, value)
        code = execute_command([*command, "--json"])
        collect_given_up_sockets()
        return Report(int(code), capsys.readouterr().out)

    yield run
    hide_in_logs([])
