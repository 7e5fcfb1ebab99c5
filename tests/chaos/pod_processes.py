"""Runs the pods of one namespace as worker processes, and says of them what a scheduler and a kubelet say."""

import json
import os
import signal
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

import httpx

from dev.paths import ROOT
from gather_contracts import names
from gather_contracts.result import decode_result
from gather_operator.decisions.manifests import GRACE_PERIOD_S
from tests.chaos.played_operator import Try
from tests.chaos.world import World
from tests.support.kubernetes.control_plane import ControlPlane
from tests.support.kubernetes.plain_api import CORE, in_namespace
from tests.support.workers.process_forks import ForkedProcess, ProcessForks

Json = dict[str, Any]
LOOK_S: Final = 0.5
NODE: Final = "processes"


@dataclass
class PodProcess:
    """One pod and its worker."""

    name: str
    run_uid: str
    department: str
    folder: Path
    process: ForkedProcess
    ends_at: float
    """Its active deadline, on the monotonic clock."""
    began: str
    began_at: float = field(default_factory=time.monotonic)
    is_asked_to_end: bool = False
    is_deleted: bool = False
    is_over: bool = False


class PodProcesses:
    """Looks at the namespace's pods again and again, on a thread of its own, while the block lasts."""

    def __init__(self, world: World, forks: ProcessForks, plane: ControlPlane, namespace: str) -> None:
        self._world, self._forks, self._plane, self._namespace = world, forks, plane, namespace
        self._pods: dict[str, PodProcess] = {}
        self._tries: dict[tuple[str, str], list[Try]] = defaultdict(list)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.errors: list[BaseException] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        for pod in self._pods.values():
            pod.process.kill()

    def tries(self, run_uid: str, department: str) -> list[Try]:
        """Return a department's attempts that have ended, in their order."""
        return list(self._tries[run_uid, department])

    def _run(self) -> None:
        while not self._is_over.wait(LOOK_S):
            try:
                self._look()
            except Exception as error:  # noqa: BLE001 - said at the end
                self.errors.append(error)
                return

    def _look(self) -> None:
        found = {pod["metadata"]["uid"]: pod for pod in self._plane.call("GET", self._path())["items"]}
        for uid, pod in found.items():
            if uid not in self._pods and not pod["metadata"].get("deletionTimestamp"):
                self._pods[uid] = self._begun(pod)
        for uid, known in self._pods.items():
            pod = found.get(uid, {})
            known.is_deleted = not pod or bool(pod["metadata"].get("deletionTimestamp"))
            if not known.is_over:
                self._follow(known)

    def _begun(self, pod: Json) -> PodProcess:
        """Bind the pod and start its container's command."""
        name, labels, spec = pod["metadata"]["name"], pod["metadata"]["labels"], pod["spec"]
        target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
        self._call("POST", f"{self._path(name)}/binding", binding)
        folder = self._world.folder / "pods" / name
        folder.mkdir(parents=True, exist_ok=True)
        (config_map,) = (v["configMap"]["name"] for v in spec["volumes"] if "configMap" in v)
        document = self._plane.call("GET", in_namespace(CORE, self._namespace, "configmaps", config_map))
        run_file, ending = folder / names.RUN_DOCUMENT_FILE, folder / "termination-log"
        run_file.write_text(document["data"][names.RUN_DOCUMENT_FILE], encoding="utf-8")
        ending.touch()
        arguments = [
            str(run_file) if argument.endswith(f"/{names.RUN_DOCUMENT_FILE}") else argument
            for argument in spec["containers"][0]["args"]
        ]
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "PYDANTIC_DISABLE_PLUGINS": "__all__",  # as the image has it
            "GATHER_TERMINATION_LOG": str(ending),
            "GATHER_LLM_EXTRA_BODY": json.dumps({"user": labels[names.LABEL_RUN_UID]}),
            "POD_NAME": name,
            **self._world.environment(),
        }
        process = self._forks.start(arguments, environment, folder / "log", folder / "log", ROOT)
        began, ends_at = _now(), time.monotonic() + spec["activeDeadlineSeconds"]
        self._show(name, "Running", {"running": {"startedAt": began}})
        run_uid, department = labels[names.LABEL_RUN_UID], labels[names.LABEL_DEPARTMENT]
        return PodProcess(name, run_uid, department, folder, process, ends_at, began)

    def _follow(self, pod: PodProcess) -> None:
        """End it where it is due, and say how it ended once it has."""
        now = time.monotonic()
        if pod.process.poll() is None:
            if (pod.is_deleted or now > pod.ends_at) and not pod.is_asked_to_end:
                pod.is_asked_to_end, pod.ends_at = True, now
                pod.process.send_signal(signal.SIGTERM)
            if pod.is_asked_to_end and now > pod.ends_at + GRACE_PERIOD_S:
                pod.process.kill()
            return
        pod.is_over = True
        code, said = pod.process.wait(), (pod.folder / "termination-log").read_text(encoding="utf-8")
        result = decode_result(said)
        self._tries[pod.run_uid, pod.department].append(
            Try(pod.began_at, time.monotonic(), code, result, pod.folder / "log")
        )
        ended = {
            "exitCode": code if code >= 0 else 128 - code,
            "reason": "Error" if code else "Completed",
            "message": said,
            "startedAt": pod.began,
            "finishedAt": _now(),
        }
        self._show(pod.name, "Failed" if code else "Succeeded", {"terminated": ended})
        if pod.is_deleted:
            self._call("DELETE", self._path(pod.name), {"gracePeriodSeconds": 0})

    def _show(self, name: str, phase: str, state: Json) -> None:
        is_running = phase == "Running"
        container = {
            "name": "worker", "image": "worker", "imageID": "worker", "ready": is_running,
            "started": is_running, "restartCount": 0, "state": state,
        }  # fmt: skip
        status = {"phase": phase, "startTime": _now(), "containerStatuses": [container]}
        self._call("PATCH", f"{self._path(name)}/status", {"status": status})

    def _call(self, method: str, path: str, body: Json) -> None:
        """Do something to a pod, which may be gone by now, or to which it is done."""
        try:
            self._plane.call(method, path, body)
        except httpx.HTTPStatusError as error:
            if error.response.status_code not in {httpx.codes.NOT_FOUND, httpx.codes.CONFLICT}:
                raise

    def _path(self, name: str = "") -> str:
        return in_namespace(CORE, self._namespace, "pods", name)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
