"""Whom a proxy's header names."""

from ipaddress import ip_network
from pathlib import Path

import pytest
from starlette.requests import HTTPConnection

from gather_bridge.access.proxy_users import PEER, ProxyUsers

PROXIES = (ip_network("10.0.0.0/8"),)


@pytest.mark.parametrize(
    ("names", "peer", "digest"),
    [
        (["Ann"], "10.1.2.3", "user:ann"),
        (["admin", "ann"], "10.1.2.3", None),
        (["ann"], "192.0.2.1", None),
        ([], "10.1.2.3", None),
    ],
    ids=["named", "named twice", "by a stranger", "not named"],
)
def test_a_person_is_named_once_and_by_a_trusted_proxy(
    tmp_path: Path, names: list[str], peer: str, digest: str | None
) -> None:
    """A proxy that adds its header and leaves the browser's own would let anyone be anybody."""
    path = tmp_path / "users.json"
    path.write_text('[{"user": "*", "projects": ["*"]}]')
    headers = [(b"x-user", name.encode()) for name in names]
    connection = HTTPConnection({"type": "http", "headers": headers, PEER: (peer, 1)})
    assert ProxyUsers("X-User", path, PROXIES).digest(connection) == digest
