# ruff: noqa: E501 - tables, a case a row
"""Doctor's checks by themselves: what takes time, what is subtle, and what the chart grants."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from dev.paths import ROOT
from gather_cli.doctor.checks.capacity_checks import tolerates
from gather_cli.doctor.checks.room_checks import check_lease
from gather_cli.doctor.checks.run_checks import check_runs
from gather_cli.doctor.checks.traffic_checks import check_policies, matches
from gather_cli.doctor.cluster_facts import Facts
from gather_cli.doctor.diagnosis import Finding, Status, as_data, as_lines, exit_code_of, fail, ok, warn
from gather_cli.doctor.installed_release import Release
from gather_cli.doctor.quantities import quantity
from gather_cli.doctor.rights import RIGHTS
from gather_cli.doctor.worker_report import findings_in
from gather_cli.errors import Exit
from gather_cli.views.terminal import Terminal
from gather_contracts.result import ExitCode
from gather_worker.check.findings import as_json, as_table
from gather_worker.check.findings import fail as worker_fail
from gather_worker.check.findings import lacking as worker_lacking
from gather_worker.check.findings import ok as worker_ok

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def ago(seconds: float) -> str:
    """A moment of the past."""
    return (NOW - timedelta(seconds=seconds)).isoformat()


def facts(**more: Any) -> Facts:
    """Facts of a namespace with a release."""
    made = Facts("films", NOW, Release("gather", "1", {"brain": {}}))
    for name, value in more.items():
        setattr(made, name, value)
    return made


# --- the operator


def operator(name: str, shards: int) -> dict[str, Any]:
    """A Deployment of one shard."""
    env = [
        {"name": "GATHER_LEASE", "value": "gather-operator"},
        {"name": "GATHER_SHARDS", "value": str(shards)},
    ]
    return {"metadata": {"name": name}, "spec": {"template": {"spec": {"containers": [{"env": env}]}}}}


def lease(seconds: float) -> dict[str, Any]:
    return {"spec": {"holderIdentity": "pod/2-shards", "renewTime": ago(seconds), "leaseDurationSeconds": 9}}


@pytest.mark.parametrize(
    ("second", "rooms", "says"),
    [
        (lease(1), 2, ""),
        (lease(600), 2, "the Lease gather-operator-1 was last renewed 10m ago: no replica of the operator of shard 1 acts"),
        (None, 2, "there is no Lease gather-operator-1: no replica of the operator of shard 1 has ever acted here"),
        (lease(600), 1, "there is no Deployment of shard 1 of 2: its runs stand still"),
    ],
    ids=["well", "dead", "never", "no Deployment"],
)  # fmt: skip
def test_each_shard_of_the_operator_must_act(second: dict[str, Any] | None, rooms: int, says: str) -> None:
    """Half of the runs would stand still while all looks well."""
    there = {name: operator(f"gather-{name}", 2) for name in ("operator", "operator-1")[:rooms]}
    release = Release("gather", "1", there)
    assert release.operator_leases == ["gather-operator", "gather-operator-1"]
    leases = dict(zip(release.operator_leases, (lease(1), second), strict=True))
    found = list(check_lease(facts(release=release, leases=leases)))
    assert [f.status for f in found] == [Status.OK, Status.FAIL if says else Status.OK]
    assert says in found[1].text


# --- runs


@pytest.mark.parametrize(
    ("run", "says"),
    [
        ({"metadata": {"name": "r", "creationTimestamp": ago(30)}}, ""),
        ({"metadata": {"name": "r", "creationTimestamp": ago(300)}}, "no operator has looked at it"),
        (
            {"metadata": {"name": "r", "creationTimestamp": ago(300), "deletionTimestamp": ago(200), "finalizers": ["gather.ft.tc/cancel"]},
             "status": {"phase": "Running"}},
            "is held by gather.ft.tc/cancel",
        ),
    ],
    ids=["new", "old", "held"],
)  # fmt: skip
def test_time_tells_a_run_without_an_operator(run: dict[str, Any], says: str) -> None:
    """One that has only begun is fine."""
    found = [f for f in check_runs(facts(runs=[run])) if f.status is not Status.OK]
    assert [f.text for f in found if says in f.text] if says else not found


def test_an_old_failure_is_no_news() -> None:
    """And a newer success makes an older failure none."""

    def ended(phase: str, seconds: float) -> dict[str, Any]:
        return {
            "metadata": {"name": phase},
            "status": {"phase": phase, "reason": "NoDepartments", "completionTime": ago(seconds)},
        }

    assert [f.name for f in check_runs(facts(runs=[ended("Failed", 100)]))] == ["Last run"]
    assert [f.name for f in check_runs(facts(runs=[ended("Failed", 90_000)]))] == []
    assert [f.name for f in check_runs(facts(runs=[ended("Failed", 100), ended("Succeeded", 50)]))] == [
        "Runs"
    ]


# --- policies


def policy(*rules: Any, direction: str = "Egress", selector: Any = None) -> dict[str, Any]:
    """A network policy."""
    spec = {"podSelector": selector or {}, "policyTypes": [direction], direction.lower(): list(rules)}
    return {"metadata": {"name": "p"}, "spec": spec}


DNS = {"to": [{"namespaceSelector": {}}], "ports": [{"port": 53, "protocol": "UDP"}]}
BRAIN = {
    "to": [{"podSelector": {"matchLabels": {"app.kubernetes.io/component": "brain"}}}],
    "ports": [{"port": 8080}],
}
WEB = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": 1, "endPort": 1024}]}


@pytest.mark.parametrize(
    ("policies", "wrong"),
    [
        ([policy(DNS, BRAIN, WEB)], []),
        ([policy({})], []),
        ([policy(DNS, WEB), policy(BRAIN)], []),
        ([policy(BRAIN, WEB)], []),
        ([policy(DNS, WEB)], ["may not reach the brain"]),
        ([policy(DNS, BRAIN)], ["may not reach port 443"]),
        ([policy(selector={"matchLabels": {"app": "other"}})], []),
        ([policy({"from": [{"podSelector": {}}]}, direction="Ingress")], []),
        ([policy({"from": [{"namespaceSelector": {"matchLabels": {"a": "b"}}}]}, direction="Ingress")], ["takes no calls of workers"]),
        ([policy({"from": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "gather-worker"}}}], "ports": [{"port": "http"}]},
                 direction="Ingress")], []),
    ],
    ids=["all allowed", "everything", "two policies", "a range that has port 53", "no brain", "no web", "others' pods", "own namespace",
         "other namespaces", "workers by label"],
)  # fmt: skip
def test_policies_are_read_as_kubernetes_reads_them(policies: list[dict[str, Any]], wrong: list[str]) -> None:
    """They add up; an empty rule allows all; ports have names and ranges."""
    found = [f.text for f in check_policies(facts(policies=policies)) if f.status is not Status.OK]
    assert len(found) == len(wrong), found
    assert all(words in text for words, text in zip(wrong, found, strict=True))


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"GATHER_LLM_BASE_URL": "https://models.example.com:8443/v1"}, "may not reach port 8443"),
        ({"GATHER_LLM_BASE_URL": "http://10.1.2.3/v1"}, ""),
        ({"GATHER_LLM_BASE_URL": "https://openrouter.ai/api/v1", "GATHER_LLM_PROXY": "http://proxy.corp:3128"}, "port 3128"),
        ({"GATHER_LLM_BASE_URL": "http://vllm:8000/v1"}, ""),
        ({"GATHER_LLM_BASE_URL": "http://vllm.models.svc:8000/v1"}, ""),
    ],
)  # fmt: skip
def test_the_models_are_looked_for_where_the_settings_say(settings: dict[str, str], wrong: str) -> None:
    """At their port or their proxy's; a Service's pods may listen on another one."""
    web = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": 80}]}
    given = facts(policies=[policy(DNS, BRAIN, web)], worker_settings=settings)
    found = [f.text for f in check_policies(given) if f.status is not Status.OK]
    assert [wrong in text for text in found] == ([True] if wrong else [])


def test_selectors_have_expressions_too() -> None:
    """All four operators."""
    rules = [
        {"key": "a", "operator": "In", "values": ["1"]}, {"key": "b", "operator": "NotIn", "values": ["1"]},
        {"key": "a", "operator": "Exists"}, {"key": "c", "operator": "DoesNotExist"},
    ]  # fmt: skip
    assert matches({"matchExpressions": rules}, {"a": "1", "b": "2"})
    assert not any(matches({"matchExpressions": [rule]}, {"b": "1", "c": "1"}) for rule in rules)


# --- nodes, quantities, rights


@pytest.mark.parametrize(
    ("toleration", "is_met"),
    [
        ({"key": "gpu", "operator": "Exists"}, True),
        ({"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoSchedule"}, True),
        ({"key": "gpu", "value": "no"}, False),
        ({"operator": "Exists"}, True),
        ({"key": "gpu", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "other", "operator": "Exists"}, False),
    ],
)
def test_tolerations_are_read_as_kubernetes_reads_them(toleration: dict[str, str], is_met: bool) -> None:
    """Of a taint gpu=yes:NoSchedule."""
    assert tolerates(toleration, {"key": "gpu", "value": "yes", "effect": "NoSchedule"}) is is_met


@pytest.mark.parametrize(
    ("text", "number"),
    [("250m", "0.25"), ("1Gi", "1073741824"), ("2", "2"), ("1k", "1000"), ("nonsense", "0"), (None, "0")],
)
def test_quantities_are_numbers(text: object, number: str) -> None:
    """Binary and decimal."""
    assert format(quantity(text).normalize(), "f") == number


def test_the_rights_are_those_that_the_chart_grants() -> None:
    """Those by name, which a review of a kind does not see, aside."""
    text = (ROOT / "charts/gather/templates/operator/rbac.yaml").read_text("utf-8")
    (role,) = [part for part in text.split("---") if "kind: Role\n" in part]
    rules = yaml.safe_load(role[role.index("rules:") :].replace("{{", "").replace("}}", ""))["rules"]
    granted = {
        (verb, *resource.partition("/")[::2], group)
        for rule in rules if "resourceNames" not in rule
        for group in rule["apiGroups"] for resource in rule["resources"] for verb in rule["verbs"]
    }  # fmt: skip
    assert {(r.verb, r.resource, r.subresource, r.group) for r in RIGHTS} == granted


# --- the worker's report, and ours


def test_the_workers_report_is_read_in_both_forms() -> None:
    """As `gather-worker check` writes it; what runs go on without is no failure."""
    long = "the user may not insert on gather, update on gather, createIndex on gather, insert on gather_checkpoints in it"
    found = [
        worker_ok("CMS", "3 departments"),
        worker_fail("MongoDB rights", long, "grant it readWrite"),
        worker_lacking("Brain", "down", "see it"),
    ]
    of_table = findings_in(as_table(found, ExitCode.NEVER))
    assert [(f.name, f.text) for f in of_table] == [
        ("Worker: CMS", "3 departments"),
        ("Worker: MongoDB rights", long),
        ("Worker: Brain", "down"),
    ]
    assert of_table[1].fix == "grant it readWrite"

    of_json = findings_in("a line before\n" + json.dumps(as_json(found, ExitCode.NEVER), indent=2))
    assert [f.status for f in of_json] == [Status.OK, Status.FAIL, Status.WARN]
    later = {"findings": [{"name": "Sun", "status": "dim", "finding": "low", "required": True}]}
    assert [f.status for f in findings_in(json.dumps(later))] == [Status.WARN]
    assert findings_in("Traceback (most recent call last):") == []


def test_the_exit_code_counts_what_is_wrong() -> None:
    """Warnings only where that is asked for."""
    good, odd, bad = ok("a", "b"), warn("c", "d", "e"), fail("f", "g", "h")
    assert exit_code_of([good, odd], is_strict=False) is Exit.DONE
    assert exit_code_of([good, odd], is_strict=True) is Exit.FAILED
    assert exit_code_of([good, bad], is_strict=False) is Exit.FAILED
    assert as_data([bad], Exit.FAILED)["findings"] == [
        {"name": "f", "status": "fail", "finding": "g", "fix": "h"}
    ]


def test_a_report_is_bounded_and_cannot_steer_the_terminal() -> None:
    """Whatever a cluster says."""
    lines = as_lines([Finding("x", Status.FAIL, "\x1b[2J" + "word " * 1000, "fix")], Terminal())
    assert max(map(len, lines)) <= 130
    assert sum(map(len, lines)) < 1500
    assert "\x1b" not in "".join(lines)
