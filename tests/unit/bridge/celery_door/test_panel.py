"""What the door takes from Celery's remote control."""

from collections.abc import Sequence
from typing import Any, cast

from gather_bridge.celery_door.remote_control import Panel

UNUSABLE = ["\ud800", "x" * 256, "", 7, "a\nb"]


def test_what_is_no_task_s_id_is_not_revoked() -> None:
    """Half a character can be sent as JSON and be kept in no Redis; the door would end of it."""
    heard: list[Sequence[str]] = []
    panel = Panel(
        cast("Any", None), "door@here", on_revoked=heard.append, revoked=list[str], active=list[Any]
    )
    assert panel.handlers()["revoke"](None, [*UNUSABLE, "film"]) == {"ok": "tasks film flagged as revoked"}
    panel.take_revoked([*UNUSABLE, "other"])
    assert heard == [["film"], ["other"]]
