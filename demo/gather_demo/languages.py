"""The languages that the demo speaks, and the files of its texts: `stem.language.yaml`."""

from enum import StrEnum
from pathlib import Path
from typing import Final

LANGUAGE_VARIABLE: Final = "GATHER_DEMO_LANGUAGE"


class Language(StrEnum):
    """A language by its tag; for others than English the brain wants its multilingual model."""

    EN = "en"
    DE = "de"


def file_in(language: Language, stem: Path) -> Path:
    """Return the file of a language, for `folder/stem`."""
    return stem.with_name(f"{stem.name}.{language}.yaml")
