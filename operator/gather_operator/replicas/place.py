"""How a process of the operator reaches its place: the API server, and its part in the election."""

from gather_clients.configuration import ConfigurationError
from gather_clients.kube_api.api_access import NoAccess, load_access
from gather_clients.kube_api.api_calls import ApiCalls
from gather_operator.kube.connections import connect
from gather_operator.kube.leases import Leases
from gather_operator.replicas.elector import Elector
from gather_operator.replicas.lease_rules import LeaseTiming
from gather_operator.settings import PlaceSettings


async def api_calls(settings: PlaceSettings) -> ApiCalls:
    """Return the connections to the API server; raises ConfigurationError."""
    try:
        return connect(await load_access(), load_access, settings.api_timeout_s)
    except (NoAccess, OSError) as error:
        raise ConfigurationError(f"no way to the Kubernetes API: {error}") from None


def build_elector(settings: PlaceSettings, calls: ApiCalls, duration_s: int | None = None) -> Elector:
    """Return this process's part in the election; `duration_s` in the place of the settings' own."""
    leases = Leases(calls, settings.namespace, settings.lease)
    return Elector(leases, settings.identity, LeaseTiming(duration_s or settings.lease_duration_s))
