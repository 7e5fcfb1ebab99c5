"""kubectl and Helm reach our cluster and no other, unless a context is named."""

from pathlib import Path

import pytest

from dev.artefacts.cache import Cache
from dev.artefacts.go_programs import HELM, KUBERNETES
from dev.cluster import kubeconfig, kubectl
from dev.cluster.kubeconfig import Credentials
from dev.errors import ClusterError, ContextError, MachineError

KIND_LIKE = Credentials("https://127.0.0.1:34567", "QQ==", "Qg==", "Qw==")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """A cache with both tools built and a cluster's kubeconfig in it."""
    cache = Cache(tmp_path)
    for programs, name in ((KUBERNETES, "kubectl"), (HELM, "helm")):
        programs.folder(cache).mkdir()
        (programs.folder(cache) / name).touch()
    kubeconfig.write(cache.kubeconfig, kubeconfig.render(KIND_LIKE))
    return cache


def test_kubectl_is_bound_to_our_kubeconfig_and_context(cache: Cache) -> None:
    command = kubectl.kubectl_command(cache)
    program = str(KUBERNETES.folder(cache) / "kubectl")
    assert command[-5:] == [program, "--kubeconfig", str(cache.kubeconfig), "--context", "gather-dev"]


def test_helm_is_bound_by_its_own_flag(cache: Cache) -> None:
    assert kubectl.helm_command(cache)[-2:] == ["--kube-context", "gather-dev"]


def test_neither_tool_writes_into_the_users_own_folders(cache: Cache) -> None:
    settings = kubectl.kubectl_command(cache)[1:5]
    assert [s.partition("=")[0] for s in settings] == [
        "KUBECACHEDIR", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME",
    ]  # fmt: skip
    assert all(s.partition("=")[2].startswith(str(cache.tool_state)) for s in settings)


def test_a_context_named_explicitly_is_taken_from_the_users_own_kubeconfig(cache: Cache) -> None:
    assert kubectl.kubectl_command(cache, "staging")[1:] == ["--context", "staging"]


def test_without_a_cluster_the_command_that_makes_one_is_named(cache: Cache) -> None:
    cache.kubeconfig.unlink()
    with pytest.raises(ContextError, match="make up"):
        kubectl.kubectl_command(cache)


def test_without_a_build_the_command_that_builds_is_named(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="helm is not built yet: `make up`"):
        kubectl.helm_command(Cache(tmp_path))


def test_nothing_is_sent_to_a_node_that_is_gone(tmp_path: Path) -> None:
    """Its address would lead out of this machine."""
    node = Credentials("https://10.213.77.2:6443", "", "", "")
    with pytest.raises(ClusterError, match="does not run"):
        kubectl.require_node(node, links=tmp_path)
    (tmp_path / "gather0").touch()
    kubectl.require_node(node, links=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["get", "pods"], None),
        (["--context", "prod", "get", "pods"], "prod"),
        (["get", "pods", "--context=prod"], "prod"),
        (["exec", "pod", "--", "curl", "--context", "x"], None),
        (["get", "--context"], None),
    ],
)
def test_an_explicit_context_is_found_where_kubectl_would_find_it(
    arguments: list[str], named: str | None
) -> None:
    assert kubectl.explicit_context("kubectl", arguments) == named


def test_helms_explicit_context_has_its_own_name() -> None:
    assert kubectl.explicit_context("helm", ["list", "--kube-context", "prod"]) == "prod"
    assert kubectl.explicit_context("helm", ["list", "--context", "prod"]) is None


@pytest.mark.parametrize("arguments", [["--kubeconfig", "/x", "get"], ["get", "--kubeconfig=/x"]])
def test_a_kubeconfig_without_a_context_is_refused(arguments: list[str]) -> None:
    with pytest.raises(ContextError, match="name the context too"):
        kubectl.refuse_other_kubeconfig(arguments)


def test_what_a_pod_is_told_is_its_own_matter() -> None:
    kubectl.refuse_other_kubeconfig(["exec", "pod", "--", "kubectl", "--kubeconfig", "/x"])
