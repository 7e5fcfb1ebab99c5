"""Whom a client trusts."""

import ssl

import httpx

from gather_clients.tls import tls_for


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
