"""How the API server is reached: by the pod's service account, else $KUBECONFIG, else the user's kubeconfig.

The official client reads all of them, plugins of a kubeconfig included.
"""

import asyncio
import os
import signal
from asyncio.subprocess import Process
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

import yaml
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import exec_provider, incluster_config
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.kube_config import load_kube_config

LOAD_TIMEOUT_S: Final = 30
"""For a kubeconfig's plugin to answer, as when it asks a cloud for a token."""
READ_BUFFER_BYTES: Final = 2**16
"""The client's own 2 MiB are for reading whole lines; ours are put together elsewhere."""
TOKEN: Final = "BearerToken"  # noqa: S105 - the client's name for the header
SAYING_ERRORS: Final = (ConfigException, yaml.YAMLError, OSError)
READING_ERRORS: Final = (*SAYING_ERRORS, ValueError, TypeError, KeyError, AttributeError)
"""The client trips over kubeconfigs of another form, and then its message says nothing."""


_STARTED: Final = ContextVar[list[Process] | None]("_STARTED", default=None)
"""Plugins that the load under way has started."""


class _Asyncio:
    """asyncio as the client uses it to start a plugin: the client itself leaves one that hangs running."""

    subprocess = asyncio.subprocess
    get_event_loop = staticmethod(asyncio.get_event_loop)

    @staticmethod
    async def create_subprocess_exec(*arguments: Any, **options: Any) -> Process:
        process = await asyncio.create_subprocess_exec(*arguments, **options, start_new_session=True)
        if (started := _STARTED.get()) is not None:
            started.append(process)
        return process


exec_provider.asyncio = _Asyncio  # type: ignore[attr-defined,assignment]


class NoAccess(Exception):  # noqa: N818 - a state, said as one
    """There is no way to the API server, or no credentials for it."""


async def load_access() -> Configuration:
    """Return how to reach the API server, with credentials as they are now; raises NoAccess."""
    # No proxy and no .netrc from the environment: only what was configured is called.
    session = {"trust_env": False, "read_bufsize": READ_BUFFER_BYTES}
    configuration = Configuration(client_session_kwargs=session)
    is_in_pod = os.environ.get(incluster_config.SERVICE_HOST_ENV_NAME) and _has_token_file()
    source = "the pod's service account" if is_in_pod else f"the kubeconfig {_kubeconfig()}"
    try:
        if is_in_pod:
            incluster_config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
        else:
            await _load_kubeconfig(configuration)
    except TimeoutError:
        raise NoAccess(f"{source}: its plugin did not answer within {LOAD_TIMEOUT_S} s") from None
    except READING_ERRORS as error:
        why = " ".join(str(error).split()) if isinstance(error, SAYING_ERRORS) else "it has another form"
        raise NoAccess(f"{source}: {why}") from error
    # The client only logs what a plugin said on failing, and would go on without a name.
    is_anonymous = not configuration.api_key.get(TOKEN) and not configuration.cert_file
    if is_anonymous and configuration.host.startswith("https://"):
        raise NoAccess(f"{source}: it names no credentials, or its plugin gave none")
    return configuration


async def _load_kubeconfig(configuration: Configuration) -> None:
    if not _has_kubeconfig():
        raise ConfigException("there is no such file, and no service account")
    started: list[Process] = []
    before = _STARTED.set(started)
    try:
        async with asyncio.timeout(LOAD_TIMEOUT_S):
            await load_kube_config(  # type: ignore[no-untyped-call]
                _kubeconfig(), client_configuration=configuration, persist_config=False
            )
    finally:
        _STARTED.reset(before)
        for plugin in started:
            if plugin.returncode is None:
                os.killpg(plugin.pid, signal.SIGKILL)  # with what it has started itself
                await plugin.communicate()


def _has_token_file() -> bool:
    return Path(incluster_config.SERVICE_TOKEN_FILENAME).is_file()


def _has_kubeconfig() -> bool:
    return any(Path(name).expanduser().is_file() for name in _kubeconfig().split(os.pathsep) if name)


def _kubeconfig() -> str:
    return os.environ.get("KUBECONFIG") or str(Path.home() / ".kube/config")
