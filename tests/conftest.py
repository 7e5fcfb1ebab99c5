"""What all tests share."""

import functools
import os
import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import settings

# A generated example that takes long tells of a busy machine, and of nothing else.
settings.register_profile("gather", deadline=None)
settings.load_profile("gather")


@pytest.fixture(scope="session", autouse=True)
def trusted_certificates() -> Iterator[None]:
    """Read the certificates that httpx trusts once a process, not for each client: that takes it 50 ms.

    Contract tests make thousands of clients, of which next to none speak TLS. A client with certificates of
    its own has them.
    """
    made = httpx.create_ssl_context

    @functools.cache
    def usual(_file: str | None, *, trust_env: bool) -> ssl.SSLContext:
        return made(trust_env=trust_env)

    def context(verify: Any = True, cert: Any = None, trust_env: bool = True) -> ssl.SSLContext:
        if verify is True and cert is None:
            return usual(os.environ.get("SSL_CERT_FILE"), trust_env=trust_env)
        return made(verify, cert, trust_env)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("httpx._transports.default.create_ssl_context", context)
        yield
