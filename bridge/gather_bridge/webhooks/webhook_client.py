"""Sends one event to one webhook: resolved once, judged, and connected to exactly that address."""

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv6Address
from pathlib import Path
from typing import Final

import httpx

from gather_bridge.errors import DeliveryFailed
from gather_bridge.webhooks.signature import HEADER, signature, standard_headers
from gather_bridge.webhooks.signing_keys import SigningKeys
from gather_bridge.webhooks.url_guard import Address, Network, Target, choose_address, parse_target
from gather_clients.configuration import ConfigurationError
from gather_clients.outbox.outbox_entries import Waiting

Resolve = Callable[[str, int], Awaitable[list[str]]]

SUCCESS: Final = 2
"""The class of statuses that accept the event."""


async def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host as the system has them; raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(entry[4][0]) for entry in found]


class WebhookClient:
    """Posts events; no redirects, no proxies, no cookies, nothing kept between two calls."""

    def __init__(
        self,
        keys: SigningKeys,
        timeout_s: float,
        allowed_networks: Sequence[Network] = (),
        ca_file: Path | None = None,
        resolve: Resolve = resolve,
    ) -> None:
        """`timeout_s` is for a whole call, resolving included. Raises ConfigurationError."""
        self._keys = keys
        self._timeout_s = timeout_s
        self._allowed_networks = tuple(allowed_networks)
        self._resolve = resolve
        self._tls = httpx.create_ssl_context()
        if ca_file is not None:
            try:
                self._tls.load_verify_locations(ca_file)
            except OSError:
                reason = "not a file of PEM certificates that can be read"
                raise ConfigurationError(f"GATHER_BRIDGE_WEBHOOK_CA_FILE: {reason}") from None

    async def deliver(self, event: Waiting) -> None:
        """Send one event; raises DeliveryFailed, or UrlRefused if trying again can never help."""
        target = parse_target(event.url)
        try:
            async with asyncio.timeout(self._timeout_s):
                address = choose_address(
                    await self._resolve(target.host, target.port), self._allowed_networks
                )
                status = await self._post(target, address, event)
        except TimeoutError:
            raise DeliveryFailed("no answer in time") from None
        except (httpx.HTTPError, ssl.SSLError, OSError, UnicodeError, ValueError) as error:
            raise DeliveryFailed(type(error).__name__) from error
        if status // 100 != SUCCESS:
            raise DeliveryFailed(f"status {status}")

    async def _post(self, target: Target, address: Address, event: Waiting) -> int:
        """Return the status of the answer; its body is never read."""
        body, keys, at_s = event.text.encode(), self._keys.of_project(event.project_id), int(time.time())
        host = f"[{address}]" if isinstance(address, IPv6Address) else str(address)
        headers = {
            "Host": target.host_header,
            "Content-Type": "application/json",
            "User-Agent": "gather-bridge",
            "X-Gather-Event": event.type,
            "X-Gather-Delivery": event.id,
            HEADER: signature(keys, body, at_s),
            **standard_headers(keys, event.id, body, at_s),
        }
        # The connection goes to the address; certificate and SNI are still those of the host's name.
        extensions = {"sni_hostname": target.host}
        request = httpx.Request(
            "POST",
            httpx.URL(scheme="https", host=host, port=target.port, raw_path=target.path.encode()),
            headers=headers,
            content=body,
            extensions={**extensions, "timeout": httpx.Timeout(self._timeout_s).as_dict()},
        )
        # A client for one call: a kept connection was verified for another name at the same address.
        async with httpx.AsyncClient(verify=self._tls, trust_env=False, follow_redirects=False) as client:
            response = await client.send(request, stream=True)
            await response.aclose()
            return response.status_code
