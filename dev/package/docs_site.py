"""The documentation as a site: `make docs` writes it into dist/docs and fails for a broken link.

Pages stand where they stand in the repository; each README is its folder's first page.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from functools import partial
from pathlib import Path
from typing import Final

from dev.artefacts.artefacts import Artefacts
from dev.artefacts.cache import Cache
from dev.package.python_tools import python_tool
from dev.paths import ROOT
from dev.progress import Reporter

PARTS: Final = ROOT / "docs" / "site.toml"
FIRST: Final = ROOT / "README.md"
FOLDER: Final = ROOT / "dist" / "docs"
TIMEOUT_S: Final = 900
"""Twenty seconds of processor time, which a busy machine may take minutes for."""
LINK: Final = re.compile(r"\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")
FENCED: Final = re.compile(r"(^```.*?^```)", re.MULTILINE | re.DOTALL)
LOADED: Final = re.compile(
    r"""<(?:script|link|img|iframe|source)\b[^>]*?\b(?:src|href)=["']?(?:https?:)?//([^"'\s>]+)"""
)
CONFIGURATION: Final = """\
project = "Gather"
copyright = "Gather, Apache License 2.0"
extensions = ["myst_parser"]
root_doc = "index"
html_theme = "furo"
html_title = "Gather"
html_copy_source = False
smartquotes = False
myst_heading_anchors = 4
# Pages lie below one another without a list of their own.
suppress_warnings = ["toc.not_included"]
"""


def parts() -> dict[str, list[Path]]:
    """Return the pages by the title of their part, in their order; README.md is in none."""
    listed = tomllib.loads(PARTS.read_text("utf-8"))["part"]
    return {part["title"]: [ROOT / page for page in part["pages"]] for part in listed}


def stage(folder: Path) -> None:
    """Write the configuration, the pages, and the files that they link to."""
    pages = [FIRST, *(page for part in parts().values() for page in part)]
    (folder / "conf.py").write_text(CONFIGURATION, "utf-8")
    for page in pages:
        # What stands in a block of code is no link.
        pieces = FENCED.split(page.read_text("utf-8"))
        text = "".join(
            piece if place % 2 else LINK.sub(partial(_linked, page, folder), piece)
            for place, piece in enumerate(pieces)
        )
        place = _place(page, folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text + (_contents() if page == FIRST else ""), "utf-8")


def _place(page: Path, folder: Path) -> Path:
    named = page.relative_to(ROOT)
    return folder / (named.with_name("index.md") if named.name == "README.md" else named)


def _linked(page: Path, folder: Path, link: re.Match[str]) -> str:
    """Return a link as the site has it: to a README's new name; a file's copy; a folder is only named."""
    words, name, anchor = link[1], link[2], link[3] or ""
    target = (page.parent / name).resolve()
    if "://" in name or not target.exists():
        return link[0]
    if target.is_dir():
        return words
    if target.suffix != ".md":
        place = folder / target.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(target, place)
        return link[0]
    return f"[{words}]({re.sub(r'README.md$', 'index.md', name)}{anchor})"


def _contents() -> str:
    """Return the site's table of contents, as Sphinx reads it."""
    lists = []
    for title, pages in parts().items():
        names = [str(_place(page, Path()).with_suffix("")) for page in pages]
        lists.append("\n".join(["```{toctree}", ":hidden:", f":caption: {title}", "", *names, "```"]))
    return "\n" + "\n\n".join(lists) + "\n"


def build(pages: Path, site: Path, sphinx: Path) -> subprocess.CompletedProcess[str]:
    """Build the site; a warning, such as of a link or a heading that is not there, is an error."""
    return subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "dirhtml", str(pages), str(site)],
        capture_output=True, text=True, check=False, timeout=TIMEOUT_S,
        env={**os.environ, "PYTHONPATH": str(sphinx)},
    )  # fmt: skip


def loaded_from_elsewhere(site: Path) -> dict[str, list[str]]:
    """Return the addresses elsewhere that pages load something from, by page."""
    found = {page: LOADED.findall(page.read_text("utf-8")) for page in sorted(site.rglob("*.html"))}
    return {str(page.relative_to(site)): addresses for page, addresses in found.items() if addresses}


def main() -> None:
    """Build the site, or say what is wrong."""
    if sys.argv[1:]:
        sys.exit("usage: python -m dev.package.docs_site")
    work = FOLDER.parent / "docs-work"
    for folder in (work, FOLDER):
        shutil.rmtree(folder, ignore_errors=True)
    work.mkdir(parents=True)
    stage(work)
    done = build(work, FOLDER, python_tool("docs", Artefacts(Cache.from_environment(), Reporter())))
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}".replace(f"{work}/", ""))
    if elsewhere := loaded_from_elsewhere(FOLDER):
        sys.exit(f"pages load from elsewhere: {elsewhere}")
    shutil.rmtree(work)
    print(f"{FOLDER.relative_to(ROOT)}: {len(list(FOLDER.rglob('*.html')))} pages")


if __name__ == "__main__":
    main()
