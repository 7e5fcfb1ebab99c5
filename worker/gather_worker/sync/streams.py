"""Pages read ahead, and a few requests at a time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from contextlib import aclosing, asynccontextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

from gather_clients.background_tasks import end_tasks

T = TypeVar("T")


@asynccontextmanager
async def reading_ahead(pages: AsyncIterator[Sequence[T]]) -> AsyncIterator[AsyncIterator[T]]:
    """Give the pages' elements one by one; the first page is fetched at once, each further one meanwhile."""

    async def fetch() -> Sequence[T] | None:
        return await anext(pages, None)

    following = asyncio.create_task(fetch())

    async def elements() -> AsyncGenerator[T, None]:
        nonlocal following
        while (page := await following) is not None:
            following = asyncio.create_task(fetch())
            for each in page:
                yield each

    try:
        async with aclosing(elements()) as stream:
            yield stream
    finally:
        await end_tasks([following])


class Requests:
    """At most so many requests at a time; the first error ends all, as does leaving early."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._under_way: set[asyncio.Task[Any]] = set()

    async def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin a request as soon as there is room; raises what an earlier one raised."""
        try:
            await self._until_fewer_than(self._at_once)
        except BaseException:
            work.close()
            raise
        self._under_way.add(asyncio.create_task(work))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                await self._until_fewer_than(1)
        finally:
            await end_tasks(self._under_way)

    async def _until_fewer_than(self, many: int) -> None:
        while len(self._under_way) >= many:
            done, self._under_way = await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
