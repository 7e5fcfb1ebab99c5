"""What a project's log says of its runs: folded page by page, and kept, so that only what is new is read."""

import asyncio
import contextlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from gather_bridge.live.batch import Batch
from gather_bridge.live.pages import Log, Pages
from gather_bridge.live.replay import Position, is_same_log
from gather_contracts.snapshots.run_state import RunState, state_of_event

PROJECTS_MAX: Final = 16
RUNS_MAX: Final = 50
"""Of one project, those that were heard of last; of 500 iterations each takes 50 KiB, all together 40 MiB."""


@dataclass(eq=False)
class _Folded:
    position: Position = field(default_factory=Position)
    runs: OrderedDict[str, RunState] = field(default_factory=OrderedDict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def take(self, page: Batch) -> None:
        for stored in page.events:
            if not (stored.is_event and stored.run_uid):
                continue
            with contextlib.suppress(ValueError):  # of a type that is not known here
                state = state_of_event(stored.decode())
                known = self.runs.get(state.run_uid)
                self.runs[state.run_uid] = state if known is None else known.joined(state)
                self.runs.move_to_end(state.run_uid)
                if len(self.runs) > RUNS_MAX:
                    self.runs.popitem(last=False)
        self.position = page.reached


class FoldedLogs:
    """The logs of the projects that were asked for last."""

    def __init__(self, log: Log, pages: Pages) -> None:
        self._log = log
        self._pages = pages
        self._projects: OrderedDict[str, _Folded] = OrderedDict()

    async def read(self, project_id: str) -> tuple[Position, dict[str, RunState]]:
        """Return the log's end and what all events up to it say, by run UID, in the order of the last event.

        Raises EventLogUnavailable.
        """
        folded = self._projects.setdefault(project_id, _Folded())
        self._projects.move_to_end(project_id)
        if len(self._projects) > PROJECTS_MAX:
            self._projects.popitem(last=False)
        async with folded.lock:
            head = Position(*await self._log.position(project_id))
            if not folded.position.leads_to(head) or folded.position.offset > head.offset:
                folded.position, folded.runs = Position(), OrderedDict()
            while folded.position.offset < head.offset:
                await self._advance(project_id, folded, head)
            return folded.position, dict(folded.runs)

    async def _advance(self, project_id: str, folded: _Folded, head: Position) -> None:
        async with self._pages.page(project_id, folded.position) as page:
            if page is not None and is_same_log(page.reached, head):
                folded.take(page)
                await asyncio.sleep(0)
                return
        beginning = await self._pages.beginning(project_id, head)
        folded.position = beginning if beginning.offset > folded.position.offset else head
