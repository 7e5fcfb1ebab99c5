"""How a process of the operator reaches its place: the API server, and its part in the election."""

from gather_clients.configuration import ConfigurationError
from gather_clients.kube_api.api_access import NoAccess, load_access
from gather_clients.kube_api.api_calls import ApiCalls
from gather_contracts import names
from gather_operator.kube.connections import connect
from gather_operator.kube.leases import Leases
from gather_operator.replicas.elector import Elector
from gather_operator.replicas.lease_rules import LeaseTiming
from gather_operator.replicas.rivals import Rivals
from gather_operator.settings import PlaceSettings


async def api_calls(settings: PlaceSettings) -> ApiCalls:
    """Return the connections to the API server; raises ConfigurationError."""
    try:
        return connect(await load_access(), load_access, settings.api_timeout_s)
    except (NoAccess, OSError) as error:
        raise ConfigurationError(f"no way to the Kubernetes API: {error}") from None


def lease_of(settings: PlaceSettings, calls: ApiCalls, index: int) -> Leases:
    """Return the Lease of that shard."""
    return Leases(calls, settings.namespace, names.shard_name(settings.lease, index))


def build_elector(settings: PlaceSettings, calls: ApiCalls) -> Elector:
    """Return this process's part in the election of its shard."""
    shard = settings.place
    others = {i: lease_of(settings, calls, i) for i in range(names.SHARDS_MAX) if i != shard.index}
    return Elector(
        lease_of(settings, calls, shard.index),
        shard.holder(settings.identity),
        LeaseTiming(settings.lease_duration_s),
        rivals=Rivals(shard, others),
    )
