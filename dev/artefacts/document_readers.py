"""Other programs that read documents, for the tests of exports: pandoc, and LibreOffice to look at them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dev.artefacts.artefacts import Artefacts
from dev.artefacts.cache import Cache
from dev.artefacts.debian_packages import ensure_packages
from dev.progress import Reporter

PANDOC: Final = Path("/usr/bin/pandoc")
PANDOC_PACKAGES: Final = {"pandoc": str(PANDOC)}
"""21 MB; starts in 0.2 s."""
OFFICE: Final = Path("/usr/bin/soffice")
OFFICE_PACKAGES: Final = {
    "libreoffice-writer-nogui": str(OFFICE),
    "libreoffice-calc-nogui": "/usr/lib/libreoffice/program/libsclo.so",
    "poppler-utils": "/usr/bin/pdftoppm",
    "fonts-crosextra-carlito": "/usr/share/fonts/truetype/crosextra/Carlito-Regular.ttf",
    "fonts-noto-core": "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf",
    "fonts-noto-cjk": "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
}
"""400 MB: for looking at exports and long tests. Letters of Word's usual size, and of all scripts."""


@dataclass(frozen=True, slots=True)
class DocumentReaders:
    """Where each is; what is missing is installed."""

    artefacts: Artefacts

    @classmethod
    def from_environment(cls) -> "DocumentReaders":
        """Return the readers with the cache that the environment names."""
        return cls(Artefacts(Cache.from_environment(), Reporter()))

    def pandoc(self) -> Path:
        """Return Debian's pandoc."""
        self._ensure(PANDOC_PACKAGES)
        return PANDOC

    def office(self) -> Path:
        """Return Debian's LibreOffice without windows, with pdftoppm beside it."""
        self._ensure(OFFICE_PACKAGES)
        return OFFICE

    def _ensure(self, packages: dict[str, str]) -> None:
        with self.artefacts.locked("apt"):
            ensure_packages(packages, self.artefacts.cache, self.artefacts.reporter)
