"""Whether a version can be released, and what is still to be done, out of what the repository says."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dev.errors import DevError

VERSION: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)")
SHOWN_CHANGES: Final = 5
"""Enough of `git status` to see what it is about."""


class ReleaseError(DevError):
    """The release is refused; the message names what mends it."""


@dataclass(frozen=True, slots=True)
class State:
    """What the repository says.

    Attributes:
        version: of the distribution.
        changes: what `git status` lists.
        tags: each release's tag, and the commit that it names.
        head: the commit that would be released.
        unreleased: what the changelog has under "Unreleased".
        sections: the versions that the changelog has a section for.
    """

    version: str
    changes: Sequence[str]
    tags: Mapping[str, str]
    head: str
    unreleased: str
    sections: Sequence[str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is still to be done: a release that broke off goes on where it was."""

    version: str
    sets_version: bool
    tags: bool

    @property
    def tag(self) -> str:
        """The tag that says that the version is out."""
        return f"v{self.version}"


def plan(version: str, state: State) -> Plan:
    """Return what a release of `version` has to do.

    Raises:
        ReleaseError: the version is none, is out already, or is below one that is; files are changed; or the
            changelog has nothing to release.
    """
    if not VERSION.fullmatch(version):
        raise ReleaseError(f"{version!r} is no version: give three numbers, such as VERSION=0.2.0.")
    if state.changes:
        more = ", …" if len(state.changes) > SHOWN_CHANGES else ""
        raise ReleaseError(
            f"Files differ from the last commit ({', '.join(state.changes[:SHOWN_CHANGES])}{more}): commit "
            "or remove them, then run the same again."
        )
    tagged = state.tags.get(f"v{version}")
    if tagged:
        if tagged != state.head:
            raise ReleaseError(
                f"{version} is out already, as commit {tagged[:12]}: choose a version above "
                f"{_newest(state)}, or `git checkout v{version}` to publish that one again."
            )
        return Plan(version, sets_version=False, tags=False)
    if _numbers(version) < _numbers(_newest(state)):
        raise ReleaseError(f"{version} is below {_newest(state)}, which there is: choose a higher version.")
    return _untagged(version, state)


def _untagged(version: str, state: State) -> Plan:
    """Return the plan of a version without a tag: a new one, or one whose release broke off."""
    if version in state.sections:
        if state.unreleased:
            raise ReleaseError(
                f"CHANGELOG.md has a section {version} already, and no tag v{version} names it: move what "
                "stands under Unreleased into that section, or choose a higher version."
            )
        return Plan(version, sets_version=False, tags=True)
    if not state.unreleased:
        raise ReleaseError(
            'CHANGELOG.md has nothing under "Unreleased": write there what users notice, commit it, then run '
            "the same again."
        )
    return Plan(version, sets_version=True, tags=True)


def _newest(state: State) -> str:
    tagged = [tag.removeprefix("v") for tag in state.tags]
    return max([state.version, *tagged], key=_numbers)


def _numbers(version: str) -> tuple[int, ...]:
    found = VERSION.fullmatch(version)
    return tuple(int(number) for number in found.groups()) if found else (0, 0, 0)
