"""Write the JSON Schema of Gather's items from the contracts: docs/items.schema.json.

With `--check` nothing is written; the exit code says whether the file is what the contracts make it.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from dev.generate.files import write_or_check
from gather_contracts.items import item_schema

SCHEMA = Path("docs") / "items.schema.json"


def files() -> Mapping[Path, str]:
    """Return the generated file's path below the repository, and its text."""
    return {SCHEMA: json.dumps(item_schema(), indent=2, ensure_ascii=False) + "\n"}


def main() -> None:
    """Write the file, or with `--check` fail if it differs."""
    write_or_check(files, "the contracts say", "items-schema")


if __name__ == "__main__":
    main()
