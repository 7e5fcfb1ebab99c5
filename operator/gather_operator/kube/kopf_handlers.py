"""kopf's part: it watches GatherRuns and hands what it sees over. It decides and writes nothing.

Only low-level event handlers are registered, so kopf keeps no annotations and no finalizer of its own on a
run; `decide` owns the finalizer.
"""

from collections.abc import Callable
from typing import Any

import kopf
from lightkube import KubeConfig
from lightkube.config.kubeconfig import SingleConfig

from gather_contracts import names

Deliver = Callable[[str, dict[str, Any]], None]
"""Gets the event's type ("", ADDED, MODIFIED, DELETED; "" for the first list) and the object."""


def build_registry(deliver: Deliver) -> kopf.OperatorRegistry:
    """Return kopf's handlers."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def login(**_: Any) -> kopf.ConnectionInfo:
        """Read credentials again whenever the API refuses the old ones, as when a token was rotated."""
        return connection(load_config())

    @kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=registry)
    async def observe(event: kopf.RawEvent, **_: Any) -> None:
        deliver(event["type"] or "", dict(event["object"]))

    return registry


def build_settings(api_timeout_s: float) -> kopf.OperatorSettings:
    """Return kopf's settings: narrow rights, bounded requests, no Events from logs, our own names."""
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.networking.request_timeout = api_timeout_s
    settings.watching.connect_timeout = api_timeout_s
    settings.watching.chunk_size = 500
    settings.process.ultimate_exiting_timeout = None
    # kopf takes its finalizer off objects that none of its handlers holds: it must not be called like ours.
    settings.persistence.finalizer = f"{names.GROUP}/kopf"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=names.GROUP)
    settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=names.GROUP)
    return settings


def load_config() -> SingleConfig:
    """Return how to reach the API: the pod's service account, else $KUBECONFIG, else the user's kubeconfig.

    Raises lightkube's ConfigError.
    """
    config = KubeConfig.from_env().get()
    if config is None:
        raise kopf.LoginError("the kubeconfig names no current context")
    return config


def connection(config: SingleConfig) -> kopf.ConnectionInfo:
    """Return the same way to the API in kopf's terms."""
    cluster, user = config.cluster, config.user
    token = user.token if user else None
    if user and user.token_file:
        with open(user.token_file, encoding="utf-8") as file:  # noqa: PTH123
            token = file.read().strip()
    return kopf.ConnectionInfo(
        server=cluster.server,
        ca_path=_path(config, cluster.certificate_auth),
        ca_data=cluster.certificate_auth_data,
        insecure=cluster.insecure,
        username=user.username if user else None,
        password=user.password if user else None,
        scheme="Bearer" if token else None,
        token=token,
        certificate_path=_path(config, user.client_cert if user else None),
        certificate_data=user.client_cert_data if user else None,
        private_key_path=_path(config, user.client_key if user else None),
        private_key_data=user.client_key_data if user else None,
    )


def _path(config: SingleConfig, path: str | None) -> str | None:
    return str(config.abs_file(path)) if path else None
