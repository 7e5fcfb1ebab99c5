"""A receiver of webhooks: an HTTPS server on the loopback interface, and its certificate."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gather_contracts.events import decode_event

HOST = "app.example"


@dataclass
class Receiver:
    """What came in, and what to answer next: a status, or a function that behaves otherwise."""

    port: int = 0
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    answers: list[int | Callable[[Any], Awaitable[None]]] = field(default_factory=list)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message.get("more_body"):
                break
        async with self.arrived:
            self.bodies.append(body)
            self.headers.append({k.decode().lower(): v.decode() for k, v in scope["headers"]})
            self.paths.append(scope["path"])
            self.arrived.notify_all()
        answer = self.answers.pop(0) if self.answers else 204
        if callable(answer):
            await answer(send)
            return
        location = (
            [(b"location", f"https://{HOST}:{self.port}/elsewhere".encode())] if answer // 100 == 3 else []
        )
        await send({"type": "http.response.start", "status": answer, "headers": location})
        await send({"type": "http.response.body", "body": b""})

    @property
    def offsets(self) -> list[int]:
        return [decode_event(body).offset for body in self.bodies]

    @property
    def ids(self) -> list[str]:
        return [json.loads(body)["id"] for body in self.bodies]

    async def wait_for(self, count: int) -> None:
        """Wait until so many calls have come in."""
        async with asyncio.timeout(30), self.arrived:
            await self.arrived.wait_for(lambda: len(self.bodies) >= count)


def write_certificate(path: Path, host: str = HOST) -> None:
    """Write a self-signed certificate for a host, names below it and 127.0.0.1, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    alternative = x509.SubjectAlternativeName(
        [x509.DNSName(host), x509.DNSName(f"*.{host}"), x509.IPAddress(ip_address("127.0.0.1"))]
    )
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(alternative, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))


@asynccontextmanager
async def receiving(certificate: Path, receiver: Any = None) -> AsyncIterator[Any]:
    """Receive on a free port until the block ends; `receiver` behaves otherwise than a Receiver."""
    made = receiver or Receiver()
    server: Any = uvicorn.Server(
        uvicorn.Config(
            made,
            host="127.0.0.1",
            port=0,
            ssl_certfile=certificate,
            lifespan="off",
            log_config=None,
            timeout_graceful_shutdown=1,
        )
    )
    task = asyncio.create_task(server.serve())
    while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn tells nobody
        await asyncio.sleep(0.01)
    made.port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.should_exit = True
        await task
