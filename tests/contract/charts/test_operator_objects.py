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
        "leases": (["gather-operator"], ["get", "patch"]),
        "namespaces": (["film"], ["get"]),
        "deployments": (["gather-operator"], ["get"]),
    }
