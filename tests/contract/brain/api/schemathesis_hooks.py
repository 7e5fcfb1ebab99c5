"""What schemathesis cannot read in the document: loaded by its command line, not by the tests."""

from typing import Any

import schemathesis


@schemathesis.hook
def before_call(_: schemathesis.HookContext, case: schemathesis.Case[Any], __: dict[str, Any]) -> None:
    """Let no id stand twice in a list: that is refused, and OpenAPI 3.0 has no word for it.

    Just before the call, since ids also come out of earlier answers, after all filters.
    """
    body: Any = case.body
    for name in ("nodes", "gatherItems"):
        entries = body.get(name) if isinstance(body, dict) else None
        if isinstance(entries, list):
            _part(entries)


def _part(entries: list[Any]) -> None:
    seen: set[str] = set()
    for place, entry in enumerate(entries):
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
            continue
        if entry["id"] in seen:
            entry["id"] = f"another-{place}"
        seen.add(entry["id"])
