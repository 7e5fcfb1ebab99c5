"""The frames that the bridge adds to the events themselves, and the codes with which it closes a socket."""

import json
from enum import IntEnum
from typing import Final

from gather_bridge.live.replay import Position, ReloadReason

FRAME_MAX_BYTES: Final = 64 * 1024
"""Nothing larger is taken or sent; events are refused at the same size."""


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


def hello(position: Position, reload: ReloadReason | None) -> str:
    """Return the frame before events: the first one, and another when the log starts again."""
    body = {
        "type": "hello",
        "epoch": position.epoch,
        "offset": position.offset,
        "recovered": reload is None,
    }
    return json.dumps({**body, "reason": str(reload)} if reload else body)


def heartbeat(position: Position, *, is_live: bool) -> str:
    """Return the frame that shows that the socket works; `live` is false without the event log."""
    body = {"type": "heartbeat", "epoch": position.epoch, "offset": position.offset, "live": is_live}
    return json.dumps(body)
