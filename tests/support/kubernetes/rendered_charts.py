"""Finds objects among what a chart renders."""

import shutil
from pathlib import Path
from typing import Any, Final

DOORS: Final = ("celery-door", "http-door")
"""Rooms that are Deployments of the bridge's image, with a token for GatherRuns."""

NOTES: Final = (
    "{apiVersion: v1, kind: ConfigMap, metadata: {name: notes}, data: "
    '{notes: {{ tpl (.Files.Get "notes") . | toJson }}}}'
)
"""Helm shows notes to a cluster alone."""


def of_kind(documents: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Return the documents of a kind."""
    return [d for d in documents if d["kind"] == kind]


def named(documents: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """Return the document of that kind and name."""
    return next(d for d in of_kind(documents, kind) if d["metadata"]["name"] == name)


def with_notes_shown(chart: Path, folder: Path) -> Path:
    """Return a copy of a chart that renders its notes, in a ConfigMap of `templates/notes.yaml`."""
    copy = folder / chart.name
    shutil.copytree(chart, copy)
    (copy / "templates" / "NOTES.txt").rename(copy / "notes")
    (copy / "templates" / "notes.yaml").write_text(NOTES, "utf-8")
    return copy
