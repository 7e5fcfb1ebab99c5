"""The probe of the brain, against servers that answer well, badly or never."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gather_clients.background_tasks import end_tasks
from gather_operator.brain import brain_probe
from gather_operator.brain.brain_probe import BrainProbe
from gather_operator.decisions.facts import BrainFacts

LIMIT_S = 30


class Brain:
    """A server whose answer to everything can be changed; None never answers."""

    def __init__(self) -> None:
        self.answer: bytes | None = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
        self.asked: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close."""
        self.asked.append((await reader.readline()).decode().strip())
        if self.answer is None:
            await reader.read()
        else:
            writer.write(self.answer)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def probing(url: str) -> AsyncIterator[BrainProbe]:
    """A probe that asks again at once."""
    probe = BrainProbe(url, interval_s=0.01)
    task = asyncio.create_task(probe.run())
    try:
        yield probe
    finally:
        await end_tasks([task])


@pytest.fixture
async def brain() -> AsyncIterator[tuple[Brain, str]]:
    """A brain and its address."""
    served = Brain()
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    yield served, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    server.close()


async def until(probe: BrainProbe, wanted: BrainFacts) -> None:
    """Wait until the probe knows this."""
    async with asyncio.timeout(LIMIT_S):
        while probe.facts != wanted:  # noqa: ASYNC110 - what is tested has no event
            await asyncio.sleep(0.005)


async def test_it_follows_the_brain_s_readiness(brain: tuple[Brain, str]) -> None:
    """At the path that a brain has for it, without a doubled slash."""
    served, url = brain
    async with probing(url) as probe:
        await until(probe, BrainFacts(is_available=True))
        served.answer = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        await until(probe, BrainFacts(is_available=False, why="/readyz answers 503"))
        body = b'{"status": "starting", "reason": "Neo4j refuses NEO4J_USER or NEO4J_PASSWORD"}'
        served.answer = b"HTTP/1.1 503 No\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (
            len(body),
            body,
        )
        why = "Neo4j refuses NEO4J_USER or NEO4J_PASSWORD"
        await until(probe, BrainFacts(is_available=False, why=why))
        served.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        await until(probe, BrainFacts(is_available=True))
    assert set(served.asked) == {"GET /readyz HTTP/1.1"}


@pytest.mark.parametrize(
    "answer", [None, b"no HTTP\r\n\r\n", b"", b"HTTP/1.1 302 F\r\nLocation: http://x/\r\n\r\n"]
)
async def test_whatever_comes_instead_of_an_answer_is_one(
    brain: tuple[Brain, str], answer: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hangs, or it is no brain at all; an endless body is not read."""
    monkeypatch.setattr(brain_probe, "TIMEOUT_S", 0.2)
    served, url = brain
    served.answer = answer
    async with probing(url) as probe, asyncio.timeout(LIMIT_S):
        while probe.facts is None:  # noqa: ASYNC110 - what is tested has no event
            await asyncio.sleep(0.005)
        assert not probe.facts.is_available


async def test_one_failure_is_not_said(brain: tuple[Brain, str]) -> None:
    """A pod behind the Service restarts."""
    probe = BrainProbe(brain[1])
    probe._note("")
    probe._note("ConnectError")
    assert probe.facts == BrainFacts(is_available=True)
    probe._note("ConnectError")
    assert probe.facts == BrainFacts(is_available=False, why="ConnectError")


async def test_nobody_listens_and_nothing_is_known_without_an_address() -> None:
    """Neither ends the operator."""
    async with probing("http://127.0.0.1:9/") as probe:
        await until(probe, BrainFacts(is_available=False, why="ConnectError"))
    nothing = BrainProbe("")
    await nothing.run()
    assert nothing.facts is None
