"""The brain's copy of one project's notes: listed, written and deleted, with patience for its limits.

Nothing else than notes is touched: nodes of other types belong to other programs.
"""

import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Final, TypeVar

from gather_clients.backoff import Backoff
from gather_clients.brain_client import BrainClient
from gather_clients.brain_errors import BrainInvalid, BrainNotFound, BrainRateLimited, BrainUnavailable
from gather_contracts import brain as bodies
from gather_worker.attempt import Attempt
from gather_worker.documents.note_node import NODE_TYPE
from gather_worker.errors import BrainUnusable

T = TypeVar("T")

CALL_DEADLINE_S: Final = 60.0
"""For one request with the client's own retries: 50 long notes take seconds, more on a busy machine."""
PATIENCE_S: Final = 60.0
"""How long a brain may be unavailable; one that answers 429 is waited for without end, since it goes on."""
BACKOFF: Final = Backoff(1.0, 10.0)

_LOGGER = logging.getLogger(__name__)


class BrainNodes:
    """One project's nodes of notes."""

    def __init__(self, client: BrainClient, attempt: Attempt, project_id: str) -> None:
        self._client = client
        self._attempt = attempt
        self._project_id = project_id

    async def pages(self) -> AsyncGenerator[Sequence[bodies.StoredNode], None]:
        """Yield the nodes page by page, in the order of their ids; a project without nodes has no page.

        Raises BrainUnusable, and BrainRejected for what would be refused every time.
        """
        cursor: str | None = None
        while True:
            page = await self._answer(lambda: self._page(cursor))  # noqa: B023 - called at once
            yield page.nodes
            cursor = page.next_cursor
            if cursor is None:
                return

    async def write(self, nodes: Sequence[bodies.NodeIn]) -> Sequence[str]:
        """Write up to 50 nodes; return the ids of those that the brain does not take for what they are.

        Raises BrainUnusable and BrainRejected.
        """
        try:
            await self._answer(lambda: self._client.create_nodes(nodes, deadline_s=CALL_DEADLINE_S))
        except BrainInvalid as error:
            refused = error.invalid_nodes
            _LOGGER.error("the brain refuses notes: %s", "; ".join(sorted(set(refused.values()))))  # noqa: TRY400
            if not refused:
                raise
            rest = [node for place, node in enumerate(nodes) if place not in refused]
            others = await self.write(rest) if rest else ()
            return [*(str(nodes[place].id) for place in refused), *others]
        return ()

    async def delete(self, ids: Sequence[str]) -> int:
        """Delete up to 100 nodes; return how many there were. Raises BrainUnusable and BrainRejected."""
        answer = await self._answer(
            lambda: self._client.delete_nodes(self._project_id, ids, deadline_s=CALL_DEADLINE_S)
        )
        return answer.deleted

    async def _page(self, cursor: str | None) -> bodies.NodesPage:
        pages = self._client.node_pages(
            self._project_id, type=NODE_TYPE, cursor=cursor, deadline_s=CALL_DEADLINE_S
        )
        try:
            return await anext(pages)
        except BrainNotFound:
            return bodies.NodesPage(nodes=[])

    async def _answer(self, send: Callable[[], Awaitable[T]]) -> T:
        ends_at = time.monotonic() + PATIENCE_S
        failures = 0
        while True:
            try:
                return await self._attempt.race(send())
            except BrainRateLimited as error:
                wait_s = BACKOFF.wait_s(1) + (error.retry_after_s or 0)
                ends_at = time.monotonic() + PATIENCE_S + wait_s
                _LOGGER.info("the brain limits requests; waiting %.0f s", wait_s)
            except BrainUnavailable as error:
                failures += 1
                wait_s = BACKOFF.wait_s(failures) + (error.retry_after_s or 0)
                if time.monotonic() + wait_s >= ends_at:
                    raise BrainUnusable(str(error)) from error
                _LOGGER.warning("%s; trying again in %.0f s", error, wait_s)
            await self._attempt.sleep(wait_s)
