"""Errors in a body of status 200 that stand in no `error`, as some gateways have them; pure.

Seen: {"code": "rate_limit_daily", "message": …} (XpressAI/xaibo 36), {"message": "Too many requests …"}
(discourse/discourse-ai 454), {"status": "449", "msg": …, "body": null} (iFlow), MiniMax's `base_resp` beside
`choices: null` (edenai/edenai-apis 360).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from gather_worker.llm.asking.faults import Fault, fault_of
from gather_worker.llm.asking.refusal import refusal_in_answer

_CODES: Final = ("code", "status", "error_code", "status_code")
_HOLDERS: Final = (
    "choices",
    "candidates",
    "output",
    "content",
    "response",
    "completion",
    "text",
    "data",
    "result",
)
"""Where an answer is; what only says something beside it is no error."""
_OF_AN_API: Final = frozenset(
    {Fault.FILTER, Fault.CREDIT, Fault.KEY, Fault.REGION, Fault.POLICY, Fault.LENGTH, Fault.MODEL, Fault.RATE}
)
"""What no page and no other API says."""
_LEAST, _MOST = 400, 599


def bare_error(body: Any) -> Mapping[str, Any] | None:
    """Return the object that says the error, None if there is none.

    Without a code of an error its words must be those of a model's API: the JSON of another one, at a wrong
    address, has words too.
    """
    if not isinstance(body, dict):
        return None
    base = body.get("base_resp")
    if isinstance(base, dict) and base.get("status_code") not in {None, 0, "0"}:
        return {"code": base["status_code"], "message": base.get("status_msg")}
    if _is_marked(body):
        return body
    if isinstance(body.get("message"), dict) or any(body.get(name) for name in _HOLDERS):
        return None
    return body if fault_of(refusal_in_answer(body, datetime.now(UTC))) in _OF_AN_API else None


def _is_marked(body: Mapping[str, Any]) -> bool:
    if "error" in (body.get("object"), body.get("type")) or body.get("success") is False:
        return True
    return any(_is_error_code(body.get(name)) for name in _CODES)


def _is_error_code(value: Any) -> bool:
    if isinstance(value, str) and value.isdecimal() and len(value) == len(str(_MOST)):
        value = int(value)
    return isinstance(value, int) and _LEAST <= value <= _MOST
