"""A deployed Gather as the end-to-end tests see it: kubectl for the cluster, port-forwards for the stores.

It knows nothing that a user could not know, and waits only for conditions that a user could see.
"""

import json
import secrets
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import neo4j
import redis
from pymongo import MongoClient

from dev.cluster.port_forward import forwarded
from dev.waiting import wait_for
from gather_contracts import names
from gather_contracts.events import decode_event
from gather_contracts.reasons import DepartmentPhase, RunPhase
from gather_contracts.resource import Condition, GatherRun, parse_run

COMMAND_TIMEOUT_S = 60
SAID_S = 60
"""Slow starts are said after 10 s; Events of a Job are read within as long, on a machine that is busy."""


def new_project() -> str:
    """Return the id of a project that no earlier round on this cluster has written to."""
    return secrets.token_hex(12)


@dataclass(frozen=True)
class DeployedGather:
    """One namespace with Gather and its backing services in it."""

    kubectl_command: Sequence[str]
    namespace: str

    def kubectl(self, *args: str, stdin: str | None = None, check: bool = True) -> str:
        """Run kubectl in the namespace and return what it printed; raises AssertionError with its words."""
        done = subprocess.run(
            [*self.kubectl_command, "-n", self.namespace, *args],
            input=stdin, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout

    def objects(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        """Return the objects of a kind, by label."""
        args = ["get", kind, "-o", "json", *(["-l", selector] if selector else [])]
        items: list[dict[str, Any]] = json.loads(self.kubectl(*args))["items"]
        return items

    # --- runs

    def apply_run(self, name: str, project_id: str, **spec: Any) -> GatherRun:
        """Create a GatherRun and return it."""
        manifest = {
            "apiVersion": f"{names.GROUP}/{names.VERSION}",
            "kind": names.KIND,
            "metadata": {"name": name},
            "spec": {"projectId": project_id, "userId": "e2e", **spec},
        }
        self.kubectl("create", "-f", "-", stdin=json.dumps(manifest))
        return self.run(name)

    def run(self, name: str) -> GatherRun:
        """Return the run as it stands."""
        return parse_run(json.loads(self.kubectl("get", names.PLURAL, name, "-o", "json")))

    def wait_run(
        self, name: str, what: str, accept: Callable[[GatherRun], bool], timeout_s: float
    ) -> GatherRun:
        """Return the run once `accept` holds for it; a door may make it a moment after it took the task."""

        def probe() -> GatherRun | None:
            found = self.kubectl("get", names.PLURAL, name, "--ignore-not-found", "-o", "json")
            run = parse_run(json.loads(found)) if found else None
            return run if run is not None and accept(run) else None

        return wait_for(f"run {name} {what}", probe, timeout_s)

    def wait_end(self, name: str, timeout_s: float) -> GatherRun:
        """Return the run once its phase is final."""
        return self.wait_run(name, "to end", lambda run: run.status.phase.is_final, timeout_s)

    def jobs_of(self, run: GatherRun) -> list[dict[str, Any]]:
        """Return the run's Jobs, in the order of their departments."""
        jobs = self.objects("jobs", f"{names.LABEL_RUN_UID}={run.metadata.uid}")
        return sorted(jobs, key=lambda job: int(job["metadata"]["labels"][names.LABEL_DEPARTMENT_INDEX]))

    def pods_of(self, run: GatherRun) -> list[dict[str, Any]]:
        """Return the run's pods that still exist."""
        return self.objects("pods", f"{names.LABEL_RUN_UID}={run.metadata.uid}")

    def wait_running_pod(self, run: GatherRun, timeout_s: float) -> str:
        """Return the name of a worker pod that is at work."""

        def probe() -> str | None:
            running = (p for p in self.pods_of(run) if p["status"].get("phase") == "Running")
            return next((str(p["metadata"]["name"]) for p in running), None)

        return wait_for(f"a running pod of {run.metadata.name}", probe, timeout_s)

    def delete_run(self, name: str) -> None:
        """Delete the run without waiting for its end."""
        self.kubectl("delete", names.PLURAL, name, "--wait=false", "--ignore-not-found")

    def wait_gone(self, name: str, timeout_s: float) -> None:
        """Wait until the resource no longer exists."""
        wait_for(
            f"run {name} to be gone",
            lambda: not self.kubectl("get", names.PLURAL, name, "--ignore-not-found", "-o", "name"),
            timeout_s,
        )

    # --- rooms and stores

    @contextmanager
    def forward(self, service: str, port: int) -> Iterator[int]:
        """Yield a local port that leads to a Service of the namespace."""
        with forwarded(self.kubectl_command, self.namespace, f"svc/{service}", port) as local:
            yield local

    @contextmanager
    def forward_pod(self, pod: str, port: int) -> Iterator[int]:
        """Yield a local port that leads to a pod of the namespace."""
        with forwarded(self.kubectl_command, self.namespace, f"pod/{pod}", port) as local:
            yield local

    def items(self, project_id: str, run_uid: str | None = None) -> list[dict[str, Any]]:
        """Return a project's automated items as they stand in MongoDB, of one run if named; ids as digits."""
        query: dict[str, Any] = {"isAutomated": True}
        if run_uid:
            query["automationMetadata.runUid"] = run_uid
        with (
            self.forward("gather-backing-mongodb", 27017) as port,
            MongoClient[dict[str, Any]](f"mongodb://127.0.0.1:{port}/?directConnection=true") as client,
        ):
            found = client[names.gather_database(project_id)][names.ITEMS_COLLECTION].find(query)
            return [document | {"_id": str(document["_id"])} for document in found]

    def node_ids(self, project_id: str, *, automated: bool = True) -> set[str]:
        """Return the ids of a project's nodes in Neo4j; the brain wrote them."""
        query = "MATCH (n:Node {projectId: $project}) RETURN n.id AS id, n.properties AS properties"
        with (
            self.forward("gather-backing-neo4j", 7687) as port,
            neo4j.GraphDatabase.driver(f"bolt://127.0.0.1:{port}", auth=None) as driver,
        ):
            records = driver.execute_query(query, project=project_id).records
        nodes = {r["id"]: json.loads(r["properties"] or "{}") for r in records}
        return {i for i, properties in nodes.items() if bool(properties.get("isAutomated")) is automated}

    def scale(self, deployment: str, replicas: int) -> None:
        """Scale a Deployment."""
        self.kubectl("scale", f"deployment/{deployment}", f"--replicas={replicas}")

    def wait_ready(self, deployment: str, timeout_s: int = 180) -> None:
        """Wait until a Deployment has all its replicas ready."""
        command = [
            *self.kubectl_command,
            "-n",
            self.namespace,
            "rollout",
            "status",
            f"deployment/{deployment}",
        ]
        subprocess.run(
            [*command, f"--timeout={timeout_s}s"], check=True, capture_output=True, timeout=timeout_s + 30
        )

    def slow_down_model(self, delay_s: float) -> None:
        """Let the demo model wait so long before each answer."""
        with self.forward("gather-backing-demo-llm", 8080) as port:
            url = f"http://127.0.0.1:{port}/demo/behaviour"
            httpx.post(url, json={"delay_s": delay_s}, timeout=10).raise_for_status()

    def kill_pods(self, selector: str) -> None:
        """Delete pods without grace, as a crash would."""
        self.kubectl("delete", "pods", "-l", selector, "--grace-period=0", "--force", "--wait=false")

    @contextmanager
    def recorded_events(self, project_id: str) -> Iterator[list[Any]]:
        """Yield a list that fills with the events of a project's channel while the block lasts."""
        with self.forward("gather-backing-redis", 6379) as port, redis.Redis(port=port) as client:
            recorder = _Recorder(client, names.channel(project_id))
            try:
                yield recorder.events
            finally:
                recorder.stop()


@dataclass
class _Recorder:
    """Reads a channel on a thread of its own."""

    client: redis.Redis
    channel: str
    events: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stopped = threading.Event()
        self._subscription = self.client.pubsub()  # type: ignore[no-untyped-call] # redis leaves it untyped
        self._subscription.subscribe(self.channel)
        self._subscription.get_message(timeout=10)  # the confirmation: from here on nothing is missed
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while not self._stopped.is_set():
            message = self._subscription.get_message(timeout=0.2)
            if message and message["type"] == "message":
                self.events.append(decode_event(message["data"]))

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(timeout=5)
        self._subscription.close()


@contextmanager
def run_of(gather: DeployedGather, name: str, project_id: str, **spec: Any) -> Iterator[GatherRun]:
    """Yield a new run and delete it at the block's end, whatever happened."""
    run = gather.apply_run(name, project_id, **spec)
    try:
        yield run
    finally:
        gather.delete_run(name)
        gather.wait_gone(name, 60)


def total_items(run: GatherRun) -> int:
    """Return the sum of the departments' items, which the run's total must equal."""
    return sum(d.items_created for d in run.status.departments)


def is_iterating(run: GatherRun) -> bool:
    """Return whether the first department is at work and has saved something."""
    return run.status.departments[:1] != [] and run.status.departments[0].iterations >= 1


def is_succeeded(run: GatherRun) -> bool:
    """Return whether the run ended well."""
    return run.status.phase is RunPhase.SUCCEEDED


def progressing(run: GatherRun) -> Condition | None:
    """Return the condition that says what the run waits for."""
    return next((c for c in run.status.conditions if c.type == "Progressing"), None)


def wait_reason(gather: DeployedGather, name: str, reason: str, words: str = "") -> Condition:
    """Return the condition once it has that reason, and those words."""

    def says_so(run: GatherRun) -> bool:
        said = progressing(run)
        return said is not None and said.reason == reason and words in said.message

    run = gather.wait_run(name, f"to say {reason}: {words}", says_so, SAID_S)
    said = progressing(run)
    assert said is not None
    assert (run.status.phase, run.status.reason, said.status) == (RunPhase.RUNNING, reason, "False")
    department = run.status.departments[0]
    assert (department.phase, department.reason) == (DepartmentPhase.RUNNING, reason)
    assert words in department.message
    return said
