"""A broker that speaks TLS is trusted only with a certificate of the authority that is named."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu import pools
from kombu.exceptions import OperationalError

from dev.service_process import ServiceProcess
from gather_clients.redis_place import celery_address
from gather_worker.services.evaluation import open_celery
from tests.support.events import redis_servers


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[ServiceProcess]:
    """A Redis with TLS, whose certificate is its own authority."""
    own = redis_servers.certificate(tmp_path / "own.pem")
    server = redis_servers.tls_server(tmp_path / "redis", own)
    server.start()
    yield server
    server.kill()


def send(url: str) -> None:
    """Queue a message as an evaluation is queued, over a connection of its own."""
    pools.reset()  # type: ignore[no-untyped-call] # kombu leaves it untyped
    with open_celery(url, 6) as app:
        app.send_task("evaluate_department", queue="cpu_intensive", retry=False)


def test_only_a_certificate_of_the_named_authority_is_trusted(broker: ServiceProcess, tmp_path: Path) -> None:
    """Also where the address says nothing of certificates: by itself Celery would trust any."""
    other = redis_servers.certificate(tmp_path / "other.pem")
    url = broker.uri.partition("?")[0]
    send(celery_address(url, tmp_path / "own.pem"))
    for distrusted in (celery_address(url, other), celery_address(url, None)):
        with pytest.raises((OperationalError, OSError), match="CERTIFICATE_VERIFY_FAILED"):
            send(distrusted)
