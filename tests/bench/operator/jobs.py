"""The Jobs that floor and sketch make: as small as they can be, or as large as the operator's."""

from typing import Any, Final

from gather_contracts import names

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
