"""Who asks: a token, a file of it, a certificate, a password, or what a plugin of the kubeconfig gives."""

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gather_cli.cluster.kubeconfig import Access
from gather_cli.errors import Unreachable

PLUGIN_S: Final = 60
"""For a plugin that asks nobody."""
ASKING_S: Final = 600
"""For one that may ask the user, who may have to sign in with a browser."""
GROUP: Final = "client.authentication.k8s.io"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A header, a client's certificate, or both."""

    authorization: str = ""
    certificate: str = ""
    """PEM, or the path of a file."""
    key: str = ""


def credentials_of(access: Access) -> Credentials:
    """Return who asks; raises Unreachable, with what a plugin says to install it."""
    user = access.user
    if isinstance(user.get("exec"), dict):
        return _of_plugin(access, user["exec"])
    if "auth-provider" in user:
        raise Unreachable(
            f"{access.source}: auth-provider is no longer kubectl's; use a plugin (exec) or a token instead"
        )
    return Credentials(
        authorization=_authorization(access, user),
        certificate=_pem(user, "client-certificate"),
        key=_pem(user, "client-key"),
    )


def _authorization(access: Access, user: Mapping[str, Any]) -> str:
    token = user.get("token")
    if user.get("tokenFile"):
        try:
            token = Path(user["tokenFile"]).read_text("utf-8")
        except OSError as error:
            raise Unreachable(f"{access.source}: {user['tokenFile']}: {error.strerror}") from error
    if token:
        return f"Bearer {str(token).strip()}"
    if user.get("username"):
        pair = f"{user['username']}:{user.get('password', '')}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"
    return ""


def _pem(user: Mapping[str, Any], name: str) -> str:
    """Return the text of the data, which goes before a file, or the file's path."""
    data = user.get(f"{name}-data")
    try:
        return base64.b64decode(data).decode("ascii") if data else str(user.get(name) or "")
    except ValueError as error:
        raise Unreachable(f"the kubeconfig's {name}-data cannot be read") from error


def _of_plugin(access: Access, plugin: Mapping[str, Any]) -> Credentials:
    mode = plugin.get("interactiveMode") or "IfAvailable"
    is_quiet = access.quiet_s is not None
    is_interactive = mode != "Never" and not is_quiet and sys.stdin is not None and sys.stdin.isatty()
    limit_s = access.quiet_s or (ASKING_S if is_interactive else PLUGIN_S)
    if mode == "Always" and not is_interactive:
        raise Unreachable(f"{access.source}: its plugin asks for input, and this is no terminal")
    command = [_program(access, plugin), *map(str, plugin.get("args") or ())]
    try:
        done = subprocess.run(  # noqa: S603 - what the user's kubeconfig names, as kubectl runs it
            command,
            stdin=None if is_interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if is_quiet else None,  # what it asks or says is for the user
            env=_environment(access, plugin, is_interactive=is_interactive),
            timeout=limit_s,
            start_new_session=is_quiet,  # without a terminal that it could open by itself
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unreachable(
            f"{access.source}: its plugin {command[0]} did not answer within {limit_s:g} s"
        ) from None
    except OSError as error:
        hint = " ".join(str(plugin.get("installHint") or "install it, or mend its path").split())[:300]
        raise Unreachable(f"{access.source}: its plugin {command[0]} cannot be run; {hint}") from error
    if done.returncode:
        raise Unreachable(
            f"{access.source}: its plugin {command[0]} ended with {done.returncode}; log in again"
        )
    return _given(access, command[0], done.stdout)


def _program(access: Access, plugin: Mapping[str, Any]) -> str:
    """Return the plugin's path: by PATH, or seen from its kubeconfig if it has a slash."""
    name = str(plugin.get("command") or "")
    return str(access.folder / name) if os.sep in name else (shutil.which(name) or name)


def _environment(access: Access, plugin: Mapping[str, Any], *, is_interactive: bool) -> dict[str, str]:
    spec: dict[str, Any] = {"interactive": is_interactive}
    if plugin.get("provideClusterInfo"):
        known = access.cluster
        authority = known.get("certificate-authority-data")
        if not authority and known.get("certificate-authority"):
            authority = base64.b64encode(Path(known["certificate-authority"]).read_bytes()).decode()
        extensions = {e.get("name"): e.get("extension") for e in known.get("extensions") or ()}
        cluster = {
            "server": access.server,
            "certificate-authority-data": authority,
            "insecure-skip-tls-verify": known.get("insecure-skip-tls-verify"),
            "tls-server-name": known.get("tls-server-name"),
            "proxy-url": known.get("proxy-url"),
            "config": extensions.get(f"{GROUP}/exec"),
        }
        spec["cluster"] = {name: value for name, value in cluster.items() if value}
    asked = {"kind": "ExecCredential", "apiVersion": plugin.get("apiVersion") or f"{GROUP}/v1", "spec": spec}
    own = {
        str(e.get("name")): str(e.get("value", "")) for e in plugin.get("env") or () if isinstance(e, dict)
    }
    return {**os.environ, **own, "KUBERNETES_EXEC_INFO": json.dumps(asked)}


def _given(access: Access, program: str, said: bytes) -> Credentials:
    try:
        status = json.loads(said)["status"]
        token = status.get("token")
        certificate, key = status.get("clientCertificateData", ""), status.get("clientKeyData", "")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unreachable(
            f"{access.source}: its plugin {program} answered with something else than credentials"
        ) from None
    if not token and not certificate:
        raise Unreachable(f"{access.source}: its plugin {program} gave no credentials")
    return Credentials(f"Bearer {token}" if token else "", certificate, key)
