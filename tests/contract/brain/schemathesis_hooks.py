"""What schemathesis cannot read in the document: loaded by its command line, not by the tests."""

from typing import Any

import schemathesis


@schemathesis.hook
def filter_body(_: schemathesis.HookContext, body: Any) -> bool:
    """Drop batches in which one id stands twice: refused, and OpenAPI 3.0 has no word for it."""
    nodes = body.get("nodes") if isinstance(body, dict) else None
    if not isinstance(nodes, list):
        return True
    ids = [node["id"] for node in nodes if isinstance(node, dict) and isinstance(node.get("id"), str)]
    return len(ids) == len(set(ids))
