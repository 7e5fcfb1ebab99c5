"""An API server that answers each request by a script, whole or broken, and remembers what it was asked."""

import asyncio
import json
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

from aiohttp import web
from kubernetes.aio.client.configuration import Configuration

from gather_operator.kube.cluster import Cluster
from gather_operator.kube.connections import connect

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
End = Literal["clean", "reset", "open"]


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: str


class ScriptedApi:
    """Plays its answers one after the other, the last one for ever."""

    def __init__(self) -> None:
        self.answers: deque[Answer] = deque()
        self.asked: list[Asked] = []
        self.was_left = asyncio.Event()
        """A client closed the connection of an answer that was still open."""
        self.url = ""

    def plays(self, *answers: Answer) -> None:
        """Append answers."""
        self.answers.extend(answers)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer by the next script."""
        self.asked.append(
            Asked(
                request.method,
                request.path,
                dict(request.query),
                dict(request.headers),
                await request.text(),
            )
        )
        answer = self.answers.popleft() if len(self.answers) > 1 else self.answers[0]
        try:
            return await answer(request)
        except asyncio.CancelledError:
            self.was_left.set()
            raise


def says(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """A whole answer: text as it is, anything else as JSON."""
    text = body if isinstance(body, str) else json.dumps(body)

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(text=text, status=status, headers=headers, content_type="application/json")

    return answer


def refuses(code: int, reason: str = "", message: str = "no", **more: Any) -> Answer:
    """An error as the API server answers it; `headers` and `details` may be given."""
    headers = more.pop("headers", None)
    status = {
        "kind": "Status",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
        **more,
    }
    return says(status, code, headers)


def streams(*chunks: bytes, end: End = "open") -> Answer:
    """An answer in these chunks, each sent by itself; then it ends, breaks or stays open."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
            await asyncio.sleep(0)
        if end == "open":
            await asyncio.Event().wait()
        if end == "reset":
            transport = request.transport
            assert transport is not None
            transport.abort()
        return response

    return answer


async def hangs(_: web.Request) -> web.StreamResponse:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError


def event(kind: str, body: dict[str, Any]) -> bytes:
    """One line of a watch."""
    return json.dumps({"type": kind, "object": body}, ensure_ascii=False).encode() + b"\n"


@asynccontextmanager
async def scripted_api(tls: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedApi]:
    """Serve on a free port."""
    api = ScriptedApi()
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{path:.*}", api.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    scheme = "https" if tls else "http"
    api.url = f"{scheme}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield api
    finally:
        await runner.cleanup()


@asynccontextmanager
async def reaching(api: ScriptedApi, timeout_s: float = 2.0) -> AsyncIterator[Cluster]:
    """A cluster that is reached without credentials."""

    async def load() -> Configuration:
        return Configuration(host=api.url, client_session_kwargs={"trust_env": False})

    cluster = Cluster(connect(await load(), load, timeout_s), "films")
    try:
        yield cluster
    finally:
        await cluster.close()
