"""Where the charts' policies let pods go: judged by address and port, as a network plugin would."""

import json
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network
from typing import Any, Final

import pytest
import yaml

from dev.paths import ROOT
from gather_bridge.webhooks.url_guard import is_public
from gather_cli.doctor.installed_release import Release
from gather_cli.doctor.probe_job import build_probe
from tests.support.kubernetes.rendered_charts import named, of_kind

Render = Callable[..., list[dict[str, Any]]]
PRODUCTION: Final = ROOT / "examples" / "values" / "production.yaml"
METADATA: Final = ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16")
KUBELET_PORTS: Final = (10250, 10255)
ROOMS: Final = ("operator", "brain", "bridge", "celery-door", "http-door", "worker", "test", "release-runs")


def rules_of(documents: list[dict[str, Any]], room: str) -> list[dict[str, Any]]:
    """A room's ways out."""
    rules: list[dict[str, Any]] = named(documents, "NetworkPolicy", f"gather-{room}-egress")["spec"]["egress"]
    return rules


def lets_out(rules: list[dict[str, Any]], address: str, port: int) -> bool:
    """Whether TCP gets to an address that is no pod's."""
    return any(_has_port(rule, port) and _has_address(rule, address) for rule in rules)


def _has_port(rule: dict[str, Any], port: int) -> bool:
    named_ports = [p for p in rule.get("ports", ()) if p.get("protocol", "TCP") == "TCP"]
    return "ports" not in rule or any(p["port"] <= port <= p.get("endPort", p["port"]) for p in named_ports)


def _has_address(rule: dict[str, Any], address: str) -> bool:
    blocks = [peer["ipBlock"] for peer in rule.get("to", ()) if "ipBlock" in peer]
    place = ip_address(address)
    return "to" not in rule or any(
        place in ip_network(block["cidr"])
        and not any(place in ip_network(closed) for closed in block.get("except", ()))
        for block in blocks
    )


def as_by_default() -> tuple[str, ...]:
    """The chart's own ways out, over the development values."""
    ways = yaml.safe_load((ROOT / "charts/gather/values.yaml").read_text("utf-8"))["networkPolicy"]["egress"]
    return tuple(f"networkPolicy.egress.{name}={json.dumps(way)}" for name, way in ways.items())


def public_by_default(render: Render) -> list[dict[str, Any]]:
    """What the values for production render."""
    return render("gather", *as_by_default(), values=PRODUCTION)


def borders(block: dict[str, Any]) -> Iterator[str]:
    """The addresses at and beside the ends of a block and of its exceptions."""
    for cidr in (block["cidr"], *block["except"]):
        network = ip_network(cidr)
        for end in (network.network_address, network.broadcast_address):
            for step in (-1, 0, 1):
                if 0 <= int(end) + step < 2**end.max_prefixlen:
                    yield str(type(end)(int(end) + step))


def test_webhooks_leave_the_namespace_for_public_addresses_alone(render: Render) -> None:
    """The same that the bridge judges public, at every end of every network; so both have to be wrong."""
    (way,) = [rule for rule in rules_of(render("gather"), "bridge") if "ports" not in rule]
    blocks = [{**b, "except": [n for n in b["except"] if n != "192.0.0.0/24"]} for b in blocks_of(way)]
    assert len(blocks) == 2
    for address in {address for block in blocks for address in borders(block)}:
        place = ip_address(address)
        # Two addresses of this network are global to Python; nobody's webhook is there.
        if place not in ip_network("192.0.0.0/24"):
            assert lets_out([way], address, 443) is is_public(place), address


def blocks_of(rule: dict[str, Any]) -> list[dict[str, Any]]:
    return [peer["ipBlock"] for peer in rule["to"]]


def test_what_the_bridge_may_call_besides_its_policy_lets_through(render: Render) -> None:
    """One setting, not two that have to agree."""
    given = json.dumps('["10.1.2.0/24", "fd00:1::/64"]')
    documents = render("gather", f"bridge.env.GATHER_BRIDGE_WEBHOOK_ALLOWED_NETWORKS={given}")
    rules = rules_of(documents, "bridge")
    assert lets_out(rules, "10.1.2.3", 8443)
    assert lets_out(rules, "fd00:1::5", 8443)
    assert not lets_out(rules, "10.1.3.3", 8443)


@pytest.mark.parametrize(
    ("url", "address", "port", "elsewhere"),
    [
        ("https://app.example.com", "203.0.113.7", 443, [("203.0.113.7", 80), ("169.254.169.254", 443)]),
        ("http://app.example.com", "10.1.2.3", 80, [("10.1.2.3", 443), ("169.254.169.254", 80)]),
        ("http://app.example.com:3000/x", "2001:db8::7", 3000, [("fe80::1", 3000), ("fd00:ec2::254", 3000)]),
        ("http://10.1.2.3:3000", "10.1.2.3", 3000, [("10.1.2.4", 3000), ("10.1.2.3", 80)]),
        ("http://[fd00:1::5]:3000", "fd00:1::5", 3000, [("fd00:1::6", 3000)]),
        ("https://[fd00:1::5]", "fd00:1::5", 443, [("fd00:1::6", 443)]),
    ],
)
def test_the_way_to_the_cms_follows_its_address(
    render: Render, url: str, address: str, port: int, elsewhere: list[tuple[str, int]]
) -> None:
    """Host and port; a name may lead anywhere but to a cloud's metadata."""
    settings = (
        f"appUrl={json.dumps(url)}",
        "networkPolicy.egress.cms=[]",
        "networkPolicy.egress.apiServer=[]",
    )
    closed = ["169.254.0.0/16", "fe80::/10", "fd00:ec2::/32"]
    rules = rules_of(
        render("gather", *settings, f"networkPolicy.egress.closed={json.dumps(closed)}"), "operator"
    )
    assert lets_out(rules, address, port)
    assert not [place for place in elsewhere if lets_out(rules, *place)]


@pytest.mark.parametrize(
    ("url", "namespace"),
    [
        ("http://cms:3000", "film"),
        ("http://cms.apps.svc:3000", "apps"),
        ("http://cms.apps.svc.cluster.local", "apps"),
    ],
)
def test_the_way_to_a_service_is_its_namespace(render: Render, url: str, namespace: str) -> None:
    """Its pods may listen on another port."""
    rules = rules_of(render("gather", f"appUrl={json.dumps(url)}", "networkPolicy.egress.cms=[]"), "operator")
    assert {
        "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}]
    } in rules


def test_a_way_that_is_given_stands_for_the_address_and_a_proxy_is_added(render: Render) -> None:
    """`make demo MODEL=…` and a company's proxy need no second value."""
    way = [{"to": [{"ipBlock": {"cidr": "10.9.0.0/16"}}], "ports": [{"port": 8000}]}]
    given = (
        'llmBaseUrl="https://models.example.com/v1"',
        f"networkPolicy.egress.model={json.dumps(way)}",
        'model.proxy="http://10.8.0.1:3128"',
    )
    rules = rules_of(render("gather", *given), "worker")
    reached = [
        place
        for place in (("10.9.1.1", 8000), ("10.8.0.1", 3128), ("203.0.113.7", 443))
        if lets_out(rules, *place)
    ]
    assert reached == [("10.9.1.1", 8000), ("10.8.0.1", 3128)]


def test_an_embedding_endpoint_is_reached_where_there_is_one(render: Render) -> None:
    """The brain's own model asks nobody."""
    assert not lets_out(rules_of(render("gather"), "brain"), "203.0.113.7", 443)
    given = 'brain.env.GATHER_BRAIN_EMBEDDING_BASE_URL="https://api.example.com/v1"'
    assert lets_out(rules_of(render("gather", given), "brain"), "203.0.113.7", 443)
    upcoming = 'brain.env.GATHER_BRAIN_NEXT_EMBEDDING_BASE_URL="https://api.example.com/v1"'
    assert lets_out(rules_of(render("gather", upcoming), "brain"), "203.0.113.7", 443)


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_reaches_kubelets_or_metadata_by_default(render: Render, room: str) -> None:
    """With no value that says so, and with stores, CMS and model anywhere."""
    rules = rules_of(render("gather", *as_by_default()), room)
    web = [(address, port) for address in METADATA for port in (80, 8080)]
    kubelets = [("10.0.0.5", port) for port in KUBELET_PORTS]
    assert not [place for place in (*web, *kubelets) if lets_out(rules, *place)]


def test_with_the_values_for_production_all_of_it_is_reached(render: Render) -> None:
    """Wherever in the company's network the stores are, on their usual ports."""
    documents = public_by_default(render)
    wanted = {
        "operator": [443, 6443, 6379, 6380, 27017],
        "worker": [443, 6379, 6380, 27017, 5671, 5672],
        "brain": [7687, 6379, 6380],
        "bridge": [6379, 6380, 27017],
        "release-runs": [443, 6443],
        "test": [443, 6379, 27017],
    }
    for room, ports in wanted.items():
        assert [p for p in ports if lets_out(rules_of(documents, room), "10.1.2.3", p)] == ports, room
        assert lets_out(rules_of(documents, room), "10.1.2.3", 53)
    for room in ("worker", "brain", "bridge"):
        assert not lets_out(rules_of(documents, room), "10.1.2.3", 6443), room


def test_no_exception_lies_outside_of_its_block(render: Render) -> None:
    """The API server would refuse the policy."""
    for values in (None, PRODUCTION):
        for policy in of_kind(render("gather", values=values), "NetworkPolicy"):
            for rule in policy["spec"].get("egress", ()):
                for peer in rule.get("to", ()):
                    block = peer.get("ipBlock", {"cidr": "::/0"})
                    outer = ip_network(block["cidr"])
                    for closed in block.get("except", ()):
                        inner = ip_network(closed)
                        assert inner.version == outer.version
                        assert inner != outer
                        assert inner.subnet_of(outer)  # type: ignore[arg-type] # the same version


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_a_policy_for_each_direction(render: Render, room: str) -> None:
    """And for one, where ways out are somebody else's."""
    documents, free = render("gather"), render("gather", "networkPolicy.egress.enabled=false")
    into, out = (named(documents, "NetworkPolicy", f"gather-{room}{end}")["spec"] for end in ("", "-egress"))
    assert (into["policyTypes"], out["policyTypes"]) == (["Ingress"], ["Egress"])
    assert into["podSelector"] == out["podSelector"]
    assert named(free, "NetworkPolicy", f"gather-{room}")["spec"] == into
    assert not [p for p in of_kind(free, "NetworkPolicy") if "egress" in p["spec"]]


def test_each_pod_of_both_charts_has_a_policy(render: Render) -> None:
    """For both directions; workers, which the operator makes, have theirs by their label."""
    for chart in ("gather", "gather-backing"):
        documents = render(chart)
        policies = [p["spec"] for p in of_kind(documents, "NetworkPolicy")]
        pods = [
            d["spec"]["template"]["metadata"]["labels"]
            for d in documents
            if d["kind"] in {"Deployment", "Job"}
        ]
        pods += [pod["metadata"]["labels"] for pod in of_kind(documents, "Pod")]
        assert len(pods) >= 6
        for labels in pods:
            held = [p for p in policies if p["podSelector"]["matchLabels"].items() <= labels.items()]
            assert {kind for p in held for kind in p["policyTypes"]} == {"Ingress", "Egress"}, labels


def test_ways_for_all_rooms_are_the_workers_too(render: Render) -> None:
    """Such as a mesh's control plane."""
    more = 'networkPolicy.egress.more=[{"ports": [{"port": 15012}]}]'
    documents = render("gather", more)
    assert all(lets_out(rules_of(documents, room), "10.1.2.3", 15012) for room in ROOMS)


def test_the_doctor_s_pod_goes_where_a_worker_does_and_to_the_cms(render: Render) -> None:
    """It has a worker's label, and so a worker's ways, and one more."""
    documents = render("gather", 'appUrl="https://10.1.2.3"', "networkPolicy.egress.cms=[]")
    operator = {"operator": named(documents, "Deployment", "gather-operator")}
    job = build_probe(Release("gather", "1", operator), "film", "probe", None)
    labels = job["spec"]["template"]["metadata"]["labels"]
    held = [
        p["spec"]
        for p in of_kind(documents, "NetworkPolicy")
        if p["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    ]
    rules = [rule for policy in held for rule in policy.get("egress", ())]
    assert lets_out(rules, "10.1.2.3", 443)
    assert not lets_out(rules_of(documents, "worker"), "10.1.2.3", 443)
    assert all(rule in rules for rule in rules_of(documents, "worker"))
