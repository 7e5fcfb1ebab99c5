"""The Kubernetes client as we use it: raw calls, without its thousand generated modules."""

import subprocess
import sys

SCRIPT = """
import asyncio, sys
import gather_operator.main
from gather_operator.kube.connections import connect
from gather_operator.kube.cluster import Cluster
from gather_clients.kube_api.cluster_errors import ClusterUnavailable
from kubernetes.aio.client.configuration import Configuration

async def call():
    calls = connect(Configuration(host="http://127.0.0.1:1"), None, 1)
    try:
        await Cluster(calls, "films").create_job({"metadata": {"name": "j"}, "spec": {"parallelism": 1}})
    except ClusterUnavailable:
        pass
    await calls.close()

asyncio.run(call())
generated = (".client.api.", ".client.models.")
# kopf takes two models of the other client for checks of types, and does without them where they are missing.
kopfs = ("v1_object_meta", "v1_owner_reference", "v1_managed_fields_entry")
print([m for m in sys.modules if m.startswith("kubernetes.") and any(g in m for g in generated)
       and m.removeprefix("kubernetes.client.models.") not in kopfs])
"""


def test_no_generated_module_of_the_client_is_loaded() -> None:
    """They would cost 30 MiB and most of a second, and the operator's image has none of them."""
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout.strip() == "[]", ran.stdout
