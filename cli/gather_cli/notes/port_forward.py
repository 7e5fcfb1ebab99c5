"""A way to a Service of the cluster for as long as a block lasts, by `kubectl port-forward`."""

import re
import select
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from gather_cli.errors import Unreachable

LISTENING: Final = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")
START_S: Final = 20.0


@contextmanager
def forwarded(service: str, port: int, namespace: str, context: str, kubeconfig: str | None) -> Iterator[str]:
    """Yield the local address that leads to a Service; raises Unreachable with what to give instead."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise Unreachable(
            "the bridge is reached through kubectl, which is not on PATH; name its address with --bridge"
        )
    command = [
        kubectl,
        "port-forward",
        "--address",
        "127.0.0.1",
        "-n",
        namespace,
        f"svc/{service}",
        f":{port}",
    ]
    command += [f"--context={context}"] if context else []
    command += [f"--kubeconfig={kubeconfig}"] if kubeconfig else []
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # noqa: S603
    try:
        yield f"http://127.0.0.1:{_port(process, service)}"
    finally:
        process.kill()
        process.communicate()


def _port(process: "subprocess.Popen[bytes]", service: str) -> str:
    said = b""
    if process.stdout is not None and select.select([process.stdout], [], [], START_S)[0]:
        said = process.stdout.readline()
    found = LISTENING.search(said.decode("utf-8", "replace"))
    if found is None:
        why = (
            " ".join(said.decode("utf-8", "replace").split())[:300]
            or f"it did not start within {START_S:g} s"
        )
        raise Unreachable(
            f"kubectl port-forward svc/{service}: {why}; name the bridge's address with --bridge"
        )
    return found[1]
