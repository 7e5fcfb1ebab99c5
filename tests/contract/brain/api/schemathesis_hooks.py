"""What schemathesis cannot read in the document: loaded by its command line, not by the tests."""

from typing import Any

import schemathesis


@schemathesis.hook
def before_call(_: schemathesis.HookContext, case: schemathesis.Case[Any], __: dict[str, Any]) -> None:
    """Let no id stand twice in a batch: that is refused, and OpenAPI 3.0 has no word for it.

    Just before the call, since ids also come out of earlier answers, after all filters.
    """
    body: Any = case.body
    nodes = body.get("nodes") if isinstance(body, dict) else None
    if not isinstance(nodes, list):
        return
    seen: set[str] = set()
    for place, node in enumerate(nodes):
        if not isinstance(node, dict) or not isinstance(node.get("id"), str):
            continue
        if node["id"] in seen:
            node["id"] = f"another-{place}"
        seen.add(node["id"])
