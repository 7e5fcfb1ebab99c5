"""What schemathesis cannot read in the door's document: loaded by its command line, not by the tests."""

import itertools
import re
from typing import Any

import schemathesis

NUMBERS = itertools.count()


@schemathesis.hook
def before_call(_: schemathesis.HookContext, case: schemathesis.Case[Any], __: dict[str, Any]) -> None:
    """Name a user, which may stand in three places, and use no valid idempotency key twice."""
    body: Any = case.body
    if isinstance(body, dict) and isinstance(body.get("task_data", {}), dict):
        body["task_data"] = {"user_id": "someone"}
    for name, value in dict(case.headers or {}).items():
        if name.lower() == "idempotency-key" and re.fullmatch(r"[\x21-\x7e]{1,255}", str(value)):
            case.headers[name] = f"key-{next(NUMBERS)}"
