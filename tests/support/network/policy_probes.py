"""Pods that try to connect, one in each room's place, and what of the node they might reach."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

from dev.cluster.deploy import namespace_manifest
from dev.cluster.node import tree
from dev.commands import output_of
from dev.waiting import wait_for
from tests.support.deployed_gather import DeployedGather

Place = tuple[str, int]
PORT: Final = 8080
PROBE: Final = "gather.ft.tc/probe"
"""Label of these pods, and a condition that they never meet: no Service leads to them."""
START_TIMEOUT_S: Final = 300
BLOCKED: Final = frozenset(("refused", "dropped"))
"""kube-router refuses ten connections a minute and drops the rest."""
LISTEN: Final = """
import signal, socket, sys
places = [place.rsplit(":", 1) for place in sys.argv[1:]]
kept = [socket.create_server((host, int(port)), backlog=512) for host, port in places]
print("listening", flush=True)
signal.pause()
"""
CONNECT: Final = """
import concurrent.futures, json, os, socket, sys
HEADER = os.urandom(2) + bytes.fromhex("01000001000000000000")
QUESTION = HEADER + b"\\nkubernetes\\7default\\3svc\\7cluster\\5local\\0\\0\\1\\0\\1"
def reach(place):
    host, port = place
    try:
        if port == 53:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
                channel.settimeout(3)
                channel.connect((host, port))
                channel.send(QUESTION)
                channel.recv(512)
        else:
            socket.create_connection((host, port), 3).close()
        return "open"
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "dropped"
    except OSError as error:
        return str(error)
places = json.load(sys.stdin)
with concurrent.futures.ThreadPoolExecutor(len(places)) as threads:
    print(json.dumps(dict(zip(places, threads.map(reach, places.values())))))
"""


def manifest(
    name: str, image: str, labels: Mapping[str, str], ports: tuple[int, ...] = (PORT,)
) -> dict[str, Any]:
    """Return a pod that listens and does nothing else, with a room's labels."""
    container = {
        "name": "probe",
        "image": image,
        "command": ["python3", "-c", LISTEN, *(f"0.0.0.0:{port}" for port in ports)],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "resources": {"requests": {"cpu": "1m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"probe-{name}", "labels": {**labels, PROBE: name}},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 0,
            "readinessGates": [{"conditionType": PROBE}],
            "securityContext": security,
            "containers": [container],
        },
    }


@contextmanager
def probes(gather: DeployedGather, pods: Mapping[str, dict[str, Any]]) -> Iterator[dict[str, str]]:
    """Yield the pods' addresses by their keys, once all of them listen; afterwards they are gone."""
    gather.kubectl("apply", "-f", "-", stdin=namespace_manifest(gather.namespace))
    remove = ("delete", "pods", "-l", PROBE, "--ignore-not-found", "--grace-period=0", "--force")
    gather.kubectl(*remove)
    try:
        gather.kubectl(
            "create",
            "-f",
            "-",
            stdin=json.dumps({"kind": "List", "apiVersion": "v1", "items": [*pods.values()]}),
        )

        def addresses() -> dict[str, str] | None:
            found = {
                pod["metadata"]["labels"][PROBE]: pod["status"].get("podIP", "")
                for pod in gather.objects("pods", PROBE)
                if pod["status"].get("phase") == "Running"
            }
            return found if found.keys() >= pods.keys() else None

        yield wait_for("the probes to run", addresses, START_TIMEOUT_S)
    finally:
        gather.kubectl(*remove)


def reached(gather: DeployedGather, source: str, places: Mapping[str, Place]) -> dict[str, str]:
    """Return by destination what a probe met: "open", one of `BLOCKED`, or the error of something else."""
    said = gather.kubectl(
        "exec", "-i", f"probe-{source}", "--", "python3", "-c", CONNECT, stdin=json.dumps(places)
    )
    found: dict[str, str] = json.loads(said)
    return found


def matrix(sources: Mapping[str, DeployedGather], places: Mapping[str, Place]) -> dict[str, dict[str, str]]:
    """Return what every source, each in its namespace, meets at every place."""
    with ThreadPoolExecutor(max_workers=3) as threads:
        rows = threads.map(lambda source: reached(sources[source], source, places), sources)
    return dict(zip(sources, rows, strict=True))


@contextmanager
def listening_on_the_node(places: list[Place]) -> Iterator[None]:
    """Let a node of our own answer at addresses that are far away otherwise, such as a cloud's metadata."""
    node = tree.find()
    assert node, "only a node of our own, as root"
    inside = tree.in_network(node)
    addresses = sorted({host for host, _ in places})
    try:
        for address in addresses:
            output_of([*inside, "ip", "address", "replace", f"{address}/32", "dev", "lo"])
        command = [*inside, sys.executable, "-c", LISTEN, *(f"{host}:{port}" for host, port in places)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listener:
            assert listener.stdout
            assert listener.stdout.readline() == "listening\n"
            try:
                yield
            finally:
                listener.kill()
    finally:
        for address in addresses:
            output_of([*inside, "ip", "address", "delete", f"{address}/32", "dev", "lo"])
