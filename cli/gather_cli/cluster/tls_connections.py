"""Connections to the API server: TLS as the kubeconfig says, through a proxy where one is set."""

import base64
import http.client
import ipaddress
import ssl
import tempfile
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies_environment

from gather_cli.cluster.credentials import Credentials
from gather_cli.cluster.kubeconfig import Access
from gather_cli.errors import Unreachable

PEM: Final = "-----BEGIN"


class Connection(http.client.HTTPSConnection):
    """One over TLS whose certificate may be for another name than the address."""

    def __init__(
        self, host: str, port: int, timeout_s: float, context: ssl.SSLContext, name: str | None
    ) -> None:
        super().__init__(host, port, timeout=timeout_s, context=context)
        self._tls, self._name = context, name

    def connect(self) -> None:
        """Connect, through the tunnel if there is one, and speak TLS."""
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name or self._target)

    @property
    def _target(self) -> str:
        return str(getattr(self, "_tunnel_host", None) or self.host)


def connection(
    access: Access, timeout_s: float, context: ssl.SSLContext | None
) -> http.client.HTTPConnection:
    """Return a connection that is not open yet; `context` is None for http."""
    place = urlsplit(access.server)
    host, port = place.hostname or "", place.port or (443 if place.scheme == "https" else 80)
    if context is None:
        return http.client.HTTPConnection(host, port, timeout=timeout_s)
    proxy = _proxy(access, place)
    near_host, near_port = (proxy.hostname or "", proxy.port or 80) if proxy else (host, port)
    made = Connection(near_host, near_port, timeout_s, context, access.cluster.get("tls-server-name"))
    if proxy:
        made.set_tunnel(host, port, headers=_proxy_headers(proxy))
    return made


def tls_context(access: Access, who: Credentials) -> ssl.SSLContext | None:
    """Return how TLS is spoken, None for http; raises Unreachable if a certificate cannot be used."""
    if urlsplit(access.server).scheme != "https":
        return None
    cluster = access.cluster
    try:
        data = cluster.get("certificate-authority-data")
        authority: dict[str, Any] = (
            {"cadata": base64.b64decode(data).decode("ascii")} if data
            else {"cafile": cluster["certificate-authority"]} if cluster.get("certificate-authority")
            else {}
        )  # fmt: skip
        context = ssl.create_default_context(**authority)
        # Python 3.13 demands more of authorities than Go does, and many clusters' own have less.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if cluster.get("insecure-skip-tls-verify"):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if who.certificate:
            _load_certificate(context, who)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise Unreachable(f"{access.source}: a certificate in it cannot be used: {said}") from error
    return context


def _load_certificate(context: ssl.SSLContext, who: Credentials) -> None:
    """Give the context a client's certificate; the library takes files alone."""
    with tempfile.TemporaryDirectory() as folder:  # only its owner may enter it
        files = []
        for name, value in (("crt", who.certificate), ("key", who.key)):
            file = Path(value)
            if value.startswith(PEM):
                file = Path(folder) / name
                file.touch(mode=0o600)
                file.write_text(value, "ascii")
            files.append(file)
        context.load_cert_chain(files[0], files[1] if who.key else None)


def _proxy(access: Access, place: SplitResult) -> SplitResult | None:
    """Return the proxy of the kubeconfig, else that of the environment; raises Unreachable for SOCKS."""
    host = place.hostname or ""
    named = access.cluster.get("proxy-url")
    if not named:
        proxies = getproxies_environment()
        named = None if _is_direct(host, proxies.get("no", "")) else proxies.get(place.scheme)
    if not named:
        return None
    proxy = urlsplit(named if "://" in named else f"http://{named}")
    if proxy.scheme != "http":
        raise Unreachable(
            f"the proxy {proxy.scheme}://{proxy.hostname} is of a kind that is not supported; "
            "run kubectl proxy, and name its address in a kubeconfig"
        )
    return proxy


def _is_direct(host: str, no_proxy: str) -> bool:
    """Return whether no proxy is used, by Go's rules: names, their subdomains, addresses and networks."""
    if host == "localhost":
        return True
    address = _address(host)
    if address is not None and address.is_loopback:
        return True
    for entry in filter(None, (part.strip() for part in no_proxy.split(","))):
        try:
            if address is not None and address in ipaddress.ip_network(entry, strict=False):
                return True
        except ValueError:
            pass
        name = entry.removeprefix("*").lstrip(".").rsplit(":", 1)[0] if entry != "*" else "*"
        if name in {"*", host} or host.endswith(f".{name}"):
            return True
    return False


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
