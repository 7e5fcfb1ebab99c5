"""`gather doctor` names the cause of each fault that is put into a healthy installation."""

import json
import threading
from typing import Any

import pytest

from dev.waiting import wait_for
from tests.contract.cli.conftest import Gather
from tests.contract.cli.faults import BATCHES, FAULTS, Fault
from tests.support.installation.installation import Installation, at, container
from tests.support.kubernetes.control_plane import ControlPlane, serve_gatherruns


def findings(gather: Gather, *options: str, user: str = "admin") -> list[dict[str, Any]]:
    """What doctor found."""
    said = gather("doctor", "-o", "json", *options, user=user)
    found = json.loads(said.out)
    assert said.code == found["exitCode"], said.err
    rows: list[dict[str, Any]] = found["findings"]
    return rows


def test_a_healthy_installation_is_fine(gather: Gather, installation: Installation) -> None:
    """Nothing is wrong, and all is looked at but what only a pod can see."""
    said = gather("doctor")
    assert said.code == 0, said.out
    assert {line.split()[0] for line in said.out.splitlines()[:-2] if not line.startswith(" ")} == {
        "ok",
        "skip",
    }, said.out
    assert "gather doctor --probe" in said.out


def assert_named(fault: Fault, rows: list[dict[str, Any]]) -> None:
    """Its cause and what helps."""
    wrong = [row for row in rows if row["status"] in {"fail", "warn"}]
    named = [row for row in wrong if row["name"] == fault.finding and fault.says in row["finding"]]
    assert named, (fault.name, [(row["name"], row["status"], row["finding"]) for row in wrong])
    assert fault.fix in named[0]["fix"]
    assert named[0]["status"] == fault.status


@pytest.mark.parametrize("faults", BATCHES, ids=[f"batch {number}" for number, _ in enumerate(BATCHES)])
def test_each_of_several_faults_is_named_with_its_fix(
    gather: Gather, installation: Installation, faults: list[Fault]
) -> None:
    """As they come in life: several at once."""
    for fault in faults:
        fault.seed(installation)
    rows = findings(gather)
    for fault in faults:
        assert_named(fault, rows)


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_named_with_its_fix(gather: Gather, installation: Installation, fault: Fault) -> None:
    """One at a time; nothing of another kind is called wrong for it."""
    fault.seed(installation)
    rows = findings(gather)
    assert_named(fault, rows)
    wrong = [row for row in rows if row["status"] in {"fail", "warn"} and row["name"] != fault.finding]
    assert not [row for row in wrong if row["name"] not in fault.follows], wrong


# --- what can be seen only after a while, or by few


def test_who_may_read_nothing_is_told_so(gather: Gather, installation: Installation) -> None:
    """Nothing is called wrong that could not be looked at, and it says who can."""
    rows = findings(gather, user="viewer")
    skipped = [row["finding"] for row in rows if row["status"] == "skip"]
    assert not [row for row in rows if row["status"] == "fail"], rows
    for what in ("Deployments", "pods", "nodes", "GatherRuns"):
        assert any(f"{what}: not allowed" in found for found in skipped), skipped


def test_who_may_not_read_secrets_sees_the_rest(gather: Gather, installation: Installation) -> None:
    """Secrets are reported as not looked at; no value of one is ever shown."""
    rules = [
        {
            "apiGroups": ["apps", "", "gather.ft.tc", "coordination.k8s.io"],
            "verbs": ["get", "list"],
            "resources": [
                "deployments",
                "pods",
                "events",
                "gatherruns",
                "leases",
                "configmaps",
                "serviceaccounts",
            ],
        },
    ]
    installation.create({"kind": "Role", "metadata": {"name": "viewer"}, "rules": rules})
    installation.create(
        {
            "kind": "RoleBinding",
            "metadata": {"name": "viewer"},
            "subjects": [{"kind": "User", "name": "viewer"}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "viewer"},
        }
    )
    rows = findings(gather, user="viewer")
    assert {"Release", "Lease", "Operator"} <= {row["name"] for row in rows if row["status"] == "ok"}
    assert any("Secret gather-backing-worker: not allowed" in row["finding"] for row in rows)
    assert not [row for row in rows if row["status"] == "fail"]


def test_a_namespace_without_gather_names_those_that_have_it(
    gather: Gather, installation: Installation
) -> None:
    """The commonest fault is the wrong namespace."""
    mine = installation.namespace
    installation.namespace = "default"
    rows = findings(gather)
    installation.namespace = mine
    (release,) = [row for row in rows if row["name"] == "Release"]
    assert "no Gather is installed in namespace default" in release["finding"]
    assert "film-" in release["finding"] + release["fix"]


def test_a_crd_of_another_version_is_named(gather: Gather, installation: Installation) -> None:
    """With the fields that it lacks; and one that is not there at all."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gatherruns.gather.ft.tc"
    whole = installation.call("GET", path)
    older = json.loads(json.dumps(whole))
    spec = older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    del spec["properties"]["focus"], spec["x-kubernetes-validations"]
    installation.call("PUT", path, older)
    try:
        wait_for("the older schema to be served", lambda: _crd_row(gather)["status"] == "fail", 20)
        assert "it lacks spec.focus" in _crd_row(gather)["finding"]
        installation.call("DELETE", path)
        wait_for("the CRD to be gone", lambda: "the cluster has no" in _crd_row(gather)["finding"], 20)
        assert gather("status", "my-film").code == 4
        assert "has no GatherRuns: install Gather" in gather("list").err
    finally:
        installation.delete_path(path)
        serve_gatherruns(ControlPlane(installation.folder, installation.server, {}))
    wait_for("the whole schema to be served", lambda: _crd_row(gather)["status"] == "ok", 20)


def _crd_row(gather: Gather) -> dict[str, Any]:
    return next((row for row in findings(gather) if row["name"] == "CRD"), {"status": "", "finding": ""})


# --- from inside


def test_the_probe_is_a_job_of_the_workers_kind_and_goes_again(
    gather: Gather, installation: Installation
) -> None:
    """It has the workers' image, settings, Secret and nodes; its report becomes rows."""
    report = {
        "ok": False,
        "exitCode": 64,
        "findings": [
            {
                "name": "Model key",
                "status": "fail",
                "required": True,
                "finding": "the endpoint refuses the key (401)",
                "fix": "mend OPENROUTER_API_KEY",
            },
            {
                "name": "Brain",
                "status": "fail",
                "required": False,
                "finding": "the brain cannot be reached",
                "fix": "see that it runs",
            },
        ],
    }
    seen: list[dict[str, Any]] = []

    def play() -> None:
        job = wait_for("the Job", lambda: next(iter(_doctor_jobs(installation)), None), 20)
        seen.append(job)
        name = job["metadata"]["name"]
        labels = {**job["spec"]["template"]["metadata"]["labels"], "batch.kubernetes.io/job-name": name}
        ended = {"exitCode": 64, "reason": "Error", "finishedAt": at()}
        status = {"phase": "Failed", "containerStatuses": [container("check", ended=ended)]}
        installation.kubelet.lines[installation.namespace, f"{name}-x"] = json.dumps(
            report, indent=2
        ).splitlines()
        installation.pod("doctor", status, name=f"{name}-x", labels=labels, container_name="check")

    player = threading.Thread(target=play)
    player.start()
    rows = findings(gather, "--probe")
    player.join()
    wrong = {row["name"]: row for row in rows if row["status"] in {"fail", "warn"}}
    assert wrong["Worker: Model key"]["fix"] == "mend OPENROUTER_API_KEY"
    assert wrong["Worker: Brain"]["status"] == "warn"
    pod = seen[0]["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == installation.pool
    assert pod["serviceAccountName"] == "gather-worker"
    assert pod["containers"][0]["image"] == "localhost/gather-worker:dev"
    assert _doctor_jobs(installation) == []


def test_a_probe_that_cannot_start_says_what_it_waits_for(gather: Gather, installation: Installation) -> None:
    """Within the time that is given."""
    rows = findings(gather, "--probe", "--timeout", "1")
    (row,) = [row for row in rows if row["name"] == "Probe"]
    assert "did not end within 1 s: no pod was made" in row["finding"]
    assert _doctor_jobs(installation) == []


def _doctor_jobs(installation: Installation) -> list[dict[str, Any]]:
    jobs = installation.call("GET", installation.path("Job"))["items"]
    return [job for job in jobs if "deletionTimestamp" not in job["metadata"]]
