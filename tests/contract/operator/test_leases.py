"""The Lease as it goes over the wire, the fence before each write, and what is read of the surroundings."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gather_clients.kube_api.api_calls import ApiCalls
from gather_clients.kube_api.cluster_errors import AlreadyExists, ClusterUnavailable, Conflict
from gather_operator.errors import NotLeading
from gather_operator.kube.cluster import Cluster
from gather_operator.kube.leases import SHOWN, Leases
from gather_operator.kube.surroundings import Surroundings
from gather_operator.replicas.lease_rules import LeaseRecord
from tests.support.kubernetes.scripted_kube_api import (
    ScriptedApi,
    hangs,
    reaching,
    refuses,
    says,
    scripted_api,
)

LEASE = {
    "metadata": {"resourceVersion": "7", "annotations": {SHOWN: "5"}},
    "spec": {"holderIdentity": "a", "leaseDurationSeconds": 9, "leaseTransitions": 2, "renewTime": "t"},
}


def calls_of(cluster: Cluster) -> ApiCalls:
    return cluster._calls


def body_of(api: ScriptedApi) -> dict[str, Any]:
    return dict(json.loads(api.asked[-1].body))


async def test_a_lease_is_read_and_written_over_that_very_version() -> None:
    """By a merge patch; a holder of nobody is null, since the API server refuses empty text."""
    async with scripted_api() as api, reaching(api) as cluster:
        api.plays(says(LEASE))
        leases = Leases(calls_of(cluster), "films", "gather-operator")
        record = await leases.read()
        assert record == LeaseRecord("a", 9, 2, renewed="t", shown="5", version="7")
        await leases.write(LeaseRecord("", 1, version="7"))
        assert (api.asked[-1].method, api.asked[-1].path) == (
            "PATCH",
            "/apis/coordination.k8s.io/v1/namespaces/films/leases/gather-operator",
        )
        assert body_of(api)["metadata"]["resourceVersion"] == "7"
        assert body_of(api)["spec"]["holderIdentity"] is None


async def test_a_lease_that_does_not_exist_is_created() -> None:
    """Of two replicas that do so at once, one fails."""
    async with scripted_api() as api, reaching(api) as cluster:
        leases = Leases(calls_of(cluster), "films", "gather-operator")
        api.plays(refuses(404, "NotFound"), refuses(409, "AlreadyExists"), refuses(409, "Conflict"))
        assert await leases.read() is None
        with pytest.raises(AlreadyExists):
            await leases.write(LeaseRecord("a", 9))
        assert api.asked[-1].method == "POST"
        assert body_of(api)["metadata"]["name"] == "gather-operator"
        with pytest.raises(Conflict):
            await leases.write(LeaseRecord("a", 9, version="7"))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"spec": 3, "metadata": []},
        {"spec": {"holderIdentity": 5, "leaseDurationSeconds": "x", "leaseTransitions": -1}},
    ],
    ids=["empty", "other forms", "other types"],
)
async def test_whatever_stands_in_a_lease_it_is_read(body: dict[str, Any]) -> None:
    """Anybody who may edit it may have done so; it is then believed to last as long as any."""
    async with scripted_api() as api, reaching(api) as cluster:
        api.plays(says(body))
        record = await Leases(calls_of(cluster), "films", "gather-operator").read()
        assert record == LeaseRecord("", 60)


WRITES: dict[str, Callable[[Cluster], Awaitable[Any]]] = {
    "status": lambda c: c.put_status("film", "1", {}),
    "finalizers": lambda c: c.put_finalizers("film", "1", []),
    "run": lambda c: c.delete_run("film", "u", "1"),
    "job": lambda c: c.create_job({"metadata": {"name": "j"}}),
    "no job": lambda c: c.delete_job("j"),
    "no pod": lambda c: c.delete_pod("p"),
    "document": lambda c: c.create_config_map({"metadata": {"name": "m"}}),
    "no document": lambda c: c.delete_config_map("m"),
    "event": lambda c: c.create_event({"metadata": {"generateName": "e"}}),
}


def fenced(cluster: Cluster, permit_s: Callable[[], float]) -> Cluster:
    return Cluster(calls_of(cluster), "films", permit_s)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
async def test_without_the_lease_nothing_is_written(write: Callable[[Cluster], Awaitable[Any]]) -> None:
    """Not one request goes out; reading goes on."""

    def refuse() -> float:
        raise NotLeading("lost")

    async with scripted_api() as api, reaching(api) as cluster:
        api.plays(says({"items": [], "metadata": {"resourceVersion": "1"}}))
        with pytest.raises(NotLeading):
            await write(fenced(cluster, refuse))
        assert api.asked == []
        await fenced(cluster, refuse).list_runs(dict)


async def test_every_write_of_the_cluster_is_fenced() -> None:
    """A method that is added here stands in the list above."""
    public = {name for name in vars(Cluster) if not name.startswith("_")}
    written = {name for name in public if name.startswith(("put_", "create_", "delete_"))}
    assert len(written) == len(WRITES)


async def test_a_write_ends_before_another_replica_may_act() -> None:
    """However long the API server takes."""
    async with scripted_api() as api, reaching(api, timeout_s=30) as cluster:
        api.plays(hangs)
        with pytest.raises(ClusterUnavailable):
            await fenced(cluster, lambda: 0.1).delete_pod("p")


@pytest.mark.parametrize(
    ("answer", "is_wanted"),
    [
        (says({"spec": {"replicas": 1}}), True),
        (says({"spec": {"replicas": 0}}), False),
        (says({"metadata": {"deletionTimestamp": "t"}, "spec": {"replicas": 1}}), False),
        (refuses(404, "NotFound"), False),
        (refuses(403, "Forbidden"), True),
        (says({"spec": 3}), True),
    ],
    ids=["replicas", "scaled to zero", "being deleted", "deleted", "no right", "foreign"],
)
async def test_another_pod_follows_unless_the_deployment_says_otherwise(answer: Any, is_wanted: bool) -> None:
    """Where it cannot be read, runs stay held."""
    async with scripted_api() as api, reaching(api) as cluster:
        api.plays(answer)
        assert (
            await Surroundings(calls_of(cluster), "films", "gather-operator").is_operator_wanted()
            is is_wanted
        )


@pytest.mark.parametrize(
    ("answer", "is_ending"),
    [
        (says({"metadata": {"deletionTimestamp": "t"}}), True),
        (says({"metadata": {}}), False),
        (refuses(403, "Forbidden"), False),
    ],
    ids=["being deleted", "stays", "no right"],
)
async def test_a_namespace_ends_where_it_says_so(answer: Any, is_ending: bool) -> None:
    """Without the right to read it, nothing changes."""
    async with scripted_api() as api, reaching(api) as cluster:
        api.plays(answer)
        assert await Surroundings(calls_of(cluster), "films", None).is_namespace_ending() is is_ending
