"""One plan carried out: a namespace, a proxy with its fault, an operator process, and runs to their end."""

import asyncio
import itertools
import json
import os
import secrets
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from dev.paths import ROOT
from gather_clients.event_log import EventLog
from gather_contracts import names
from tests.faults.scenarios import OLD_IMAGE, Scenario, interfere
from tests.support.kubernetes.api_proxy import ApiProxy, Fault
from tests.support.kubernetes.control_plane import access
from tests.support.kubernetes.journal import Journal, Journals
from tests.support.kubernetes.plain_api import CORE, RUNS, PlainApi, in_namespace
from tests.support.kubernetes.pod_player import PodPlayer
from tests.support.workers.process_forks import ForkedProcess, ProcessForks

Json = dict[str, Any]
END_TIMEOUT_S: Final = 120.0
"""A watch that fell silent is heard of after 40 s; the rest is for busy machines."""
READY_TIMEOUT_S: Final = 60.0
GONE_TIMEOUT_S: Final = 30.0
SETTLE_S: Final = 0.3
"""After the end, for a write too many to show itself."""
ENDED_WATCHES: Final = ("kopf.", "gather_operator.kube.kopf_supervisor")
WATCHED: Final = {names.PLURAL, "jobs", "pods"}


@dataclass(frozen=True)
class Tools:
    """What all trials share."""

    api: PlainApi
    journals: Journals
    forks: ProcessForks
    log: EventLog
    redis_url: str
    cms_url: str
    folder: Path
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)


@dataclass
class Outcome:
    """What was seen of a trial."""

    took_s: float = 0.0
    start_s: float = 0.0
    """From the operator's start until it watched."""
    has_ended: bool = False
    has_fired: bool = False
    points: list[str] = field(default_factory=list)
    statuses: dict[str, list[Json]] = field(default_factory=dict)
    """Of each run, all that were written."""
    jobs: dict[str, list[str]] = field(default_factory=dict)
    """Of each run, the Jobs that ever were, by department and number."""
    pods: dict[str, list[str]] = field(default_factory=dict)
    """Of each run, the departments of the pods that ever were."""
    events: dict[str, list[str]] = field(default_factory=dict)
    """Of each run, what the operator wrote into the event log."""
    overlaps: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """What the operator logged that it should not have."""


class Trial:
    """Carries out one plan; it is the stage on which the scenario acts."""

    def __init__(self, tools: Tools, scenario: Scenario, fault: Fault | None) -> None:
        number = next(tools.numbers)
        self._tools = tools
        self._scenario = scenario
        self._namespace = f"trial-{number}"
        self._project = secrets.token_hex(12)
        self._log = tools.folder / f"{self._namespace}.log"
        self._image = OLD_IMAGE
        self._operator: ForkedProcess | None = None
        self._changing = asyncio.Lock()
        self._crashes: list[str] = []
        self.journal: Journal = tools.journals.open(self._namespace)
        self._player = PodPlayer(tools.api, self._namespace, scenario.part)
        self.journal.on_pod = self._player.note
        self._proxy = ApiProxy(tools.api.server, self._namespace, fault, self._kill)

    async def run(self) -> Outcome:
        """Carry the plan out and return what was seen."""
        outcome = Outcome()
        await self._tools.api.call("POST", f"{CORE}/namespaces", {"metadata": {"name": self._namespace}})
        async with self._proxy:
            try:
                began_s = time.monotonic()
                await self._start_operator()
                await self._until_watching()
                outcome.start_s = time.monotonic() - began_s
                await self._play(outcome)
                await self._clean_up(outcome)
            finally:
                await self._end_operator(signal.SIGKILL)
                await self._player.close()
                self._tools.journals.close(self._namespace)
        outcome.has_fired = self._proxy.has_fired
        outcome.complaints += [*self._crashes, *self._proxy.errors, *self._logged()]
        return outcome

    async def _play(self, outcome: Outcome) -> None:
        began_s = time.monotonic()
        for name in self._scenario.runs:
            body = {
                "apiVersion": f"{names.GROUP}/{names.VERSION}",
                "kind": names.KIND,
                "metadata": {"name": name},
                "spec": self._scenario.run_spec(self._project),
            }
            await self._tools.api.call("POST", self._path(), body)
        try:
            async with asyncio.timeout(END_TIMEOUT_S):
                await interfere(self._scenario, self)
                await self.journal.until(lambda: self._scenario.has_ended(self.journal))
            outcome.has_ended = True
        except TimeoutError:
            outcome.complaints.append(f"not ended within {END_TIMEOUT_S:.0f} s: {self._standing()}")
        outcome.took_s = time.monotonic() - began_s
        await asyncio.sleep(SETTLE_S)
        outcome.points = list(self._proxy.points)
        await self._look(outcome)

    async def _look(self, outcome: Outcome) -> None:
        sent = await self._tools.log.tail(self._project)
        for run in self._scenario.runs:
            outcome.statuses[run] = list(self.journal.statuses[run])
            outcome.jobs[run] = sorted(_job_number(j) for j in self.journal.of_run("jobs", run))
            outcome.pods[run] = sorted(_department(p) for p in self.journal.of_run("pods", run))
            mine = [e for e in sent if e.run == run]
            said = (f"{e.type} {getattr(e, 'department', '') or ''}".strip() for e in mine)
            outcome.events[run] = sorted(said)
        outcome.overlaps = list(self._player.overlaps)

    async def _clean_up(self, outcome: Outcome) -> None:
        """Delete the runs and see that nothing of theirs stays."""
        for run in self._scenario.runs:
            await self.delete_run(run)
        await self._player.bury()
        try:
            async with asyncio.timeout(GONE_TIMEOUT_S):
                await self.journal.until(lambda: not self.journal.leftovers())
        except TimeoutError:
            outcome.leftovers = self.journal.leftovers()

    # --- what a scenario may do

    async def patch_run(self, name: str, body: Json) -> None:
        """Change a run as a person does."""
        await self._tools.api.call("PATCH", self._path(name), body)

    async def delete_run(self, name: str) -> None:
        """Delete a run as a person does."""
        await self._tools.api.delete(self._path(name))

    async def lose_node(self, run: str) -> None:
        """Let the node of the run's pods die, and its pods be evicted, which they cannot hear of."""
        for name, pod in self.journal.objects["pods"].items():
            if pod["metadata"]["labels"][names.LABEL_RUN] == run and pod["status"].get("phase") == "Running":
                await self._tools.api.delete(in_namespace(CORE, self._namespace, "pods", name))

    async def let_end(self) -> None:
        """Let pods end that were held."""
        self._player.may_end.set()

    async def replace_operator(self, image: str) -> None:
        """End the operator with SIGTERM and start another whose workers have this image."""
        async with self._changing:
            self._image = image
            await self._end_operator(signal.SIGTERM)
            await self._start_operator()

    # --- the operator

    async def _kill(self) -> None:
        """End the operator as a crash would; another starts at once."""
        async with self._changing:
            await self._end_operator(signal.SIGKILL)
            await self._start_operator()

    async def _start_operator(self) -> None:
        kubeconfig = self._tools.folder / f"{self._namespace}.kubeconfig"
        kubeconfig.write_text(access(self._proxy.url, "t"), encoding="ascii")
        environment = {**os.environ, **self._environment(kubeconfig)}
        self._operator = self._tools.forks.start([], environment, self._log, self._log, ROOT)

    async def _end_operator(self, how: signal.Signals) -> None:
        if self._operator is None:
            return
        operator, self._operator = self._operator, None
        if (ended := operator.poll()) is not None:
            self._crashes.append(f"the operator ended by itself: {ended}")
            return
        operator.send_signal(how)
        await asyncio.to_thread(operator.wait)

    def _environment(self, kubeconfig: Path) -> Mapping[str, str]:
        return {
            "KUBECONFIG": str(kubeconfig),
            "GATHER_NAMESPACE": self._namespace,
            "GATHER_WORKER_IMAGE": self._image,
            "NEXT_PUBLIC_APP_URL": self._tools.cms_url,
            "REDIS_URL": self._tools.redis_url,
            "GATHER_OPERATOR_PORT": "0",
            # One that was killed comes back as the container of its pod does: the Lease is its own.
            "GATHER_IDENTITY": self._image.replace(":", "-"),
        }

    async def _until_watching(self) -> None:
        async with asyncio.timeout(READY_TIMEOUT_S):
            await self._proxy.until_watched(WATCHED)

    def _logged(self) -> list[str]:
        """Return what tells of an error in the operator; kopf's watch may end by one, and is replaced."""
        found = []
        for line in self._log.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                found.append(line)
                continue
            if "exc_info" in entry and not entry["logger"].startswith(ENDED_WATCHES):
                found.append(f"{entry['message']}: {entry['exc_info'][-300:]}")
        return found[:3]

    def _standing(self) -> str:
        runs = {n: b.get("status", {}).get("phase") for n, b in self.journal.objects[names.PLURAL].items()}
        return f"{runs}, {self.journal.leftovers()}"

    def _path(self, name: str = "") -> str:
        return in_namespace(RUNS, self._namespace, names.PLURAL, name)


def _department(owned: Json) -> str:
    return str(owned["metadata"]["labels"][names.LABEL_DEPARTMENT])


def _job_number(job: Json) -> str:
    return f"{_department(job)}-{job['metadata']['name'].rsplit('-', 1)[1]}"
