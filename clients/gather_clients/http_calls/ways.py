"""What an httpx client is made with, so that it reaches one address."""

import ssl
from pathlib import Path
from typing import TypedDict

import httpx

from gather_clients.http_calls.proxies import proxy_for
from gather_clients.http_calls.tls import tls_for


class Way(TypedDict):
    """Arguments of `httpx.AsyncClient`."""

    verify: ssl.SSLContext
    proxy: httpx.Proxy | None
    trust_env: bool
    transport: httpx.AsyncBaseTransport | None


def way_to(
    url: httpx.URL | str,
    transport: httpx.AsyncBaseTransport | None = None,
    *,
    proxy: str | None = None,
    ca_file: Path | None = None,
) -> Way:
    """Return how a client reaches this address; `transport` takes the network's place, proxies included.

    Raises:
        ConfigurationError: the proxy can never work.
        OSError: `ca_file` cannot be read.
    """
    url = httpx.URL(url)
    through = None if transport else proxy_for(url, proxy)
    tls = tls_for(through, ca_file) if through and through.scheme == "https" else None
    return Way(
        verify=tls_for(url, ca_file),
        proxy=httpx.Proxy(through, ssl_context=tls) if through else None,
        trust_env=False,
        transport=transport,
    )
