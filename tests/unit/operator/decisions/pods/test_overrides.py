"""What a run may ask of its pods, and that it can neither hide nor undo what makes them ours."""

from typing import Any

import yaml

from dev.paths import ROOT
from gather_contracts import names
from gather_operator.decisions.assessment import generations_max
from gather_operator.decisions.manifests import WorkerTemplate, build_job
from gather_operator.decisions.overrides import overridden
from gather_operator.decisions.resolve import build_document, resolve

TEMPLATE = WorkerTemplate(
    image="worker",
    node_selector={"pool": "cpu_intensive", "arch": "amd64"},
    tolerations=[{"key": "pool", "operator": "Exists"}],
    resources={"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}},
)
QUEUE = {"kueue.x-k8s.io/queue-name": "films"}


def job_of(build: Any, worker: dict[str, Any] | None) -> dict[str, Any]:
    """The Job of a run that asks for this."""
    run = build.run(spec={"worker": worker} if worker is not None else {})
    return build_job(run, build.document("story").departments[0], 0, 1, 7, overridden(TEMPLATE, run))


def pod_of(job: dict[str, Any]) -> dict[str, Any]:
    return dict(job["spec"]["template"]["spec"])


def test_a_run_that_asks_for_nothing_has_what_the_chart_says(build: Any) -> None:
    """Nor is there anything empty in its pods."""
    bare, empty = job_of(build, None), job_of(build, {})
    assert bare == empty
    assert not {"affinity", "priorityClassName"} & pod_of(bare).keys()
    assert "suspend" not in bare["spec"]


def test_resources_and_nodes_are_joined_key_by_key(build: Any) -> None:
    """Who asks for more memory keeps the chart's CPU; whole numbers stay numbers."""
    pod = pod_of(
        job_of(
            build,
            {
                "resources": {"requests": {"cpu": 2}, "limits": {"memory": "1Gi", "nvidia.com/gpu": 1}},
                "nodeSelector": {"pool": "large"},
            },
        )
    )
    assert pod["containers"][0]["resources"] == {
        "requests": {"cpu": 2, "memory": "256Mi"},
        "limits": {"memory": "1Gi", "nvidia.com/gpu": 1},
    }
    assert pod["nodeSelector"] == {"pool": "large", "arch": "amd64"}


def test_tolerations_are_added_before_those_for_a_lost_node(build: Any) -> None:
    """Of several for one taint Kubernetes takes the shortest time, so a lost node is still noticed."""
    asked = {"operator": "Exists"}
    tolerations = pod_of(job_of(build, {"tolerations": [asked]}))["tolerations"]
    assert tolerations[:2] == [{"key": "pool", "operator": "Exists"}, asked]
    assert {t.get("key") for t in tolerations[2:]} == {
        "node.kubernetes.io/unreachable",
        "node.kubernetes.io/not-ready",
    }


def test_every_field_of_the_example_comes_through_as_it_was_written(build: Any) -> None:
    """In Kubernetes' own form."""
    example = yaml.safe_load((ROOT / "examples" / "valid" / "worker-placed.yaml").read_text("utf-8"))
    asked = example["spec"]["worker"]
    job = job_of(build, asked)
    pod = pod_of(job)
    assert pod["affinity"] == asked["affinity"]
    assert pod["priorityClassName"] == asked["priorityClassName"]
    assert pod["tolerations"][1:3] == asked["tolerations"]
    assert asked["labels"].items() <= job["spec"]["template"]["metadata"]["labels"].items()
    assert asked["labels"].items() <= job["metadata"]["labels"].items()


def test_labels_cannot_hide_ours(build: Any) -> None:
    """Not even where the CRD in the cluster is one that does not refuse them."""
    plain = job_of(build, None)
    taken = dict.fromkeys(plain["metadata"]["labels"], "other")
    assert job_of(build, {"labels": {**taken, "job-name": "x", "batch.kubernetes.io/job-name": "x"}}) == plain


def test_a_queue_s_label_stands_at_the_job_and_holds_it_back(build: Any) -> None:
    """The queue lets the Job begin; at its pods the label would hand them to a queue themselves."""
    job = job_of(build, {"labels": {**QUEUE, "team": "story"}})
    assert job["metadata"]["labels"][names.LABEL_QUEUE] == "films"
    assert job["spec"]["suspend"] is True
    assert names.LABEL_QUEUE not in job["spec"]["template"]["metadata"]["labels"]
    assert job["spec"]["template"]["metadata"]["labels"]["team"] == "story"


def test_a_queued_run_may_need_more_jobs(build: Any) -> None:
    """Each suspension of the run deletes one."""
    assert generations_max(build.run(spec={"worker": {"labels": QUEUE}})) > generations_max(build.run())


def test_workers_are_not_told_how_they_were_placed(build: Any) -> None:
    """`run.json` holds what they need."""
    run = build.run(spec={"worker": {"labels": QUEUE}})
    document = build_document(run, resolve(run, build.cms("story"), "m"))
    assert document.spec.worker is None
