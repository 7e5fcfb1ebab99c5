"""The documentation's site: every page is in it, once, and what pages link to goes with them."""

from pathlib import Path

from dev.package.docs_site import FIRST, loaded_from_elsewhere, parts, stage
from dev.paths import ROOT

ROOT_PAGES = {"ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"}


def test_every_page_is_in_one_part() -> None:
    """A new one has to be put where a reader looks for it."""
    listed = [page for pages in parts().values() for page in pages]
    there = {
        *(page for page in (ROOT / "docs").rglob("*.md") if "node_modules" not in page.parts),
        *(ROOT / "charts").glob("*/README.md"),
        *(ROOT / name for name in ROOT_PAGES),
    }
    assert len(listed) == len(set(listed))
    assert set(listed) == there


def test_pages_are_staged_with_what_they_link_to(tmp_path: Path) -> None:
    """Files beside them, READMEs as their folder's first page, folders by their name alone."""
    stage(tmp_path)
    first = (tmp_path / "index.md").read_text("utf-8")
    for title, pages in parts().items():
        assert f":caption: {title}\n" in first
        assert all((tmp_path / page.relative_to(ROOT)).exists() for page in pages if page.name != "README.md")
    assert FIRST.read_text("utf-8")[:200] in first
    assert (tmp_path / "docs" / "runbooks" / "index.md").exists()
    assert "(runbooks/index.md)" in (tmp_path / "docs" / "metrics.md").read_text("utf-8")
    assert (tmp_path / "examples" / "values" / "model-vllm.yaml").exists()
    assert (tmp_path / "docs" / "openapi.json").exists()
    assert "](../tests/data/clients)" not in (tmp_path / "docs" / "brain.md").read_text("utf-8")


def test_what_a_page_loads_from_elsewhere_is_seen(tmp_path: Path) -> None:
    """Fonts and scripts; a link that a reader follows is none."""
    (tmp_path / "good.html").write_text(
        '<a href="https://example.com">x</a><script src="a.js"></script>', "utf-8"
    )
    (tmp_path / "bad.html").write_text(
        '<link rel="stylesheet" href="https://fonts.example.com/a.css">', "utf-8"
    )
    assert loaded_from_elsewhere(tmp_path) == {"bad.html": ["fonts.example.com/a.css"]}
