"""The way to a models' endpoint over the network: a proxy with a password, and an authority of one's own."""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from dev.cluster.node import pki
from dev.service_process import HOST
from gather_worker.errors import ModelTransient
from gather_worker.llm.access.model_client import Access, new_client
from gather_worker.llm.endpoint import Endpoint

NAME = "models.test"
"""Known to nobody but the proxy."""
PASSWORD = base64.b64encode(b"gather:pass").decode()
BODY = b'{"choices": []}'
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


@pytest.fixture(autouse=True)
def _no_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what this machine has."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@asynccontextmanager
async def listening(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve connections on a port, which is yielded, and wait for the end of each."""
    connections: list[asyncio.Task[None]] = []

    def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.ensure_future(serve(reader, writer)))

    server = await asyncio.start_server(take, HOST, 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.gather(*connections)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request as a model would."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(BODY), BODY))
    await writer.drain()
    writer.close()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes on."""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


class Proxy:
    """Lets those out who have its password, and leads every name to one port."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head.split("\r\n", maxsplit=1)[0])
        if f"Proxy-Authorization: Basic {PASSWORD}" not in head:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            writer.close()
            return
        there, back = await asyncio.open_connection(HOST, self.port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pump(reader, back), pump(there, writer))


@pytest.fixture
async def endpoint_port(tmp_path: Path) -> AsyncIterator[int]:
    """An endpoint with TLS, vouched for by the authority in ca.crt."""
    authority = pki.make_authority()
    (tmp_path / "ca.crt").write_bytes(authority.certificate_pem())
    pair = pki.issue(authority, NAME, hosts=[x509.DNSName(NAME)])
    (tmp_path / "tls.crt").write_bytes(pair.certificate_pem())
    (tmp_path / "tls.key").write_bytes(pair.key_pem())
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    async with listening(answer, tls) as port:
        yield port


async def asked(access: Access, base_url: str = f"https://{NAME}/v1") -> object:
    """Return the answer to one request."""
    async with new_client(base_url, access=access) as client:
        return await Endpoint(client, 5).complete({"model": "m"}, 5)


async def test_a_worker_gets_out_by_a_proxy_to_an_endpoint_of_another_authority(
    endpoint_port: int, tmp_path: Path
) -> None:
    """The proxy looks the name up; neither it nor the authority concerns anything but this endpoint."""
    proxy = Proxy(endpoint_port)
    async with listening(proxy) as port:
        access = Access(proxy=f"http://gather:pass@{HOST}:{port}", ca_file=tmp_path / "ca.crt")
        assert await asked(access) == {"choices": []}
    assert proxy.asked == [f"CONNECT {NAME}:443 HTTP/1.1"]


async def test_an_authority_that_nobody_named_is_not_trusted(endpoint_port: int) -> None:
    """And the words say which setting names it; nothing was sent, so nothing can have been charged."""
    async with listening(Proxy(endpoint_port)) as port:
        with pytest.raises(ModelTransient, match=r"is not trusted .*GATHER_LLM_CA_FILE") as caught:
            await asked(Access(proxy=f"http://gather:pass@{HOST}:{port}"))
    assert not caught.value.may_be_charged


async def test_a_proxy_that_refuses_is_named(endpoint_port: int, tmp_path: Path) -> None:
    """Not as an endpoint that cannot be reached."""
    async with listening(Proxy(endpoint_port)) as port:
        with pytest.raises(ModelTransient, match=r"the proxy refuses .407.*GATHER_LLM_PROXY") as caught:
            await asked(Access(proxy=f"http://gather:wrong@{HOST}:{port}", ca_file=tmp_path / "ca.crt"))
    assert not caught.value.may_be_charged
    assert "wrong" not in str(caught.value)


async def test_an_endpoint_in_the_cluster_is_reached_without_the_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By its network in NO_PROXY, in the form that clusters write it."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.0/8,fd00:10:96::/112,.svc")
    async with listening(answer) as port:
        access = Access(proxy="http://127.0.0.1:9")
        assert await asked(access, f"http://{HOST}:{port}/v1") == {"choices": []}
