"""The Jobs that floor and sketch make: as small as they can be, or as large as the operator's."""

from typing import Any, Final

from gather_contracts import names
from gather_contracts.departments import ResolvedDepartment
from gather_contracts.resource import parse_run
from gather_operator.decisions.manifests import WorkerTemplate, build_job

STEPS: Final = 7


def small_job(namespace: str, run: str, step: int) -> dict[str, Any]:
    """Return a Job of one container, labelled as the operator labels its own."""
    labels = {
        names.LABEL_MANAGED_BY: names.MANAGED_BY,
        names.LABEL_RUN_UID: run,
        names.LABEL_DEPARTMENT_INDEX: str(step),
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"{run}-{step}", "namespace": namespace, "labels": labels},
        "spec": {
            "backoffLimit": 3,
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "restartPolicy": "Never",
                    "nodeSelector": {"pool": "cpu_intensive"},
                    "containers": [{"name": "worker", "image": "worker"}],
                },
            },
        },
    }


def operator_job(namespace: str, run: str, step: int) -> dict[str, Any]:
    """Return the Job that the operator would make, without its owner."""
    metadata = {"name": run, "namespace": namespace, "uid": run}
    owner = parse_run({"metadata": metadata, "spec": {"projectId": "0" * 24, "userId": "bench"}})
    department = ResolvedDepartment(
        slug=f"d{step}", name=f"Department {step}", code_dep_number=step, threshold=80, model="model"
    )
    template = WorkerTemplate("worker", node_selector={"pool": "cpu_intensive"})
    job = build_job(owner, department, step, 1, 5, template)
    del job["metadata"]["ownerReferences"]
    return job
