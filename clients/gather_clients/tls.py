"""TLS for HTTP clients, paid for only where it is used: reading the public certificates takes 30 ms of
processor time, and a client by itself reads them every time, also for an address without TLS.
"""

import ssl
from functools import cache

import httpx


def tls_for(url: httpx.URL) -> ssl.SSLContext:
    """Return what a client of this address may trust: the public certificates, or nobody where it has no TLS.

    `SSL_CERT_FILE` and `SSL_CERT_DIR` name other certificates.
    """
    return _public() if url.scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@cache
def _public() -> ssl.SSLContext:
    return httpx.create_ssl_context()
