"""`python -m dev release` in a repository of its own: git is real, building and publishing are not."""

import subprocess
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from dev.cli import main, release
from dev.release import bundle, repository
from dev.release.release_plan import ReleaseError
from dev.release.version_texts import CHANGELOG, FILES, version_in

AUTHOR: Final = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "t"), ("EMAIL", "t@example.com"))
}
REGISTRY: Final = "registry.example.com/gather"
LOG: Final = "# Changelog\n\n## Unreleased\n\n### Added\n- a thing\n\n## 0.0.1 - 2026-01-01\n- first\n"


def git(folder: Path, *words: str) -> str:
    """What git prints."""
    done = subprocess.run(
        ["git", "-C", folder, *words], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the files that a release changes, in place of this one."""
    for name, value in {**AUTHOR, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}.items():
        monkeypatch.setenv(name, value)
    for path, text in {**repository.read_texts(), CHANGELOG: LOG}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, "utf-8")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "Begin")
    for module in (repository, release):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What was published, in place of publishing it."""
    seen: list[tuple[str, str]] = []
    monkeypatch.setattr(release, "_publish", lambda version, registry, **_: seen.append((version, registry)))
    return seen


def call(*words: str) -> str:
    """What the command prints; raises what it raises."""
    done = CliRunner().invoke(main.app, ["release", *words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def test_without_a_registry_nothing_is_changed(own: Path, published: list[tuple[str, str]]) -> None:
    """It says what would be done."""
    before = git(own, "rev-parse", "HEAD")
    shown = call("0.9.0")
    assert "Tag the commit v0.9.0" in shown
    assert "Nothing was changed" in shown
    assert (git(own, "rev-parse", "HEAD"), git(own, "status", "--porcelain"), git(own, "tag")) == (
        before,
        "",
        "",
    )
    assert published == []


def test_a_release_is_one_commit_and_a_tag_with_its_notes(
    own: Path, published: list[tuple[str, str]]
) -> None:
    """Of the files that name the version, after what was published."""
    shown = call("0.9.0", "--registry", REGISTRY)
    assert published == [("0.9.0", REGISTRY)]
    assert git(own, "log", "--format=%s").splitlines() == ["Release 0.9.0", "Begin"]
    assert set(git(own, "show", "--name-only", "--format=").splitlines()) == set(map(str, FILES))
    assert version_in((own / "pyproject.toml").read_text("utf-8")) == "0.9.0"
    assert git(own, "rev-parse", "v0.9.0^{commit}") == git(own, "rev-parse", "HEAD")
    message = git(own, "for-each-ref", "--format=%(contents)", "refs/tags/v0.9.0")
    assert message.startswith("v0.9.0\n\n### ")
    assert "git push origin HEAD v0.9.0" in shown


def test_what_could_not_be_published_has_no_tag_and_goes_on(
    own: Path, published: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the same command, without a second commit; and once more does no harm."""

    def fails(*_: object, **__: object) -> None:
        raise ReleaseError("no registry")

    with monkeypatch.context() as broken:
        broken.setattr(release, "_publish", fails)
        with pytest.raises(ReleaseError, match="no registry"):
            call("0.9.0", "--registry", REGISTRY)
    assert git(own, "tag") == ""
    call("0.9.0", "--registry", REGISTRY)
    call("0.9.0", "--registry", REGISTRY)
    assert git(own, "log", "--format=%s").splitlines() == ["Release 0.9.0", "Begin"]
    assert git(own, "tag") == "v0.9.0"
    assert published == [("0.9.0", REGISTRY)] * 2


@pytest.mark.parametrize("registry", ["registry.example.com", "https://r.example.com/g", "R.example.com/g"])
def test_a_registry_without_a_path_is_refused_before_anything_is_changed(
    own: Path, published: list[tuple[str, str]], registry: str
) -> None:
    """Else the commit would be made first."""
    with pytest.raises(ReleaseError, match="write host/path"):
        call("0.9.0", "--registry", registry)
    assert git(own, "log", "--format=%s") == "Begin"
    assert published == []


def test_changed_and_unknown_files_are_named(own: Path) -> None:
    """As git lists them, the first one too."""
    (own / "CHANGELOG.md").write_text("x", "utf-8")
    (own / "new.txt").write_text("x", "utf-8")
    with pytest.raises(ReleaseError, match=r"\(CHANGELOG.md, new.txt\)"):
        call("0.9.0")


def test_digests_are_values_and_sums_are_what_sha256sum_reads(tmp_path: Path) -> None:
    """`helm --values` and `sha256sum --check`."""
    values = bundle.digest_values({"worker": "sha256:ab", "brain": "sha256:cd"})
    assert values.splitlines()[1:] == [
        "brain: {image: {digest: 'sha256:cd'}}",
        "worker: {image: {digest: 'sha256:ab'}}",
    ]
    (tmp_path / "a.txt").write_text("a", "utf-8")
    (tmp_path / bundle.SUMS).write_text(bundle.checksums(tmp_path), "utf-8")
    subprocess.run(["sha256sum", "--check", "--quiet", bundle.SUMS], cwd=tmp_path, timeout=60, check=True)
