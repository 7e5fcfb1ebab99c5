"""TLS for HTTP clients, paid for only where it is used: reading the public certificates takes 30 ms of
processor time, and a client by itself reads them every time, also for an address without TLS.
"""

import ssl
from functools import cache
from pathlib import Path

import httpx


def tls_for(url: httpx.URL, ca_file: Path | None = None) -> ssl.SSLContext:
    """Return what a client of this address may trust: the public certificates, or nobody where it has no TLS.

    `SSL_CERT_FILE` and `SSL_CERT_DIR` name other certificates. `ca_file` has authorities that vouch besides
    them; raises OSError if it cannot be read.
    """
    return _trusted(ca_file) if url.scheme == "https" else _trusting_nobody()


@cache
def _trusting_nobody() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@cache
def _trusted(ca_file: Path | None) -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    if ca_file:
        context.load_verify_locations(ca_file)
        # Python 3.13 demands more of authorities than most companies' own have.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
