"""git: what it says of the working tree, and the commit and the tag of a release."""

from collections.abc import Mapping
from pathlib import Path

from dev.commands import output_of
from dev.paths import ROOT
from dev.release.release_plan import State
from dev.release.version_texts import CHANGELOG, FILES, PYPROJECT, sections, unreleased, version_in

RELEASE_TAGS = "refs/tags/v[0-9]*"


def _git(*arguments: str) -> str:
    return output_of(["git", "-C", str(ROOT), *arguments]).rstrip()


def read_texts() -> dict[Path, str]:
    """Return the texts of the files that a release changes, by their paths in the repository."""
    return {path: (ROOT / path).read_text("utf-8") for path in FILES}


def read_state() -> State:
    """Return what the repository says."""
    texts = read_texts()
    listed = _git("for-each-ref", "--format=%(refname:short) %(objectname) %(*objectname)", RELEASE_TAGS)
    # An annotated tag is an object of its own, and names its commit last.
    tags = {words[0]: words[-1] for words in map(str.split, listed.splitlines())}
    return State(
        version=version_in(texts[PYPROJECT]),
        changes=[line[3:] for line in _git("status", "--porcelain").splitlines()],
        tags=tags,
        head=_git("rev-parse", "HEAD"),
        unreleased=unreleased(texts[CHANGELOG]),
        sections=sections(texts[CHANGELOG]),
    )


def commit(texts: Mapping[Path, str], version: str) -> None:
    """Write the files and commit them."""
    for path, text in texts.items():
        (ROOT / path).write_text(text, "utf-8")
    _git("commit", "--quiet", "--message", f"Release {version}", "--", *map(str, texts))


def tag(name: str, notes: str) -> None:
    """Tag the last commit, with the changelog's section as the tag's message."""
    _git("tag", "--annotate", "--cleanup=verbatim", "--message", f"{name}\n\n{notes}\n", name)


def commit_time_s() -> int:
    """Return when the last commit was made, in seconds since 1970."""
    return int(_git("log", "-1", "--format=%ct"))
