"""`gather-worker check` in the cluster, by a Job of the workers' kind that is gone afterwards."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from gather_cli.cluster.api_server import ApiServer
from gather_cli.cluster.runs import fresh_name
from gather_cli.doctor.diagnosis import Finding, fail
from gather_cli.doctor.installed_release import Release, secret_of
from gather_cli.doctor.worker_report import findings_in
from gather_cli.errors import CliError, Forbidden, NotFound
from gather_cli.views.terminal import plain

LOOK_S: Final = 1.0
TTL_S: Final = 300
"""It goes by itself if this process is killed."""
CHECK_S: Final = 150
COMPONENT: Final = "doctor"
SECRETS: Final = "/etc/gather/secrets"
CMS: Final = ("NEXT_PUBLIC_APP_URL", "GATHER_CMS_AUTHORIZATION", "GATHER_CMS_LIMIT", "GATHER_CMS_PAGING")
RESTRICTED: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
AWAIT_POLICIES: Final = """
import os, socket, time, urllib.parse

brain = urllib.parse.urlsplit(os.environ["BRAIN_SERVICE_BASE_URL"])
end = time.monotonic() + 30
while time.monotonic() < end:
    try:
        socket.create_connection((brain.hostname, brain.port or 80), timeout=2).close()
        break
    except OSError:
        time.sleep(0.2)
"""
"""Ends when the brain takes its connection, or after 30 s: a network plugin needs a moment until policies
know a new pod, and the check asks once."""
Object = dict[str, Any]


def build_probe(release: Release, namespace: str, name: str, project: str | None) -> Object:
    """Return the Job: the pod of `helm test`, made of what the operator makes workers of."""
    labels = {
        "app.kubernetes.io/name": "gather",
        "app.kubernetes.io/instance": release.name,
        "app.kubernetes.io/component": COMPONENT,
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "ttlSecondsAfterFinished": TTL_S,
            "activeDeadlineSeconds": CHECK_S + TTL_S,
            "template": {
                "metadata": {"labels": {**labels, "app.kubernetes.io/name": "gather-worker"}},
                "spec": _pod(release, project),
            },
        },
    }


def _pod(release: Release, project: str | None) -> Object:
    env, operator = release.operator_env, release.rooms["operator"]
    more = json.loads(env.get("GATHER_WORKER_POD") or "{}")
    cms_key = {"key": "PAYLOAD_API_KEY", "path": "PAYLOAD_API_KEY"}
    sources = [
        {"secret": {"name": env.get("GATHER_WORKER_SECRET", "")}},
        {"secret": {"name": secret_of(operator), "optional": True, "items": [cms_key]}},
    ]
    return {
        "restartPolicy": "Never",
        "serviceAccountName": env.get("GATHER_WORKER_SERVICE_ACCOUNT", "default"),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": operator["spec"]["template"]["spec"].get("securityContext") or {},
        "nodeSelector": json.loads(env.get("GATHER_WORKER_NODE_SELECTOR") or "{}"),
        "tolerations": json.loads(env.get("GATHER_WORKER_TOLERATIONS") or "[]"),
        **{part: more[part] for part in ("affinity", "priorityClassName") if part in more},
        "initContainers": [_await_policies(env)],
        "containers": [_container(env, project, more)],
        "volumes": [
            {"name": "secrets", "projected": {"defaultMode": 0o440, "sources": sources}},
            *more.get("extraVolumes", []),
        ],
    }


def _await_policies(env: Mapping[str, str]) -> Object:
    return {
        "name": "await-policies",
        "image": env.get("GATHER_WORKER_IMAGE", ""),
        "imagePullPolicy": env.get("GATHER_WORKER_IMAGE_PULL_POLICY", "IfNotPresent"),
        "command": ["python3", "-c", AWAIT_POLICIES],
        "securityContext": RESTRICTED,
        "envFrom": [{"configMapRef": {"name": env.get("GATHER_WORKER_CONFIG_MAP", "")}}],
        "resources": json.loads(env.get("GATHER_WORKER_RESOURCES") or "{}"),
    }


def _container(env: Mapping[str, str], project: str | None, more: Object) -> Object:
    options = {"project": project, "model": env.get("GATHER_DEFAULT_MODEL")}
    return {
        "name": "check",
        "image": env.get("GATHER_WORKER_IMAGE", ""),
        "imagePullPolicy": env.get("GATHER_WORKER_IMAGE_PULL_POLICY", "IfNotPresent"),
        "args": ["check", *(f"--{option}={value}" for option, value in options.items() if value)],
        "securityContext": RESTRICTED,
        "envFrom": [{"configMapRef": {"name": env.get("GATHER_WORKER_CONFIG_MAP", "")}}],
        "env": [
            {"name": "GATHER_SECRETS_DIR", "value": SECRETS},
            *({"name": variable, "value": env[variable]} for variable in CMS if variable in env),
            *more.get("extraEnv", []),
        ],
        "resources": json.loads(env.get("GATHER_WORKER_RESOURCES") or "{}"),
        "volumeMounts": [
            {"name": "secrets", "mountPath": SECRETS, "readOnly": True},
            *more.get("extraVolumeMounts", []),
        ],
    }


def probe(
    server: ApiServer, release: Release, namespace: str, project: str | None, patience_s: float
) -> list[Finding]:
    """Return what a worker's own check finds; waits at most so long, and takes the Job away again."""
    if "operator" not in release.rooms:
        return []
    job = build_probe(release, namespace, fresh_name(f"{release.name}-doctor"), project)
    try:
        with _made(server, job, namespace) as name:
            return _outcome(server, namespace, name, patience_s)
    except Forbidden as error:
        return [
            fail(
                "Probe",
                str(error),
                "ask for the right to create and delete Jobs, and to get pods/log; or helm test",
            )
        ]
    except CliError as error:
        return [
            fail(
                "Probe",
                f"the Job could not be made: {error}",
                "correct what refuses it: workers' Jobs are made in the same way",
            )
        ]


@contextmanager
def _made(server: ApiServer, job: Object, namespace: str) -> Iterator[str]:
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    name = server.call("POST", path, None, job)["metadata"]["name"]
    try:
        yield name
    finally:
        with suppress(CliError):
            server.call("DELETE", f"{path}/{name}", {"propagationPolicy": "Background"})


def _outcome(server: ApiServer, namespace: str, name: str, patience_s: float) -> list[Finding]:
    core, deadline_s = f"/api/v1/namespaces/{namespace}", time.monotonic() + patience_s
    last = "no pod was made"
    while time.monotonic() < deadline_s:
        pods = (
            server.get(f"{core}/pods", labelSelector=f"batch.kubernetes.io/job-name={name}").get("items")
            or []
        )
        for pod in pods:
            if pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}:
                text = server.text(f"{core}/pods/{pod['metadata']['name']}/log")
                return findings_in(text) or [_unreadable(text, namespace)]
            last = _waits_for(pod)
        if not pods:
            last = _refusal(server, core, name) or last
        time.sleep(LOOK_S)
    return [
        fail(
            "Probe",
            f"the check's pod did not end within {patience_s:g} s: {last}",
            "correct what it waits for: workers' pods wait for the same",
        )
    ]


def _unreadable(text: str, namespace: str) -> Finding:
    lines = [line for line in text.splitlines() if line.strip()]
    return fail("Probe", "the check said nothing that can be read: "
                         f"{plain(lines[-1])[:300] if lines else 'nothing'}",
                f"is worker.image the worker's, and of this version? kubectl -n {namespace} get "
                "deployment shows it")  # fmt: skip


def _waits_for(pod: Mapping[str, Any]) -> str:
    status = pod.get("status", {})
    for each in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        if waiting := (each.get("state") or {}).get("waiting"):
            return plain(f"{waiting.get('reason', '')}: {waiting.get('message', '')}")[:300]
    for condition in status.get("conditions") or ():
        if condition.get("status") == "False" and condition.get("message"):
            return plain(f"{condition.get('reason', '')}: {condition['message']}")[:300]
    return f"its pod is {status.get('phase', 'Pending')}"


def _refusal(server: ApiServer, core: str, name: str) -> str:
    try:
        found = (
            server.get(f"{core}/events", fieldSelector=f"involvedObject.name={name},type=Warning").get(
                "items"
            )
            or []
        )
    except (Forbidden, NotFound):
        return ""
    return plain(found[-1].get("message", ""))[:300] if found else ""
