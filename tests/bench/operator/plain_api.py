"""The few calls of the Kubernetes API that the benchmark's own programs make, as plainly as they can be."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Final, Self

import aiohttp

CALLS_AT_ONCE: Final = 64
LINE_MAX_BYTES: Final = 2**22


class PlainApi:
    """Calls as one user; whatever is no success ends the program."""

    def __init__(self, server: str, user: str) -> None:
        connector = aiohttp.TCPConnector(ssl=False, limit=0)
        headers = {"Authorization": f"Bearer {user}"}
        self._session = aiohttp.ClientSession(
            server, connector=connector, headers=headers, read_bufsize=LINE_MAX_BYTES
        )
        self._places = asyncio.Semaphore(CALLS_AT_ONCE)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def call(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        """Return the answer's JSON."""
        return json.loads(await self.text(method, path, body, kind))

    async def text(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> str:
        """Return the answer's text."""
        data = None if body is None else json.dumps(body)
        async with (
            self._places,
            self._session.request(method, path, data=data, headers={"Content-Type": kind}) as answer,
        ):
            text = await answer.text()
            if not answer.ok:
                raise RuntimeError(f"{method} {path}: {answer.status} {text[:200]}")
            return text

    async def watch(self, path: str, query: str = "", since: str = "0") -> AsyncIterator[dict[str, Any]]:
        """Yield all changes; where the server ends a watch, as it does with a slow one, the next goes on."""
        timeout, seen = aiohttp.ClientTimeout(total=None), since
        while True:
            url = f"{path}?watch=1&allowWatchBookmarks=1&resourceVersion={seen}{query}"
            async with self._session.get(url, timeout=timeout) as answer:
                answer.raise_for_status()
                async for line in answer.content:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise RuntimeError(f"watch {path}: {event}")
                    seen = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        yield event
