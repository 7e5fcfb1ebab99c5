"""Whom a client trusts."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import certifi
import httpx
import pytest

from gather_clients.http_calls import tls
from gather_clients.http_calls.tls import tls_for


@pytest.fixture(autouse=True)
def _unread() -> Iterator[None]:
    """Forget what was read."""
    tls._trusted.cache_clear()
    yield
    tls._trusted.cache_clear()


def test_a_client_without_tls_trusts_nobody() -> None:
    """Should it meet TLS after all, through a mistake, it fails and does not trust blindly."""
    context = tls_for(httpx.URL("http://brain:8000"))
    assert context.cert_store_stats()["x509_ca"] == 0
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_clients_with_tls_share_the_public_certificates() -> None:
    """They are read once."""
    context = tls_for(httpx.URL("HTTPS://openrouter.ai/api/v1"))
    assert context.cert_store_stats()["x509_ca"] > 0
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert tls_for(httpx.URL("https://m.test")) is context


def test_other_certificates_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a company's own endpoint, or of its proxy."""
    end = "-----END CERTIFICATE-----\n"
    one = Path(certifi.where()).read_text(encoding="utf-8").partition(end)
    file = tmp_path / "ca.pem"
    file.write_text(one[0] + end, encoding="utf-8")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    assert tls_for(httpx.URL("https://m.test")).cert_store_stats()["x509_ca"] == 1
