"""What an observer beside the operator sees of each namespace: objects as they are, and what they were."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Self, TypeVar

from gather_clients.background_tasks import end_tasks
from gather_contracts import names
from tests.support.kubernetes.plain_api import CORE, JOBS, RUNS, PlainApi

Json = dict[str, Any]
T = TypeVar("T")
OnPod = Callable[[str, Json], None]

OURS: Final = f"{names.LABEL_MANAGED_BY}={names.MANAGED_BY}"
KINDS: Final = {
    names.PLURAL: (f"{RUNS}/{names.PLURAL}", ""),
    "jobs": (f"{JOBS}/jobs", OURS),
    "pods": (f"{CORE}/pods", OURS),
    "configmaps": (f"{CORE}/configmaps", OURS),
}


@dataclass
class Journal:
    """One namespace."""

    objects: dict[str, dict[str, Json]] = field(default_factory=lambda: defaultdict(dict))
    """By kind and name, those that are there."""
    made: dict[str, dict[str, Json]] = field(default_factory=lambda: defaultdict(dict))
    """By kind and UID, all that ever were, as last seen."""
    statuses: dict[str, list[Json]] = field(default_factory=lambda: defaultdict(list))
    """By a run's name, each status that was written."""
    on_pod: OnPod | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, kind: str, change: str, body: Json) -> None:
        """Take in one event of a watch."""
        name = body["metadata"]["name"]
        self.made[kind][body["metadata"]["uid"]] = body
        if change == "DELETED":
            self.objects[kind].pop(name, None)
        else:
            self.objects[kind][name] = body
        if kind == names.PLURAL and (status := body.get("status")):
            seen = self.statuses[name]
            if not seen or seen[-1] != status:
                seen.append(status)
        if kind == "pods" and self.on_pod is not None:
            self.on_pod(change, body)
        self._changed.set()

    async def until(self, probe: Callable[[], T | None]) -> T:
        """Return the first value of `probe` that is neither None nor False."""
        while (found := probe()) is None or found is False:
            self._changed.clear()
            await self._changed.wait()
        return found

    def run(self, name: str) -> Json | None:
        """Return a run as it is."""
        return self.objects[names.PLURAL].get(name)

    def of_run(self, kind: str, run: str) -> list[Json]:
        """Return all objects of a kind that the run ever owned."""
        return [o for o in self.made[kind].values() if o["metadata"]["labels"].get(names.LABEL_RUN) == run]

    def leftovers(self) -> list[str]:
        """Return what is there, as kind/name."""
        return sorted(f"{kind}/{name}" for kind in KINDS for name in self.objects[kind])


class Journals:
    """The journals of all namespaces, kept by one watch a kind."""

    def __init__(self, api: PlainApi) -> None:
        self._api = api
        self._journals: dict[str, Journal] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._follow(kind)) for kind in KINDS]
        return self

    async def __aexit__(self, *_: object) -> None:
        await end_tasks(self._tasks)

    def open(self, namespace: str) -> Journal:
        """Begin the journal of a namespace in which nothing is yet."""
        journal = self._journals[namespace] = Journal()
        return journal

    def close(self, namespace: str) -> None:
        """Forget a namespace."""
        self._journals.pop(namespace, None)

    async def _follow(self, kind: str) -> None:
        async for change, body in self._api.watch(*KINDS[kind]):
            journal = self._journals.get(body["metadata"]["namespace"])
            if journal is not None:
                journal.note(kind, change, body)
