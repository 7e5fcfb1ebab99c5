"""What the chart's values say of worker pods: all of it reaches the pod, and a run's own words go before."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from gather_contracts import names
from gather_operator.decisions.manifests import WorkerTemplate, build_job
from gather_operator.decisions.overrides import overridden
from gather_operator.decisions.worker_pod import WorkerPod

NEAR = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
    {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}]}}}  # fmt: skip
SPREAD = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
POD: dict[str, Any] = {
    "labels": {"team": "film", names.LABEL_NAME: "mine"},
    "annotations": {"sidecar.istio.io/inject": "false"},
    "priorityClassName": "batch",
    "affinity": NEAR,
    "topologySpreadConstraints": [SPREAD, {**SPREAD, "labelSelector": {"matchLabels": {"team": "film"}}}],
    "securityContext": {"runAsNonRoot": True},
    "extraEnv": [{"name": "TZ", "valueFrom": {"configMapKeyRef": {"name": "place", "key": "zone"}}}],
    "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
    "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ca"}],
}


def template_of(build: Any, pod: dict[str, Any], worker: dict[str, Any] | None = None) -> dict[str, Any]:
    """The pod template of a run that asks for this, where the chart says that."""
    run = build.run(spec={"worker": worker} if worker is not None else {})
    template = WorkerPod.model_validate_json(json.dumps(pod)).added_to(WorkerTemplate(image="worker"))
    job = build_job(run, build.document("story").departments[0], 0, 1, 7, overridden(template, run))
    assert {"team": "film"}.items() <= job["metadata"]["labels"].items() or not pod
    return dict(job["spec"]["template"])


def test_every_part_reaches_the_pod(build: Any) -> None:
    """Beside ours, which nothing replaces."""
    template = template_of(build, POD)
    pod, container = template["spec"], template["spec"]["containers"][0]
    assert template["metadata"]["labels"]["team"] == "film"
    assert template["metadata"]["labels"][names.LABEL_NAME] == names.WORKER_NAME
    assert template["metadata"]["annotations"] == POD["annotations"]
    assert (pod["priorityClassName"], pod["affinity"]) == ("batch", NEAR)
    assert pod["securityContext"] == {"runAsNonRoot": True}
    own, given = pod["topologySpreadConstraints"]
    assert own["labelSelector"] == {"matchLabels": {names.LABEL_NAME: names.WORKER_NAME}}
    assert given["labelSelector"] == {"matchLabels": {"team": "film"}}
    assert container["env"][-1:] == POD["extraEnv"]
    assert [volume["name"] for volume in pod["volumes"]] == ["run", "secrets", "tmp", "ca"]
    assert container["volumeMounts"][-1:] == POD["extraVolumeMounts"]


def test_a_run_s_own_words_go_before(build: Any) -> None:
    """Labels are joined, affinity and priority are replaced."""
    far = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone"}]}}
    template = template_of(
        build, POD, {"labels": {"scene": "4"}, "priorityClassName": "urgent", "affinity": far}
    )
    assert {"team": "film", "scene": "4"}.items() <= template["metadata"]["labels"].items()
    assert (template["spec"]["priorityClassName"], template["spec"]["affinity"]) == ("urgent", far)


def test_without_a_word_the_pod_is_as_before_there_were_any(build: Any) -> None:
    """So that an operator of this version under an older chart changes nothing."""
    run = build.run()
    bare = build_job(run, build.document("story").departments[0], 0, 1, 7, WorkerTemplate(image="worker"))
    assert template_of(build, {}) == bare["spec"]["template"]
    assert "annotations" not in bare["spec"]["template"]["metadata"]
    assert bare["spec"]["template"]["spec"]["securityContext"]["runAsUser"] == 10001


@pytest.mark.parametrize("pod", [{"hostNetwork": True}, {"affinity": []}, {"labels": {"a": 1}}])
def test_what_is_no_part_is_refused(pod: dict[str, Any]) -> None:
    """At the operator's start, with the setting's name."""
    with pytest.raises(ValidationError):
        WorkerPod.model_validate_json(json.dumps(pod))
