"""The Kubernetes API as a test uses it beside the operator: plain calls, and watches that never end."""

import asyncio
import json
from collections.abc import AsyncGenerator
from http import HTTPStatus
from typing import Any, Final, Self

import aiohttp

from gather_contracts import names
from tests.support.kubernetes.control_plane import ADMIN, bearer

CALL_TIMEOUT_S: Final = 30.0
LINE_MAX_BYTES: Final = 8 * 2**20
WATCH_S: Final = 4 * 3600
MERGE_PATCH: Final = "application/merge-patch+json"

RUNS: Final = f"/apis/{names.GROUP}/{names.VERSION}"
JOBS: Final = "/apis/batch/v1"
CORE: Final = "/api/v1"


def in_namespace(base: str, namespace: str, plural: str, name: str = "") -> str:
    """Return the path of a namespace's objects, or of one of them."""
    return f"{base}/namespaces/{namespace}/{plural}" + (f"/{name}" if name else "")


class Unwanted(Exception):  # noqa: N818 - what the API server said to a call
    """The API server did not do it; `status` is its answer's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class PlainApi:
    """One administrator's connections to the API server."""

    def __init__(self, server: str) -> None:
        self.server = server

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers=bearer(ADMIN),
            connector=aiohttp.TCPConnector(ssl=False, limit=0),
            read_bufsize=2**18,
            max_line_size=LINE_MAX_BYTES,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def call(
        self, method: str, path: str, body: Any = None, query: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """Return the answer; raises Unwanted."""
        headers = {"Content-Type": MERGE_PATCH if method == "PATCH" else "application/json"}
        timeout = aiohttp.ClientTimeout(total=CALL_TIMEOUT_S)
        data = None if body is None else json.dumps(body)
        async with self._session.request(
            method, f"{self.server}{path}", data=data, params=query, headers=headers, timeout=timeout
        ) as answer:
            text = await answer.text()
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise Unwanted(answer.status, text[:300])
        return dict(json.loads(text))

    async def delete(self, path: str, **options: Any) -> None:
        """Delete an object if it is there."""
        try:
            await self.call("DELETE", path, options or None)
        except Unwanted as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    async def watch(self, path: str, selector: str = "") -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        """Yield (type, object) for all that is there and all that follows."""
        query = {"labelSelector": selector} if selector else {}
        while True:
            first = await self.call("GET", path, query=query)
            for item in first["items"]:
                yield "ADDED", item
            more = {
                **query,
                "watch": "true",
                "timeoutSeconds": str(WATCH_S),
                "resourceVersion": first["metadata"]["resourceVersion"],
            }
            limits = aiohttp.ClientTimeout(total=None)
            async with self._session.get(f"{self.server}{path}", params=more, timeout=limits) as stream:
                async for line in stream.content:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        break
                    yield event["type"], event["object"]
            await asyncio.sleep(0.1)
