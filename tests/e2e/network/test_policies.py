"""The charts' network policies, tried from everywhere to everywhere, and a run under them."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final

import pytest
from pymongo import MongoClient

from dev.cluster.node import tree
from dev.errors import WaitTimeoutError
from dev.waiting import wait_for
from gather_contracts import names
from tests.support.deployed_gather import DeployedGather, is_succeeded, new_project, run_of
from tests.support.network.policy_probes import (
    BLOCKED,
    Place,
    listening_on_the_node,
    manifest,
    matrix,
    probes,
)

STRANGERS: Final = "gather-e2e-strangers"
ROOMS: Final = ("operator", "brain", "bridge", "celery-door", "http-door", "release-runs", "test")
BACKING: Final = ("mongodb", "redis", "neo4j", "demo-cms", "demo-llm", "demo-seed")
SERVICES: Final = {
    "operator": ("gather-operator", 8080),
    "brain": ("gather-brain", 8080),
    "brain's metrics": ("gather-brain", 9090),
    "bridge": ("gather-bridge", 8080),
    "celery-door": ("gather-celery-door", 8080),
    "http-door": ("gather-http-door", 8080),
    "mongodb": ("gather-backing-mongodb", 27017),
    "redis": ("gather-backing-redis", 6379),
    "neo4j": ("gather-backing-neo4j", 7687),
    "cms": ("gather-backing-demo-cms", 8080),
    "model": ("gather-backing-demo-llm", 8080),
}
ON_THE_NODE: Final[dict[str, Place]] = {
    "metadata": ("169.254.169.254", 80),
    "public": ("93.184.215.14", 443),
    "private": ("192.168.250.1", 443),
}
"""Addresses that nothing has here: the node answers at them while the test lasts."""
NOT_OURS: Final = frozenset(("API", "kubelet", "stranger", "stranger's 6379", *ON_THE_NODE))
OPEN: Final[dict[str, frozenset[str]]] = {
    "operator": frozenset(("names", "API", "cms", "brain", "redis", "mongodb")),
    "worker": frozenset(("names", "model", "brain", "mongodb", "redis")),
    "brain": frozenset(("names", "neo4j", "redis")),
    "bridge": frozenset(("names", "redis", "mongodb", "http-door", "public")),
    "celery-door": frozenset(("names", "API", "redis")),
    "http-door": frozenset(("names", "API", "redis")),
    "release-runs": frozenset(("names", "API")),
    "test": frozenset(
        (
            "names",
            "operator",
            "brain",
            "bridge",
            "celery-door",
            "http-door",
            "cms",
            "model",
            "mongodb",
            "redis",
        )
    ),
    "demo-seed": frozenset(("names", "mongodb", "brain")),
    **dict.fromkeys(("mongodb", "redis", "neo4j", "demo-cms", "demo-llm"), frozenset[str]()),
    # Without a room's labels nothing holds a pod back but what the others let in: so all places do answer.
    "no room": NOT_OURS | {"names", *SERVICES},
    "stranger": NOT_OURS | {"names"},
}
"""What each pod may reach, and nothing else. A worker is reached by nobody."""
SETTLED_S: Final = 300
"""For policies to hold for new pods, which takes under a second, and to ask all of them on a busy machine."""


def labels_of(source: str) -> dict[str, str]:
    """The labels by which policies know a pod."""
    if source in ROOMS:
        return {
            "app.kubernetes.io/name": "gather",
            "app.kubernetes.io/instance": "gather",
            "app.kubernetes.io/component": source,
        }
    if source in BACKING:
        return {
            "app.kubernetes.io/name": "gather-backing", "app.kubernetes.io/instance": "gather-backing",
            "app.kubernetes.io/component": source,
        }  # fmt: skip
    return {"app.kubernetes.io/name": names.WORKER_NAME} if source == "worker" else {}


def pod_name(source: str) -> str:
    return source.replace(" ", "-")


def places_of(gather: DeployedGather) -> dict[str, Place]:
    """Everything that might be reached, by address, since not all may ask for names."""
    services = {s["metadata"]["name"]: s["spec"]["clusterIP"] for s in gather.objects("services")}
    found = {name: (services[service], port) for name, (service, port) in SERVICES.items()}
    (node,) = json.loads(gather.kubectl("get", "nodes", "-o", "json"))["items"]
    (address,) = (a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP")
    api = json.loads(gather.kubectl("get", "service", "kubernetes", "-n", "default", "-o", "json"))
    resolver = gather.kubectl("exec", "deployment/gather-brain", "--", "cat", "/etc/resolv.conf")
    (server,) = (line.split()[1] for line in resolver.splitlines() if line.startswith("nameserver"))
    return {
        **found,
        "API": (api["spec"]["clusterIP"], 443),
        "kubelet": (address, 10250),
        "names": (server, 53),
    }


@pytest.fixture(scope="module")
def strangers(gather: DeployedGather) -> Iterator[DeployedGather]:
    """Another namespace, which knows nothing of Gather."""
    other = DeployedGather(gather.kubectl_command, STRANGERS)
    yield other
    other.kubectl("delete", "namespace", STRANGERS, "--ignore-not-found", "--wait=false")


def test_pods_reach_what_they_need_and_nothing_else(
    gather: DeployedGather, strangers: DeployedGather
) -> None:
    """From every room, store and stranger to every other, API server, kubelet, metadata and the world."""
    shown = json.loads(gather.kubectl("get", "deployment", "gather-backing-demo-cms", "-o", "json"))
    image = shown["spec"]["template"]["spec"]["containers"][0]["image"]
    inside = {pod_name(s): manifest(pod_name(s), image, labels_of(s)) for s in OPEN if s != "stranger"}
    # A pod always reaches itself, so that there is another worker to be reached.
    inside["other-worker"] = manifest("other-worker", image, labels_of("worker"))
    outside = {"stranger": manifest("stranger", image, {}, (8080, 6379))}
    sources = {pod_name(s): strangers if s == "stranger" else gather for s in OPEN}
    expected = {pod_name(s): reachable for s, reachable in OPEN.items()}
    places = places_of(gather)
    with ExitStack() as stack:
        if tree.find():
            stack.enter_context(listening_on_the_node([*ON_THE_NODE.values()]))
            places |= ON_THE_NODE
        stranger = stack.enter_context(probes(strangers, outside))["stranger"]
        worker = stack.enter_context(probes(gather, inside))["other-worker"]
        places |= {
            "worker": (worker, 8080),
            "stranger": (stranger, 8080),
            "stranger's 6379": (stranger, 6379),
        }
        found: dict[str, dict[str, str]] = {}

        def is_as_expected() -> bool:
            found.update(matrix(sources, places))
            return not differing(found, expected)

        try:
            wait_for("the policies to hold", is_as_expected, SETTLED_S)
        except WaitTimeoutError:
            pytest.fail("\n".join(differing(found, expected)))
    print(table(found))


def differing(found: dict[str, dict[str, str]], expected: dict[str, frozenset[str]]) -> list[str]:
    """A sentence for each pair that is not as it should be."""
    return [
        f"{source} -> {place}: {met}, should be {'open' if place in expected[source] else 'blocked'}"
        for source, row in found.items()
        for place, met in row.items()
        if (met != "open" if place in expected[source] else met not in BLOCKED)
    ]


def table(found: dict[str, dict[str, str]]) -> str:
    """The matrix for people: o is open, a dot blocked."""
    places = [*next(iter(found.values()))]
    rows = [
        f"| {source} | {' | '.join('o' if row[p] == 'open' else '·' for p in places)} |"
        for source, row in found.items()
    ]
    return "\n".join([f"| from \\ to | {' | '.join(places)} |", f"| --- |{' --- |' * len(places)}", *rows])


def test_a_run_and_its_evaluation_succeed_under_them(gather: DeployedGather) -> None:
    """The department's notes are in MongoDB and in the brain, and its evaluation went to the broker."""
    project = new_project()
    policies = {p["metadata"]["name"]: p["spec"]["policyTypes"] for p in gather.objects("networkpolicies")}
    assert policies["gather-worker-egress"] == ["Egress"]
    with run_of(gather, "policed", project, departments=["story"]):
        run = gather.wait_end("policed", 300)
        assert is_succeeded(run), run.status
        assert (
            {item["_id"] for item in gather.items(project, run.metadata.uid)}
            == gather.node_ids(project)
            != set()
        )
        assert run.status.departments[0].reason == "ThresholdReached", run.status
        assert [c["evaluation"] for c in checkpoints(gather, project)] == ["sent"]


def checkpoints(gather: DeployedGather, project: str) -> list[dict[str, Any]]:
    """What the workers keep of a project's departments."""
    with (
        gather.forward("gather-backing-mongodb", 27017) as port,
        MongoClient[dict[str, Any]](f"mongodb://127.0.0.1:{port}/?directConnection=true") as client,
    ):
        return list(client[names.gather_database(project)][names.CHECKPOINTS_COLLECTION].find())
