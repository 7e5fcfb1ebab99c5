"""What a release does, and when it is refused, with the sentence that names what mends it."""

from dataclasses import replace

import pytest

from dev.cli.release import steps
from dev.release.release_plan import Plan, ReleaseError, State, plan

HEAD = "c" * 40
STATE = State(
    version="0.2.0",
    changes=[],
    tags={"v0.1.0": "a" * 40, "v0.2.0": "b" * 40},
    head=HEAD,
    unreleased="### Added\n- a thing",
    sections=["0.2.0", "0.1.0"],
)


def test_a_new_version_is_written_committed_and_tagged() -> None:
    """Whichever number rises."""
    for version in ("0.2.1", "0.3.0", "1.0.0"):
        assert plan(version, STATE) == Plan(version, sets_version=True, tags=True)


def test_the_first_release_may_have_the_version_that_the_sources_have() -> None:
    """No tag names it."""
    first = replace(STATE, version="0.1.0", tags={}, sections=[])
    assert plan("0.1.0", first) == Plan("0.1.0", sets_version=True, tags=True)


def test_a_release_that_broke_off_goes_on_without_a_second_commit() -> None:
    """The changelog has its section, and no tag names it."""
    broken = replace(STATE, version="0.3.0", unreleased="", sections=["0.3.0", "0.2.0"])
    assert plan("0.3.0", broken) == Plan("0.3.0", sets_version=False, tags=True)


def test_a_release_that_is_out_is_published_again_and_changes_nothing() -> None:
    """Where its tag is what is checked out."""
    out = replace(STATE, unreleased="", tags={**STATE.tags, "v0.2.0": HEAD})
    assert plan("0.2.0", out) == Plan("0.2.0", sets_version=False, tags=False)
    assert "v0.2.0 is this commit already" in steps(plan("0.2.0", out), "r/g")


@pytest.mark.parametrize(
    ("version", "change", "words"),
    [
        ("0.3", {}, "'0.3' is no version: give three numbers"),
        ("v0.3.0", {}, "is no version"),
        ("0.3.0-rc.1", {}, "is no version"),
        ("0.3.0", {"changes": ["README.md"]}, "(README.md): commit or remove them"),
        ("0.3.0", {"changes": list("abcdefg")}, "(a, b, c, d, e, …): commit"),
        ("0.2.0", {}, "0.2.0 is out already, as commit bbbbbbbbbbbb: choose a version above 0.2.0"),
        ("0.1.0", {}, "0.1.0 is out already"),
        ("0.1.9", {}, "0.1.9 is below 0.2.0, which there is: choose a higher version"),
        ("0.9.0", {"version": "0.10.0"}, "0.9.0 is below 0.10.0"),
        ("0.3.0", {"unreleased": ""}, 'CHANGELOG.md has nothing under "Unreleased": write there'),
        ("0.3.0", {"sections": ["0.3.0"]}, "CHANGELOG.md has a section 0.3.0 already"),
    ],
)
def test_it_is_refused_with_what_mends_it(version: str, change: dict[str, object], words: str) -> None:
    """Before anything is changed."""
    with pytest.raises(ReleaseError) as refused:
        plan(version, replace(STATE, **change))  # type: ignore[arg-type]
    assert words in str(refused.value)


def test_what_is_shown_names_where_things_go() -> None:
    """A line for each step, in their order."""
    shown = steps(plan("0.3.0", STATE), "registry.example.com/gather")
    assert shown[0].startswith("Commit the version and the changelog: pyproject.toml, CHANGELOG.md")
    assert shown[1] == "Build and push registry.example.com/gather/{operator,worker,brain,bridge}:0.3.0"
    assert "oci://registry.example.com/gather/charts/gather 0.3.0" in shown[2]
    assert shown[-1] == "Tag the commit v0.3.0"
