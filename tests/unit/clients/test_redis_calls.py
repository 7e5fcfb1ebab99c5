"""Calls to a Redis that is silent, gone or refuses: each ends in time with the caller's error."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr, TypeAdapter, ValidationError

from gather_clients.redis_calls import RedisCalls, RedisUrl, connect


class RoomError(Exception):
    """The caller's error."""


@pytest.fixture
async def server() -> AsyncIterator[tuple[str, dict[str, bytes], list[bytes]]]:
    """A server that answers each command with `said["answer"]`, and nothing if that is empty."""
    said, heard = {"answer": b""}, list[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while got := await reader.read(4096):
            heard.append(got)
            writer.write(said["answer"])
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"redis://127.0.0.1:{listening.sockets[0].getsockname()[1]}?protocol=2", said, heard


def calls_to(url: str, *, limit_s: float = 5, timeout_s: float = 0.2, repeats: int = 1) -> RedisCalls:
    redis = connect(url, timeout_s, repeats=repeats, driver_info=None)
    return RedisCalls(redis, limit_s, lambda failure: RoomError(type(failure).__name__))


@pytest.mark.parametrize(("repeats", "times"), [(0, 1), (1, 2)])
async def test_a_silent_redis_is_asked_so_often_and_no_more(
    server: tuple[str, dict[str, bytes], list[bytes]], repeats: int, times: int
) -> None:
    """The library itself would try again behind the caller's back, with waits of its own."""
    url, _, heard = server
    calls = calls_to(url, repeats=repeats)
    with pytest.raises(RoomError, match="TimeoutError"):
        await calls.call(calls.redis.ping())
    await calls.close()
    assert b"".join(heard).count(b"PING") == times


async def test_a_call_ends_at_its_limit(server: tuple[str, dict[str, bytes], list[bytes]]) -> None:
    """Whatever the connection's own time-outs add up to."""
    calls = calls_to(server[0], limit_s=0.1, timeout_s=30)
    started = time.monotonic()
    with pytest.raises(RoomError):
        await calls.call(calls.redis.ping())
    assert time.monotonic() - started < 25
    await calls.close()


async def test_a_refusal_is_the_callers_error_and_an_answer_is_returned(
    server: tuple[str, dict[str, bytes], list[bytes]],
) -> None:
    """The failure is the error's cause."""
    url, said, _ = server
    calls = calls_to(url)
    said["answer"] = b"-LOADING Redis is loading the dataset in memory\r\n"
    with pytest.raises(RoomError) as refused:
        await calls.call(calls.redis.get("x"))
    assert "loading" in str(refused.value.__cause__)
    said["answer"] = b":7\r\n"
    assert await calls.call(calls.redis.strlen("x")) == 7
    await calls.close()


@pytest.mark.parametrize("ends", ["with an answer", "with an error"])
async def test_a_cancellation_that_the_library_loses_is_not_lost(ends: str) -> None:
    """As `asyncio.wait_for` of Python 3.11 loses one that comes as what it waits for ends."""

    async def answers_all_the_same() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if ends == "with an error":
                raise ConnectionResetError from None
            return "answer"
        raise AssertionError

    calls = calls_to("redis://127.0.0.1:1")
    task = asyncio.create_task(calls.call(answers_all_the_same()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await calls.close()


async def test_nobody_listening_is_the_callers_error() -> None:
    """As where Redis restarts."""
    calls = calls_to("redis://127.0.0.1:1")
    with pytest.raises(RoomError):
        await calls.call(calls.redis.ping())
    await calls.close()


@pytest.mark.parametrize(
    "url", ["redis://h", "rediss://user:p%23ss@h:1/2", "unix:///run/redis.sock", "redis://[::1]:6379"]
)
def test_an_address_of_a_redis_is_taken(url: str) -> None:
    """In each form that the client knows."""
    checked: SecretStr = TypeAdapter(RedisUrl).validate_python(url)
    assert checked.get_secret_value() == url


@pytest.mark.parametrize(
    "url", ["", "h:6379", "http://h", "redis://:top-se#cret@h", "redis://:top-se/cret@h:1"]
)
def test_another_address_is_refused_without_any_part_of_it(url: str) -> None:
    """A sign of the password that is not encoded makes a part of it look like a port."""
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(RedisUrl).validate_python(url)
    assert "top-se" not in refused.value.errors()[0]["msg"]
