# ruff: noqa: E501 - programs in strings
"""The kubeconfig is read as kubectl reads it: merged files, contexts, plugins, certificates."""

import base64
import json
import os
import ssl
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from gather_cli.cluster import credentials
from gather_cli.cluster import kubeconfig as module
from gather_cli.cluster.credentials import credentials_of
from gather_cli.cluster.kubeconfig import context_names, read_access
from gather_cli.cluster.tls_connections import connection, tls_context
from gather_cli.commands import options
from gather_cli.errors import Unreachable


def config(name: str, server: str = "https://one:6443", **user: Any) -> dict[str, Any]:
    """A kubeconfig with one context."""
    return {
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": server}}],
        "users": [{"name": name, "user": user}],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": name, "namespace": f"{name}-films"}}
        ],
    }


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write kubeconfigs and name them in KUBECONFIG."""
    for variable in ("KUBERNETES_SERVICE_HOST", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)

    def write(*configs: Any) -> list[Path]:
        files = [tmp_path / f"config-{number}" for number, _ in enumerate(configs)]
        for file, content in zip(files, configs, strict=True):
            file.write_text(content if isinstance(content, str) else yaml.safe_dump(content), "utf-8")
        monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, files)))
        return files

    return write


def test_of_several_files_the_first_counts(write: Any) -> None:
    """For the current context, and for what two of them name; a file that is missing is passed over."""
    files = write(
        config("one"),
        {**config("two", "https://two"), "current-context": "two"},
        config("one", "https://late"),
    )
    files[1].with_name("config-9").unlink(missing_ok=True)
    os.environ["KUBECONFIG"] += os.pathsep + str(files[1].with_name("config-9"))
    assert (read_access().server, read_access().namespace) == ("https://one:6443", "one-films")
    assert read_access(context="two").server == "https://two"
    assert context_names() == ["one", "two"]


def test_a_flag_goes_before_the_environment(write: Any) -> None:
    """And it alone is read."""
    first, second = write(config("one"), config("two"))
    assert read_access(str(second)).context == "two"
    assert context_names(str(first)) == ["one"]


def test_a_kubeconfig_goes_before_the_pod_s_service_account(
    write: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its namespace too; without one the pod's is taken."""
    (tmp_path / "token").write_text("t")
    (tmp_path / "namespace").write_text("pods-own")
    monkeypatch.setattr(module, "SERVICE_ACCOUNT", tmp_path)
    write(config("one"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    assert read_access().namespace == "one-films"
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nothing"))
    assert (read_access().server, read_access().namespace) == ("https://[fd00::1]:443", "pods-own")


@pytest.mark.parametrize(
    ("content", "context", "says"),
    [
        ({**config("prod"), "current-context": ""}, None, "no current context; give --context"),
        (config("prod"), "prd", "no context prd; did you mean prod?"),
        ({**config("prod"), "clusters": []}, None, "names the cluster prod, which is not there"),
        ("{: nonsense", None, "is no YAML"),
        ("- a list", None, "another form than kubectl's"),
        ({"clusters": "many"}, None, "another form than kubectl's"),
    ],
    ids=["no context", "unknown context", "no cluster", "no yaml", "a list", "other types"],
)
def test_what_cannot_be_used_is_named(write: Any, content: Any, context: str | None, says: str) -> None:
    """In one line, with what to do."""
    write(content)
    with pytest.raises(Unreachable, match=says):
        read_access(context=context)


def test_without_a_kubeconfig_it_says_where_it_looked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And how to name one."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(
        Unreachable, match=r"no kubeconfig \(.*\.kube/config\); set KUBECONFIG or give --kubeconfig"
    ):
        read_access()
    with pytest.raises(Unreachable, match="/nowhere does not exist"):
        read_access("/nowhere")


# --- who asks


def test_a_token_a_file_of_it_and_a_password(write: Any, tmp_path: Path) -> None:
    """A relative file is seen from the kubeconfig, and read again each time."""
    (tmp_path / "token").write_text("of-file\n")
    for user, expected in (
        ({"token": "t"}, "Bearer t"), ({"token": "t", "tokenFile": "token"}, "Bearer of-file"),
        ({"username": "u", "password": "p"}, f"Basic {base64.b64encode(b'u:p').decode()}"), ({}, ""),
    ):  # fmt: skip
        write(config("one", **user))
        assert credentials_of(read_access()).authorization == expected


def plugin(tmp_path: Path, body: str) -> str:
    """A plugin of the kubeconfig."""
    file = tmp_path / "plugin"
    file.write_text(f"#!{sys.executable}\nimport json, os, sys\n{body}\n", "utf-8")
    file.chmod(0o755)
    return "./plugin"


def test_a_plugin_is_run_as_kubectl_runs_it(write: Any, tmp_path: Path) -> None:
    """Seen from its kubeconfig, with arguments, its environment and what it is told."""
    body = (
        'told = json.loads(os.environ["KUBERNETES_EXEC_INFO"])\n'
        'token = f\'{sys.argv[1]}-{os.environ["MODE"]}-{told["spec"]["interactive"]}-{told["spec"]["cluster"]["server"]}\'\n'
        'print(json.dumps({"kind": "ExecCredential", "apiVersion": told["apiVersion"], "status": {"token": token}}))'
    )
    exec_ = {
        "apiVersion": "client.authentication.k8s.io/v1", "command": plugin(tmp_path, body), "args": ["login"],
        "env": [{"name": "MODE", "value": "quiet"}], "interactiveMode": "IfAvailable", "provideClusterInfo": True,
    }  # fmt: skip
    write(config("one", exec=exec_))
    found = credentials_of(read_access())
    assert found.authorization == "Bearer login-quiet-False-https://one:6443"


@pytest.mark.parametrize(
    ("body", "more", "says"),
    [
        ("sys.exit(3)", {}, "ended with 3; log in again"),
        ("print('hello')", {}, "something else than credentials"),
        ("print(json.dumps({'status': {}}))", {}, "gave no credentials"),
        ("", {"interactiveMode": "Always"}, "asks for input, and this is no terminal"),
        (None, {"installHint": "brew install login"}, "cannot be run; brew install login"),
    ],
    ids=["fails", "talks", "empty", "asks", "missing"],
)
def test_a_plugin_that_gives_nothing_is_named(
    write: Any, tmp_path: Path, body: str | None, more: dict[str, Any], says: str
) -> None:
    """With what it says helps."""
    command = "no-such-plugin" if body is None else plugin(tmp_path, body)
    write(config("one", exec={"command": command, **more}))
    with pytest.raises(Unreachable, match=says):
        credentials_of(read_access())


def test_completion_neither_asks_nor_waits_for_a_plugin(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Although there is a terminal: the shell waits in it, and shows what would be printed."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(options, "COMPLETION_S", 0.5)
    body = (
        'print("log in, please", file=sys.stderr, flush=True)\nsys.stdin.read()\nimport time; time.sleep(60)'
    )
    write(config("one", exec={"command": plugin(tmp_path, body), "interactiveMode": "IfAvailable"}))
    begun_s = time.monotonic()
    assert options._runs(cast("Any", SimpleNamespace(params={})), "") == []
    assert time.monotonic() - begun_s < 30
    assert capfd.readouterr() == ("", "")


def test_a_plugin_that_may_ask_has_a_limit_too(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script under a terminal ends some time."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(credentials, "ASKING_S", 0.1)
    write(config("one", exec={"command": plugin(tmp_path, "import time; time.sleep(60)")}))
    with pytest.raises(Unreachable, match=r"did not answer within 0\.1 s"):
        credentials_of(read_access())


def test_a_plugin_of_old_is_refused_with_what_to_do(write: Any) -> None:
    """Kubectl has none of them since 1.26."""
    content = config("one")
    content["users"][0]["user"] = {"auth-provider": {"name": "gcp"}}
    write(content)
    with pytest.raises(Unreachable, match="use a plugin"):
        credentials_of(read_access())


# --- the way there


@pytest.mark.parametrize(
    ("server", "no_proxy", "is_through"),
    [
        ("https://api.example:6443", "", True),
        ("https://api.example:6443", "example", False),
        ("https://api.example:6443", ".example", False),
        ("https://10.1.2.3:6443", "10.0.0.0/8", False),
        ("https://10.1.2.3:6443", "10.9.0.0/16", True),
        ("https://127.0.0.1:6443", "", False),
        ("https://api.example", "*", False),
    ],
)
def test_the_environment_s_proxy_is_used_by_go_s_rules(
    write: Any, monkeypatch: pytest.MonkeyPatch, server: str, no_proxy: str, is_through: bool
) -> None:
    """Names, subdomains, networks; never for this machine itself."""
    write(config("one", server))
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", no_proxy)
    access = read_access()
    made = connection(access, 5, tls_context(access, credentials_of(access)))
    assert (made.host == "proxy.example") is is_through


def test_a_kubeconfig_s_own_proxy_goes_before_it_and_socks_is_refused(write: Any) -> None:
    """With what helps."""
    content = config("one")
    content["clusters"][0]["cluster"]["proxy-url"] = "socks5://localhost:1080"
    write(content)
    access = read_access()
    with pytest.raises(Unreachable, match="run kubectl proxy"):
        connection(access, 5, tls_context(access, credentials_of(access)))


def test_a_certificate_that_cannot_be_used_is_named(write: Any) -> None:
    """By the file in which it stands."""
    content = config("one")
    content["clusters"][0]["cluster"]["certificate-authority-data"] = base64.b64encode(b"nonsense").decode()
    write(content)
    access = read_access()
    with pytest.raises(Unreachable, match="a certificate in it cannot be used"):
        tls_context(access, credentials_of(access))


def test_a_cluster_s_own_authority_may_lack_what_python_3_13_demands(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with kubectl; the certificate itself is verified all the same."""
    made = ssl.create_default_context

    def strict(**more: Any) -> ssl.SSLContext:
        context = made(**more)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)
    write(config("one"))
    access = read_access()
    context = tls_context(access, credentials_of(access))
    assert context is not None
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_what_a_kubeconfig_holds_is_read_in_json_too(write: Any) -> None:
    """Kubectl writes it with --output=json."""
    write(json.dumps(config("one")))
    assert read_access().context == "one"
