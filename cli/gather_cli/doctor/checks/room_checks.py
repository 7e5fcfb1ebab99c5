"""The rooms: Secrets and their keys, Deployments and their pods, the operator's Lease; pure."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from gather_cli.doctor.checks.capacity_checks import worker_setting
from gather_cli.doctor.cluster_facts import Facts, is_well
from gather_cli.doctor.diagnosis import Finding, fail, ok, skip, warn
from gather_cli.doctor.installed_release import (
    COMPONENT,
    INSTANCE,
    container,
    environment,
    secret_of,
    section_of,
)
from gather_cli.views.amounts import duration, seconds_between
from gather_cli.views.terminal import plain
from gather_contracts import names

KEYS: Final = {
    "operator": ("REDIS_URL",),
    "worker": ("MONGODB_URI", "REDIS_URL", "BRAIN_SERVICE_API_KEY", "OPENROUTER_API_KEY"),
    "brain": ("keys.json",),
    "bridge": ("REDIS_URL", "GATHER_WEBHOOK_SECRET"),
    "celery-door": ("REDIS_URL",),
    "http-door": ("REDIS_URL", "keys.json"),
}
"""What a room's Secret cannot be without; `needed_keys` adds what depends on values of the chart."""
LEASE_AGES: Final = 4
"""So many times a Lease's duration without a renewal, and nobody acts."""
SHOWN: Final = 300
WAITS: Final = {
    "ImagePullBackOff": "its image cannot be pulled",
    "ErrImagePull": "its image cannot be pulled",
    "InvalidImageName": "its image's name is malformed",
    "ErrImageNeverPull": "its image is not on the node",
    "CreateContainerConfigError": "its environment cannot be made up",
    "CrashLoopBackOff": "it ends again and again",
    "RunContainerError": "it cannot be started",
}
IMAGE_FIX: Final = (
    "correct {room}.image.repository and tag, push the image, or set imagePullSecrets "
    "(kubectl describe pod says which)"
)
SETTING: Final = re.compile(
    r"^(?:gather-\S+: )?([A-Z][A-Z0-9_]{3,})(?: \(file ([^)]*)\))?(?:\[\d+\])?: (.+)$"
)
EXIT_SETTINGS: Final = 64


def check_secrets(facts: Facts) -> Iterator[Finding]:
    """Whether the Secrets are there, with the keys that rooms read."""
    release = facts.release
    if release is None:
        return
    wanted = [(room, secret_of(deployment)) for room, deployment in release.rooms.items()]
    wanted.append(("worker", release.operator_env.get("GATHER_WORKER_SECRET", "")))
    good = []
    for room, name in wanted:
        if not name or name not in facts.secrets:
            continue
        keys, needed = facts.secrets[name], needed_keys(facts, room)
        if keys is None:
            more = f" with the keys {', '.join(sorted(needed))}" if needed else ""
            yield fail(
                f"Secret {name}",
                f"it does not exist, and the {room} cannot start without it",
                f"make it{more}, or correct {section_of(room)}.existingSecret; "
                "docs/charts.md lists what each holds",
            )
        elif missing := sorted(needed - keys):
            yield fail(
                f"Secret {name}",
                f"it lacks the key {', '.join(missing)}, which the {room} reads",
                f"kubectl -n {facts.namespace} patch secret {name} with stringData, then restart "
                f"the {room}'s pods",
            )
        else:
            good.append(name)
    if good:
        yield ok("Secrets", f"{', '.join(dict.fromkeys(good))} hold the keys that are needed")


def needed_keys(facts: Facts, room: str) -> set[str]:
    """Return the keys that a room cannot be without."""
    release = facts.release
    env = environment(release.rooms[room]) if release and room in release.rooms else {}
    needed = set(KEYS.get(section_of(room), ()))
    if (
        section_of(room) in {"operator", "bridge"}
        and release
        and release.operator_env.get("GATHER_OUTBOX") == "true"
    ):
        needed.add("MONGODB_URI")
    if room == "brain" and env.get("NEO4J_USER"):
        needed.add("NEO4J_PASSWORD")
    if room == "bridge" and env.get("GATHER_BRIDGE_ALLOW_ANONYMOUS") != "true":
        needed.add("tokens.json")
    return needed - _given(facts, room)


def _given(facts: Facts, room: str) -> set[str]:
    """Return the variables of a room's container, which go before keys of the same name (`extraEnv`)."""
    if room == "worker":
        return {
            variable["name"]
            for variable in worker_setting(facts, "GATHER_WORKER_POD", {}).get("extraEnv", [])
        }
    deployment = facts.release.rooms.get(room) if facts.release else None
    return {variable["name"] for variable in container(deployment).get("env", [])} if deployment else set()


def check_parts(facts: Facts) -> Iterator[Finding]:
    """Whether what workers are made of is there."""
    release = facts.release
    if release is None or "operator" not in release.rooms:
        return
    env = release.operator_env
    for kind, there, name in (
        ("ConfigMap", facts.config_map, env.get("GATHER_WORKER_CONFIG_MAP", "")),
        ("ServiceAccount", facts.service_account, env.get("GATHER_WORKER_SERVICE_ACCOUNT", "")),
    ):
        if there is False:
            yield fail(
                f"{kind} {name}",
                "it does not exist, and no worker's pod can be made without it",
                "helm upgrade the release, which makes it again",
            )


def check_rooms(facts: Facts) -> Iterator[Finding]:
    """Whether each Deployment has a pod that is ready, and if not, why."""
    release = facts.release
    if release is None:
        return
    for room, deployment in release.rooms.items():
        name, status = room.capitalize(), deployment.get("status") or {}
        wanted = deployment["spec"].get("replicas", 1)
        ready = int(status.get("readyReplicas") or 0)
        if wanted == 0:
            yield _unready(
                room,
                "its Deployment is scaled to 0",
                f"kubectl -n {facts.namespace} scale "
                "deployment "
                f"{deployment['metadata']['name']} --replicas=1",
            )
        elif ready >= wanted:
            yield ok(name, f"{ready} of {wanted} pods ready")
        else:
            causes = list(_causes(facts, room, deployment))
            yield from causes or [
                _unready(
                    room,
                    f"{ready} of {wanted} pods are ready",
                    f"kubectl -n {facts.namespace} describe deployment {deployment['metadata']['name']}",
                    has_ready=ready > 0,
                )
            ]
    if "bridge" not in release.rooms:
        yield skip("Bridge", "this release has none: no WebSocket, no webhooks")


def _unready(room: str, text: str, fix: str, *, has_ready: bool = False) -> Finding:
    """Return it as wrong where no run works without the room."""
    told = f"the {room}: {text}"
    if section_of(room) == "operator" and not has_ready:
        return fail("Operator", f"{told}; nothing happens to runs", fix)
    if room == "brain" and not has_ready:
        return fail("Brain", f"{told}; notes are saved but not indexed, no coverage", fix)
    return warn(room.capitalize(), told, fix)


def _causes(facts: Facts, room: str, deployment: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield why pods of a Deployment are not ready: each cause once."""
    labels = deployment["metadata"].get("labels") or {}
    pods = [
        pod
        for pod in facts.pods
        if (own := pod["metadata"].get("labels") or {}).get(COMPONENT) == room
        and own.get(INSTANCE) == labels.get(INSTANCE)
        and not is_well(pod)
    ]
    told: dict[Finding, None] = {}
    for pod in pods:
        told[_cause_of_pod(facts, room, deployment, pod)] = None
    if not pods:
        prefix = deployment["metadata"]["name"]
        events = [
            e for e in facts.warnings if str(e.get("involvedObject", {}).get("name", "")).startswith(prefix)
        ]
        refused = [e for e in events if e.get("reason") == "FailedCreate"]
        for event in refused[-1:]:
            told[
                _unready(
                    room,
                    f"its pod is refused: {plain(event.get('message', ''))[:SHOWN]}",
                    refusal_fix(str(event.get("message"))),
                )
            ] = None
    yield from told


def refusal_fix(message: str) -> str:
    """Return what helps against what refuses a pod."""
    if "exceeded quota" in message or "must specify" in message:
        return "raise the ResourceQuota that it names, or lower the requests of the chart's values"
    if "failed calling webhook" in message:
        return (
            "start the admission webhook that it names, or delete its configuration if it is no longer used"
        )
    if "PodSecurity" in message:
        return "our pods are of the profile restricted; see what values or webhooks change in them"
    if "service account" in message:
        return "helm upgrade the release, which makes the ServiceAccount again"
    return "correct what it names; the Deployment tries again by itself"


def _cause_of_pod(facts: Facts, room: str, deployment: Mapping[str, Any], pod: Mapping[str, Any]) -> Finding:
    name, status = pod["metadata"]["name"], pod.get("status", {})
    for each in status.get("containerStatuses") or ():
        waiting = (each.get("state") or {}).get("waiting") or {}
        ended = (
            (each.get("lastState") or {}).get("terminated")
            or (each.get("state") or {}).get("terminated")
            or {}
        )
        reason = str(waiting.get("reason", ""))
        if "Image" in reason or reason == "ErrImagePull":
            image = each.get("image") or container(deployment).get("image")
            return _unready(
                room,
                f"{WAITS.get(reason, reason)}: {image}: {plain(waiting.get('message', ''))[:SHOWN]}",
                IMAGE_FIX.format(room=section_of(room)),
            )
        if ended:
            return _cause_of_end(facts, room, deployment, name, ended)
        if reason and reason not in {"ContainerCreating", "PodInitializing"}:
            return _unready(
                room,
                f"{WAITS.get(reason, reason)}: {plain(waiting.get('message', ''))[:SHOWN]}",
                f"kubectl -n {facts.namespace} describe pod {name}",
            )
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return _unready(
                room,
                f"no node takes its pod: {plain(condition.get('message', ''))[:SHOWN]}",
                f"add nodes, or change {section_of(room)}.nodeSelector, tolerations or resources",
            )
    if event := _last_event(facts, name, ("FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox")):
        return _unready(
            room,
            f"its pod cannot be prepared: {plain(event)[:SHOWN]}",
            f"make what it names; {section_of(room)}.existingSecret of the chart names the Secret",
        )
    return _cause_of_silence(facts, room, deployment, name)


def _last_event(facts: Facts, pod: str, reasons: tuple[str, ...]) -> str:
    found = [
        str(event.get("message", ""))
        for event in facts.warnings
        if event.get("involvedObject", {}).get("name") == pod and event.get("reason") in reasons
    ]
    return found[-1] if found else ""


def _cause_of_end(
    facts: Facts, room: str, deployment: Mapping[str, Any], pod: str, ended: Mapping[str, Any]
) -> Finding:
    """Return why a container ended: what its last lines say of a setting, else its last error."""
    text = f"{ended.get('message') or ''}\n{facts.logs.get(pod, '')}"
    code, secret = ended.get("exitCode"), secret_of(deployment)
    wrong = list(dict.fromkeys(match for line in text.splitlines() if (match := SETTING.match(line.strip()))))
    for match in wrong[:1]:
        variable, file, why = match.groups()
        where = (
            f"key {file.rsplit('/', 1)[-1]} of Secret {secret}"
            if file
            else f"variable {variable} ({section_of(room)}.env of the chart)"
        )
        return _unready(
            room,
            f"it ends with exit code {code}: {variable}: {plain(why)[:SHOWN]}",
            f"correct {where}, then kubectl -n {facts.namespace} rollout restart deployment "
            f"{deployment['metadata']['name']}",
        )
    if ended.get("reason") == "OOMKilled":
        return _unready(
            room,
            "it uses more memory than its limit (OOMKilled)",
            f"raise {section_of(room)}.resources.limits.memory",
        )
    said = last_error(text)
    return _unready(
        room,
        f"it ends with exit code {code}" + (f": {said}" if said else ""),
        f"kubectl -n {facts.namespace} logs {pod} --previous",
    )


def _cause_of_silence(facts: Facts, room: str, deployment: Mapping[str, Any], pod: str) -> Finding:
    """Return why a pod that runs is not ready: from what it logs."""
    said, env = last_error(facts.logs.get(pod, "")), environment(deployment)
    if room == "brain" and "neo4j" in said.lower():
        return _unready(
            room,
            f"it waits for Neo4j at {env.get('NEO4J_URI', '')}: {said}",
            "see that Neo4j runs and is reached from the namespace; correct brain.neo4jUri, "
            "brain.neo4jUser and NEO4J_PASSWORD",
        )
    if "redis" in said.lower():
        return _unready(
            room,
            f"it does not reach Redis: {said}",
            "see that Redis runs and is reached from the namespace; correct REDIS_URL in "
            f"Secret {secret_of(deployment)}",
        )
    return _unready(
        room,
        "its pod runs and is not ready" + (f": {said}" if said else ""),
        f"kubectl -n {facts.namespace} logs {pod}; kubectl describe pod {pod}",
    )


def last_error(log: str) -> str:
    """Return the last line that says something is wrong, else the last line at all."""
    lines = [line for line in log.splitlines() if line.strip()]
    for line in reversed(lines):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and (
            found.get("level") in {"WARNING", "ERROR", "CRITICAL"} or "waiting" in str(found.get("message"))
        ):
            more = found.get("error") or found.get("reason") or ""
            trace = str(found.get("exc_info") or "").strip().splitlines()
            parts = [str(found.get("message", "")), str(more), trace[-1] if trace else ""]
            return plain(": ".join(filter(None, parts)))[:SHOWN]
    return plain(lines[-1])[:SHOWN] if lines else ""


def check_lease(facts: Facts) -> Iterator[Finding]:
    """Whether a replica of each shard of the operator acts."""
    release = facts.release
    if release is None or "operator" not in release.rooms or "Leases" in facts.refused:
        return
    shards = len(facts.leases)
    for index, (name, lease) in enumerate(facts.leases.items()):
        room = names.shard_name("operator", index)
        whose = f" of shard {index}" if shards > 1 else ""
        if room not in release.rooms:
            yield fail(
                "Lease",
                f"there is no Deployment{whose} of {shards}: its runs stand still",
                "helm upgrade the release",
            )
            continue
        logs = f"kubectl -n {facts.namespace} logs deployment/{release.rooms[room]['metadata']['name']}"
        yield _lease_finding(name, lease, whose, logs, facts.now)


def _lease_finding(
    name: str, lease: Mapping[str, Any] | None, whose: str, logs: str, now: datetime
) -> Finding:
    if lease is None:
        return fail(
            "Lease",
            f"there is no Lease {name}: no replica of the operator{whose} has ever acted here",
            f"see why it does not start: {logs}",
        )
    spec = lease.get("spec") or {}
    age = seconds_between(spec.get("renewTime"), None, now)
    limit = LEASE_AGES * int(spec.get("leaseDurationSeconds") or 9)
    if age is None or age > limit or not spec.get("holderIdentity"):
        since = f"was last renewed {duration(age)} ago" if age is not None else "was never renewed"
        return fail(
            "Lease",
            f"the Lease {name} {since}: no replica of the operator{whose} acts",
            f"see what it does: {logs}",
        )
    return ok("Lease", f"{spec['holderIdentity']} acts, renewed {duration(age)} ago")
