"""The CRD on the real API server: every invalid run is refused with the fix, every valid one is accepted.

The runs live in a namespace of their own that no operator looks at.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.paths import ROOT
from gather_contracts import names
from gather_contracts.crds import crd

NAMESPACE = "gather-crd-test"
EXAMPLES = ROOT / "examples"
VALID = [*sorted(EXAMPLES.glob("gatherrun*.yaml")), *sorted((EXAMPLES / "valid").glob("*.yaml"))]
INVALID = sorted((EXAMPLES / "invalid").glob("*.yaml"))
FIRST = {
    "projectId": "66f1a2b3c4d5e6f708192a3b",
    "userId": "user-123",
    "maxIterations": 60,
    "qualityThreshold": 75,
    "departments": ["story", "character"],
    "focus": "The antagonist has no motive.",
    "language": "de",
    "enableAutoEvaluation": False,
    "webhookUrl": "https://app.example/hooks",
    "budget": {"maxCostUSD": 2.5},
    "departmentTimeoutSeconds": 300,
    "departmentRetries": 1,
    "onDepartmentFailure": "Stop",
    "parallelism": 2,
    "worker": {"labels": {"team": "story"}},
}
CHANGED = {
    "projectId": "66f1a2b3c4d5e6f708192a3c",
    "userId": "user-124",
    "maxIterations": 61,
    "qualityThreshold": 76,
    "departments": ["story"],
    "focus": "The ending comes too early.",
    "language": "pt-BR",
    "enableAutoEvaluation": True,
    "webhookUrl": "https://app.example/other",
    "budget": {"maxCostUSD": 2.6},
    "departmentTimeoutSeconds": 301,
    "departmentRetries": 2,
    "onDepartmentFailure": "Continue",
    "parallelism": 3,
    "worker": {"labels": {"team": "character"}},
}


def kubectl(*args: str, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
    """Run kubectl against our own cluster; any other context is refused by dev/kubectl."""
    command = [str(ROOT / "dev" / "kubectl"), "-n", NAMESPACE, *args]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)


def output_of(done: "subprocess.CompletedProcess[str]") -> str:
    """Return what a refused command said; fails if it was not refused."""
    assert done.returncode, done.stdout
    return done.stderr


def succeeded(done: "subprocess.CompletedProcess[str]") -> str:
    """Return what a command printed; fails with its words if it was refused."""
    assert not done.returncode, done.stderr
    return done.stdout


def manifest(name: str, spec: dict[str, Any]) -> str:
    return json.dumps(
        {
            "apiVersion": f"{names.GROUP}/{names.VERSION}",
            "kind": names.KIND,
            "metadata": {"name": name},
            "spec": spec,
        }
    )


@pytest.fixture(scope="module", autouse=True)
def _namespace() -> Iterator[None]:
    """Make the namespace and see that the cluster has the CRD of this working copy."""
    found = succeeded(kubectl("get", "crd", f"{names.PLURAL}.{names.GROUP}", "-o", "json"))
    (version,) = json.loads(found)["spec"]["versions"]
    assert version["schema"]["openAPIV3Schema"] == crd.root_schema(), "run `dev/kubectl apply -f crds/`"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    succeeded(kubectl("apply", "-f", "-", stdin=json.dumps(body)))
    yield
    kubectl("delete", names.PLURAL, "--all", "--wait=false")
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.fixture(scope="module")
def stored() -> Iterator[str]:
    """Return the name of a run that stands in the cluster with every field set."""
    name = "stored"
    kubectl("delete", names.PLURAL, name, "--ignore-not-found")
    succeeded(kubectl("create", "-f", "-", stdin=manifest(name, FIRST)))
    yield name
    kubectl("delete", names.PLURAL, name, "--wait=false")


def patch(name: str, spec: dict[str, Any], *flags: str) -> "subprocess.CompletedProcess[str]":
    body = json.dumps({"spec": spec})
    return kubectl("patch", names.PLURAL, name, "--type=merge", "-p", body, *flags)


def test_there_are_at_least_25_invalid_examples() -> None:
    """Each says in its header what the API server must say."""
    assert len(INVALID) >= 25


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_an_invalid_run_is_refused_with_the_field_and_the_fix(path: Path) -> None:
    """The second line of each example is what a user must read."""
    expected = path.read_text("utf-8").splitlines()[1].removeprefix("# expect: ")
    assert expected in output_of(kubectl("create", "--dry-run=server", "-f", str(path)))


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_valid_run_is_accepted(path: Path) -> None:
    """Without so much as a warning."""
    done = kubectl("create", "--dry-run=server", "-f", str(path))
    assert "created (server dry run)" in succeeded(done)
    assert done.stderr == ""


def test_the_api_server_fills_in_the_defaults() -> None:
    """A user sees what will be done; a null is as good as unset."""
    minimal = EXAMPLES / "valid" / "unset-by-null.yaml"
    spec = json.loads(succeeded(kubectl("create", "--dry-run=server", "-o", "json", "-f", str(minimal))))[
        "spec"
    ]
    assert spec == {
        "projectId": "66f1a2b3c4d5e6f708192a3b",
        "userId": "user-123",
        "maxIterations": 50,
        "qualityThreshold": 80,
        "departments": [],
        "enableAutoEvaluation": True,
        "departmentTimeoutSeconds": 600,
        "onDepartmentFailure": "Continue",
        "parallelism": 1,
        "suspend": False,
        "cancel": False,
    }  # fmt: skip


@pytest.mark.parametrize("field", sorted(CHANGED))
def test_a_stored_field_cannot_change(stored: str, field: str) -> None:
    """The operator read the spec once; a change would be silently ignored."""
    message = output_of(patch(stored, {field: CHANGED[field]}, "--dry-run=server"))
    assert (
        f"spec.{field}: Forbidden: {field} cannot change after creation: create another GatherRun" in message
    )


def test_every_field_that_cannot_change_is_in_that_list() -> None:
    """A new field needs a row of its own."""
    assert set(CHANGED) == set(FIRST) == set(crd.spec_schema()["properties"]) - crd.MUTABLE_FIELDS


def test_a_webhook_can_neither_appear_nor_vanish(stored: str) -> None:
    """A field that may be unset needs a rule where it is not."""
    message = output_of(patch(stored, {"webhookUrl": None}, "--dry-run=server"))
    assert "spec.webhookUrl: Forbidden: webhookUrl cannot change after creation" in message
    without = {key: value for key, value in FIRST.items() if key != "webhookUrl"}
    succeeded(kubectl("create", "-f", "-", stdin=manifest("without-webhook", without)))
    message = output_of(patch("without-webhook", {"webhookUrl": "https://app.example/"}, "--dry-run=server"))
    assert "spec.webhookUrl: Forbidden: webhookUrl cannot change after creation" in message


def test_a_run_can_be_cancelled_and_not_taken_up_again() -> None:
    """What a cancelled run would have done is over."""
    succeeded(kubectl("create", "-f", "-", stdin=manifest("cancelled", FIRST)))
    succeeded(patch("cancelled", {"cancel": True}))
    for back in (False, None):
        message = output_of(patch("cancelled", {"cancel": back}, "--dry-run=server"))
        assert "spec.cancel: Forbidden: cancel cannot be taken back: create another GatherRun" in message


def test_a_run_can_be_held_and_let_go_on() -> None:
    """As often as somebody wants to."""
    succeeded(kubectl("create", "-f", "-", stdin=manifest("held", FIRST)))
    for suspend in (True, False, True, None):
        succeeded(patch("held", {"suspend": suspend}))


def test_the_status_is_written_apart_from_the_spec(stored: str) -> None:
    """A user's apply cannot touch it, and the operator's write cannot touch the spec."""
    succeeded(kubectl("patch", names.PLURAL, stored, "--type=merge", "-p", '{"status": {"phase": "Failed"}}'))
    run = json.loads(succeeded(kubectl("get", names.PLURAL, stored, "-o", "json")))
    assert "status" not in run
    wrong = ["--subresource=status", "--type=merge", "-p", '{"status": {"phase": "Sleeping"}}']
    assert 'status.phase: Unsupported value: "Sleeping"' in output_of(
        kubectl("patch", names.PLURAL, stored, *wrong)
    )


def test_get_shows_the_promised_columns(stored: str) -> None:
    """A run is followed in one line."""
    condition = {
        "type": "Progressing", "status": "True", "reason": "DepartmentRunning",
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    }  # fmt: skip
    status = {
        "phase": "Running", "progress": "3/7", "currentDepartment": "story", "itemsCreated": 31,
        "qualityScore": 82.4, "iterations": 9, "costUSD": 0.42, "reason": "Unschedulable",
        "conditions": [condition],
    }  # fmt: skip
    body = json.dumps({"status": status})
    succeeded(kubectl("patch", names.PLURAL, stored, "--subresource=status", "--type=merge", "-p", body))
    header, row = succeeded(kubectl("get", names.SHORT_NAME, stored, "-o", "wide")).splitlines()
    assert header.split() == [
        "NAME", "PROJECT", "PHASE", "DEPARTMENT", "PROGRESS", "ITEMS", "QUALITY",
        "ITERATIONS", "COST", "REASON", "AGE",
    ]  # fmt: skip
    assert row.split()[:-1] == [
        "stored", "66f1a2b3c4d5e6f708192a3b", "Running", "story", "3/7", "31", "82.4",
        "9", "0.42", "Unschedulable",
    ]  # fmt: skip


def test_explain_tells_what_a_field_does_and_what_unset_means() -> None:
    """`kubectl explain` is the manual that everyone has at hand."""
    text = " ".join(succeeded(kubectl("explain", "gatherrun.spec")).split())
    for name in crd.spec_schema()["properties"]:
        assert name in text
    assert "projectId <string> -required-" in text
    assert "Each department still to come keeps one in reserve. (1 to 500, default 50)" in text
    assert "Empty or unset: all that the CMS names." in text
