"""What the run page serves beside its own files, and what its tests need: a browser and axe-core."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dev.artefacts.artefacts import Artefacts
from dev.artefacts.cache import Cache
from dev.artefacts.content import content_key
from dev.artefacts.debian_packages import ensure_packages
from dev.artefacts.npm_packages import NPM_PACKAGES, fetch_packages
from dev.paths import ROOT
from dev.progress import Reporter

ASSETS: Final = {
    "htmx.org": {"dist/htmx.min.js": "htmx.js", "LICENSE": "htmx.LICENSE"},
    "chart.js": {"dist/chart.umd.min.js": "chart.js", "LICENSE.md": "chart.LICENSE"},
    "@picocss/pico": {"css/pico.min.css": "pico.css", "LICENSE.md": "pico.LICENSE"},
}
TEST_ASSETS: Final = {"axe-core": {"axe.min.js": "axe.js"}}
ASSETS_SOURCES: Final = (
    "requirements/page.txt",
    "dev/artefacts/page_assets.py",
    "dev/artefacts/npm_packages.py",
)
TEST_SOURCES: Final = ("requirements/page-tests.txt", *ASSETS_SOURCES[1:])
BROWSER: Final = Path("/usr/bin/chromium")
BROWSER_PACKAGES: Final = {
    "chromium": str(BROWSER),
    "fonts-dejavu-core": "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
}
"""Debian's browser, and letters for it: without any it shows boxes."""


def assets_key() -> str:
    """Return the version of the page's assets."""
    return content_key(ROOT, ASSETS_SOURCES, ())


@dataclass(frozen=True, slots=True)
class PageAssets:
    """Where each is; the first question for one gets it."""

    artefacts: Artefacts

    @classmethod
    def from_environment(cls) -> "PageAssets":
        """Return the assets of the cache that the environment names."""
        return cls(Artefacts(Cache.from_environment(), Reporter()))

    def folder(self) -> Path:
        """Return the folder that the bridge's `GATHER_BRIDGE_PAGE_DIR` names."""

        def make(folder: Path) -> None:
            self._ensure(NPM_PACKAGES)
            fetch_packages(ROOT / ASSETS_SOURCES[0], ASSETS, folder, self._npm_log)

        return self.artefacts.obtain("page-assets", assets_key(), make)

    def axe(self) -> Path:
        """Return the script that looks for barriers in a page."""

        def make(folder: Path) -> None:
            self._ensure(NPM_PACKAGES)
            fetch_packages(ROOT / TEST_SOURCES[0], TEST_ASSETS, folder, self._npm_log)

        return self.artefacts.obtain("page-tests", content_key(ROOT, TEST_SOURCES, ()), make) / "axe.js"

    def browser(self) -> Path:
        """Return Debian's Chromium, which is installed where it is missing."""
        self._ensure(BROWSER_PACKAGES)
        return BROWSER

    @property
    def _npm_log(self) -> Path:
        return self.artefacts.cache.logs / "npm.log"

    def _ensure(self, packages: dict[str, str]) -> None:
        with self.artefacts.locked("apt"):
            ensure_packages(packages, self.artefacts.cache, self.artefacts.reporter)
