"""A taken network or link is found and named before anything is started."""

from pathlib import Path
from typing import Any

import pytest

from dev.cluster.node import network
from dev.errors import CommandError, MachineError

LOOPBACK = {"ifname": "lo", "addr_info": [{"family": "inet", "local": "127.0.0.1", "prefixlen": 8}]}


def _link(name: str, address: str, prefix: int) -> dict[str, Any]:
    return {"ifname": name, "addr_info": [{"family": "inet", "local": address, "prefixlen": prefix}]}


def test_other_networks_are_no_matter() -> None:
    links = [LOOPBACK, _link("eth0", "192.168.1.20", 24), {"ifname": "down0"}]
    assert network.colliding_link(links) is None


@pytest.mark.parametrize(("address", "prefix"), [("10.213.77.1", 30), ("10.213.0.5", 16), ("10.1.2.3", 8)])
def test_a_link_with_an_overlapping_network_is_named(address: str, prefix: int) -> None:
    assert network.colliding_link([LOOPBACK, _link("vpn0", address, prefix)]) == "vpn0"


def test_our_own_link_collides_with_nothing() -> None:
    links = [_link("gather0", "10.213.77.1", 30)]
    assert network.colliding_link(links) is None
    assert not network.foreign_link(links)


def test_a_link_of_our_name_with_another_address_is_foreign() -> None:
    assert network.foreign_link([_link("gather0", "172.16.0.1", 24)])


def test_a_route_into_our_network_is_named() -> None:
    table = [
        {"dst": "default", "dev": "eth0"},
        {"dst": "10.213.77.0/30", "dev": "gather0"},
        {"dst": "192.168.1.0/24", "dev": "eth0"},
    ]
    assert network.colliding_route(table) is None
    assert (
        network.colliding_route([*table, {"dst": "10.213.0.0/16", "dev": "tun0"}])
        == "10.213.0.0/16 (by tun0)"
    )


def test_a_taken_network_is_refused_with_the_command_that_frees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "routes", list)
    monkeypatch.setattr(network, "addresses", lambda: [_link("vpn0", "10.213.77.9", 24)])
    with pytest.raises(MachineError, match=r"vpn0 uses a network.*ip link set vpn0 down"):
        network.require_free_network()


def test_a_taken_name_is_refused_with_the_command_that_frees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "routes", list)
    monkeypatch.setattr(network, "addresses", lambda: [_link("gather0", "172.16.0.1", 24)])
    with pytest.raises(MachineError, match="ip link delete gather0"):
        network.require_free_network()


def test_a_bridge_filter_that_is_there_is_not_loaded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "output_of", lambda _: pytest.fail("loaded again"))
    network.ensure_bridge_filter(tmp_path)


def test_a_kernel_without_the_bridge_filter_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> str:
        raise CommandError("modprobe: not found")

    monkeypatch.setattr(network, "output_of", fail)
    with pytest.raises(MachineError, match=r"lacks br_netfilter.*modprobe: not found.*linux-image"):
        network.ensure_bridge_filter(tmp_path / "missing")


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_link_that_goes_with_its_namespace_is_removed(
    is_gone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel may remove it between our look and our removal; any other failure is one."""
    ours = [_link("gather0", "10.213.77.1", 30)]
    seen = iter([ours, ours, [] if is_gone else ours])
    monkeypatch.setattr(network, "addresses", lambda: next(seen))

    def fail(_: object) -> str:
        raise CommandError("Cannot find device")

    monkeypatch.setattr(network, "output_of", fail)
    if is_gone:
        network.remove_link()
    else:
        with pytest.raises(CommandError):
            network.remove_link()
