"""The ways to an API server: a pod's service account over TLS, kubeconfigs with files, data and plugins."""

import asyncio
import base64
import ipaddress
import json
import ssl
import stat
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from kubernetes.aio.config import incluster_config

from dev.cluster.node import pki
from gather_clients.kube_api import api_access
from gather_clients.kube_api.api_access import NoAccess, load_access
from gather_clients.kube_api.cluster_errors import ClusterUnavailable
from gather_operator.kube.cluster import Cluster
from gather_operator.kube.connections import connect, kopf_connection
from tests.support.kubernetes.scripted_kube_api import ScriptedApi, refuses, says, scripted_api

TIMEOUT_S = 5.0
RUN = {"metadata": {"name": "film", "resourceVersion": "7"}}


class Authority:
    """A certificate authority, and a server's context that it vouches for."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.pair = pki.make_authority()
        self.file = folder / "ca.crt"
        self.file.write_bytes(self.pair.certificate_pem())
        hosts = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._load(folder, pki.issue(self.pair, "api", hosts=hosts))

    def _load(self, folder: Path, pair: pki.Pair) -> None:
        (folder / "tls.crt").write_bytes(pair.certificate_pem())
        (folder / "tls.key").write_bytes(pair.key_pem())
        self.server.load_cert_chain(folder / "tls.crt", folder / "tls.key")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Who vouches for the API server."""
    return Authority(tmp_path / "authority")


@pytest.fixture
async def api(authority: Authority) -> AsyncIterator[ScriptedApi]:
    """An API server with TLS."""
    async with scripted_api(authority.server) as served:
        yield served


@pytest.fixture
def account(tmp_path: Path, authority: Authority, api: ScriptedApi, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a pod finds its service account in."""
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "token").write_text("old", encoding="utf-8")
    (folder / "ca.crt").write_bytes(authority.file.read_bytes())
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(folder / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(folder / "ca.crt"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", api.url.rsplit(":", 1)[1])
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    return folder


@pytest.fixture
def write_kubeconfig(tmp_path: Path, api: ScriptedApi, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write a kubeconfig with this user, and cluster besides its address."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    def write(user: dict[str, Any], **cluster: Any) -> Path:
        config = {
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": api.url, **cluster}}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        monkeypatch.setenv("KUBECONFIG", str(path))
        return path

    return write


async def ask(api: ScriptedApi, *answers: Any, cluster: Cluster | None = None) -> list[str]:
    """Make as many calls as there are answers; return the tokens that the API server got."""
    api.answers.clear()
    api.asked.clear()
    api.plays(*answers)
    made = cluster or Cluster(connect(await load_access(), load_access, TIMEOUT_S), "films")
    try:
        assert await made.get_run("film") == RUN
    finally:
        if cluster is None:
            await made.close()
    return [a.headers.get("Authorization", "") for a in api.asked]


async def test_a_pod_uses_its_service_account(api: ScriptedApi, account: Path) -> None:
    """Its address, its authority, its token."""
    assert await ask(api, says(RUN)) == ["bearer old"]


async def test_a_pod_s_token_is_read_again_when_it_is_refused(api: ScriptedApi, account: Path) -> None:
    """The client itself would wait for up to a minute, by a clock that may step."""
    cluster = Cluster(connect(await load_access(), load_access, TIMEOUT_S), "films")
    (account / "token").write_text("new", encoding="utf-8")
    assert await ask(api, refuses(401), says(RUN), cluster=cluster) == ["bearer old", "bearer new"]
    assert await ask(api, says(RUN), cluster=cluster) == ["bearer new"]
    await cluster.close()


async def test_a_pod_s_token_is_read_again_by_the_minute(
    api: ScriptedApi, account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anybody refuses it."""
    configuration = await load_access()
    cluster = Cluster(connect(configuration, load_access, TIMEOUT_S), "films")
    assert await ask(api, says(RUN), cluster=cluster) == ["bearer old"]
    (account / "token").write_text("new", encoding="utf-8")
    hook: Any = configuration.refresh_api_key_hook
    next(c.cell_contents for c in hook.__closure__).token_expires_at = datetime.min  # noqa: DTZ901 - its form
    assert await ask(api, says(RUN), cluster=cluster) == ["bearer new"]
    await cluster.close()


async def test_a_new_authority_is_read_again(
    tmp_path: Path, account: Path, authority: Authority, api: ScriptedApi
) -> None:
    """The API server's certificate comes from another one than when the process began."""
    (account / "ca.crt").write_bytes(Authority(tmp_path / "former").file.read_bytes())
    cluster = Cluster(connect(await load_access(), load_access, TIMEOUT_S), "films")
    (account / "ca.crt").write_bytes(authority.file.read_bytes())
    assert await ask(api, says(RUN), cluster=cluster) == ["bearer old"]
    await cluster.close()


async def test_an_authority_that_does_not_vouch_for_the_server_is_an_error(
    tmp_path: Path, account: Path, api: ScriptedApi
) -> None:
    """No call is made without checking."""
    (account / "ca.crt").write_bytes(Authority(tmp_path / "other").file.read_bytes())
    with pytest.raises(ClusterUnavailable, match="certificate"):
        await ask(api, says(RUN))
    assert api.asked == []


async def test_a_kubeconfig_s_data_and_files_are_used(
    tmp_path: Path, authority: Authority, api: ScriptedApi, write_kubeconfig: Any
) -> None:
    """The authority as data, or as a file beside the kubeconfig."""
    data = base64.b64encode(authority.file.read_bytes()).decode()
    write_kubeconfig({"token": "t"}, **{"certificate-authority-data": data})
    assert await ask(api, says(RUN)) == ["Bearer t"]
    (tmp_path / "beside.crt").write_bytes(authority.file.read_bytes())
    write_kubeconfig({"username": "me", "password": "pass"}, **{"certificate-authority": "beside.crt"})
    assert await ask(api, says(RUN)) == ["Basic " + base64.b64encode(b"me:pass").decode()]


async def test_a_server_without_a_certificate_that_holds_is_used_if_the_kubeconfig_says_so(
    api: ScriptedApi, write_kubeconfig: Any
) -> None:
    """And only then."""
    write_kubeconfig({"token": "t"}, **{"insecure-skip-tls-verify": True})
    assert await ask(api, says(RUN)) == ["Bearer t"]
    write_kubeconfig({"token": "t"})
    with pytest.raises(ClusterUnavailable):
        await ask(api, says(RUN))


def plugin(path: Path, script: str) -> dict[str, Any]:
    """Write a plugin of a kubeconfig; return the user that names it."""
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"exec": {"command": str(path), "apiVersion": "client.authentication.k8s.io/v1", "args": ["a"]}}


def credential(status: dict[str, str]) -> str:
    body = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    return f"echo '{json.dumps(body)}'"


async def test_a_plugin_s_token_is_used_and_asked_for_again_when_it_is_refused(
    tmp_path: Path, api: ScriptedApi, write_kubeconfig: Any
) -> None:
    """As clouds hand them out."""
    user = plugin(tmp_path / "plugin", credential({"token": "one"}))
    write_kubeconfig(user, **{"insecure-skip-tls-verify": True})
    cluster = Cluster(connect(await load_access(), load_access, TIMEOUT_S), "films")
    plugin(tmp_path / "plugin", credential({"token": "two"}))
    assert await ask(api, refuses(401), says(RUN), cluster=cluster) == ["Bearer one", "Bearer two"]
    await cluster.close()


@pytest.mark.parametrize(
    "script", ["echo sorry >&2; exit 1", "echo nonsense", credential({}), "exec sleep 60"]
)
async def test_a_plugin_that_gives_nothing_is_an_error_that_names_the_kubeconfig(
    tmp_path: Path, api: ScriptedApi, write_kubeconfig: Any, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client would go on as nobody; a plugin that waits for input is not waited for."""
    monkeypatch.setattr(api_access, "LOAD_TIMEOUT_S", 0.5)
    path = write_kubeconfig(plugin(tmp_path / "plugin", script))
    with pytest.raises(NoAccess, match=str(path)):
        async with asyncio.timeout(TIMEOUT_S):
            await load_access()


@pytest.mark.parametrize("wait", ["exec sleep 60", "sleep 60; echo late"])
async def test_a_plugin_that_hangs_is_ended_with_all_that_it_started(
    tmp_path: Path, write_kubeconfig: Any, wait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials are asked for again and again: one process more each time would fill the node."""
    monkeypatch.setattr(api_access, "LOAD_TIMEOUT_S", 0.5)
    write_kubeconfig(plugin(tmp_path / "plugin", f"echo $$ > {tmp_path}/pid\n{wait}"))
    with pytest.raises(NoAccess):
        await load_access()
    assert _alive_in((tmp_path / "pid").read_text(encoding="utf-8").strip()) == []


def _alive_in(session: str) -> list[Path]:
    return [p for p in Path("/proc").glob("[0-9]*/stat") if _session_of(p) == session]


def _session_of(stat: Path) -> str:
    """Return the id of a process's session, or "" if it has ended (proc_pid_stat(5))."""
    try:
        state, _, _, session = stat.read_text(encoding="utf-8").rpartition(")")[2].split()[:4]
    except (OSError, ValueError):
        return ""
    return "" if state == "Z" else session


@pytest.mark.parametrize("text", ["", "a: [", "[]", "x", "current-context: c", None])
async def test_a_kubeconfig_of_another_form_is_an_error_of_one_line_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    """The process ends with it."""
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    monkeypatch.setenv("KUBECONFIG", str(path))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(NoAccess, match=str(path)) as raised:
        await load_access()
    assert "\n" not in str(raised.value)


async def test_kopf_gets_the_same_way_to_the_api(account: Path, api: ScriptedApi) -> None:
    """In its own terms."""
    found = kopf_connection(await load_access())
    assert found.server == api.url
    assert found.as_http_headers() == {"Authorization": "Bearer old"}
    assert found.ca_path == str(account / "ca.crt")
    assert not found.insecure


async def test_kopf_gets_a_user_with_a_password_too(api: ScriptedApi, write_kubeconfig: Any) -> None:
    """As a header like any other."""
    write_kubeconfig({"username": "me", "password": "pass"}, **{"insecure-skip-tls-verify": True})
    found = kopf_connection(await load_access())
    expected = "Basic " + base64.b64encode(b"me:pass").decode()
    assert found.as_http_headers() == {"Authorization": expected}
    assert found.insecure
