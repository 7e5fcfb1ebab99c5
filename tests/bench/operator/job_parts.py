"""What each part of the operator's Jobs costs the cluster: the floor's Jobs, ours, and ours without one part.

Counted is processor time of the control plane's programs and requests at the API server, both of a Job.
"""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dev.progress import Reporter
from tests.bench.measure import MS_PER_S
from tests.bench.operator.arms import NAMESPACE, TIMEOUT_S
from tests.bench.operator.control_plane import ControlPlane, control_plane
from tests.bench.operator.jobs import operator_job, small_job
from tests.bench.operator.plain_api import PlainApi

Job = dict[str, Any]
RUNS: Final = 80
"""Jobs of one variant at once."""
TURN: Final = 3
SETTLE_S: Final = 2.0
"""After the last pod's end its Job still completes."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one Job costs."""

    cpu_ms: Mapping[str, float]
    requests: Mapping[str, float]


def without(*path: str) -> Callable[[Job], None]:
    """Return what takes that field out of a Job, wherever lists stand in the way out of their first item."""

    def take(job: Job) -> None:
        place: Any = job
        for name in path[:-1]:
            place = place[0] if isinstance(place, list) else place
            place = place.get(name, {})
        place = place[0] if isinstance(place, list) else place
        place.pop(path[-1], None)

    return take


POD: Final = ("spec", "template", "spec")
CONTAINER: Final = (*POD, "containers")


def _each(*changes: Callable[[Job], None]) -> Callable[[Job], None]:
    def change(job: Job) -> None:
        for one in changes:
            one(job)

    return change


def _few_labels(job: Job) -> None:
    kept = small_job(NAMESPACE, "run", 0)["metadata"]["labels"]
    for labels in (job["metadata"]["labels"], job["spec"]["template"]["metadata"]["labels"]):
        for name in [name for name in labels if name not in kept]:
            del labels[name]


VARIANTS: Final[Mapping[str, Callable[[Job], None]]] = {
    "ours": lambda _: None,
    "podFailurePolicy": _each(without("spec", "podFailurePolicy"), without("spec", "podReplacementPolicy")),
    "volumes and mounts": _each(without(*POD, "volumes"), without(*CONTAINER, "volumeMounts")),
    "settings (env, envFrom)": _each(without(*CONTAINER, "env"), without(*CONTAINER, "envFrom")),
    "security contexts": _each(without(*POD, "securityContext"), without(*CONTAINER, "securityContext")),
    "tolerations": without(*POD, "tolerations"),
    "command and arguments": _each(without(*CONTAINER, "command"), without(*CONTAINER, "args")),
    "labels but three": _few_labels,
    "deadline, grace, account": _each(
        without(*POD, "activeDeadlineSeconds"),
        without(*POD, "terminationGracePeriodSeconds"),
        without(*POD, "serviceAccountName"),
        without(*POD, "automountServiceAccountToken"),
        without(*POD, "enableServiceLinks"),
    ),
}


def measure_parts(rounds: int, reporter: Reporter) -> dict[str, Cost]:
    """Return what a Job costs by variant, each measured in `rounds` rounds in turn; the median is taken."""
    folder = Path(tempfile.mkdtemp(prefix="gather-bench-operator-"))
    try:
        with reporter.step("parts of a Job"), control_plane(folder, reporter) as plane:
            return asyncio.run(_measure(plane, rounds, reporter))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _measure(plane: ControlPlane, rounds: int, reporter: Reporter) -> dict[str, Cost]:
    found: dict[str, list[Cost]] = {}
    makers: dict[str, Callable[[str], Job]] = {"floor's": lambda name: small_job(NAMESPACE, name, 0)}
    for variant, change in VARIANTS.items():
        makers[variant] = _maker(change)
    async with PlainApi(plane.server, "admin") as api:
        await _play(api, "warm-up", makers["ours"])
        for number in range(rounds):
            # Each round begins elsewhere: what comes first pays for what the programs still have to learn.
            turned = [*makers.items()][number * TURN :] + [*makers.items()][: number * TURN]
            for place, (variant, make) in enumerate(turned):
                cost = await _cost(plane, api, f"r{number}-{place}", make)
                found.setdefault(variant, []).append(cost)
            reporter.say(f"  round {number + 1} of {rounds}")
    return {variant: _median(found[variant]) for variant in makers}


def _maker(change: Callable[[Job], None]) -> Callable[[str], Job]:
    def make(name: str) -> Job:
        job = deepcopy(operator_job(NAMESPACE, name, 0))
        change(job)
        return job

    return make


async def _cost(plane: ControlPlane, api: PlainApi, name: str, make: Callable[[str], Job]) -> Cost:
    before = plane.cpu_s()
    asked = await _requests(api)
    await _play(api, name, make)
    spent = {program: now_s - before[program] for program, now_s in plane.cpu_s().items()}
    requests = await _requests(api) - asked
    return Cost(
        {program: MS_PER_S * s / RUNS for program, s in spent.items()},
        {what: count / RUNS for what, count in requests.items() if count >= RUNS / 2},
    )


async def _play(api: PlainApi, name: str, make: Callable[[str], Job]) -> None:
    """Make a variant's Jobs and return once all their pods have succeeded."""
    jobs = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
    made = [make(f"{name}-{number}") for number in range(RUNS)]
    await asyncio.gather(*(api.call("POST", jobs, job) for job in made))
    left = {job["metadata"]["name"] for job in made}
    async with asyncio.timeout(TIMEOUT_S):
        async for event in api.watch(jobs):
            status = event["object"].get("status", {})
            if any(c["type"] == "Complete" for c in status.get("conditions", ())):
                left.discard(event["object"]["metadata"]["name"])
            if not left:
                break
    await asyncio.sleep(SETTLE_S)


async def _requests(api: PlainApi) -> Counter[str]:
    """Count the API server's requests by verb and resource, from its metrics."""
    found: Counter[str] = Counter()
    for line in (await api.text("GET", "/metrics")).splitlines():
        if not line.startswith("apiserver_request_total{"):
            continue
        labels = dict(pair.split("=", 1) for pair in line[line.index("{") + 1 : line.index("}")].split(","))
        kind = "/".join(filter(None, (labels["resource"].strip('"'), labels["subresource"].strip('"'))))
        found[f"{labels['verb'].strip(chr(34))} {kind}"] += int(float(line.rsplit(" ", 1)[1]))
    return found


def _median(costs: list[Cost]) -> Cost:
    middle = len(costs) // 2
    cpu = {p: sorted(c.cpu_ms[p] for c in costs)[middle] for p in costs[0].cpu_ms}
    kinds = {what for c in costs for what in c.requests}
    return Cost(cpu, {what: sorted(c.requests.get(what, 0) for c in costs)[middle] for what in kinds})
