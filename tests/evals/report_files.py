"""A report's two files: Markdown for people, JSON for programs."""

import json
from pathlib import Path
from typing import Any

from gather_clients.logs import without_secrets


def write_both(found: dict[str, Any], markdown: str, out: Path) -> str:
    """Write FILE.md and FILE.json, without a secret, into a folder that is made; return the Markdown."""
    out.parent.mkdir(parents=True, exist_ok=True)
    shown = without_secrets(markdown)
    out.with_name(f"{out.name}.md").write_text(shown, encoding="utf-8")
    data = without_secrets(json.dumps(found, indent=2, ensure_ascii=False))
    out.with_name(f"{out.name}.json").write_text(f"{data}\n", encoding="utf-8")
    return shown
