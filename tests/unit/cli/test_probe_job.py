"""The doctor's probe is run as a worker is, with all that the chart's values give workers."""

import json
from typing import Any

from gather_cli.doctor.installed_release import Release
from gather_cli.doctor.probe_job import build_probe

POD = {
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "batch",
    "extraEnv": [{"name": "HTTPS_PROXY", "valueFrom": {"secretKeyRef": {"name": "proxy", "key": "url"}}}],
    "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
    "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ca"}],
}


def pod_with(**env: str) -> dict[str, Any]:
    """The probe's pod, where the operator has these variables."""
    variables = [{"name": name, "value": value} for name, value in env.items()]
    spec = {"containers": [{"name": "operator", "env": variables}], "securityContext": {"runAsNonRoot": True}}
    operator = {"spec": {"template": {"spec": spec}}}
    job = build_probe(Release("gather", "1", {"operator": operator}), "film", "probe", None)
    return dict(job["spec"]["template"]["spec"])


def test_the_probe_has_what_workers_have() -> None:
    """Else it would say that the model cannot be reached, where workers reach it by their proxy."""
    pod = pod_with(GATHER_WORKER_POD=json.dumps(POD))
    (container,) = pod["containers"]
    assert (pod["affinity"], pod["priorityClassName"]) == (POD["affinity"], "batch")
    assert container["env"][-1:] == POD["extraEnv"]
    assert [volume["name"] for volume in pod["volumes"]] == ["secrets", "ca"]
    assert container["volumeMounts"][-1:] == POD["extraVolumeMounts"]


def test_the_probe_of_an_older_release_is_as_before() -> None:
    """It has no such setting."""
    pod = pod_with()
    assert not {"affinity", "priorityClassName"} & pod.keys()
    assert [volume["name"] for volume in pod["volumes"]] == ["secrets"]


def test_the_check_waits_until_policies_know_its_pod() -> None:
    """With the workers' image and settings, which name the brain; what runs there can be read by Python."""
    pod = pod_with(GATHER_WORKER_IMAGE="worker:1", GATHER_WORKER_CONFIG_MAP="gather-worker")
    (first,) = pod["initContainers"]
    assert first["image"] == pod["containers"][0]["image"] == "worker:1"
    assert first["envFrom"] == pod["containers"][0]["envFrom"]
    assert first["securityContext"] == pod["containers"][0]["securityContext"]
    compile(first["command"][2], "program", "exec")
