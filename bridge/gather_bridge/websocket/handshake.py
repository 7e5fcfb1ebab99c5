"""Reads and judges a WebSocket's handshake: origin, token, project and where the client left off."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from starlette.websockets import WebSocket

from gather_bridge.errors import SocketRefused
from gather_bridge.live.replay import Position
from gather_bridge.websocket.access import SUBPROTOCOL, Access, Verdict, bearer_token, is_origin_allowed
from gather_clients.stored_event import OFFSET_MAX
from gather_contracts.names import OBJECT_ID_PATTERN

_PROJECT: Final = re.compile(OBJECT_ID_PATTERN)
_OFFSET: Final = re.compile(r"[0-9]{1,16}")
_EPOCH: Final = re.compile(r"[0-9a-f]{0,64}")

UNAUTHORIZED: Final = "send a token: Authorization: Bearer <token>, or the subprotocol gather.token.<token>"


@dataclass(frozen=True, slots=True)
class Handshake:
    """What a client may and wants to do."""

    project_id: str
    """In lower case."""
    token: str | None
    asked: Position | None
    """None: live events only."""
    subprotocol: str | None


def read_handshake(
    socket: WebSocket, project_id: str, access: Access, allowed_origins: Collection[str]
) -> Handshake:
    """Return what the client wants; raises SocketRefused."""
    if not is_origin_allowed(socket.headers.get("origin"), allowed_origins):
        raise SocketRefused(403, "origin_not_allowed", "pages of this origin may not connect")
    subprotocols: list[str] = socket.scope.get("subprotocols", [])
    token = bearer_token(socket.headers.get("authorization"), subprotocols)
    # Before anything is said about the project, so that strangers learn nothing.
    verdict = access.verdict(token, project_id)
    if verdict is Verdict.UNKNOWN:
        raise SocketRefused(401, "unauthorized", UNAUTHORIZED)
    if verdict is Verdict.OTHER_PROJECT:
        raise SocketRefused(404, "not_found", "no such project")
    if not _PROJECT.fullmatch(project_id):
        raise SocketRefused(400, "invalid_request", "projectId must be 24 hexadecimal digits")
    query = socket.query_params
    asked = asked_position(query.get("offset"), query.get("epoch"))
    return Handshake(project_id.lower(), token, asked, SUBPROTOCOL if SUBPROTOCOL in subprotocols else None)


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
