"""The HTTP client of a models' endpoint: its address, its proxy and certificates, and the keys that it sends.

A plain HTTP client does it, the one that the brain's client uses too: of the API's own SDK a worker would use
nothing but the sending, and importing it was half of a worker's start.
"""

import base64
import logging
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from gather_clients.bodies import ACCEPT_ENCODING
from gather_clients.configuration import ConfigurationError
from gather_clients.http_calls.addresses import checked_address
from gather_clients.http_calls.ways import way_to
from gather_worker.errors import InvalidInput

REFUSED: Final = frozenset({httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN})
CONNECTIONS_MAX: Final = 10
"""A department asks at most six questions at once: five verdicts on its quality, and the next notes."""
COMPLETIONS: Final = b"/chat/completions"
"""Not a part of the base address, though some write it there."""

Headers = Mapping[str, str]
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Access:
    """How an endpoint is reached, besides its address and its key."""

    headers: Headers | None = None
    """All that say who asks; in the place of the key where they are given."""
    proxy: str | None = None
    ca_file: Path | None = None
    reread: Callable[[], Headers] | None = None
    """Reads the headers again; raises ConfigurationError."""


class KeyAuth(httpx.Auth):
    """Puts the headers that say who asks on each request, and asks again if a refused key has changed."""

    def __init__(
        self, headers: Headers, reread: Callable[[], Headers] | None = None, fixed: Headers | None = None
    ) -> None:
        """`fixed` go before the others, and stay."""
        self._headers = dict(headers)
        self._reread = reread
        self._fixed = dict(fixed or {})

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the headers; after a refusal read them again, since a Secret may have changed meanwhile.

        Compared with those that this request had: of several that are refused at once, all go again.
        """
        used = self._headers
        request.headers.update({**used, **self._fixed})
        response = yield request
        if response.status_code in REFUSED and self._reread is not None:
            self._read_again(self._reread)
            if self._headers != used:
                _LOGGER.info("the refused key has changed in the Secret; the request is sent again")
                for name in used.keys() - self._headers.keys():
                    del request.headers[name]
                request.headers.update({**self._headers, **self._fixed})
                yield request

    def _read_again(self, reread: Callable[[], Headers]) -> None:
        try:
            headers = dict(reread())
            _check(headers)
        except (ConfigurationError, InvalidInput) as error:
            _LOGGER.warning("the keys of the models' endpoint cannot be read again: %s", error)
            return
        self._headers = headers


def new_client(
    base_url: str,
    api_key: str = "",
    transport: httpx.AsyncBaseTransport | None = None,
    access: Access | None = None,
) -> httpx.AsyncClient:
    """Return a client of the endpoint at `base_url`, which ends with the API's version (…/v1).

    Parameters of the address go with every request, and the key, if there is one. Where `access` names no
    proxy, the usual variables of the environment do. `transport` takes the network's place in tests. Raises
    InvalidInput if the URL, the key or the proxy can never work.
    """
    access = access or Access()
    url = _read_url(base_url)
    headers = access.headers
    if headers is None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    _check(headers)
    try:
        way = way_to(url, transport, proxy=access.proxy, ca_file=access.ca_file)
    except ConfigurationError as error:
        raise InvalidInput(f"settings: {error}") from None
    except OSError:
        raise InvalidInput("settings: GATHER_LLM_CA_FILE: it cannot be read") from None
    path = url.raw_path.partition(b"?")[0].rstrip(b"/").removesuffix(COMPLETIONS)
    return httpx.AsyncClient(
        # Joined to an address with parameters a path would become a part of the last one.
        base_url=url.copy_with(raw_path=path or b"/", fragment=None, username=None, password=None),
        params=url.params,
        headers={"Accept": "application/json", **ACCEPT_ENCODING, "User-Agent": "gather-worker"},
        auth=KeyAuth(headers, access.reread, _basic(url)),
        limits=httpx.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=CONNECTIONS_MAX),
        follow_redirects=False,
        **way,
    )


def _read_url(base_url: str) -> httpx.URL:
    # The message does not quote the URL, which may hold a password.
    try:
        return httpx.URL(checked_address(base_url.strip()))
    except httpx.InvalidURL:
        raise InvalidInput("settings: GATHER_LLM_BASE_URL: is no address") from None
    except ValueError as error:
        raise InvalidInput(f"settings: GATHER_LLM_BASE_URL: {error}") from None


def _basic(url: httpx.URL) -> Headers:
    """Return the header for a user in the address, who goes before a key: only one of them can be sent."""
    if not url.userinfo:
        return {}
    pair = f"{url.username}:{url.password}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def _check(headers: Headers) -> None:
    """Raise InvalidInput for a key that no header can hold; the message does not show it."""
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            setting = "OPENROUTER_API_KEY" if name == "Authorization" else "GATHER_LLM_EXTRA_HEADERS"
            raise InvalidInput(f"settings: {setting}: it has characters that no key has")
