"""Finds objects among what a chart renders."""

from typing import Any, Final

DOORS: Final = ("celery-door", "http-door")
"""Rooms that are Deployments of the bridge's image, with a token for GatherRuns."""


def of_kind(documents: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Return the documents of a kind."""
    return [d for d in documents if d["kind"] == kind]


def named(documents: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """Return the document of that kind and name."""
    return next(d for d in of_kind(documents, kind) if d["metadata"]["name"] == name)
