"""The links: a veth pair between this machine and the first node, and one between the two nodes.

The second lies in the nodes' namespaces alone, so that this machine stays as it is and the first node is the
second's router.
"""

import ipaddress
import json
from pathlib import Path
from typing import Any

from dev.cluster.node import layout
from dev.commands import output_of
from dev.errors import CommandError, MachineError

BRIDGE_FILTER = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
JOIN_RULES = (
    ("-s", layout.SECOND.pod_network, "-o", layout.NODE_LINK, "-j", "MASQUERADE"),
    ("-s", layout.FIRST.pod_network, "-d", layout.SECOND.pod_network, "-j", "ACCEPT"),
)
"""The first node's: pods of the second leave it under its address; its own keep theirs on the way to them."""


def addresses() -> list[dict[str, Any]]:
    """Return this machine's links with their addresses, as `ip -json` prints them."""
    return list(json.loads(output_of(["ip", "-json", "address", "show"]) or "[]"))


def colliding_link(links: list[dict[str, Any]]) -> str | None:
    """Return the name of another link whose network overlaps the node's, if there is one."""
    ours = ipaddress.ip_network(layout.NETWORK)
    for link in links:
        if link["ifname"] == layout.HOST_LINK:
            continue
        for address in link.get("addr_info", ()):
            if address.get("family") != "inet":
                continue
            network = ipaddress.ip_network(f"{address['local']}/{address['prefixlen']}", strict=False)
            if network.overlaps(ours):
                return str(link["ifname"])
    return None


def routes() -> list[dict[str, Any]]:
    """Return this machine's routes, as `ip -json` prints them."""
    return list(json.loads(output_of(["ip", "-json", "route", "show"]) or "[]"))


def colliding_route(table: list[dict[str, Any]]) -> str | None:
    """Return the destination of another link's route into the node's network, if there is one."""
    ours = ipaddress.ip_network(layout.NETWORK)
    for route in table:
        if route["dst"] == "default" or route.get("dev") == layout.HOST_LINK:
            continue
        if ipaddress.ip_network(route["dst"]).overlaps(ours):
            return f"{route['dst']} (by {route.get('dev', 'a gateway')})"
    return None


def foreign_link(links: list[dict[str, Any]]) -> bool:
    """Return whether a link of our name is not ours: no veth, or with an address that we never give."""
    for link in links:
        if link["ifname"] == layout.HOST_LINK:
            given = {a["local"] for a in link.get("addr_info", ()) if a.get("family") == "inet"}
            return not given <= {layout.HOST_ADDRESS}
    return False


def require_free_network() -> None:
    """Raise MachineError if another link has our network or our name."""
    links = addresses()
    if name := colliding_link(links):
        raise MachineError(
            f"The link {name} uses a network that overlaps {layout.NETWORK}, which the node needs. "
            f"Take it down first (ip link set {name} down; ip addr flush dev {name})."
        )
    if route := colliding_route(routes()):
        raise MachineError(
            f"This machine routes {route}, which overlaps {layout.NETWORK}, the network that the node needs. "
            f"Remove that route first (ip route delete {route.split()[0]})."
        )
    if foreign_link(links):
        raise MachineError(
            f"A link named {layout.HOST_LINK} is here that Gather did not make. Rename or remove it "
            f"(ip link delete {layout.HOST_LINK})."
        )


def ensure_bridge_filter(switch: Path = BRIDGE_FILTER) -> None:
    """Load the kernel module that lets Services work between pods on one bridge.

    Raises MachineError if the kernel has it neither built in nor as a module.
    """
    if switch.exists():
        return
    try:
        output_of(["modprobe", "br_netfilter"])
    except CommandError as error:
        raise MachineError(
            f"The kernel lacks br_netfilter, without which Services do not reach pods: {error}. "
            "Install the full kernel package (apt-get install linux-image-amd64 kmod) and restart."
        ) from error


def has_link() -> bool:
    """Return whether the machine's end of the pair is there."""
    return any(link["ifname"] == layout.HOST_LINK for link in addresses())


def remove_link() -> None:
    """Remove the pair, if it is there and ours."""
    if not has_link() or foreign_link(addresses()):
        return
    try:
        output_of(["ip", "link", "delete", layout.HOST_LINK])
    except CommandError:
        # The kernel removes the pair with the node's namespace, perhaps since we looked.
        if has_link():
            raise


def connect(init_pid: int) -> None:
    """Make the first pair, with the far end in the network namespace of a process."""
    pair = ["ip", "link", "add", layout.HOST_LINK, "type", "veth", "peer", "name", layout.NODE_LINK]
    output_of([*pair, "netns", str(init_pid)])
    output_of(
        ["ip", "address", "add", f"{layout.HOST_ADDRESS}/{layout.PREFIX_LENGTH}", "dev", layout.HOST_LINK]
    )
    output_of(["ip", "link", "set", layout.HOST_LINK, "up"])


def join(in_first: list[str], second_pid: int) -> None:
    """Make the pair between the nodes, and let the first one route for the second.

    `in_first` are the words that start a program inside the first node; `second_pid` is a process in the
    second's network. The kernel removes the pair, and with it the route, when either node ends.
    """
    second, link = layout.SECOND, layout.SECOND_LINK
    pair = ["ip", "link", "add", link, "type", "veth", "peer", "name", layout.NODE_LINK]
    output_of([*in_first, *pair, "netns", str(second_pid)])
    for arguments in (
        ["address", "add", f"{second.gateway}/{layout.PREFIX_LENGTH}", "dev", link],
        ["link", "set", link, "up"],
        ["route", "replace", second.pod_network, "via", second.address],
    ):
        output_of([*in_first, "ip", *arguments])
    for rule in JOIN_RULES:
        table = [*in_first, "iptables", "-w", "-t", "nat"]
        try:
            output_of([*table, "-C", "POSTROUTING", *rule])
        except CommandError:
            output_of([*table, "-I", "POSTROUTING", *rule])
