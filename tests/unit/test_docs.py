"""The documentation: its links lead somewhere, and the files, tests and classes that it names exist."""

import os
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

import pytest

from dev.paths import ROOT

NOT_OURS: Final = {"__pycache__", "node_modules", "build", "dist", "venv"}
SHOWN: Final = {".github", ".ci"}
"""Hidden folders that belong to the repository; all others are tools' own."""
ELSEWHERE: Final = ("operator/__init__.py", "logs/", "pan/*", "dist/*")
"""Named although not here: the first must not exist, the cluster makes the second, users bring the third,
`make cli` and `make release` make the last."""
PRODUCT: Final = ("contracts", "clients", "operator", "worker", "brain", "bridge", "cli", "demo", "dev")
HEADINGS: Final = ["Context", "Choice", "Figures", "Consequences", "What would change our mind"]
LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCED: Final = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE: Final = re.compile(r"`([^`\n]+)`")
FILE: Final = re.compile(r"[\w.*-]+(?:/[\w.*-]+)+\.(?:py|md|ya?ml|json|toml|txt|js|ts|mod|gz)|[\w*]+\.py")
FOLDER: Final = re.compile(r"[\w.-]+(?:/[\w.-]+)*/")
DOCUMENT: Final = re.compile(r"\bdocs/[\w/.-]+\.md\b")
SOURCES: Final = {".py", ".yaml", ".yml", ".tpl", ".txt", ".json", ".html", ".js"}
TEST: Final = re.compile(r"test_\w+")
CLASS: Final = re.compile(r"([A-Z][a-z]+(?:[A-Z][a-z]+)+)(?:\.\w+)?")


def files() -> Iterator[Path]:
    """Every file of the repository, below its root."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in NOT_OURS and (name[0] != "." or name in SHOWN)]
        for name in names:
            yield (Path(folder) / name).relative_to(ROOT)


FILES: Final = sorted(files())
FOLDERS: Final = sorted({parent for file in FILES for parent in file.parents})
DOCUMENTS: Final = [file for file in FILES if file.suffix == ".md" and "prompts" not in file.parts]
RECORDS: Final = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))


def text_of(file: Path) -> str:
    """A file's text."""
    return (ROOT / file).read_text(encoding="utf-8")


def code_in(document: Path) -> list[str]:
    """What stands between single backticks."""
    return CODE.findall(FENCED.sub("", text_of(document)))


def anchors(document: Path) -> set[str]:
    """The fragments by which GitHub reaches the document's headings."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", text_of(document)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def exists(name: str, known: list[Path]) -> bool:
    """Whether a path ends like that; documents name files as seen from their room."""
    is_elsewhere = any(fnmatch(name, pattern) for pattern in ELSEWHERE)
    return is_elsewhere or any(fnmatch(f"/{path}", f"*/{name.removesuffix('/')}") for path in known)


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    """To a file or folder of the repository, and to a heading in it."""
    broken = []
    for link in LINK.findall(FENCED.sub("", text_of(document))):
        if "://" in link:
            continue
        path, _, fragment = link.partition("#")
        target = ((ROOT / document).parent / path).resolve() if path else ROOT / document
        if not target.exists() or (fragment and fragment not in anchors(target.relative_to(ROOT))):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_file_that_is_named_exists(document: Path) -> None:
    """Files as a path or as a module's name, folders with a slash at their end."""
    code = code_in(document)
    missing = [name for name in code if FILE.fullmatch(name) and not exists(name, FILES)]
    missing += [name for name in code if FOLDER.fullmatch(name) and not exists(name, FOLDERS)]
    assert missing == []


def test_every_document_that_the_product_names_exists() -> None:
    """In messages, docstrings that are published, values and alerts."""
    sources = [file for file in FILES if file.parts[0] in (*PRODUCT, "charts") and file.suffix != ".md"]
    texts = {file: text_of(file) for file in sources if file.suffix in SOURCES}
    named = {(str(file), name) for file, text in texts.items() for name in DOCUMENT.findall(text)}
    assert len(named) > 20
    assert [(file, name) for file, name in sorted(named) if not exists(name, DOCUMENTS)] == []


def test_every_test_that_is_named_exists() -> None:
    """The guarantees are worth what their tests are."""
    modules = [file for file in FILES if file.parts[0] == "tests" and file.suffix == ".py"]
    tests = {name for file in modules for name in re.findall(r"def (test_\w+)\(", text_of(file))}
    named = {(str(doc), name) for doc in DOCUMENTS for name in code_in(doc) if TEST.fullmatch(name)}
    assert [(document, name) for document, name in sorted(named) if name not in tests] == []


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", *(str(r.relative_to(ROOT)) for r in RECORDS)])
def test_every_class_that_is_named_exists(document: str) -> None:
    """In some room."""
    sources = "\n".join(text_of(file) for file in FILES if file.parts[0] in PRODUCT and file.suffix == ".py")
    named = [found[1] for code in code_in(Path(document)) if (found := CLASS.fullmatch(code))]
    assert [name for name in named if not re.search(rf"^\s*class {name}\b", sources, re.MULTILINE)] == []


def test_the_readme_shows_the_picture_of_the_architecture() -> None:
    """One picture, in two places."""
    pictures = [FENCED.findall(text_of(Path(name)))[0] for name in ("README.md", "ARCHITECTURE.md")]
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_every_decision_has_its_parts(record: Path) -> None:
    """And a status, and a line in the index."""
    text = record.read_text(encoding="utf-8")
    number = int(record.name[:4])
    (title,) = re.findall(rf"^# {number}\. (.+)$", text, re.MULTILINE)
    (status,) = re.findall(r"^Status: (accepted|under review|replaced by \d+)$", text, re.MULTILINE)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    assert f"| {number} | [{title}]({record.name}) | {status} |" in text_of(Path("docs/decisions/README.md"))
