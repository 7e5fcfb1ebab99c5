"""The node's configuration: what the whole of it has to agree on."""

import ipaddress
import json

import pytest

from dev.cluster.node import configs, layout
from dev.cluster.node.layout import FIRST, SECOND, Place


def _flags(daemon: configs.Daemon) -> dict[str, str]:
    pairs = (argument.removeprefix("--").partition("=") for argument in daemon.command[1:])
    return {name: value for name, _, value in pairs}


def test_the_kubelet_needs_no_privilege_that_root_may_lack() -> None:
    kubelet = configs.kubelet_config()
    assert kubelet["oomScoreAdj"] == 0
    assert kubelet["maxOpenFiles"] <= 20_000
    assert "restrict_oom_score_adj = true" in configs.containerd_config()
    assert configs.proxy_config(FIRST)["oomScoreAdj"] == 0


def test_a_full_disk_of_the_machine_evicts_no_pod() -> None:
    kubelet = configs.kubelet_config()
    assert set(kubelet["evictionHard"].values()) == {"0%"}
    assert kubelet["imageGCHighThresholdPercent"] == 100


@pytest.mark.parametrize("place", layout.PLACES)
def test_the_kubelet_gives_the_node_the_label_that_workers_ask_for(place: Place) -> None:
    assert _flags(configs.kubelet(place))["node-labels"] == "pool=cpu_intensive"


def test_only_pods_that_ask_for_it_go_to_the_second_node() -> None:
    assert _flags(configs.kubelet(SECOND))["register-with-taints"] == "pool=cpu_intensive:NoSchedule"
    assert "register-with-taints" not in _flags(configs.kubelet(FIRST))


def test_the_second_node_has_no_control_plane() -> None:
    names = [d.name for d in configs.all_daemons(SECOND)]
    assert names == ["containerd", "kubelet", "proxy", "netpol"]
    assert not {"config/scheduler.json", "config/Corefile"} & configs.config_files(SECOND).keys()


def test_pods_keep_their_addresses_between_nodes() -> None:
    """By them policies know pods: the second node's bridge hides none."""
    bridge, _ = configs.cni_config(SECOND)["plugins"]
    assert bridge["ipMasq"] is False
    first, second = (ipaddress.ip_network(place.pod_network) for place in layout.PLACES)
    assert not first.overlaps(second)
    link = ipaddress.ip_interface(f"{SECOND.gateway}/{layout.PREFIX_LENGTH}").network
    assert ipaddress.ip_address(SECOND.address) in link
    assert not link.overlaps(ipaddress.ip_network(layout.NETWORK))


def test_pods_ask_the_name_server_that_listens() -> None:
    assert configs.kubelet_config()["clusterDNS"] == [layout.NODE_ADDRESS]
    assert f"bind {layout.NODE_ADDRESS}" in configs.corefile()
    assert "forward" not in configs.corefile()


def test_api_server_and_controller_manager_agree_on_services_and_accounts() -> None:
    api, manager = _flags(configs.api_server()), _flags(configs.controller_manager())
    assert api["service-cluster-ip-range"] == manager["service-cluster-ip-range"]
    signing = "service-account-signing-key-file"
    assert api[signing] == manager["service-account-private-key-file"]


@pytest.mark.parametrize("place", layout.PLACES)
def test_the_pod_network_is_the_one_that_the_proxy_knows(place: Place) -> None:
    ipam = configs.cni_config(place)["plugins"][0]["ipam"]
    assert ipam["ranges"] == [[{"subnet": configs.proxy_config(place)["clusterCIDR"]}]]


@pytest.mark.parametrize("place", layout.PLACES)
def test_policies_are_enforced_on_each_node_for_the_services_that_there_are(place: Place) -> None:
    flags = _flags(configs.netpol(place))
    assert flags["node"] == _flags(configs.kubelet(place))["hostname-override"]
    assert flags["service-cluster-ip-range"] == _flags(configs.api_server())["service-cluster-ip-range"]
    assert configs.netpol(place) == configs.all_daemons(place)[-1]


def test_the_control_plane_is_not_slower_than_what_is_measured_on_it() -> None:
    assert _flags(configs.controller_manager())["kube-api-qps"] == "500"
    assert configs.scheduler_config()["clientConnection"]["qps"] == 500


@pytest.mark.parametrize("name", [n for n in configs.config_files(FIRST) if n.endswith(("json", "conflist"))])
def test_every_json_file_is_json(name: str) -> None:
    assert isinstance(json.loads(configs.config_files(FIRST)[name]), dict)


@pytest.mark.parametrize("place", layout.PLACES)
def test_every_path_that_a_program_is_told_lies_in_a_folder_that_is_made(place: Place) -> None:
    texts = [*configs.config_files(place).values()]
    texts += [argument for daemon in configs.all_daemons(place) for argument in daemon.command]
    prefix = f"{layout.INSIDE}/"
    for text in texts:
        for rest in text.split(prefix)[1:]:
            assert rest.split("/")[0].split('"')[0].rstrip("\n") in layout.FOLDERS


def test_what_holds_keys_is_closed_to_others() -> None:
    assert set(layout.SECRET_FOLDERS) <= set(layout.FOLDERS)
    assert "pki" in layout.SECRET_FOLDERS
