"""Write the JSON Schema of Gather's items from the contracts: docs/items.schema.json.

With `--check` nothing is written; the exit code says whether the file is what the contracts make it.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from dev.generate.files import differing_files, write_files
from dev.paths import ROOT
from gather_contracts.items import item_schema

SCHEMA = Path("docs") / "items.schema.json"


def files() -> Mapping[Path, str]:
    """Return the generated file's path below the repository, and its text."""
    return {SCHEMA: json.dumps(item_schema(), indent=2, ensure_ascii=False) + "\n"}


def main() -> None:
    """Write the file, or with `--check` fail if it differs."""
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit("usage: python -m dev.generate.items_schema [--check]")
    if not sys.argv[1:]:
        write_files(files(), ROOT)
    elif differing_files(files(), ROOT):
        sys.exit(f"not what the contracts say, run `make items-schema`: {SCHEMA}")


if __name__ == "__main__":
    main()
