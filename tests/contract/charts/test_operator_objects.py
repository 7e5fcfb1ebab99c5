"""What the chart renders for the operator: replicas, rights, and the hook before its end."""

from collections.abc import Callable
from typing import Any

from gather_contracts import names
from tests.support.kubernetes.rendered_charts import named, of_kind

Render = Callable[..., list[dict[str, Any]]]


def test_the_operator_has_replicas_that_no_single_node_or_drain_ends(render: Render) -> None:
    """A new one is ready before an old one goes; a single one has no budget, which would block drains."""
    documents = render("gather", "operator.replicas=2")
    spec = named(documents, "Deployment", "gather-operator")["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    (term,) = spec["template"]["spec"]["affinity"]["podAntiAffinity"][
        "preferredDuringSchedulingIgnoredDuringExecution"
    ]
    labels = spec["template"]["metadata"]["labels"]
    assert term["podAffinityTerm"]["labelSelector"]["matchLabels"].items() <= labels.items()
    budget = named(documents, "PodDisruptionBudget", "gather-operator")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"]["matchLabels"].items() <= labels.items()
    assert not of_kind(render("gather", "operator.replicas=1"), "PodDisruptionBudget")


def test_each_shard_is_an_operator_of_its_own(render: Render) -> None:
    """With a Deployment, Service, budget and labels that no other shard's overlap, and the same rights."""
    documents = render(
        "gather", "operator.shards=3", "operator.replicas=2", "monitoring.serviceMonitor.enabled=true"
    )
    names_of_shards = ["gather-operator", "gather-operator-1", "gather-operator-2"]
    for index, name in enumerate(names_of_shards):
        deployment = named(documents, "Deployment", name)["spec"]
        pod = deployment["template"]
        environment = {v["name"]: v.get("value") for v in pod["spec"]["containers"][0]["env"]}
        assert (environment["GATHER_SHARD"], environment["GATHER_SHARDS"]) == (str(index), "3")
        assert (environment["GATHER_LEASE"], environment["GATHER_DEPLOYMENT"]) == ("gather-operator", name)
        assert pod["spec"]["serviceAccountName"] == "gather-operator"
        (term,) = pod["spec"]["affinity"]["podAntiAffinity"][
            "preferredDuringSchedulingIgnoredDuringExecution"
        ]
        selectors = [
            deployment["selector"]["matchLabels"],
            term["podAffinityTerm"]["labelSelector"]["matchLabels"],
            named(documents, "Service", name)["spec"]["selector"],
            named(documents, "PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"],
            named(documents, "NetworkPolicy", name)["spec"]["podSelector"]["matchLabels"],
        ]
        assert all(selector.items() <= pod["metadata"]["labels"].items() for selector in selectors)
        service = named(documents, "Service", name)["metadata"]["labels"]
        monitor = named(documents, "ServiceMonitor", name)["spec"]
        assert monitor["selector"]["matchLabels"].items() <= service.items()
        ports = [{"port": endpoint["port"]} for endpoint in monitor["endpoints"]]
        assert ports == named(documents, "NetworkPolicy", name)["spec"]["ingress"][0]["ports"]
        others = [named(documents, "Deployment", other)["spec"]["template"] for other in names_of_shards]
        chosen = [o for o in others if all(s.items() <= o["metadata"]["labels"].items() for s in selectors)]
        assert chosen == [pod]
    role = named(documents, "Role", "gather-operator")["rules"]
    (deployments,) = (r for r in role if r["resources"] == ["deployments"])
    assert deployments["resourceNames"] == names_of_shards


def test_an_operator_without_shards_is_called_as_before_there_were_any(render: Render) -> None:
    """A Deployment's selector cannot be changed, and an upgrade is to find its Lease."""
    (spec,) = (
        d["spec"] for d in of_kind(render("gather"), "Deployment") if "operator" in d["metadata"]["name"]
    )
    assert spec["selector"]["matchLabels"]["app.kubernetes.io/component"] == "operator"
    sharded = named(render("gather", "operator.shards=2"), "Deployment", "gather-operator")["spec"]
    assert sharded["selector"] == spec["selector"]
    assert not {"GATHER_SHARD", "GATHER_SHARDS"} & {
        v["name"] for v in spec["template"]["spec"]["containers"][0]["env"]
    }


def test_before_an_uninstallation_all_runs_are_let_go_of(render: Render) -> None:
    """By a hook with the rights, Lease and image of the operator, and a bound in time; it can be left out."""
    documents = render("gather")
    operator = named(documents, "Deployment", "gather-operator")["spec"]["template"]["spec"]
    job = named(documents, "Job", "gather-release-runs")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-delete"
    pod = job["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == operator["serviceAccountName"]
    (container,), (other,) = pod["containers"], operator["containers"]
    assert container["image"] == other["image"]
    assert container["args"] == ["release", "--within=75"]
    assert job["spec"]["activeDeadlineSeconds"] > 75
    environment = {v["name"]: v for v in container["env"]}
    assert environment["GATHER_LEASE"] == {v["name"]: v for v in other["env"]}["GATHER_LEASE"]
    assert not of_kind(render("gather", "operator.releaseRuns.enabled=false"), "Job")


def test_the_operator_may_do_what_it_does_and_no_more(render: Render) -> None:
    """A namespaced Role without wildcards or Secrets; what has a known name is narrowed to it."""
    assert not of_kind(render("gather"), "ClusterRole")
    assert not of_kind(render("gather"), "ClusterRoleBinding")
    role = named(render("gather"), "Role", "gather-operator")
    allowed = {
        (r["apiGroups"][0], r["resources"][0]): set(r["verbs"])
        for r in role["rules"]
        if "resourceNames" not in r
    }
    assert allowed == {
        (names.GROUP, names.PLURAL): {"get", "list", "watch", "patch", "delete"},
        (names.GROUP, f"{names.PLURAL}/status"): {"patch"},
        ("batch", "jobs"): {"list", "watch", "create", "patch", "delete"},
        ("", "pods"): {"list", "watch", "delete"},
        ("", "configmaps"): {"get", "list", "watch", "create", "delete"},
        ("", "events"): {"list", "create"},
        ("coordination.k8s.io", "leases"): {"create"},
    }
    narrow = {
        r["resources"][0]: (r["resourceNames"], r["verbs"]) for r in role["rules"] if "resourceNames" in r
    }
    assert narrow == {
        # Of every shard that there may be or may have been, or a change of their number would be unsafe.
        "leases": (
            [names.shard_name("gather-operator", i) for i in range(names.SHARDS_MAX)],
            ["get", "patch"],
        ),
        "namespaces": (["film"], ["get"]),
        "deployments": (["gather-operator"], ["get"]),
    }
