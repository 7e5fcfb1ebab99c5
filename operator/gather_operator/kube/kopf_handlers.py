"""kopf's part: it watches GatherRuns and hands what it sees over. It decides and writes nothing.

Only low-level event handlers are registered, so kopf keeps no annotations and no finalizer of its own on a
run; `decide` owns the finalizer.
"""

from collections.abc import Callable
from typing import Any

import kopf

from gather_clients.kube_api.api_access import NoAccess, load_access
from gather_contracts import names
from gather_operator.kube.connections import kopf_connection

LIST_CHUNK = 50
"""GatherRuns that kopf lists at once; a run of 32 departments has 20 KB, ten times as much once read."""
NOT_ENDED = f"{names.LABEL_ENDED}!=true"
"""kopf keeps a worker for each object that it has seen lately, and reads each whole."""
Deliver = Callable[[str, dict[str, Any]], None]
"""Gets the event's type ("", ADDED, MODIFIED, DELETED; "" for the first list) and the object."""


def build_registry(deliver: Deliver) -> kopf.OperatorRegistry:
    """Return kopf's handlers."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        """Read credentials again whenever the API refuses the old ones, as when a token was rotated."""
        try:
            return kopf_connection(await load_access())
        except NoAccess as error:
            raise kopf.LoginError(str(error)) from error

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
    settings.watching.chunk_size = LIST_CHUNK
    settings.watching.label_selectors[names.GROUP, names.PLURAL] = NOT_ENDED
    settings.process.ultimate_exiting_timeout = None
    # kopf takes its finalizer off objects that none of its handlers holds: it must not be called like ours.
    settings.persistence.finalizer = f"{names.GROUP}/kopf"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=names.GROUP)
    settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=names.GROUP)
    return settings
