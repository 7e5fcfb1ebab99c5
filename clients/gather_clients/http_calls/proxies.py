"""Which proxy leads to an address, by `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`.

httpx reads these too, but its clients cannot be made where `NO_PROXY` has a network of IPv6 or an address in
brackets, and take no network of IPv4; clusters set all three. So our clients ask here.
"""

import ipaddress
import re
from typing import Final
from urllib.request import getproxies_environment

import httpx

from gather_clients.configuration import ConfigurationError
from gather_clients.http_calls.addresses import checked_address

IN_CLUSTER: Final = (".svc", ".svc.cluster.local")
"""Names that nothing outside of a cluster knows."""
DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def proxy_for(url: httpx.URL, named: str | None = None) -> httpx.URL | None:
    """Return the proxy for this address, None if it is reached without one.

    `named` goes before the variables of proxies, but not before `NO_PROXY`.

    Raises:
        ConfigurationError: it can never work, such as SOCKS; the message does not show its address.
    """
    variables = getproxies_environment()
    if is_direct(url, variables.get("no", "")):
        return None
    text = named or variables.get(url.scheme) or variables.get("all")
    if not text:
        return None
    try:
        return httpx.URL(checked_address(text if "://" in text else f"http://{text}"))
    except (ValueError, httpx.InvalidURL) as error:
        variables_of = f"{url.scheme.upper()}_PROXY or ALL_PROXY"
        said = "is no address" if isinstance(error, httpx.InvalidURL) else error
        raise ConfigurationError(
            f"the proxy ({variables_of}) must have an http:// or https:// address: it {said}"
        ) from None


def is_direct(url: httpx.URL, no_proxy: str) -> bool:
    """Return whether the address is reached without a proxy: this machine, this cluster, and `NO_PROXY`.

    `NO_PROXY` has *, names with all below them, .domains, addresses and networks, between commas or spaces,
    each but a network with a port or without: what curl, Go and Python's requests take together.
    """
    host, port = url.host.lower().rstrip("."), str(url.port or DEFAULT_PORTS.get(url.scheme))
    address = _address(host)
    if host == "localhost" or host.endswith(IN_CLUSTER) or (address is not None and address.is_loopback):
        return True
    return any(
        _covers(entry, host, port, address) for entry in re.split(r"[,\s]+", no_proxy.lower()) if entry
    )


def _covers(
    entry: str, host: str, port: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None
) -> bool:
    try:
        network = ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass
    else:
        return address is not None and address in network
    name, has_port, wanted = entry.rpartition(":")
    if has_port and wanted.isdecimal():
        if wanted != port:
            return False
        entry = name.strip("[]")
    name = entry.removeprefix("*").lstrip(".")
    return entry == "*" or (bool(name) and (host == name or host.endswith(f".{name}")))


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
