"""The frames that the bridge adds to the events themselves, and the codes with which it closes a socket."""

import json
from enum import IntEnum
from typing import Final

from gather_bridge.live.replay import Position, ReloadReason


class CloseCode(IntEnum):
    """WebSocket close codes (RFC 6455 section 7.4; 4000 and above are ours)."""

    RESTART = 1012
    """The process ends: come back with the last offset and epoch, to another one."""
    POLICY = 1008
    """The client sent more messages than a listener may."""
    TRY_LATER = 1013
    """The event log is unavailable: come back with the same offset and epoch."""
    TOKEN_REVOKED = 4003
    """The token no longer allows this project."""
    TOO_SLOW = 4008
    """It did not take what was sent: come back with the last offset and epoch."""


class SessionEnded(Exception):  # noqa: N818 - how every session ends
    """The client's socket or stream is to be closed."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


LEAVING: Final = (CloseCode.RESTART, "the bridge restarts: come back with your last offset and epoch")
LOG_AWAY: Final = (
    CloseCode.TRY_LATER,
    "the event log is unavailable: come back with the same offset and epoch",
)
REVOKED: Final = (CloseCode.TOKEN_REVOKED, "the token no longer allows this project")


def hello(position: Position, reload: ReloadReason | None, first: int = 0) -> str:
    """Return the frame before events: the first one, and another when the log starts again.

    `first` is the offset from which on events follow, where the log does not hold those before it.
    """
    body: dict[str, object] = {
        "type": "hello",
        "epoch": position.epoch,
        "offset": position.offset,
        "recovered": reload is None,
    }
    if reload:
        body["reason"] = str(reload)
    if first:
        body["first"] = first
    return json.dumps(body)


def heartbeat(position: Position, *, is_live: bool) -> str:
    """Return the frame that shows that the socket works; `live` is false without the event log."""
    body = {"type": "heartbeat", "epoch": position.epoch, "offset": position.offset, "live": is_live}
    return json.dumps(body)
