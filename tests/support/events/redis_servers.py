"""Redis as it is met: with passwords, ACL, TLS, bounds on memory, replicas, Sentinels and as a Cluster."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dev.artefacts.store_binaries import StoreArtefacts
from dev.service_process import HOST, ServiceProcess, free_port
from dev.stores import redis_answers

SERVICE = "gather"
"""The name by which the Sentinels know the primary."""


def redis_server(folder: Path, *options: str, credentials: str = "", uri: str = "") -> ServiceProcess:
    """Describe a Redis with these options; `credentials` is what its address has before the host."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    place = ["--port", str(port), "--bind", HOST, "--dir", str(folder), "--repl-diskless-sync-delay", "0"]
    program = StoreArtefacts.from_environment().redis_server()
    uri = uri or f"redis://{credentials}{HOST}:{port}/0"
    return ServiceProcess("Redis", uri, folder, [program, *place, *options], redis_answers)


def tls_server(folder: Path, certificate: Path) -> ServiceProcess:
    """Describe a Redis that speaks only TLS, with a PEM file of its certificate and key."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    files = [f"--tls-{kind}-file" for kind in ("cert", "key", "ca-cert")]
    options = [part for name in files for part in (name, str(certificate))]
    program = str(StoreArtefacts.from_environment().redis_server())
    command = [program, "--port", "0", "--tls-port", str(port), "--bind", HOST, "--tls-auth-clients", "no",
               "--dir", str(folder), *options]  # fmt: skip
    uri = f"rediss://{HOST}:{port}/0?ssl_ca_certs={certificate}"
    return ServiceProcess("Redis with TLS", uri, folder, command, redis_answers)


def port_of(server: ServiceProcess) -> int:
    """Return the port that a server listens on."""
    return int(server.uri.rsplit(":", 1)[1].split("/")[0])


def sentinel_server(folder: Path, primary: ServiceProcess) -> ServiceProcess:
    """Describe a Sentinel that alone decides, half a second after the primary went."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    configuration = folder / "sentinel.conf"
    lines = [
        f"port {port}", f"bind {HOST}", f"dir {folder}",
        f"sentinel monitor {SERVICE} {HOST} {port_of(primary)} 1",
        f"sentinel down-after-milliseconds {SERVICE} 500",
        f"sentinel failover-timeout {SERVICE} 2000",
    ]  # fmt: skip
    configuration.write_text("\n".join(lines) + "\n", "utf-8")
    program = str(StoreArtefacts.from_environment().redis_server())
    command = [program, str(configuration), "--sentinel"]
    return ServiceProcess("Sentinel", f"redis://{HOST}:{port}", folder, command, redis_answers)


@contextmanager
def stopped(server: ServiceProcess) -> Iterator[None]:
    """Have the process hang, with its connections open, while the block lasts."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def ask(server: ServiceProcess, *command: str | int) -> object:
    """Return what the server answers to one command."""
    with redis.Redis.from_url(server.uri) as client:
        return client.execute_command(*command)


def replicate(replica: ServiceProcess, primary: ServiceProcess) -> None:
    """Have one server follow another, and return when it has all of its data."""
    ask(replica, "REPLICAOF", HOST, port_of(primary))
    until(lambda: info(replica, "replication").get("master_link_status") == "up")


def info(server: ServiceProcess, section: str) -> dict[str, object]:
    """Return a section of what a server says of itself."""
    with redis.Redis.from_url(server.uri) as client:
        return dict(client.info(section))


def until(is_so: Callable[[], object], within_s: float = 20) -> None:
    """Wait until a condition holds."""
    ends_s = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < ends_s, "it does not come"
        time.sleep(0.01)


def certificate(path: Path) -> Path:
    """Write a self-signed certificate for this machine, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    forms = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(key.private_bytes(*forms) + made.public_bytes(serialization.Encoding.PEM))
    return path
