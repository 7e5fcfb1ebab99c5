"""Who may connect, on a real Redis: tickets that open once, tokens made by command, and revoking them."""

import asyncio
import io
import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gather_bridge.access import permits
from gather_bridge.main import main
from gather_clients.event_log import EventLog
from gather_clients.issued_secrets import secret_hash
from gather_contracts import names
from gather_contracts.events import Deduplicating

ServeBridge = Callable[..., AbstractAsyncContextManager[Any]]
Run = Callable[..., "Done"]
ALL = "a-token-for-every-project"
OTHER_PROJECT = "f" * 24


@dataclass(frozen=True)
class Done:
    """How the command ended, and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Return a function that does what `gather-bridge` does with nothing but the address of Redis."""
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("COLUMNS", "200")

    def command(arguments: tuple[str, ...]) -> Done:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main(arguments)
        return Done(int(ended.value.code or 0), out.getvalue(), err.getvalue())

    # In a thread of its own, where no loop runs yet.
    with ThreadPoolExecutor(1) as thread:
        yield lambda *arguments: thread.submit(command, arguments).result(60)


async def post_ticket(serving: Any, project: str, token: str = ALL) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        address = f"http://127.0.0.1:{serving.port}/api/v1/projects/{project}/tickets"
        return await client.post(address, headers={"Authorization": f"Bearer {token}"})


def by_ticket(serving: Any, project: str, ticket: str) -> Any:
    subprotocols = ["gather.v1", f"gather.ticket.{ticket}"]
    return serving.client(project, token=None, subprotocols=subprotocols)


async def refused(opening: Any) -> int:
    with pytest.raises(InvalidStatus) as failure:
        async with opening:
            pass
    return failure.value.response.status_code


async def close_code(client: Any) -> int | None:
    try:
        while True:
            await client.frame()
    except ConnectionClosed as ended:
        return ended.rcvd.code if ended.rcvd else None


async def status_of(serving: Any, project: str, token: str) -> int:
    """Return the status with which a stream begins."""
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
    address = f"http://127.0.0.1:{serving.port}/api/v1/projects/{project}/events"
    async with httpx.AsyncClient() as client, client.stream("GET", address, headers=headers) as response:
        return response.status_code


async def test_a_ticket_opens_one_socket_once_at_any_bridge(
    serve_bridge: ServeBridge, log: EventLog, project: str
) -> None:
    """Of its own project; in Redis only its hash stands."""
    async with serve_bridge() as one, serve_bridge() as two:
        answer = await post_ticket(one, project)
        assert (answer.status_code, answer.json()["expires_in"]) == (201, 30)
        assert answer.headers["cache-control"] == "no-store"
        ticket = answer.json()["ticket"]
        async with by_ticket(two, project, ticket) as client:
            assert client.connection.subprotocol == "gather.v1"
            assert (await client.event())["type"] == "hello"
            await log.append(Deduplicating(project_id=project, run="film", department="story"))
            assert await client.offsets(1) == [1]
        assert await refused(by_ticket(one, project, ticket)) == 401
        another = (await post_ticket(one, project)).json()["ticket"]
        assert await refused(by_ticket(one, OTHER_PROJECT, another)) == 404
        assert await refused(by_ticket(one, project, another)) == 401


async def test_a_hundred_sockets_with_one_ticket_are_one(serving: Any, project: str) -> None:
    """However much at once they come."""
    ticket = (await post_ticket(serving, project)).json()["ticket"]

    async def attempt() -> bool:
        try:
            async with by_ticket(serving, project, ticket) as client:
                return bool((await client.event())["type"] == "hello")
        except InvalidStatus:
            return False

    assert sum(await asyncio.gather(*(attempt() for _ in range(50)))) == 1


async def test_a_ticket_ends_after_its_time(serving: Any, project: str, redis_url: str) -> None:
    """At most 30 s, by Redis' own clock."""
    ticket = (await post_ticket(serving, project)).json()["ticket"]
    key = names.bridge_ticket(secret_hash(ticket))
    with redis.Redis.from_url(redis_url) as client:
        assert 0 < client.ttl(key) <= 30
        assert ticket.encode() not in client.get(key)
        client.delete(key)
    assert await refused(by_ticket(serving, project, ticket)) == 401


async def test_only_a_token_of_the_project_gets_a_ticket(serving: Any, project: str, run: Run) -> None:
    """Strangers, and tokens of other projects, get none."""
    assert (await post_ticket(serving, project, "wrong")).status_code == 401
    other = run("tokens", "create", "--project", OTHER_PROJECT, "--name", "t").stdout.strip()
    assert (await post_ticket(serving, project, other)).status_code == 404
    assert (await post_ticket(serving, OTHER_PROJECT, other)).status_code == 201


async def test_a_token_made_by_command_opens_and_closes_everything(
    serve_bridge: ServeBridge, project: str, run: Run
) -> None:
    """Every bridge knows it at once; revoked, its sockets, tickets' sockets and streams end within 5 s."""
    async with serve_bridge() as one, serve_bridge() as two:
        made = run("tokens", "create", "--project", project, "--name", "web app", "--expires-in", "30d")
        token = made.stdout.strip()
        assert token.startswith("gbt_")
        assert made.returncode == 0
        for serving in (one, two):
            assert await status_of(serving, project, token) == 200
        ticket = (await post_ticket(one, project, token)).json()["ticket"]
        async with two.client(project, token=token) as socket, by_ticket(one, project, ticket) as held:
            await socket.event()
            await held.event()
            token_id = made.stderr.split()[2]
            assert f"{token_id}\tweb app\t{project}\t" in run("tokens", "list").stdout
            assert [run("tokens", "revoke", token_id).returncode for _ in range(2)] == [0, 0]
            began_s = time.monotonic()
            assert list(await asyncio.gather(close_code(socket), close_code(held))) == [4003, 4003]
            assert time.monotonic() - began_s < 30  # 5 s, and what a busy machine adds
        assert await status_of(one, project, token) == 401
        assert (await post_ticket(two, project, token)).status_code == 401


async def test_a_token_that_leaves_the_file_loses_its_stream_and_socket(
    serve_bridge: ServeBridge, tokens_file: Path, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without waiting for a heartbeat."""
    monkeypatch.setattr(permits, "RELOAD_INTERVAL_S", 0)
    monkeypatch.setattr(permits, "WATCH_S", 0.05)
    async with serve_bridge() as serving, serving.client(project) as client:
        await client.event()
        headers = {"Authorization": f"Bearer {ALL}"}
        address = f"http://127.0.0.1:{serving.port}/api/v1/projects/{project}/events/stream"
        async with httpx.AsyncClient() as http, http.stream("GET", address, headers=headers) as response:
            assert response.status_code == 200
            line = {"name": "n", "sha256": secret_hash("new"), "projects": ["*"]}
            tokens_file.write_text(json.dumps([line]), "utf-8")  # noqa: ASYNC240
            os.utime(tokens_file, ns=(1, 1))
            assert await close_code(client) == 4003
            assert "event: close" in (text := (await response.aread()).decode())
            assert '"code": 4003' in text


async def test_a_token_runs_out(serving: Any, project: str, run: Run) -> None:
    """By itself; what was opened with it ends too."""
    token = run("tokens", "create", "--project", "*", "--name", "t", "--expires-in", "2s").stdout.strip()
    async with serving.client(project, token=token) as client:
        await client.event()
        assert await close_code(client) == 4003
    assert await status_of(serving, project, token) == 401


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param(
            ["create", "--project", "film", "--name", "t"], 2, "24 hexadecimal digits", id="project"
        ),
        pytest.param(["create", "--project", "*"], 2, "--name", id="no name"),
        pytest.param(
            ["create", "--project", "*", "--name", "t", "--expires-in", "soon"], 2, "30d", id="time"
        ),
        pytest.param(["revoke", "none"], 1, "tokens list", id="unknown id"),
        pytest.param([], 2, "create|list|revoke", id="no action"),
        pytest.param(["--help"], 0, "", id="help"),
    ],
)
def test_the_command_says_what_is_wrong(run: Run, arguments: list[str], code: int, said: str) -> None:
    """In the words of its options."""
    done = run("tokens", *arguments)
    assert done.returncode == code
    assert said in done.stderr


def test_the_command_without_redis_says_to_try_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the exit code for it, and without the address."""
    monkeypatch.setenv("REDIS_URL", "redis://:secret@127.0.0.1:1/0")
    done = run("tokens", "list")
    assert done.returncode == 75
    assert "Redis is unavailable" in done.stderr
    assert "secret" not in done.stderr
    monkeypatch.setenv("REDIS_URL", "nonsense")
    assert run("tokens", "list").returncode == 64


async def test_an_empty_list_leaves_it_to_the_command(
    serve_bridge: ServeBridge, tokens_file: Path, project: str, run: Run
) -> None:
    """So a bridge starts before its first token is made, and knows it at once."""
    tokens_file.write_text("[]", "utf-8")  # noqa: ASYNC240
    async with serve_bridge() as serving:
        assert await status_of(serving, project, ALL) == 401
        token = run("tokens", "create", "--project", project, "--name", "first").stdout.strip()
        assert await status_of(serving, project, token) == 200
