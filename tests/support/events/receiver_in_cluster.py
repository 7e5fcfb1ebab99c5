"""A receiver of webhooks inside a cluster: a pod that prints what it gets, and a bridge that may call it."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.deployed_gather import DeployedGather
from tests.support.events.webhook_receiver import write_certificate

NAME = "hook-receiver"
PORT = 8443
BRIDGE, SECRET = "gather-bridge", "gather-backing-bridge"
CA = "webhook-ca.pem"
PROGRAM = """
import http.server, ssl
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        print("GOT", body.decode(), flush=True)
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("", 8443), Receiver)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/certificate/both.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


def manifests(image: str, certificate: str) -> dict[str, Any]:
    """Return the receiver: a pod of the bridge's image, its certificate and its address."""
    labels = {"app": NAME}
    container = {
        "name": "receiver", "image": image, "command": ["python3", "-c", PROGRAM],
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        "volumeMounts": [{"name": "certificate", "mountPath": "/certificate"}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }  # fmt: skip
    pod = {
        "automountServiceAccountToken": False, "containers": [container],
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}
        },
        "volumes": [{"name": "certificate", "secret": {"secretName": NAME}}],
    }  # fmt: skip
    items = [
        {"apiVersion": "v1", "kind": "Secret", "stringData": {"both.pem": certificate}},
        {
            "apiVersion": "v1", "kind": "Service",
            "spec": {"selector": labels, "ports": [{"port": PORT, "targetPort": PORT}]},
        },
        {"apiVersion": "v1", "kind": "Pod", "spec": pod},
    ]  # fmt: skip
    for item in items:
        item["metadata"] = {"name": NAME, "labels": labels}
    return {"apiVersion": "v1", "kind": "List", "items": items}


def way_of_the_bridge() -> dict[str, Any]:
    """Return the policy that lets the bridge out to the receiver."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": NAME, "labels": {"app": NAME}},
        "spec": {
            "podSelector": {"matchLabels": {"app.kubernetes.io/component": "bridge"}},
            "policyTypes": ["Egress"],
            "egress": [{"to": [{"podSelector": {"matchLabels": {"app": NAME}}}]}],
        },
    }


@contextmanager
def receiver_in_cluster(gather: DeployedGather, folder: Path) -> Iterator[str]:
    """Yield the address of a receiver that the bridge may call; afterwards all is as before."""
    host = f"{NAME}.{gather.namespace}.svc"
    write_certificate(folder / "both.pem", host)
    both = (folder / "both.pem").read_text(encoding="ascii")
    authority = both[both.index("-----BEGIN CERTIFICATE") :]
    bridge = json.loads(gather.kubectl("get", "deployment", BRIDGE, "-o", "json"))
    image = bridge["spec"]["template"]["spec"]["containers"][0]["image"]
    try:
        gather.kubectl("create", "-f", "-", stdin=json.dumps(manifests(image, both)))
        gather.kubectl("wait", "--for=condition=Ready", f"pod/{NAME}", "--timeout=50s")
        address = gather.kubectl("get", "service", NAME, "-o", "jsonpath={.spec.clusterIP}")
        data = {CA: base64.b64encode(authority.encode()).decode()}
        gather.kubectl("patch", "secret", SECRET, "-p", json.dumps({"data": data}))
        set_env(
            gather,
            f'GATHER_BRIDGE_WEBHOOK_ALLOWED_NETWORKS=["{address}/32"]',
            f"GATHER_BRIDGE_WEBHOOK_CA_FILE=/etc/gather/secrets/{CA}",
        )
        # The setting came past the chart, which else would let the bridge out to there too.
        gather.kubectl("create", "-f", "-", stdin=json.dumps(way_of_the_bridge()))
        yield f"https://{host}:{PORT}/hook"
    finally:
        set_env(gather, "GATHER_BRIDGE_WEBHOOK_ALLOWED_NETWORKS-", "GATHER_BRIDGE_WEBHOOK_CA_FILE-")
        gather.kubectl("patch", "secret", SECRET, "-p", json.dumps({"data": {CA: None}}))
        gather.kubectl(
            "delete",
            "pod,service,secret,networkpolicy",
            "-l",
            f"app={NAME}",
            "--ignore-not-found",
            "--grace-period=0",
        )


def set_env(gather: DeployedGather, *settings: str) -> None:
    """Change the bridge's settings and wait for its new pods."""
    gather.kubectl("set", "env", f"deployment/{BRIDGE}", *settings)
    gather.wait_ready(BRIDGE)


def received(gather: DeployedGather) -> list[dict[str, Any]]:
    """Return the events that came in, in their order."""
    lines = gather.kubectl("logs", NAME).splitlines()
    return [json.loads(line.removeprefix("GOT ")) for line in lines if line.startswith("GOT ")]
