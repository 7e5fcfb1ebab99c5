"""The node's way to a model: one destination, over tunnels and plain requests."""

import socket
from urllib.parse import urlsplit

import httpx
import pytest

from dev.cluster import way_out as module
from dev.cluster.way_out import destination, seen_by_pods, way_out
from tests.support.http_server import answering

MACHINE = "127.0.0.2"
"""Stands for this machine's end of the node's link."""


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("http://localhost:11434/v1", "http://10.0.0.1:11434/v1"),
        ("http://127.0.0.1/v1", "http://10.0.0.1/v1"),
        ("http://[::1]:80/v1", "http://10.0.0.1:80/v1"),
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1"),
        ("http://model.lan:8000/v1", "http://model.lan:8000/v1"),
    ],
)
def test_pods_see_this_machine_by_an_address_of_theirs(url: str, seen: str) -> None:
    assert seen_by_pods(url, "10.0.0.1") == seen


def test_a_request_goes_on_in_the_form_for_a_server_and_as_the_last_of_its_connection() -> None:
    head = b"POST http://Model.lan:81/v1/x?a=b HTTP/1.1\r\nHost: model.lan:81\r\nConnection: keep-alive"
    assert destination(head) == (
        "model.lan",
        81,
        b"POST /v1/x?a=b HTTP/1.1\r\nHost: model.lan:81\r\nConnection: close\r\n\r\n",
    )
    assert destination(b"CONNECT openrouter.ai:443 HTTP/1.1\r\nHost: x") == ("openrouter.ai", 443, b"")


@pytest.mark.parametrize(
    "head", [b"", b"GET / HTTP/1.1", b"GET https://a/ HTTP/1.1", b"\xff\xff\xff", b"a b"]
)
def test_what_is_no_request_to_a_proxy_is_refused(head: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        destination(head)


def test_several_requests_in_a_row_reach_this_machine_s_endpoint() -> None:
    def answer(body: object) -> object:
        return {"said": body}

    with answering(answer) as address, way_out(address, MACHINE) as way:
        assert urlsplit(way.url).hostname == MACHINE
        with httpx.Client(proxy=way.proxy, trust_env=False) as client:
            for number in range(3):
                assert client.post(f"{way.url}/v1", json=number).json() == {"said": number}


def test_a_client_learns_that_its_connection_ends_though_the_server_does_not_say_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with way_out(f"http://127.0.0.1:{port}/v1", MACHINE) as way, _connected(way.proxy) as client:
            client.sendall(f"POST {way.url} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            there, _ = server.accept()
            with there:
                there.recv(1000)
                there.sendall(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\n")
                there.sendall(b"Content-Length: 2\r\n\r\n{")
                there.sendall(b"}")
            with client.makefile("rb") as answer:
                assert answer.read() == (
                    b"HTTP/1.1 100 Continue\r\n\r\n"
                    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
                )


def test_a_tunnel_passes_bytes_both_ways_as_they_are() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with way_out(f"https://127.0.0.1:{port}/v1", MACHINE) as way, _connected(way.proxy) as client:
            client.sendall(f"CONNECT {MACHINE}:{port} HTTP/1.1\r\n\r\nhello".encode())
            there, _ = server.accept()
            with there:
                assert there.recv(100) == b"hello"
                there.sendall(b"\x16\x03")
                with client.makefile("rb") as answer:
                    passed = b"HTTP/1.1 200 Connection established\r\n\r\n\x16\x03"
                    assert answer.read(len(passed)) == passed
                client.shutdown(socket.SHUT_WR)
                assert there.recv(100) == b""


def test_no_other_destination_is_reached() -> None:
    with answering(lambda body: body) as address, way_out("https://openrouter.ai/api/v1", MACHINE) as way:
        with httpx.Client(proxy=way.proxy, trust_env=False) as client:
            assert client.post(f"{address}/v1", json=1).status_code == 403
        for other in ("openrouter.ai:80", "openrouter.ai.example:443", "169.254.169.254:443"):
            with _connected(way.proxy) as client:
                client.sendall(f"CONNECT {other} HTTP/1.1\r\n\r\n".encode())
                assert client.recv(100).startswith(b"HTTP/1.1 403 ")


def test_a_destination_that_is_down_is_a_bad_gateway_and_a_long_head_a_bad_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with way_out(f"http://127.0.0.1:{port}/v1", MACHINE) as way:
        with httpx.Client(proxy=way.proxy, trust_env=False) as client:
            assert client.get(way.url).status_code == 502
        monkeypatch.setattr(module, "HEAD_MAX", 10)
        with _connected(way.proxy) as client:
            client.sendall(b"GET /" + b"x" * 20)
            assert client.recv(100).startswith(b"HTTP/1.1 400 ")


def test_the_way_is_closed_with_its_block() -> None:
    with way_out("https://openrouter.ai/api/v1", MACHINE) as way:
        pass
    with pytest.raises(OSError, match=r"refused"):
        _connected(way.proxy)


def _connected(proxy: str) -> socket.socket:
    """A connection to the proxy."""
    parts = urlsplit(proxy)
    return socket.create_connection((parts.hostname or "", parts.port or 0), 20)
