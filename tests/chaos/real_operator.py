"""Runs as GatherRuns at an API server, carried out by the operator's own process."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from dev.progress import Reporter
from dev.service_process import HOST, ServiceProcess, free_port, http_answers, script
from dev.waiting import wait_for
from gather_contracts import names
from gather_contracts.reasons import RunPhase
from gather_contracts.resource import GatherRun, parse_run
from tests.chaos.played_operator import DepartmentPlayed, PlayedOperator, RunPlayed, Shape
from tests.chaos.pod_processes import PodProcesses
from tests.chaos.world import BRAIN, CMS, OPERATOR, World
from tests.support.kubernetes.control_plane import ControlPlane, control_plane, kubeconfig
from tests.support.kubernetes.plain_api import CORE, JOBS, RUNS, in_namespace
from tests.support.workers.process_forks import ProcessForks

NAMESPACE: Final = "gather"
KEPT_S: Final = 120
"""An ended run's resource is deleted after so long; its data stay."""
RUN_TIMEOUT_S: Final = 3600
POLL_S: Final = 1.0
KINDS: Final = ((CORE, "pods"), (CORE, "configmaps"), (JOBS, "jobs"), (RUNS, names.PLURAL))


class RealOperator(PlayedOperator):
    """Makes the resources and waits for their ends; the rest is the operator's and `pods`'."""

    def __init__(
        self, world: World, forks: ProcessForks, seed: int, plane: ControlPlane, pods: PodProcesses
    ) -> None:
        super().__init__(world, forks, Shape(), seed)
        self._plane, self._played_pods = plane, pods

    def play(self, run: GatherRun) -> RunPlayed:
        """Have one run carried out."""
        body = {
            "apiVersion": f"{names.GROUP}/{names.VERSION}",
            "kind": names.KIND,
            "metadata": {"name": run.metadata.name},
            "spec": run.spec.model_dump(mode="json", by_alias=True, exclude_none=True),
        }
        made = parse_run(self._plane.call("POST", in_namespace(RUNS, NAMESPACE, names.PLURAL), body))
        played = RunPlayed(made, time.monotonic())
        with self._lock:
            self.runs.append(played)
        status = wait_for(
            f"{made.metadata.name} to end",
            lambda: self._last_status(made.metadata.name),
            RUN_TIMEOUT_S,
            POLL_S,
        )
        played.departments = [
            DepartmentPlayed(
                d["slug"], 0, self._played_pods.tries(played.uid, d["slug"]), d.get("reason", "")
            )
            for d in status["departments"]
        ]
        played.phase = RunPhase(status["phase"])
        played.reason = "; ".join(f"{d.slug}: {d.reason}" for d in played.departments)
        played.ended_at = time.monotonic()
        return played

    def _last_status(self, name: str) -> dict[str, Any] | None:
        """Return the status of a run of which nothing is left to do."""
        found = self._plane.call("GET", in_namespace(RUNS, NAMESPACE, names.PLURAL, name))
        has_ended = names.LABEL_ENDED in found["metadata"].get("labels", {})
        return dict(found["status"]) if has_ended else None

    def objects(self) -> int:
        """Return how many runs, Jobs, pods and ConfigMaps there are."""
        paths = [in_namespace(base, NAMESPACE, plural) for base, plural in KINDS]
        return sum(len(self._plane.call("GET", path)["items"]) for path in paths)


@contextmanager
def real_operator(world: World, forks: ProcessForks, seed: int) -> Iterator[RealOperator]:
    """Run a control plane and the operator while the block lasts; it is among the world's services then."""
    folder = world.folder / OPERATOR
    folder.mkdir()
    with control_plane(folder, Reporter(), (OPERATOR,)) as plane:
        plane.call("POST", f"{CORE}/namespaces", {"metadata": {"name": NAMESPACE}})
        port = free_port()
        environment = {
            "KUBECONFIG": str(kubeconfig(folder, OPERATOR)),
            "GATHER_NAMESPACE": NAMESPACE,
            "GATHER_WORKER_IMAGE": "worker",
            "GATHER_SECRETS_DIR": str(world.secrets),
            "GATHER_BRAIN_URL": world.uri(BRAIN),
            "GATHER_OPERATOR_PORT": str(port),
            "GATHER_IDENTITY": OPERATOR,  # started again it takes its own Lease, as a pod's container does
            "GATHER_TTL_SECONDS_AFTER_FINISHED": str(KEPT_S),
            "NEXT_PUBLIC_APP_URL": world.uri(CMS),
        }
        uri = f"http://{HOST}:{port}"
        service = ServiceProcess(
            "Operator", uri, folder, [script("gather-operator")], http_answers, environment
        )
        with service.running(), PodProcesses(world, forks, plane, NAMESPACE) as pods:
            world.services[OPERATOR] = service
            made = RealOperator(world, forks, seed, plane, pods)
            made.errors = pods.errors
            yield made
