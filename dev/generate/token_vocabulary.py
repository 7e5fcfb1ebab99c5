"""Makes the vocabulary that the worker counts tokens with, out of a wheel of Mistral's.

A truncated vocabulary is a vocabulary: tokens are merged in the order of their ranks, so that the first
ranks alone cut a text into somewhat more pieces. It is kept in the repository because it is small and never
changes, and then needs neither a download in each build nor a place to mount it.

    python -m dev.generate.token_vocabulary [--check]
"""

import gzip
import json
import sys
import zipfile
from pathlib import Path
from typing import Final

from dev.artefacts.store_binaries import StoreArtefacts
from gather_worker.prompts import tokens

TOKENS: Final = 32_768
"""Counts English 4 to 8 % high, in 18 MB and 50 ms; all 131,072 tokens: 0 to 1 % in 55 MB and 230 ms."""
SOURCE: Final = "mistral_common/data/tekken_240911.json"
TARGET: Final = Path(tokens.__file__).with_name(tokens.VOCABULARY)


def vocabulary(wheel: Path) -> bytes:
    """Return the file's content: equal bytes whenever it is made."""
    with zipfile.ZipFile(wheel) as archive:
        published = json.loads(archive.read(SOURCE))
    lines = [entry["token_bytes"] for entry in published["vocab"][:TOKENS]]
    return gzip.compress("\n".join(lines).encode(), mtime=0)


def main() -> int:
    """Write the vocabulary, or with `--check` only return whether it is up to date (0 or 1)."""
    made = vocabulary(StoreArtefacts.from_environment().token_vocabulary())
    if "--check" in sys.argv[1:]:
        return int(gzip.decompress(made) != gzip.decompress(TARGET.read_bytes()))
    TARGET.write_bytes(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
