"""Which addresses a webhook may reach. Pure; the caller resolves, and connects to the address judged here.

A URL is a user's text and the bridge sits inside the network: without this, a GatherRun could make it call
the cluster's own services, the cloud's metadata or the node itself. Looking at the name is not enough,
because a name may resolve to anything, and to something else the second time.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from gather_bridge.errors import DeliveryFailed, UrlRefused
from gather_contracts.names import WEBHOOK_URL_MAX, WEBHOOK_URL_PATTERN

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

HTTPS_PORT: Final = 443
_URL: Final = re.compile(WEBHOOK_URL_PATTERN, re.ASCII)

GLOBAL_UNICAST: Final = ip_network("2000::/3")
"""The IPv6 addresses that the IANA gives out for the internet; the rest is local, mapped or unassigned."""
NOT_PUBLIC: Final = tuple(
    ip_network(network)
    for network in (
        "192.88.99.0/24",  # relays of 6to4 (RFC 7526)
        "2001::/23",  # Teredo and other protocols' own (RFC 4380, RFC 6890)
        "2001:db8::/32",  # documentation (RFC 3849)
        "2002::/16",  # 6to4: an IPv4 address in disguise (RFC 3056)
        "3fff::/20",  # documentation (RFC 9637)
    )
)
"""What Python's own `is_global` lets through in one version or another."""


@dataclass(frozen=True, slots=True)
class Target:
    """The parts of a webhook's URL."""

    host: str
    """In lower case, an IPv6 address without brackets."""
    port: int
    path: str
    """With its query, beginning with a slash."""

    @property
    def host_header(self) -> str:
        """Return the Host header's value."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == HTTPS_PORT else f"{name}:{self.port}"


def parse_target(url: str) -> Target:
    """Return the parts of a URL that may be a webhook's; raises UrlRefused."""
    found = _URL.fullmatch(url) if len(url) <= WEBHOOK_URL_MAX else None
    if found is None:
        raise UrlRefused("not a plain https URL")
    port = int(found["port"] or HTTPS_PORT)
    host = found["host"].strip("[]").lower()
    if found["host"].startswith("["):
        try:
            IPv6Address(host)
        except ValueError:
            raise UrlRefused("not an IPv6 address") from None
    target = found["target"] or "/"
    return Target(host, port, target if target.startswith("/") else f"/{target}")


def choose_address(addresses: Sequence[str], allowed: Iterable[Network]) -> Address:
    """Return the address to connect to; raises DeliveryFailed unless each of them may be reached.

    One bad address among good ones is enough to refuse: an attacker decides about the order.
    """
    networks = tuple(allowed)
    found = [ip_address(text) for text in addresses]
    if not found:
        raise DeliveryFailed("the host has no address")
    if not all(is_public(a) or any(a in network for network in networks) for a in found):
        raise DeliveryFailed("the host has an address that is not public")
    return found[0]


def is_public(address: Address) -> bool:
    """Return whether the address is on the internet, not in a private network or a protocol's range."""
    if isinstance(address, IPv6Address) and address not in GLOBAL_UNICAST:
        return False
    is_special = address.is_multicast or address.is_reserved or address.is_unspecified
    return address.is_global and not is_special and not any(address in network for network in NOT_PUBLIC)
