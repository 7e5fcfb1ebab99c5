"""The operator's connections to the API server: its own calls and kopf's go the same way."""

from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Final

import kopf
from kubernetes.aio.client.configuration import Configuration

from gather_clients.kube_api.api_access import TOKEN
from gather_clients.kube_api.api_calls import ApiCalls
from gather_operator.metrics import API_ERRORS

USER_AGENT: Final = f"gather-operator/{version('gather')}"


def connect(
    configuration: Configuration, load: Callable[[], Awaitable[Configuration]], timeout_s: float
) -> ApiCalls:
    """Return connections whose errors are counted; `load` reads the configuration again. Raises OSError."""
    return ApiCalls(configuration, load, timeout_s, user_agent=USER_AGENT, count=_count)


def kopf_connection(configuration: Configuration) -> kopf.ConnectionInfo:
    """Return the same way to the API server in kopf's terms."""
    scheme, _, token = str(configuration.api_key.get(TOKEN) or "").strip().partition(" ")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        scheme=scheme.title() or None,
        token=token.strip() or None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        proxy_url=configuration.proxy,
    )


def _count(call: str, error: str) -> None:
    API_ERRORS.labels(call=call, error=error).inc()
