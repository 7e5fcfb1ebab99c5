"""What a client asks for: from where on, and of which run."""

import re
from dataclasses import dataclass
from typing import Final

from starlette.requests import HTTPConnection

from gather_bridge.errors import SocketRefused
from gather_bridge.live.replay import Position
from gather_clients.stored_event import OFFSET_MAX

_OFFSET: Final = re.compile(r"[0-9]{1,16}")
_EPOCH: Final = re.compile(r"[A-Za-z0-9_.:-]{0,64}")
RUN: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
"""A name in Kubernetes (RFC 1123 subdomain)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """From where on, and of which run."""

    position: Position | None = None
    """None: live events only."""
    run: str | None = None
    """None: every run's events."""


def read_asked(connection: HTTPConnection) -> Asked:
    """Return what the query asks for; raises SocketRefused.

    `Last-Event-ID` goes before `offset`: a browser that comes back repeats the address of its first request.
    """
    query = connection.query_params
    run = query.get("run")
    if run is not None and not RUN.fullmatch(run):
        raise SocketRefused(400, "invalid_request", "run must be the name of a GatherRun")
    last_id = connection.headers.get("last-event-id")
    if last_id:
        epoch, separator, offset = last_id.rpartition("-")
        if not separator or not (_OFFSET.fullmatch(offset) and _EPOCH.fullmatch(epoch)):
            raise SocketRefused(400, "invalid_request", "Last-Event-ID must be as the bridge sent it")
        return Asked(asked_position(offset, epoch), run)
    return Asked(asked_position(query.get("offset"), query.get("epoch")), run)


def asked_position(offset: str | None, epoch: str | None) -> Position | None:
    """Return where the client left off; raises SocketRefused if that cannot be read.

    Without `offset` it wants live events; `offset=0` without epoch is the log's beginning.
    """
    if offset is None:
        if epoch:
            raise SocketRefused(400, "invalid_request", "epoch needs offset")
        return None
    if not _OFFSET.fullmatch(offset) or int(offset) > OFFSET_MAX:
        raise SocketRefused(400, "invalid_request", "offset must be a whole number, 0 or more")
    if not _EPOCH.fullmatch(epoch or ""):
        raise SocketRefused(400, "invalid_request", "epoch must be as the bridge sent it")
    return Position(epoch or "", int(offset))
