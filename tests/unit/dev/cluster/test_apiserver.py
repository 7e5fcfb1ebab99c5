"""Questions to the API server and the name server, and what counts as an answer."""

import json
import struct

import pytest

from dev.cluster import apiserver
from dev.cluster.kubeconfig import Credentials


def test_a_dns_question_is_as_the_rfc_has_it() -> None:
    packet = apiserver.dns_query("kubernetes.default", 0x1234)
    assert (
        packet
        == b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x0akubernetes\x07default\x00\x00\x01\x00\x01"
    )


def _answer(identifier: int, flags: int, records: int) -> bytes:
    return struct.pack(">HHHHHH", identifier, flags, 1, records, 0, 0)


@pytest.mark.parametrize(
    ("packet", "counts"),
    [
        (_answer(7, 0x8400, 1), True),
        (_answer(8, 0x8400, 1), False),
        (_answer(7, 0x0400, 1), False),
        (_answer(7, 0x8403, 0), False),
        (_answer(7, 0x8400, 0), False),
        (b"short", False),
    ],
    ids=["answer", "another question", "a question", "no such name", "empty", "too short"],
)
def test_only_an_answer_to_our_question_counts(packet: bytes, counts: bool) -> None:
    assert apiserver.is_dns_answer(packet, 7) is counts


@pytest.mark.parametrize(("status", "ready"), [("True", True), ("False", False), ("Unknown", False)])
def test_a_node_is_ready_when_its_condition_says_so(status: str, ready: bool) -> None:
    node = {
        "status": {
            "conditions": [{"type": "DiskPressure", "status": "True"}, {"type": "Ready", "status": status}]
        }
    }
    assert apiserver.is_ready_node(node) is ready


@pytest.mark.parametrize(
    ("wanted", "ready", "names", "runs"),
    [(1, 1, 2, True), (2, 1, 2, False), (1, 1, 0, False), (0, 0, 2, False)],
    ids=["all", "a kube-proxy crashes", "no name server", "no kube-proxy yet"],
)
def test_services_run_when_every_kube_proxy_and_a_name_server_are_ready(
    monkeypatch: pytest.MonkeyPatch, wanted: int, ready: int, names: int, runs: bool
) -> None:
    statuses = {
        "daemonsets/kube-proxy": {"desiredNumberScheduled": wanted, "numberReady": ready},
        "deployments/coredns": {"availableReplicas": names},
    }

    def get(_: apiserver.ApiServer, path: str) -> tuple[int, bytes]:
        (status,) = [status for name, status in statuses.items() if path.endswith(name)]
        return 200, json.dumps({"status": status}).encode()

    monkeypatch.setattr(apiserver.ApiServer, "get", get)
    assert apiserver.ApiServer(Credentials("https://127.0.0.1:4", "", "", "")).runs_services() is runs
    monkeypatch.setattr(apiserver.ApiServer, "get", lambda *_: (0, b"refused"))
    assert not apiserver.ApiServer(Credentials("https://127.0.0.1:4", "", "", "")).runs_services()


def test_a_node_without_conditions_is_not_ready() -> None:
    assert not apiserver.is_ready_node({})
